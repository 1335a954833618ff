"""What the CT methods share: patient axes over the array, a coarse copy for decisions, and the body.

Arrays of these methods have the axes (superior, posterior, left), each growing that way, whatever the order in the
file: sides and levels are decided in the patient, not in the array. Views make this free of copies.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from ...analysis import Segment, Segmentation
from ...imaging.masks import bounding_box, component_sizes, components
from ...imaging.pixels import blank_like, require_scalar, slabs, view
from ...progress import Progress, run_filter
from ...terminology import segment

__all__ = [
    "Canvas",
    "CoarseVolume",
    "PatientFrame",
    "ball_closing",
    "ball_dilation",
    "ball_erosion",
    "drop_small",
    "filled",
    "filled_in_slices",
    "interior_of_body",
    "outlined",
    "regions_in_slices",
    "softened",
    "spine_position",
]

Part = tuple[tuple[slice, ...], np.ndarray]

# Decisions are made on voxels of about this size; outlines then follow the full resolution.
_COARSE_MM = 2.0
_TISSUE_HU = -300
# Of a region at the border of a slice, most is below this if it is room air, little if it is lung cut open there.
_ROOM_AIR_HU = -960
_OPEN_LUNG_MM2 = 400.0
_HELD_SHARE = 0.35
_VOID_HU = -1024
_BONE_HU = 200


@dataclass(frozen=True)
class PatientFrame:
    """Which array axis runs along which patient axis; for oblique volumes the nearest assignment.

    Parameters
    ----------
    axes : tuple of int
        Array axes along superior, posterior and left.
    flipped : tuple of bool
        Whether each runs the other way.
    spacing : tuple of float
        Voxel size along superior, posterior and left, in mm.
    """

    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    spacing: tuple[float, float, float]

    @classmethod
    def of(cls, image: sitk.Image) -> PatientFrame:
        """Return the frame of a 3D image."""
        # Rows: patient axes in the order superior, posterior, left; columns: array axes (image axes reversed).
        cosines = np.asarray(image.GetDirection()).reshape(3, 3)[::-1, ::-1]
        axes = max(
            itertools.permutations(range(3)),
            key=lambda order: sum(abs(cosines[i, axis]) for i, axis in enumerate(order)),
        )
        flipped = tuple(bool(cosines[i, axis] < 0) for i, axis in enumerate(axes))
        lengths = image.GetSpacing()[::-1]
        return cls(axes, flipped, tuple(lengths[axis] for axis in axes))

    def view(self, array: np.ndarray) -> np.ndarray:
        """Return a view of an array of the image with the axes (superior, posterior, left)."""
        turned = array.transpose(self.axes)
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)]

    def index(self, position: tuple[float, ...], shape: tuple[int, ...]) -> tuple[float, float, float]:
        """Return the continuous image index (i, j, k) of a position in the view, whose shape is `shape`."""
        array_index = [0.0, 0.0, 0.0]
        for axis, flip, value, length in zip(self.axes, self.flipped, position, shape, strict=True):
            array_index[axis] = length - 1 - value if flip else value
        return tuple(array_index[::-1])


@dataclass(frozen=True, eq=False)
class CoarseVolume:
    """A volume in patient axes at about 2 mm: block means of the image, as int16.

    Parameters
    ----------
    hu : numpy.ndarray of int16, shape (superior, posterior, left)
    spacing : tuple of float
        In mm, along these axes.
    fine : numpy.ndarray
        The full resolution in the same axes: a view of the image.
    fine_spacing : tuple of float
    frame : PatientFrame
    maps : tuple of numpy.ndarray
        For each axis and fine index, the coarse index.
    """

    hu: np.ndarray
    spacing: tuple[float, float, float]
    fine: np.ndarray
    fine_spacing: tuple[float, float, float]
    frame: PatientFrame
    maps: tuple[np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def of(cls, image: sitk.Image, progress: Progress) -> CoarseVolume:
        """Shrink a 3D image by whole factors to about 2 mm; UnsupportedImageError if it is not 3D."""
        require_scalar(image, "Segmentation of CT", (3,))
        frame = PatientFrame.of(image)
        fine = frame.view(view(image))
        factors = [
            min(max(1, round(_COARSE_MM / length)), size)
            for length, size in zip(image.GetSpacing(), image.GetSize(), strict=True)
        ]
        shrink = sitk.BinShrinkImageFilter()
        shrink.SetShrinkFactors(factors)
        small = run_filter(shrink, image, progress=progress)
        hu = frame.view(view(sitk.Clamp(small, sitk.sitkInt16, -1024, 3071)))
        along = [factors[2 - axis] for axis in frame.axes]
        spacing = tuple(length * factor for length, factor in zip(frame.spacing, along, strict=True))
        maps = []
        for size, coarse_size, factor, flip in zip(fine.shape, hu.shape, along, frame.flipped, strict=True):
            # The filter drops the last incomplete block: its voxels follow their neighbor.
            index = np.minimum(np.arange(size) // factor, coarse_size - 1)
            maps.append(coarse_size - 1 - index[::-1] if flip else index)
        return cls(np.ascontiguousarray(hu), spacing, fine, frame.spacing, frame, tuple(maps))

    @property
    def voxel_ml(self) -> float:
        """Volume of a coarse voxel in mL."""
        return math.prod(self.spacing) / 1000

    def refined(self, mask: np.ndarray, box: tuple[slice, ...]) -> np.ndarray:
        """Return the part of a coarse mask inside a box of the fine grid, at full resolution."""
        return mask[np.ix_(*(index[part] for index, part in zip(self.maps, box, strict=True)))]

    def fine_box(self, mask: np.ndarray, margin: int = 1) -> tuple[slice, ...] | None:
        """Return the box of the fine grid around a coarse mask grown by `margin` coarse voxels; None if empty."""
        box = bounding_box(mask, margin)
        if box is None:
            return None
        parts = []
        for index, part in zip(self.maps, box, strict=True):
            inside = np.flatnonzero((index >= part.start) & (index < part.stop))
            parts.append(slice(int(inside[0]), int(inside[-1]) + 1))
        return tuple(parts)


def drop_small(mask: np.ndarray, voxels: float) -> np.ndarray:
    """Return the components of a mask that have at least so many voxels."""
    labels = components(mask)
    sizes = component_sizes(labels)
    kept = sizes >= voxels
    kept[0] = False
    return kept[labels]


def _distance(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Return the squared distance (mm2) of each voxel from the mask, which must not be empty."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(mask).view(np.uint8))
    image.SetSpacing(spacing[::-1])
    return view(sitk.SignedMaurerDistanceMap(image, False, True, True))


def ball_dilation(mask: np.ndarray, radius: float, spacing: tuple[float, ...]) -> np.ndarray:
    """Return the voxels within `radius` mm of a mask."""
    box = bounding_box(mask, [math.ceil(radius / length) for length in spacing])
    if box is None:
        return mask.copy()
    grown = np.zeros(mask.shape, bool)
    # Squared distances in float32: equal ones must not fall apart by rounding.
    grown[box] = (_distance(mask[box], spacing) <= radius**2 * (1 + 1e-5)) | mask[box]
    return grown


def ball_erosion(mask: np.ndarray, radius: float, spacing: tuple[float, ...]) -> np.ndarray:
    """Return the voxels of a mask farther than `radius` mm from its outside; the volume's border is no outside."""
    box = bounding_box(mask, 1)
    if box is None or mask[box].all():
        return mask.copy()
    eroded = np.zeros(mask.shape, bool)
    eroded[box] = (_distance(~mask[box], spacing) > radius**2 * (1 + 1e-5)) & mask[box]
    return eroded


