"""How stable each feature is when image and segments are changed a little; on request, since it repeats all work."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import SimpleITK as sitk

from ..analysis import FeatureDefinition, FeatureTable, Segment, Segmentation
from ..imaging.geometry import resample_segmentation
from ..imaging.masks import bounding_box
from ..imaging.pixels import view
from ..progress import Progress
from .perturbation import Change, Perturbations, noise_level, perturbed
from .settings import FeatureSettings

__all__ = ["Perturbations", "intraclass_correlation", "stability"]

_REFERENCE = "doi:10.1038/s41598-018-36938-4"


def stability(
    image: sitk.Image,
    segmentation: Segmentation,
    settings: FeatureSettings = FeatureSettings(),  # noqa: B008  frozen, so safe to share
    perturbations: Perturbations = Perturbations(),  # noqa: B008
    progress: Progress = Progress(),  # noqa: B008
    length_unit: str = "mm",
) -> FeatureTable:
    """Extract the features of each segment from randomly changed copies and tell how much they vary.

    Parameters
    ----------
    image, segmentation, settings, length_unit
        As for :func:`~MedImageAnalysisLib.features.extract`.
    perturbations : Perturbations
        What is changed, how strongly and how often.
    progress : Progress
        Asked before each copy.

    Returns
    -------
    FeatureTable
        Two columns per feature: ``NAME:cv``, the coefficient of variation over the copies of one segment (standard
        deviation / |mean|), and ``NAME:icc``, the intraclass correlation ICC(2,1) with the segments as subjects, the
        same in each row. Cells without a value say why: a feature that is undefined in a copy, or with mean 0, has no
        coefficient of variation; a single segment has no intraclass correlation.

    Notes
    -----
    Segments of one image are few and not drawn at random from a population: take their ICC as a hint, and
    :func:`intraclass_correlation` over the cases of a cohort for more.
    """
    from . import definitions

    segmentation = resample_segmentation(segmentation, image)
    changes = perturbations.draw(image.GetDimension())
    columns = definitions(settings, dimension=image.GetDimension(), length_unit=length_unit)
    # Copies, segments, features.
    values = np.full((len(changes), len(segmentation.segments), len(columns)), np.nan)
    for row, (segment, part) in enumerate(
        zip(segmentation.segments, progress.parts(len(segmentation.segments)), strict=True)
    ):
        values[:, row] = _of_segment(image, segmentation.mask(segment), segment, settings, changes, part)
    progress.step("Stability of features", 1.0)
    return _table(segmentation.segments, columns, values)


def _of_segment(
    image: sitk.Image,
    mask: sitk.Image,
    segment: Segment,
    settings: FeatureSettings,
    changes: list[Change],
    progress: Progress,
) -> np.ndarray:
    """Return the features of one segment in each changed copy, shape (copies, features)."""
    from . import definitions, extract

    columns = len(definitions(settings, dimension=image.GetDimension()))
    found = np.full((len(changes), columns), np.nan)
    box = _box_with_margin(mask, changes)
    if box is None:
        return found
    start, stop = box
    part, inside = (
        sitk.RegionOfInterest(item, [int(n) for n in stop - start], [int(n) for n in start]) for item in (image, mask)
    )
    sigma = noise_level(part) if any(change.noise for change in changes) else 0.0
    alone = replace(segment, label=1, layer=0)
    for copy, change in enumerate(changes):
        progress.step(f"Stability of features: {segment.name}", copy / len(changes))
        changed, moved = perturbed(part, inside, change, sigma)
        found[copy] = extract(changed, Segmentation((moved,), (alone,)), settings).values[0]
    return found


def _box_with_margin(mask: sitk.Image, changes: list[Change]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return first and one-past-last index (x, y(, z)) of a box that holds the segment after all changes."""
    box = bounding_box(view(mask))
    if box is None:
        return None
    first = np.array([part.start for part in reversed(box)])
    last = np.array([part.stop - 1 for part in reversed(box)])
    spacing = np.array(mask.GetSpacing())
    half_diagonal = np.linalg.norm((last - first + 1) * spacing) / 2
    turned = half_diagonal * max(abs(np.sin(change.angle)) for change in changes) / spacing
    shifted = np.max([np.abs(change.shift) for change in changes], axis=0)
    # A growth by a share v of the volume moves the border by less than v times the extent.
    grown = (last - first + 1) * max(abs(change.volume_change) for change in changes)
    margin = np.ceil(turned + shifted + grown).astype(int) + 2
    return np.maximum(first - margin, 0), np.minimum(last + margin + 1, np.array(mask.GetSize()))


