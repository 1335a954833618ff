"""The checks a careful reader makes before planes become a volume. Each bad series has its own error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import GeometryError
from .header import Plane

__all__ = ["Stack", "arrange", "in_one_frame", "without_copies", "without_localizers"]

_DIRECTION_TOLERANCE = 1e-3  # of a direction cosine
_SAME_POSITION = 1e-3  # mm
_GAP_TOLERANCE = 0.05  # of the median distance of slices
_SHEAR_TOLERANCE = 0.02  # sideways step per distance of slices: 1.1 degrees of tilt


@dataclass(frozen=True)
class Stack:
    """Planes in the order of their positions along their common normal.

    Parameters
    ----------
    gaps : numpy.ndarray, shape (planes - 1,)
        Distances along the normal, mm.
    shear : numpy.ndarray, shape (2,)
        How far each slice lies sideways of the one before, per mm of distance: along x and y of the image. Zero
        without gantry tilt.
    """

    planes: tuple[Plane, ...]
    gaps: np.ndarray
    shear: np.ndarray

    @property
    def heights(self) -> np.ndarray:
        """Positions along the normal from the first slice on, mm, shape (planes,)."""
        return np.concatenate([[0.0], np.cumsum(self.gaps)])

    @property
    def is_even(self) -> bool:
        """Tell whether all slices are equally far apart."""
        typical = np.median(self.gaps)
        return bool((np.abs(self.gaps - typical) <= _GAP_TOLERANCE * typical).all())

    @property
    def is_tilted(self) -> bool:
        """Tell whether slices are shifted sideways against each other, as with a tilted gantry."""
        return bool(np.hypot(*self.shear) > _SHEAR_TOLERANCE)


def without_copies(planes: Sequence[Plane]) -> tuple[tuple[Plane, ...], tuple[str, ...]]:
    """Leave out further copies of the same image (equal SOP Instance UID and frame), and say so."""
    unique = {(plane.instance, plane.frame) if plane.instance else (plane.path, plane.frame): plane for plane in planes}
    copies = len(planes) - len(unique)
    notes = (f"left out {_count(copies, 'copy', 'copies')} of images that are already there",) if copies else ()
    return tuple(unique.values()), notes


def without_localizers(planes: Sequence[Plane]) -> tuple[tuple[Plane, ...], tuple[str, ...]]:
    """Leave out localizers (scouts) that lie among the slices of a volume, and say so."""
    slices = tuple(plane for plane in planes if not plane.localizer)
    left_out = len(planes) - len(slices)
    if not slices or not left_out:
        return tuple(planes), ()
    return slices, (f"left out {_count(left_out, 'localizer', 'localizers')} found among the slices",)


def in_one_frame(planes: Sequence[Plane]) -> tuple[tuple[Plane, ...], tuple[str, ...]]:
    """Take the images of a series for ones in one frame of reference if each names another, and say so.

    Some anonymizers give each image an identifier of its own. A frame that holds a single slice says nothing about how
    the slices lie to each other; that two of them do not belong together shows where some share a frame.
    """
    frames = {plane.frame_of_reference for plane in planes}
    if len(planes) < 3 or len(frames) < len(planes):
        return tuple(planes), ()
    together = tuple(replace(plane, frame_of_reference=planes[0].frame_of_reference) for plane in planes)
    return together, (
        f"each of the {len(planes)} images names a frame of reference of its own, as some anonymizers write: taken as "
        "one volume by their positions",
    )


def arrange(planes: Sequence[Plane]) -> Stack:
    """Check at least two planes and put them in order.

    Raises
    ------
    GeometryError
        If positions are absent, doubled or uneven with slices missing, or if planes differ in size, spacing,
        orientation, pixel type or frame of reference.
    """
    _check_alike(planes)
    first = planes[0]
    x, y = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    normal = np.cross(x, y)
    positions = np.array([plane.position for plane in planes])
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    gaps = np.diff(heights[order])
    _check_distinct(gaps, len(planes))
    ordered = tuple(planes[index] for index in order)
    _check_gaps(gaps, ordered)
    total = positions[order[-1]] - positions[order[0]]
    shear = np.array([total @ x, total @ y]) / gaps.sum()
    _check_straight(positions[order], gaps, x, y, shear)
    return Stack(ordered, gaps, shear)


def _check_alike(planes: Sequence[Plane]) -> None:
    if any(plane.position is None or plane.orientation is None for plane in planes):
        raise GeometryError(
            f"The {len(planes)} images of the series do not all carry their position and orientation, so that their "
            "order and distance are unknown. Read a single image, or export the series again with positions."
        )
    _check_same(planes, "size (columns x rows)", lambda plane: (plane.columns, plane.rows))
    _check_same(planes, "pixel spacing in mm", lambda plane: plane.spacing and tuple(np.round(plane.spacing, 4)))
    _check_same(planes, "kind of pixels", lambda plane: _kind(plane))
    _check_same(planes, "frame of reference", lambda plane: plane.frame_of_reference, tell=False)
    orientations = np.array([plane.orientation for plane in planes])
    typical = np.median(orientations, axis=0)
    odd = int((np.abs(orientations - typical).max(axis=1) > _DIRECTION_TOLERANCE).sum())
    if odd:
        raise GeometryError(
            f"{odd} of the {len(planes)} images of the series lie in another orientation than the rest, so that they "
            "are not one volume. Move them to a folder of their own."
        )
    axes = np.reshape(planes[0].orientation, (2, 3))
    if np.abs(axes @ axes.T - np.eye(2)).max() > _DIRECTION_TOLERANCE:
        raise GeometryError("Rows and columns of the images are not perpendicular: the orientation is damaged.")


def _kind(plane: Plane) -> str:
    kind = replace(plane.format, padding=None)
    return f"{kind.bits_stored}-bit {'signed' if kind.signed else 'unsigned'} {kind.photometric}"


def _check_same(planes: Sequence[Plane], what: str, value: Callable[[Plane], object], tell: bool = True) -> None:
    values = [value(plane) for plane in planes]
    distinct = list(dict.fromkeys(values))
    if len(distinct) > 1:
        shown = ": " + ", ".join(f"{item} in {values.count(item)}" for item in distinct[:4]) if tell else ""
        raise GeometryError(
            f"The {len(planes)} images of the series differ in {what}{shown}. They are not one volume: "
            "separate them into folders."
        )


def _check_distinct(gaps: np.ndarray, count: int) -> None:
    doubled = int((gaps < _SAME_POSITION).sum())
    if doubled:
        raise GeometryError(
            f"The {count} images of the series lie at only {count - doubled} different positions: it holds several "
            "time points, echoes or reconstructions. Put one of them into a folder of its own. A heart in several "
            "phases is read by `medimage cine`."
        )


def _check_gaps(gaps: np.ndarray, ordered: Sequence[Plane]) -> None:
    """Refuse a stack with holes. Uneven slices whose thickness leaves no hole are an acquisition, e.g. of a head CT."""
    typical = float(np.median(gaps))
    if not (np.abs(gaps - typical) > _GAP_TOLERANCE * typical).any() or _is_covered(gaps, ordered):
        return
    wide = gaps > (1 + _GAP_TOLERANCE) * typical
    missing = int(np.round(gaps[wide] / typical - 1).sum())
    if missing:
        where = ordered[int(np.flatnonzero(wide)[0])].path.name
        raise GeometryError(
            f"Slices are missing: about {missing}, the first beside '{where}' (slices are {typical:.3g} mm apart, "
            f"but there are gaps up to {gaps.max():.3g} mm). Export the whole series again."
        )
    raise GeometryError(
        f"The slices are unevenly spaced ({gaps.min():.3g} to {gaps.max():.3g} mm apart). "
        "Export the series again, or resample it first."
    )


def _is_covered(gaps: np.ndarray, ordered: Sequence[Plane]) -> bool:
    """Tell whether neighbors touch everywhere, by the thickness that the file states for each slice."""
    if any(plane.thickness is None for plane in ordered):
        return False
    thickness = np.array([plane.thickness for plane in ordered])
    reach = (thickness[:-1] + thickness[1:]) / 2
    # A real variation shows in the thickness, too: with one thickness for all, a wide gap is a missing slice.
    return bool(np.ptp(thickness) > _GAP_TOLERANCE * thickness.min() and (gaps <= (1 + _GAP_TOLERANCE) * reach).all())


def _check_straight(positions: np.ndarray, gaps: np.ndarray, x: np.ndarray, y: np.ndarray, shear: np.ndarray) -> None:
    """Refuse slices that wander sideways irregularly; a constant shear is gantry tilt and can be undone."""
    heights = np.concatenate([[0.0], np.cumsum(gaps)])
    offsets = (positions - positions[0]) @ np.stack([x, y], axis=1)
    wander = np.abs(offsets - heights[:, None] * shear).max()
    if wander > max(_SHEAR_TOLERANCE * float(np.median(gaps)), 1e-2):
        raise GeometryError(
            f"The slices are shifted sideways irregularly (up to {wander:.3g} mm): they do not form a straight stack. "
            "Export the series again."
        )


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"