def ball_closing(mask: np.ndarray, radius: float, spacing: tuple[float, ...]) -> np.ndarray:
    """Return the mask with gaps bridged through which a ball of `radius` mm does not fit."""
    return ball_erosion(ball_dilation(mask, radius, spacing), radius, spacing) | mask


def interior_of_body(volume: CoarseVolume, progress: Progress) -> np.ndarray:
    """Return the body with all it encloses, lungs that the field of view cuts open included; without the table.

    Parameters
    ----------
    volume : CoarseVolume
    progress : Progress

    Returns
    -------
    numpy.ndarray of bool
        In coarse voxels; empty if there is no body.
    """
    from scipy import ndimage

    progress.step("Find the body")
    tissue = volume.hu > _TISSUE_HU
    # The table and clothes are thin: an opening of about 8 mm takes them off. Along few slices it would take all.
    flat = flat_neighbors(0)
    steps = max(1, round(4.0 / max(volume.spacing[1:])))
    core = ndimage.binary_erosion(tissue, flat, steps, border_value=1)
    progress.step(fraction=0.3)
    labels = components(core)
    sizes = component_sizes(labels)
    if sizes.max(initial=0) == 0:
        return np.zeros(tissue.shape, bool)
    body = labels == int(sizes.argmax())
    progress.step(fraction=0.5)
    body = ndimage.binary_dilation(body, flat, steps + 1, mask=tissue)
    progress.step(fraction=0.7)
    return body | _enclosed(volume, body)


