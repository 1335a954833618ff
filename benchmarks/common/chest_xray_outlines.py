"""Masks from outlines drawn by hand: heart and mediastinal borders of frontal chest radiographs.

`chest_xray_outlines.csv` holds the outlines, drawn by the developers of this package on pictures under CC BY of
chest_xray_lungs (adults) and chest_xray_kermany (children); they are not a radiologist's. Points are in percent of the
longer side of the picture. Borders are drawn roughly and then moved to the strongest edge nearby.

The table grew in rounds: the first was drawn for the classical method, the second for the network. A picture drawn
again in a later round replaces its earlier outlines from that round on. The third adds no drawing but closes all hearts
by a straight line above, as surface anatomy has it, where the rounds before had an arch over the great vessels.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from skimage.draw import polygon2mask

__all__ = ["OUTLINES", "FIRST_ROUND", "LAST_ROUND", "Drawing", "labels", "read_drawings", "read_pixels", "split_lungs"]

OUTLINES = Path(__file__).with_name("chest_xray_outlines.csv")
FIRST_ROUND, LAST_ROUND = 1, 3

# How high the upper border of the heart rises above its ends, in shares of their distance. An arch over the roots of
# the great vessels; from the third round on the line from where the left atrial appendage leaves the pulmonary trunk to
# where the right atrium leaves the superior vena cava (Gray H. Anatomy of the Human Body. 20th ed. 1918, surface
# markings of the thorax: the outline of the heart is a quadrangle, its upper border a line between the costal
# cartilages).
_ARCHED, _STRAIGHT = 0.18, 0.0
_STRAIGHT_SINCE = 3

# How far, in shares of the longer side, a border may move to an edge, and how much a step aside costs.
_REACH = 0.02
_STIFFNESS = 0.35


@dataclass(frozen=True)
class Drawing:
    """The outlines of one picture; points are (x, y) in percent of the longer side, `crown` in shares of a width."""

    folder: str
    image: str
    right_border: np.ndarray
    left_border: np.ndarray
    heart_top_right: float
    heart_top_left: float
    heart_bottom: float
    crown: float
    right_outer: np.ndarray
    left_outer: np.ndarray


def read_drawings(path: Path, last_round: int) -> tuple[Drawing, ...]:
    """Read the table of outlines as it was after a round: one drawing per picture."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["round"]))
    latest = {(row["set"], row["image"]): row for row in rows if int(row["round"]) <= last_round}
    crown = _STRAIGHT if last_round >= _STRAIGHT_SINCE else _ARCHED
    return tuple(_drawing(row, crown) for row in latest.values())


def read_pixels(path: Path) -> np.ndarray:
    """Return a picture as float32, color averaged."""
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float32)
    return pixels.mean(axis=2) if pixels.ndim == 3 else pixels


