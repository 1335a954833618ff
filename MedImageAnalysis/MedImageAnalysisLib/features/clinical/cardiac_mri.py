"""Volumes of the ventricles and mass of the left one in one phase, and ejection fractions from two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...analysis import Measurement, MedicalImage, Segmentation
from ...errors import InvalidSettingError
from ...imaging.pixels import view
from ...progress import Progress
from .measure import MEASURES, ClinicalMeasure

__all__ = [
    "LeftVentricle",
    "LeftVentricleCine",
    "RightVentricle",
    "ejection_fraction",
    "end_phases",
    "phase_measurements",
    "steady",
    "two_phases",
]

_SCMR = "Schulz-Menger J et al. J Cardiovasc Magn Reson 2020;22:19. doi:10.1186/s12968-020-00610-6"
# Density of myocardium, g/mL (Schulz-Menger et al. 2020).
_DENSITY = 1.05
_MM3_PER_ML = 1000.0
_ONE_PHASE = (
    "One image is one phase of the heartbeat: analyze end-diastole and end-systole, then use ejection_fraction(ed, es)."
)
_ROUGH = (
    " As rough as the outlines of the right ventricle: with those of cardiac-mri 8 to 18 points off on public hearts."
)
# Repeated acquisitions of one volume differ in spacing by rounding only.
_SPACING_TOLERANCE = 1e-3
# With fewer phases, the median of three would hide the ends of the heartbeat.
_LEAST_STEADY = 10
# From one of so many phases to the next a pool changes less than this share.
_OFF = 0.1


@MEASURES.register
@dataclass(frozen=True)
class LeftVentricle(ClinicalMeasure):
    """Blood pool volume and myocardial mass of the left ventricle in one phase.

    The ejection fraction needs two phases. It is listed without a value and says so; :func:`ejection_fraction` gives
    it from the segmentations of end-diastole and end-systole.

    References
    ----------
    Schulz-Menger et al. 2020, doi:10.1186/s12968-020-00610-6.
    """

    name = "left-ventricle"
    title = "Left ventricular volume and mass"

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return the volume of the pool, the volume and mass of the myocardium, and the empty ejection fraction."""
        progress.step("Measuring the left ventricle")
        known, scale, unit = _volume_unit(image)
        pool, no_pool = _voxels(segmentation, "left-ventricle")
        muscle, no_muscle = _voxels(segmentation, "left-ventricular-myocardium")
        mass, no_mass = (muscle * scale * _DENSITY, no_muscle) if known else (math.nan, "The pixel spacing is unknown.")
        return (
            Measurement(
                "left_ventricular_volume", "Left ventricular blood pool volume", pool * scale, unit,
                "Volume of the pool with papillary muscles, in the phase of this image.", _SCMR, reason=no_pool,
            ),
            Measurement(
                "left_ventricular_myocardial_volume", "Left ventricular myocardial volume", muscle * scale, unit,
                "Volume between the inner and the outer border of the wall.", _SCMR, reason=no_muscle,
            ),
            Measurement(
                "left_ventricular_mass", "Left ventricular mass", mass, "g",
                f"Myocardial volume times {_DENSITY:g} g/mL.", _SCMR, reason=no_muscle or no_mass,
            ),
            _fraction(math.nan, _ONE_PHASE),
        )  # fmt: skip