def intraclass_correlation(values: np.ndarray) -> np.ndarray:
    """Return ICC(2,1): two-way random effects, absolute agreement, single measurement.

    Parameters
    ----------
    values : numpy.ndarray of float, shape (repetitions, subjects, ...)
        Repetitions are the raters. Subjects without a value in each repetition make the result NaN.

    Returns
    -------
    numpy.ndarray of float, shape (...)
        (MSR - MSE) / (MSR + (k - 1) MSE + (k / n) (MSC - MSE)), with the mean squares of n subjects (R), k
        repetitions (C) and the residual (E); NaN for fewer than two subjects or if nothing varies.

    References
    ----------
    Shrout and Fleiss 1979, doi:10.1037/0033-2909.86.2.420; Koo and Li 2016, doi:10.1016/j.jcm.2016.02.012.
    """
    k, n = values.shape[:2]
    if n < 2 or k < 2:
        return np.full(values.shape[2:], np.nan)
    # Differences alone matter; about the mean they are exact for features of large values.
    centered = values - values.mean(axis=(0, 1))
    by_subject, by_repetition = centered.mean(axis=0), centered.mean(axis=1)
    between = k * (by_subject**2).sum(axis=0) / (n - 1)
    across = n * (by_repetition**2).sum(axis=0) / (k - 1)
    residual = centered - by_subject - by_repetition[:, np.newaxis]
    error = (residual**2).sum(axis=(0, 1)) / ((n - 1) * (k - 1))
    total = between + (k - 1) * error + k / n * (across - error)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, (between - error) / total, np.nan)


def _table(segments: tuple[Segment, ...], columns: tuple[FeatureDefinition, ...], values: np.ndarray) -> FeatureTable:
    copies, rows, count = values.shape
    defined = np.isfinite(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        variation = values.std(axis=0, ddof=1) / np.abs(values.mean(axis=0))
    variation[~np.isfinite(variation)] = np.nan
    agreement = np.broadcast_to(intraclass_correlation(values), (rows, count))
    reasons = {}
    for row, column in zip(*np.nonzero(np.isnan(variation)), strict=True):
        missing = copies - int(defined[:, row, column].sum())
        reasons[int(row), 2 * int(column)] = (
            f"The feature has no value in {missing} of {copies} changed copies."
            if missing
            else "The mean over the changed copies is 0, so a relative spread is not defined."
        )
    for row, column in zip(*np.nonzero(np.isnan(agreement)), strict=True):
        reasons[int(row), 2 * int(column) + 1] = _why_no_agreement(rows, bool(defined[:, :, column].all()))
    table = np.stack([variation, agreement], axis=2).reshape(rows, 2 * count)
    described = tuple(item for definition in columns for item in _definitions(definition, copies))
    return FeatureTable(segments, described, table, MappingProxyType(reasons))


def _why_no_agreement(rows: int, complete: bool) -> str:
    if rows < 2:
        return "The intraclass correlation needs at least two segments."
    if not complete:
        return "The feature has no value in some changed copy of some segment."
    return "The feature does not vary."


def _definitions(definition: FeatureDefinition, copies: int) -> tuple[FeatureDefinition, FeatureDefinition]:
    """Return what the two columns of one feature mean."""
    variation = replace(
        definition,
        name=f"{definition.name}:cv",
        title=f"{definition.title}: coefficient of variation",
        unit="1",
        description=f"Standard deviation / |mean| of '{definition.title}' over {copies} randomly changed copies.",
        code="",
        reference=_REFERENCE,
    )
    agreement = replace(
        variation,
        name=f"{definition.name}:icc",
        title=f"{definition.title}: intraclass correlation",
        description=f"ICC(2,1) of '{definition.title}' between segments over {copies} randomly changed copies.",
    )
    return variation, agreement
