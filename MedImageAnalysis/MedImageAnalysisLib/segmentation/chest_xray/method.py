"""Lungs and heart on frontal chest radiographs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...analysis import Segmentation
from ...errors import UnsuitablePresetError
from ...parameters import parameter
from ...progress import Progress
from ...terminology import segment
from ..method import METHODS
from ..pixel_classifier.frame import Frame, around, sampled, whole_picture
from ..pixel_classifier.outline import bounds, certainty, labels_on, levels, main_part
from ..pixel_classifier.picture import check_picture, exposed, reduced
from ..two_engines import TwoEngineMethod
from .cascade import CHANNELS, Cascade, load_cascade
from .heart_base import above_diaphragm
from .orientation import seems_turned
from .outliners import STRUCTURES, Outliner, classical_outliner, load_network_outliner
from .plausibility import LEAST_CERTAINTY, plausible

__all__ = ["ChestXray"]

_LEAST_SIZE = 64
# Least share of the picture's square that both lungs together fill: noise and other anatomy show specks of "lung".
_LEAST_LUNGS = 0.06
_ADVICE = (
    "Is this a frontal chest radiograph, upright and shown as usual (the patient's right on the left of the picture)? "
    "If so, segment it by hand and give the segmentation."
)


@METHODS.register
@dataclass(frozen=True)
class ChestXray(TwoEngineMethod):
    """Right lung, left lung and heart on a frontal (PA or AP) chest radiograph of any size, adult or child.

    The lung fields are those of the SCR database (van Ginneken 2006): what is seen of the lungs beside heart, great
    vessels and above the diaphragm, without the parts behind them. The heart is the cardiac silhouette from the great
    vessels to the diaphragm (:mod:`.heart_base`). The picture must be in standard display: its left is the patient's
    right. A cascade of pixel classifiers (:mod:`..pixel_classifier`) finds the chest; it or a small network
    (:mod:`.outliners`) outlines what is in it. See `Docs/presets/chest-xray.md` for data and accuracy of both.
    """

    name = "chest-xray"
    title = "Chest radiograph: lungs and heart"

    smoothing: float = parameter(
        0.5,
        "How much outlines are smoothed, in percent of the chest's width.",
        unit="%",
        minimum=0.0,
        maximum=5.0,
    )
    contrast: str = parameter(
        "auto",
        "Whether bone is bright (as usual) or dark (a negative); 'auto' takes the one in which lungs are found.",
        choices=("auto", "bright-bone", "dark-bone"),
    )

    orientation: str = parameter(
        "checked",
        "A picture in which the network finds the heart more certain when it is mirrored or turned upside down is "
        "refused. 'as-is' takes any as it is, for a heart that does lie on the right.",
        choices=("checked", "as-is"),
    )

    def _run(self, image: sitk.Image, previous: Segmentation | None, progress: Progress) -> Segmentation:
        """Return the segmentation; a structure that cannot be found plausibly is left out.

        Raises
        ------
        UnsupportedImageError
            If the image is not 2D, or too small.
        UnsuitablePresetError
            If no chest is found, or it looks turned.
        MissingPackageError
            If the network is asked for and onnx or onnxruntime is not installed.
        """
        check_picture(image, "A chest radiograph", "to outline the lungs", _LEAST_SIZE)
        cascade = load_cascade()
        outliner = load_network_outliner() if self.uses_network else classical_outliner(cascade)
        pixels, factor = reduced(image)
        valid = exposed(pixels)
        progress.step("Looking for the chest", 0.1)
        pixels, frame = self._located(pixels, valid, cascade)
        progress.step("Outlining lungs and heart", 0.4)
        frame = _refined(pixels, valid, frame, outliner)
        content = sampled(pixels, valid, frame, outliner.size)
        structures = outliner.structures(outliner.outline(content))
        width = self.smoothing / 100 * outliner.size
        right, left, heart = (levels(structure, width) for structure in structures)
        checked = self.orientation == "checked"
        if checked and outliner.tells_turned:
            _refuse_turned(content, heart, outliner)
        step_x, step_y = frame.steps(outliner.size)
        outlines = right, left, above_diaphragm(heart, right, left, step_x / step_y)
        seen = plausible(*outlines, content[0], outliner.least_certainty if checked else LEAST_CERTAINTY)
        shown = [index for index, is_plausible in enumerate(seen) if is_plausible]
        if not {0, 1} & set(shown):
            raise UnsuitablePresetError(f"No chest was found. {_ADVICE}")
        progress.step("Drawing smooth outlines", 0.8)
        labelmap = labels_on(image, tuple(outlines[index] for index in shown), frame, factor)
        segments = (segment(STRUCTURES[index], label) for label, index in enumerate(shown, start=1))
        return Segmentation((labelmap,), tuple(segments), f"{self.name} {self.resolved().engine}")

    def _located(self, pixels: np.ndarray, valid: np.ndarray, cascade: Cascade) -> tuple[np.ndarray, Frame]:
        """Return the pixels with bright bone, and the frame around the lungs."""
        picture = whole_picture(pixels.shape)
        image = sampled(pixels, valid, picture, cascade.locate.size)
        signs = {"auto": (1, -1), "bright-bone": (1,), "dark-bone": (-1,)}[self.contrast]
        candidates = [cascade.locate(sign * image) for sign in signs]
        scores = [_evidence(candidate) for candidate in candidates]
        best = int(np.argmax(scores))
        frame = _frame_of(candidates[best], picture)
        if frame is None:
            raise UnsuitablePresetError(f"No chest was found. {_ADVICE}")
        return signs[best] * pixels, frame


def _refuse_turned(content: np.ndarray, heart: np.ndarray, outliner: Outliner) -> None:
    """Raise UnsuitablePresetError if the chest, in which the levels of the heart are `heart`, seems to be turned."""
    turned = seems_turned(content, certainty(heart), lambda view: outliner.structures(outliner.outline(view))[-1])
    if turned:
        raise UnsuitablePresetError(
            f"The chest looks {turned}. Show it upright, the patient's right on the left of the picture. If the heart "
            "does lie on the right, set the orientation of the method to 'as-is'."
        )


def _evidence(found: np.ndarray) -> float:
    """Return how much lung a frame shows: the sum of confident probabilities."""
    lungs = np.maximum(found[0], found[1])
    return float(lungs[lungs > 0.5].sum())


def _frame_of(found: np.ndarray, frame: Frame) -> Frame | None:
    """Return the frame around the lungs found in `frame`, or None if there is too little of them."""
    parts = tuple(main_part(found[CHANNELS.index(key)]) for key in ("right-lung", "left-lung"))
    if sum(part.mean() for part in parts) < _LEAST_LUNGS:
        return None
    left, top, right, bottom = bounds(parts)
    step_x, step_y = frame.steps(found.shape[1])
    x, y = frame.x - frame.half_width, frame.y - frame.half_height
    return around(x + left * step_x, y + top * step_y, x + (right + 1) * step_x, y + (bottom + 1) * step_y)


def _refined(pixels: np.ndarray, valid: np.ndarray, frame: Frame, outliner: Outliner) -> Frame:
    """Return the frame around the lungs as the first outline sees them; the locating stage is coarse."""
    seen = outliner.first(sampled(pixels, valid, frame, outliner.first_size))
    closer = _frame_of(seen, frame)
    # One side may be lost in a bad frame: then the first guess is the better one.
    if closer is None or closer.half_width < 0.5 * frame.half_width or closer.half_height < 0.5 * frame.half_height:
        return frame
    return closer