@MEASURES.register
@dataclass(frozen=True)
class RightVentricle(ClinicalMeasure):
    """Blood pool volume of the right ventricle in one phase, trabeculae included.

    References
    ----------
    Schulz-Menger et al. 2020, doi:10.1186/s12968-020-00610-6.
    """

    name = "right-ventricle"
    title = "Right ventricular volume"

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return the volume of the pool."""
        progress.step("Measuring the right ventricle")
        _, scale, unit = _volume_unit(image)
        pool, no_pool = _voxels(segmentation, "right-ventricle")
        return (
            Measurement(
                "right_ventricular_volume", "Right ventricular blood pool volume", pool * scale, unit,
                "Volume of the pool with trabeculae, in the phase of this image.", _SCMR, reason=no_pool,
            ),
        )  # fmt: skip


@MEASURES.register
@dataclass(frozen=True)
class LeftVentricleCine(ClinicalMeasure):
    """End-diastole and end-systole of a cine of one slice: the frames with the largest and the smallest pool.

    One bad outline does not decide, see :func:`end_phases`. One slice gives no volume and so no ejection fraction; the
    fractional area change is the same ratio of areas.

    References
    ----------
    Schulz-Menger et al. 2020, doi:10.1186/s12968-020-00610-6.
    """

    name = "left-ventricle-cine"
    title = "Phases of the left ventricle in a cine"

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return both frames (counted from 1), their areas, and the fractional area change."""
        progress.step("Looking for end-diastole and end-systole")
        found = segmentation.find("left-ventricle")
        counts = np.count_nonzero(view(segmentation.mask(found)), axis=(1, 2)) if found else np.zeros(0)
        filled = int(np.count_nonzero(counts))
        reason = "" if filled > 1 else f"The left ventricle was found in {filled} frames."
        ed, es = (0, 0) if reason else end_phases([count or math.nan for count in counts])
        pixel = float(np.prod(image.pixels.GetSpacing()[:2]))
        areas = (math.nan, math.nan) if reason else (counts[ed] * pixel, counts[es] * pixel)
        change = math.nan if reason else 100 * (areas[0] - areas[1]) / areas[0]
        unit = f"{image.info.length_unit}2"
        rows = [
            ("fractional_area_change", "fractional area change", change, "%", "(EDA - ESA) / EDA."),
            ("end_diastolic_area", "end-diastolic area", areas[0], unit, "Area of the pool in that frame."),
            ("end_systolic_area", "end-systolic area", areas[1], unit, "Area of the pool in that frame."),
            ("end_diastolic_frame", "end-diastolic frame", ed + 1, "1", "Frame of the largest pool, from 1."),
            ("end_systolic_frame", "end-systolic frame", es + 1, "1", "Frame of the smallest pool, from 1."),
        ]
        return tuple(
            Measurement(
                f"left_ventricular_{name}", f"Left ventricular {title}", math.nan if reason else float(value), kind,
                words, _SCMR, reason=reason,
            )
            for name, title, value, kind, words in rows
        )  # fmt: skip


def end_phases(sizes: Sequence[float]) -> tuple[int, int]:
    """Return the indices of end-diastole and end-systole: of the largest and the smallest pool.

    What counts is the median of a phase and its two neighbors; a phase that is off it by more than a tenth gives way to
    the neighbor that is not. So one bad outline neither decides nor is taken.

    Parameters
    ----------
    sizes : sequence of float
        Area or volume of the pool in each phase of one heartbeat, in order; NaN where it was not found.

    Raises
    ------
    InvalidSettingError
        If fewer than two phases have a size.
    """
    values = np.asarray(sizes, float)
    if np.count_nonzero(np.isfinite(values)) < 2:
        raise InvalidSettingError("End-diastole and end-systole need at least two phases in which the pool was found.")
    settled = steady(values)
    return tuple(_phase_of(values, settled, int(extreme(settled))) for extreme in (np.nanargmax, np.nanargmin))


def _phase_of(sizes: np.ndarray, settled: np.ndarray, index: int) -> int:
    """Return the phase at `index`, or the neighbor with the size nearest to the steady one if its own is off that."""
    off = np.nan_to_num(np.abs(sizes - settled[index]), nan=np.inf)
    if off[index] <= _OFF * settled[index]:
        return index
    return min((index - 1) % len(sizes), (index + 1) % len(sizes), key=off.__getitem__)


def steady(sizes: Sequence[float]) -> np.ndarray:
    """Return the median of each phase and its two neighbors in time; the heartbeat has no end.

    A phase without a size keeps none, and is no neighbor. Fewer than ten phases are returned as they are.
    """
    values = np.asarray(sizes, float)
    if len(values) < _LEAST_STEADY:
        return values
    found = np.isfinite(values)
    around = np.where(found, [np.roll(values, 1), values, np.roll(values, -1)], 0.0)
    return np.where(found, np.nanmedian(around, axis=0), np.nan)


def phase_measurements(sizes: Sequence[float], ends: tuple[int, int]) -> tuple[Measurement, ...]:
    """Return which phases are end-diastole and end-systole, counted from 1.

    Parameters
    ----------
    sizes : sequence of float
        Of the pool in each phase; NaN where it was not found.
    ends : tuple of int
        End-diastole and end-systole, counted from 0.
    """
    found = int(np.count_nonzero(np.isfinite(sizes)))
    words = f"Of {len(sizes)} phases, in {found} of which the ventricle was found; counted from 1."
    rows = (("end_diastolic_phase", "end-diastolic phase"), ("end_systolic_phase", "end-systolic phase"))
    return tuple(
        Measurement(f"left_ventricular_{name}", f"Left ventricular {title}", float(number + 1), "1", words, _SCMR)
        for (name, title), number in zip(rows, ends, strict=True)
    )


