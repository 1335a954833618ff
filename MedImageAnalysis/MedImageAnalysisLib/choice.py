"""The automatic choice of a preset: proposes with its reason, and never guesses silently when unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .analysis import MedicalImage
from .errors import UnsuitablePresetError
from .preset import Preset, available_presets, suits_modality

__all__ = ["AUTO", "Proposal", "choose_preset", "propose_preset"]

AUTO = "auto"

# Air and water in Hounsfield units; a volume with a share of voxels near both is taken for CT (DICOM PS3.3 C.11.1.1.2).
_AIR_HU = (-1100, -850)
_SOFT_TISSUE_HU = (-150, 150)
_LEAST_SHARE = 0.02


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
    """Propose a preset by modality, body part, dimension and, for CT without a header, by intensities.

    Parameters
    ----------
    image : MedicalImage
    presets : sequence of Preset, optional
        Those to choose from; by default all that are available.
    """
    presets = available_presets() if presets is None else presets
    dimension = image.pixels.GetDimension()
    modality, how = _modality(image)
    fitting = [preset for preset in presets if dimension in preset.dimensions]
    # Presets for any modality are a fallback that the user must choose: they know nothing of the anatomy.
    specific = [preset for preset in fitting if preset.modalities]
    general = [preset for preset in fitting if not preset.modalities]
    if not modality:
        reason = f"The {dimension}D image does not say its modality, and its intensities do not tell."
        return Proposal(None, reason, _names(specific, general))
    by_modality = [preset for preset in specific if suits_modality(preset, modality)]
    part = image.info.body_part
    by_part = [preset for preset in by_modality if part and part in preset.body_parts]
    seen = f"{dimension}D {modality} image ({how})" + (f", body part {part}" if part else ", body part not given")
    if len(by_part) == 1:
        return Proposal(by_part[0], f"{seen}: the preset '{by_part[0].name}' is made for it.", _names(by_part))
    if by_part:
        return Proposal(None, f"{seen}: several presets are made for it.", _names(by_part))
    if by_modality:
        return Proposal(None, f"{seen}: which of several presets is meant is not clear.", _names(by_modality, general))
    return Proposal(None, f"{seen}: no preset is made for it.", _names(general))


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


def _modality(image: MedicalImage) -> tuple[str, str]:
    """Return the modality and how it is known, or ("", "")."""
    if image.info.modality:
        return image.info.modality, "from its header"
    if image.pixels.GetDimension() == 3 and _looks_like_hounsfield(image.pixels):
        return "CT", "by its intensities, which look like Hounsfield units"
    return "", ""


def _looks_like_hounsfield(pixels: sitk.Image) -> bool:
    """Tell whether a signed volume has the air and the soft-tissue peak of CT where they belong."""
    values = sitk.GetArrayViewFromImage(pixels).ravel()
    values = values[:: max(1, values.size // 200_000)]
    shares = [np.mean((values >= low) & (values <= high)) for low, high in (_AIR_HU, _SOFT_TISSUE_HU)]
    return bool(values.min() >= -4096 and min(shares) >= _LEAST_SHARE)


def _names(*groups: Sequence[Preset]) -> tuple[str, ...]:
    """Return names in order of the groups, each once."""
    return tuple(dict.fromkeys(preset.name for group in groups for preset in group))
