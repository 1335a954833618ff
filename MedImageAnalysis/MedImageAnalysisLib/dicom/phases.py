"""From a DICOM folder with a cine in several slices to one volume per phase of the heartbeat."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..analysis import ImageInfo
from ..errors import GeometryError, UnsupportedImageError
from ..progress import Progress
from .checks import in_one_frame, without_copies
from .folder import Series, find_series
from .header import Plane, require_pydicom
from .series import read_series

__all__ = ["read_dicom_phases"]

_SAME_PLACE_MM = 0.1
_LEAST_SLICES = 3

Places = dict[int, list[Plane]]


def read_dicom_phases(folder: Path, progress: Progress) -> tuple[tuple[sitk.Image, ImageInfo], ...]:
    """Read the one stack of slices in a folder that was taken in several phases; return its volumes in order.

    The slices may be one series or one each, and other images may lie beside them. At each place the planes are
    ordered by trigger time, temporal position or instance number; the first of each place are the first phase, and so
    on.

    Raises
    ------
    UnsupportedImageError
        If no stack in the folder has several phases, or several have.
    GeometryError
        If places have different numbers of phases, or the slices of a phase do not form a volume.
    """
    require_pydicom()
    contents = find_series(folder, progress.part(0.0, 0.3))
    headers = {series.planes[0].series: series.header for series in contents.series}
    stacks: dict[tuple, list[Plane]] = defaultdict(list)
    found, copies = without_copies([plane for series in contents.series for plane in series.planes])
    found, frames = in_one_frame(found)
    for plane in found:
        if plane.orientation is not None and plane.position is not None and not plane.localizer:
            stacks[_kind(plane)].append(plane)
    places = _only_cine([_by_place(planes) for planes in stacks.values()], folder)
    phases = _in_order(places)
    others = len(found) - sum(map(len, places.values()))
    beside = (f"{others} image(s) beside the cine were left out.",) if others else ()
    volumes = []
    for planes, part in zip(phases, progress.part(0.3, 1.0).parts(len(phases)), strict=True):
        pixels, info = read_series(Series(headers[planes[0].series], planes), "refuse", part)
        warnings = contents.warnings + beside + info.warnings
        volumes.append((pixels, replace(info, corrections=copies + frames + info.corrections, warnings=warnings)))
    return tuple(volumes)


def _kind(plane: Plane) -> tuple:
    """Return what planes of one stack have in common."""
    orientation = tuple(round(value, 2) + 0.0 for value in plane.orientation)
    return plane.rows, plane.columns, plane.spacing, plane.frame_of_reference, orientation


def _by_place(planes: Sequence[Plane]) -> Places:
    """Return the planes at each place along their common normal."""
    normal = np.cross(planes[0].orientation[:3], planes[0].orientation[3:])
    places: Places = defaultdict(list)
    for plane in planes:
        places[round(float(normal @ np.array(plane.position)) / _SAME_PLACE_MM)].append(plane)
    return places


def _only_cine(stacks: Sequence[Places], folder: Path) -> Places:
    several = [places for places in stacks if max(map(len, places.values())) > 1]
    cines = [places for places in several if len(places) >= _LEAST_SLICES]
    if len(cines) == 1:
        return cines[0]
    if cines:
        raise UnsupportedImageError(
            f"'{folder.name}' holds {len(cines)} stacks of slices with several phases. Give a folder with one of them."
        )
    hint = " A cine of one slice has no volume: see the preset cardiac-cine-mri." if several else ""
    raise UnsupportedImageError(
        f"'{folder.name}' holds no stack of at least {_LEAST_SLICES} slices that were taken in several phases.{hint}"
    )


def _in_order(places: Places) -> list[tuple[Plane, ...]]:
    """Return the planes of each phase; every place must have the same number of phases."""
    counts = Counter(map(len, places.values()))
    if len(counts) > 1:
        words = ", ".join(f"{phases} phases at {slices} place(s)" for phases, slices in sorted(counts.items()))
        raise GeometryError(f"The slices of the cine differ in their number of phases: {words}. Export it again whole.")
    ordered = [sorted(planes, key=_time) for planes in places.values()]
    for planes in ordered:
        if len(set(map(_time, planes))) < len(planes):
            raise GeometryError(
                f"The images at the place of '{planes[0].path.name}' do not tell their order in time (trigger time, "
                "temporal position or instance number). Export the series again."
            )
    return list(zip(*ordered, strict=True))


def _time(plane: Plane) -> tuple[tuple[float, ...], int]:
    return plane.moment, plane.frame