def two_phases(
    ed: tuple[MedicalImage, Segmentation], es: tuple[MedicalImage, Segmentation], progress: Progress
) -> tuple[Measurement, ...]:
    """Return volumes of both phases, the end-diastolic mass, the ejection fraction and the stroke volume.

    Those of the right ventricle follow if it was outlined in one of the phases. The segmentations may come from this
    software or from elsewhere; see :func:`ejection_fraction`.
    """
    first, second = (
        {m.name: m for measure in (LeftVentricle(), RightVentricle()) for m in measure(*phase, progress)}
        for phase in (ed, es)
    )
    has_right = any(segmentation.find("right-ventricle") for _, segmentation in (ed, es))
    found: list[Measurement] = []
    for side in ("left", "right") if has_right else ("left",):
        renamed = [
            (first[f"{side}_ventricular_volume"], "end_diastolic_volume", "end-diastolic volume"),
            (second[f"{side}_ventricular_volume"], "end_systolic_volume", "end-systolic volume"),
        ]
        if side == "left":
            renamed.append((first["left_ventricular_mass"], "end_diastolic_mass", "end-diastolic mass"))
        found += (
            replace(measured, name=f"{side}_ventricular_{name}", title=f"{side.capitalize()} ventricular {title}")
            for measured, name, title in renamed
        )
        found += ejection_fraction(ed, es, side)
    return tuple(found)


def ejection_fraction(
    ed: tuple[MedicalImage, Segmentation], es: tuple[MedicalImage, Segmentation], side: str = "left"
) -> tuple[Measurement, ...]:
    """Return the ejection fraction and stroke volume of two phases of one heart.

    Parameters
    ----------
    ed, es : tuple of MedicalImage and Segmentation
        End-diastole and end-systole, e.g. ``(analysis.image, analysis.segmentation)`` of two analyses, each with a
        segment ``left-ventricle`` (or ``right-ventricle``).
    side : {"left", "right"}
        Of the heart.

    Returns
    -------
    tuple of Measurement
        ``left_ventricular_ejection_fraction`` in percent, ``100 (EDV - ESV) / EDV``, and
        ``left_ventricular_stroke_volume``, or those of the right ventricle.
        NaN with a reason where the two do not belong together or make no sense. Without known spacing the fraction
        holds all the same, and the stroke volume is in pixels.
    """
    first, second = (_voxels(segmentation, f"{side}-ventricle") for _, segmentation in (ed, es))
    volumes = [
        count * float(np.prod(image.pixels.GetSpacing()))
        for (count, _), (image, _) in zip((first, second), (ed, es), strict=True)
    ]
    known = all(image.info.length_unit == "mm" for image, _ in (ed, es))
    reason = _doubt(ed[0], es[0], volumes, first[1] or second[1])
    edv, esv = volumes
    fraction = math.nan if reason else 100 * (edv - esv) / edv
    stroke = math.nan if reason else (edv - esv) / (_MM3_PER_ML if known else 1.0)
    return (
        _fraction(fraction, reason, side),
        Measurement(
            f"{side}_ventricular_stroke_volume", f"{side.capitalize()} ventricular stroke volume", stroke,
            "mL" if known else "px3",
            "End-diastolic less end-systolic volume of the blood pool.", _SCMR, reason=reason,
        ),
    )  # fmt: skip


def _doubt(ed: MedicalImage, es: MedicalImage, volumes: list[float], lacking: str) -> str:
    """Return why two phases give no ejection fraction, or ""."""
    if lacking:
        return lacking
    if ed.info.length_unit != es.info.length_unit:
        return "The pixel spacing is known for only one of the two phases."
    if not np.allclose(ed.pixels.GetSpacing(), es.pixels.GetSpacing(), rtol=_SPACING_TOLERANCE):
        return "The two phases have different spacing: they are not two phases of one stack."
    if ed.pixels.GetSize() != es.pixels.GetSize():
        return "The two phases have different sizes: they are not two phases of one stack."
    if not volumes[0] > volumes[1]:
        return "The end-diastolic volume is not the larger one: are the phases exchanged, or an outline wrong?"
    return ""


def _fraction(value: float, reason: str, side: str = "left") -> Measurement:
    return Measurement(
        f"{side}_ventricular_ejection_fraction", f"{side.capitalize()} ventricular ejection fraction", value, "%",
        f"Share of the end-diastolic volume that is ejected: (EDV - ESV) / EDV.{_ROUGH if side == 'right' else ''}",
        _SCMR, reason=reason,
    )  # fmt: skip


def _volume_unit(image: MedicalImage) -> tuple[bool, float, str]:
    """Return whether the spacing is known, what a voxel's volume is multiplied with, and the unit that gives."""
    known = image.info.length_unit == "mm"
    return known, float(np.prod(image.pixels.GetSpacing())) / _MM3_PER_ML if known else 1.0, "mL" if known else "px3"


def _voxels(segmentation: Segmentation, key: str) -> tuple[float, str]:
    """Return how many voxels a structure has, or NaN and the reason."""
    found = segmentation.find(key)
    count = 0 if found is None else int(np.count_nonzero(view(segmentation.mask(found))))
    return (float(count), "") if count else (math.nan, f"Not found: {key.replace('-', ' ')}.")