def _enclosed(volume: CoarseVolume, body: np.ndarray) -> np.ndarray:
    """Return what the body encloses in each axial slice, and regions at the border that are lung, not room air."""
    from scipy import ndimage

    flat = flat_neighbors(0)
    least_area = _OPEN_LUNG_MM2 / (volume.spacing[1] * volume.spacing[2])
    # Voxels without data around a round field of view must not join the lungs that it cuts.
    void, rims = regions_in_slices(volume.hu <= _VOID_HU, 0)
    void = ((rims > 0) & (np.bincount(void.reshape(-1)) >= least_area))[void]
    regions, rims = regions_in_slices(~body & ~void, 0)
    sizes = np.bincount(regions.reshape(-1))
    beside_void = np.bincount(regions[ndimage.binary_dilation(void, flat)], minlength=sizes.size)
    beside_body = np.bincount(regions[ndimage.binary_dilation(body, flat)], minlength=sizes.size)
    room_air = np.bincount(regions[volume.hu < _ROOM_AIR_HU], minlength=sizes.size)
    # Lung that the field of view cuts lies against the body with much of its outline, cushions and tables do not.
    held = beside_body > _HELD_SHARE * (beside_body + rims + beside_void)
    cut_open = (room_air < 0.5 * sizes) & (sizes >= least_area) & held
    inside = (rims + beside_void == 0) | cut_open
    inside[0] = False
    return inside[regions]


def flat_neighbors(axis: int) -> np.ndarray:
    """Return the structure that connects a voxel with its four neighbors in the slice across `axis`."""
    from scipy import ndimage

    structure = ndimage.generate_binary_structure(3, 1)
    structure[(slice(None),) * axis + (slice(None, None, 2),)] = False
    return structure


