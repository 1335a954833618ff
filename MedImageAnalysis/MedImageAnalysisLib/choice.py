"""The automatic choice of a preset: proposes with its reason, and never guesses silently when unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .analysis import MedicalImage
from .errors import UnsuitablePresetError
from .looks import Look, look_of_ct, look_of_volume
from .preset import Preset, available_presets, suits_modality

__all__ = ["AUTO", "Proposal", "choose_preset", "propose_preset"]

AUTO = "auto"

# Entries of Body Part Examined that name no part.
_NO_PART = frozenset({"", "PARTIALBODY", "PARTIAL BODY", "WHOLEBODY", "WHOLE BODY", "UNKNOWN", "OTHER"})


@dataclass(frozen=True)
class Proposal:
    """A preset that fits an image, or None; the reason says what was read off the image.

    Parameters
    ----------
    preset : Preset or None
        None if no preset or more than one fits equally well.
    reason : str
    candidates : tuple of str
        Names of the presets that are possible, best first.
    """

    preset: Preset | None
    reason: str
    candidates: tuple[str, ...]


def propose_preset(image: MedicalImage, presets: Sequence[Preset] | None = None) -> Proposal:
    """Propose a preset by modality, body part and dimension; where the header is silent, by what the pixels show.

    Parameters
    ----------
    image : MedicalImage
    presets : sequence of Preset, optional
        Those to choose from; by default all that are available.
    """
    presets = available_presets() if presets is None else presets
    dimension = image.pixels.GetDimension()
    look = _look(image)
    fitting = [preset for preset in presets if dimension in preset.dimensions]
    # Presets for any modality are a fallback that the user must choose: they know nothing of the anatomy.
    specific = [preset for preset in fitting if preset.modalities]
    general = [preset for preset in fitting if not preset.modalities]
    if not look.modality:
        reason = f"The {dimension}D image does not say its modality, and {look.reason}."
        return Proposal(None, reason, _names(specific, general))
    by_modality = [preset for preset in specific if suits_modality(preset, look.modality)]
    by_part = [preset for preset in by_modality if look.body_part and look.body_part in preset.body_parts]
    seen = f"{dimension}D {look.modality} image, body part {look.body_part or 'not known'} ({look.reason})"
    first = _preferred(by_part)
    if first is not None:
        others = ", ".join(preset.name for preset in by_part if preset is not first)
        words = f"{seen}: the preset '{first.name}' is made for it" + (
            f"; for other questions: {others}" if others else ""
        )
        return Proposal(first, f"{words}.", _names([first], by_part))
    if by_part:
        return Proposal(None, f"{seen}: several presets are made for it.", _names(by_part))
    if by_modality:
        return Proposal(None, f"{seen}: which of several presets is meant is not clear.", _names(by_modality, general))
    return Proposal(None, f"{seen}: no preset is made for it.", _names(general))


def _preferred(presets: Sequence[Preset]) -> Preset | None:
    """Return the one preset of the highest preference, or None if there is none or more than one."""
    highest = max((preset.preference for preset in presets), default=0)
    best = [preset for preset in presets if preset.preference == highest]
    return best[0] if len(best) == 1 else None


def choose_preset(image: MedicalImage, presets: Sequence[Preset] | None = None) -> Proposal:
    """Return a proposal with a preset, or refuse with what was seen and what the user can choose.

    Raises
    ------
    UnsuitablePresetError
        If the choice is not clear.
    """
    proposal = propose_preset(image, presets)
    if proposal.preset is None:
        choices = ", ".join(proposal.candidates) or "none"
        raise UnsuitablePresetError(f"No preset was chosen automatically. {proposal.reason} Choose one: {choices}.")
    return proposal


def _look(image: MedicalImage) -> Look:
    """Return modality and body part from the header and, where it is silent, from the pixels; "" if unknown."""
    info, dimension = image.info, image.pixels.GetDimension()
    part = "" if info.body_part in _NO_PART else info.body_part
    if info.modality and (part or info.modality != "CT" or dimension != 3 or not info.spacing_source):
        silent = "" if part else "; which body part, it does not say"
        return Look(info.modality, part, f"from its header{silent}")
    if info.modality:
        look = look_of_ct(image.pixels)
        if look is None:
            return Look("CT", "", "from its header; neither whole lungs nor a brain were seen in it")
        return Look("CT", look.body_part, f"modality from its header; {look.reason}")
    look = look_of_volume(image.pixels, bool(info.spacing_source)) if dimension == 3 else None
    if look is None:
        return Look("", "", "its intensities and geometry do not tell")
    return Look(look.modality, part or look.body_part, look.reason)


def _names(*groups: Sequence[Preset]) -> tuple[str, ...]:
    """Return names in order of the groups, each once."""
    return tuple(dict.fromkeys(preset.name for group in groups for preset in group))