def split_lungs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a mask of both lungs into (patient's right = left of the picture, patient's left)."""
    parts, count = ndimage.label(mask)
    centers = np.array(ndimage.center_of_mass(mask, parts, range(1, count + 1)))[:, 1]
    sizes = ndimage.sum_labels(mask, parts, range(1, count + 1))
    largest = np.argsort(sizes)[-2:]
    middle = centers[largest].mean()
    is_right = np.concatenate([[False], centers < middle])[parts]
    return mask & is_right, mask & ~is_right


def labels(drawing: Drawing, pixels: np.ndarray, lungs: np.ndarray | None) -> dict[str, np.ndarray]:
    """Return the masks of right lung, left lung and heart, and of the whole lungs where `lungs` is given."""
    scale = max(pixels.shape) / 100
    smooth = ndimage.gaussian_filter(_ranks(pixels), 0.6 * scale)
    edge = ndimage.sobel(smooth, axis=1)
    right = _snapped(drawing.right_border * scale, edge, scale)
    left = _snapped(drawing.left_border * scale, -edge, scale)
    heart = _heart(drawing, right, left, scale, pixels.shape)
    columns = np.arange(pixels.shape[1])[None, :]
    rows = np.arange(pixels.shape[0])
    beside_right = columns < np.interp(rows, right[:, 1], right[:, 0])[:, None]
    beside_left = columns > np.interp(rows, left[:, 1], left[:, 0])[:, None]
    if lungs is not None:
        whole_right, whole_left = split_lungs(lungs)
        field_right, field_left = whole_right & beside_right, whole_left & beside_left
    else:
        field_right = _filled([*(drawing.right_outer * scale), *right[::-1]], pixels.shape)
        field_left = _filled([*(drawing.left_outer * scale), *left[::-1]], pixels.shape)
        whole_right = whole_left = None
    masks = {"right-lung": field_right & ~heart, "left-lung": field_left & ~heart, "heart": heart}
    if whole_right is not None:
        masks |= {"right-lung-whole": whole_right, "left-lung-whole": whole_left}
    return masks


def _drawing(row: dict[str, str], crown: float) -> Drawing:
    return Drawing(
        folder=row["set"],
        image=row["image"],
        right_border=_points(row["right_border"]),
        left_border=_points(row["left_border"]),
        heart_top_right=float(row["heart_top_right"]),
        heart_top_left=float(row["heart_top_left"]),
        heart_bottom=float(row["heart_bottom"]),
        crown=crown,
        right_outer=_points(row["right_outer"]),
        left_outer=_points(row["left_outer"]),
    )


def _points(text: str) -> np.ndarray:
    return np.array([[float(v) for v in point.split(",")] for point in text.split()]).reshape(-1, 2)


def _ranks(pixels: np.ndarray) -> np.ndarray:
    ordered = np.sort(pixels, axis=None)
    return (np.searchsorted(ordered, pixels) / ordered.size).astype(np.float32)


def _snapped(points: np.ndarray, edge: np.ndarray, scale: float) -> np.ndarray:
    """Move a border sideways to where `edge` is strongest, as a smooth path (dynamic programming over rows)."""
    rows = np.arange(int(points[0, 1]), int(points[-1, 1]) + 1)
    drawn = np.interp(rows, points[:, 1], points[:, 0])
    reach = round(_REACH * 100 * scale)
    offsets = np.arange(-reach, reach + 1)
    columns = np.clip(np.rint(drawn[:, None] + offsets), 0, edge.shape[1] - 1).astype(int)
    gain = edge[np.clip(rows, 0, edge.shape[0] - 1)[:, None], columns]
    gain = gain / (gain.std() + 1e-6) - 1.5 * (offsets / reach) ** 2
    penalty = _STIFFNESS * np.abs(offsets[:, None] - offsets[None, :])
    best, came_from = gain[0], []
    for row in gain[1:]:
        reached = best[None, :] - penalty
        came_from.append(reached.argmax(axis=1))
        best = row + reached.max(axis=1)
    path = [int(best.argmax())]
    for step in reversed(came_from):
        path.append(int(step[path[-1]]))
    x = drawn + ndimage.gaussian_filter1d(offsets[path[::-1]].astype(float), 1.0 * scale, mode="nearest")
    return np.column_stack([x, rows])


def _heart(drawing: Drawing, right: np.ndarray, left: np.ndarray, scale: float, shape: tuple[int, int]) -> np.ndarray:
    """Close the two borders below their upper limits by a line or an arch above and an arch below."""
    right = right[right[:, 1] >= drawing.heart_top_right * scale]
    left = left[left[:, 1] >= drawing.heart_top_left * scale]
    chord = (right[0] + left[0]) / 2
    width = left[0, 0] - right[0, 0]
    arch = _arch(right[0], left[0], chord[1] - drawing.crown * width)
    base = _arch(left[-1], right[-1], drawing.heart_bottom * scale)
    return _filled([*arch, *left, *base, *right[::-1]], shape)


def _arch(start: np.ndarray, end: np.ndarray, extreme: float) -> np.ndarray:
    """Return a curve from start to end whose middle reaches the height `extreme`, flatter than a parabola."""
    t = np.linspace(0, 1, 40)
    x = start[0] + (end[0] - start[0]) * t
    chord = start[1] + (end[1] - start[1]) * t
    rise = extreme - (start[1] + end[1]) / 2
    return np.column_stack([x, chord + rise * (1 - np.abs(2 * t - 1) ** 2.5)])


def _filled(points: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    return polygon2mask(shape, np.array(points)[:, ::-1])