def regions_in_slices(mask: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the regions of each slice across `axis`, and how many voxels of each lie at the slice's border."""
    from scipy import ndimage

    labels, count = ndimage.label(mask, flat_neighbors(axis))
    rims = np.zeros(count + 1, np.int64)
    for other in range(3):
        if other != axis:
            for end in (0, -1):
                rims += np.bincount(labels.take(end, other).reshape(-1), minlength=count + 1)
    rims[0] = 0
    return labels, rims


def filled_in_slices(mask: np.ndarray, axis: int) -> np.ndarray:
    """Return the mask with what it encloses in each slice across `axis`."""
    regions, rims = regions_in_slices(~mask, axis)
    enclosed = rims == 0
    enclosed[0] = False
    return enclosed[regions] | mask


def filled(mask: np.ndarray, open_axes: tuple[int, ...] = (0, 1, 2)) -> np.ndarray:
    """Return the mask with what it encloses in space; outside lies beyond the borders along `open_axes`."""
    labels = components(~mask)
    outside = np.zeros(int(labels.max()) + 1, bool)
    for axis in open_axes:
        for end in (0, -1):
            outside[labels.take(end, axis)] = True
    outside[0] = False
    return ~outside[labels]


def spine_position(volume: CoarseVolume, inside: np.ndarray) -> tuple[float, float] | None:
    """Return where the spine runs: coarse indices along posterior and left; None without bone.

    The vertebral column stays at its place from slice to slice, while ribs wander.
    """
    from scipy import ndimage

    bone = (volume.hu > _BONE_HU) & inside
    persistence = bone.mean(axis=0, dtype=np.float32)
    if persistence.max() < 0.2:
        return None
    blurred = ndimage.gaussian_filter(persistence, [12 / length for length in volume.spacing[1:]], mode="constant")
    back = np.unravel_index(int(blurred.argmax()), blurred.shape)
    return float(back[0]), float(back[1])


def softened(volume: CoarseVolume, part: tuple[slice, ...]) -> np.ndarray:
    """Return a box of the fine grid blurred by half a voxel (weights 1, 6, 1 along each axis).

    Parameters
    ----------
    volume : CoarseVolume
    part : tuple of slice

    Returns
    -------
    numpy.ndarray of float32
        Of the box's shape. What lies around the box counts; the outermost voxels of the volume repeat.
    """
    # A border of one voxel around the box, which the blur takes off again.
    around = tuple(
        np.clip(np.arange(cut.start - 1, cut.stop + 1), 0, size - 1)
        for cut, size in zip(part, volume.fine.shape, strict=True)
    )
    values = volume.fine[np.ix_(*around)].astype(np.float32)
    for axis in range(3):
        before, at, after = (np.moveaxis(values, axis, 0)[cut] for cut in (np.s_[:-2], np.s_[1:-1], np.s_[2:]))
        values = np.moveaxis(0.75 * at + 0.125 * (before + after), 0, axis)
    return values


def outlined(
    volume: CoarseVolume,
    sure: np.ndarray,
    possible: np.ndarray,
    inside: Callable[..., np.ndarray],
    at: np.ndarray | None = None,
) -> Iterator[Part]:
    """Bring a coarse structure to full resolution, piece by piece.

    Parameters
    ----------
    volume : CoarseVolume
    sure, possible : numpy.ndarray of bool
        Coarse voxels that belong to it, and those that do where the image says so.
    inside : callable
        Tells for an array of Hounsfield units at full resolution which voxels belong to it.
    at : numpy.ndarray, optional
        Coarse values, such as a limit that differs from place to place: `inside` then gets them as its second array,
        and its first is that of :func:`softened`, so that noise makes no ragged border.

    Yields
    ------
    (box, mask)
        Pieces of the fine grid in patient axes.
    """
    box = volume.fine_box(possible | sure)
    if box is None:
        return
    for slab in slabs(tuple(part.stop - part.start for part in box)):
        part = (slice(box[0].start + slab.start, box[0].start + slab.stop), *box[1:])
        values = (volume.fine[part],) if at is None else (softened(volume, part), volume.refined(at, part))
        yield part, volume.refined(sure, part) | (volume.refined(possible, part) & inside(*values))


class Canvas:
    """The labelmaps of a segmentation, filled one structure after the other without masks of full size."""

    def __init__(self, image: sitk.Image) -> None:
        self._image = image
        self._frame = PatientFrame.of(image)
        self._layers: list[tuple[sitk.Image, np.ndarray]] = []
        self._segments: list[Segment] = []

    def paint(
        self, make: Callable[[int, int], Segment], pieces: Iterable[Part], progress: Progress, layer: int
    ) -> bool:
        """Paint a structure where its layer is empty; return whether anything was painted.

        Parameters
        ----------
        make : callable
            Makes the segment from its label and layer.
        pieces : iterable of (box, mask)
            In patient axes.
        progress : Progress
        layer : int
            At most one more than there are.
        """
        if layer == len(self._layers):
            self._layers.append(blank_like(self._image, np.uint8))
        turned = self._frame.view(self._layers[layer][1])
        label = 1 + sum(segment.layer == layer for segment in self._segments)
        painted = False
        for box, mask in pieces:
            progress.step(fraction=box[0].stop / turned.shape[0])
            part = turned[box]
            mask = mask & (part == 0)
            part[mask] = label
            painted |= bool(mask.any())
        if painted:
            self._segments.append(make(label, layer))
        return painted

    def structure(self, key: str, pieces: Iterable[Part], progress: Progress, layer: int = 0) -> bool:
        """Paint a structure of the terminology."""
        return self.paint(lambda label, number: segment(key, label, number), pieces, progress, layer)

    def segmentation(self) -> Segmentation:
        """Return what was painted, once; layers that stayed empty are left out."""
        used = sorted({segment.layer for segment in self._segments}) or [0]
        if not self._layers:
            self._layers.append(blank_like(self._image, np.uint8))
        images = tuple(self._layers[number][0] for number in used)
        self._layers.clear()
        segments = tuple(replace(segment, layer=used.index(segment.layer)) for segment in self._segments)
        return Segmentation(images, segments)
