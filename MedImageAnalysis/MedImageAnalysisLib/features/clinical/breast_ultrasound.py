"""Size, orientation, margin and posterior acoustic features of a breast lesion on ultrasound."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from ...analysis import Line, Measurement, MedicalImage, Segmentation
from ...imaging.masks import largest_component
from ...imaging.pixels import view
from ...progress import Progress
from ..hull import convex_hull
from ..mesh import line_ends, outer_points
from ..shape2d import area_and_perimeter
from .measure import MEASURES, ClinicalMeasure

__all__ = ["BreastLesion"]

_BIRADS = (
    "Mendelson EB et al. ACR BI-RADS Ultrasound, in: ACR BI-RADS Atlas, 5th ed. American College of Radiology, 2013"
)
_STAVROS = f"Stavros AT et al. Radiology 1995;196:123-134. doi:10.1148/radiology.196.1.7784555; {_BIRADS}"
_CHEN = f"Chen CM et al. Radiology 2003;226:504-514. doi:10.1148/radiol.2262011843; {_BIRADS}"
_HORSCH = f"Horsch K et al. Med Phys 2002;29:157-164. doi:10.1118/1.1429239; {_BIRADS}"

_LENGTH = "length"
_KINDS = (
    Measurement(
        "lesion_longest_diameter",
        "Longest diameter of the lesion",
        math.nan,
        _LENGTH,
        "Greatest distance between two points of the outline of the largest lesion.",
        _BIRADS,
    ),
    Measurement(
        "lesion_width",
        "Width of the lesion",
        math.nan,
        _LENGTH,
        "Extent parallel to the skin, taken as the rows of the picture.",
        _BIRADS,
    ),
    Measurement(
        "lesion_depth",
        "Anteroposterior extent of the lesion",
        math.nan,
        _LENGTH,
        "Extent away from the skin, along the columns of the picture.",
        _BIRADS,
    ),
    Measurement(
        "lesion_depth_width_ratio",
        "Depth to width ratio of the lesion",
        math.nan,
        "1",
        "Anteroposterior extent divided by width; above 1 the lesion is taller than wide (not parallel).",
        _STAVROS,
    ),
    Measurement(
        "lesion_circularity",
        "Circularity of the lesion",
        math.nan,
        "1",
        "2 sqrt(pi A) / P of area A and perimeter P of the outline; 1 for a circle.",
        _CHEN,
    ),
    Measurement(
        "lesion_margin_irregularity",
        "Margin irregularity of the lesion",
        math.nan,
        "1",
        "Perimeter of the outline divided by that of the ellipse of the same area and second moments "
        "(elliptic-normalized circumference); about 1 where circumscribed, more where lobulated or spiculated.",
        _CHEN,
    ),
    Measurement(
        "lesion_spiculation",
        "Spiculation of the lesion",
        math.nan,
        "%",
        "Share of the convex hull that the lesion leaves empty, between its protuberances.",
        _CHEN,
    ),
    Measurement(
        "lesion_echo_contrast",
        "Echo of the lesion against its surroundings",
        math.nan,
        "%",
        "Mean gray value of the lesion minus that of the tissue left and right of it at the same depth, in percent of "
        "the gray range of the picture; negative is hypoechoic.",
        _HORSCH,
    ),
    Measurement(
        "lesion_posterior_contrast",
        "Posterior acoustic feature of the lesion",
        math.nan,
        "%",
        "Mean gray value behind the middle of the lesion minus that of the tissue beside it at the same depth, in "
        "percent of the gray range of the picture; positive is enhancement, negative is shadowing.",
        _HORSCH,
    ),
)
_GEOMETRIC = 7
# The middle part of the lesion's width that counts: at the sides edge shadows and refraction mix in.
_MIDDLE = 0.6
# Tissue behind and beside must be seen over at least this part of the lesion's area.
_LEAST_SEEN = 0.15
_LEAST_LESION = 12


@MEASURES.register
@dataclass(frozen=True)
class BreastLesion(ClinicalMeasure):
    """Size and BI-RADS descriptors of the largest breast lesion on B-mode ultrasound.

    The picture must be in standard display: the transducer, and so the skin, at the top. Lengths are in pixels where
    the spacing is unknown; ratios need square pixels only.
    """

    name = "breast-lesion"
    title = "Breast lesion: size, margin, posterior acoustic feature"

    def __call__(self, image: MedicalImage, segmentation: Segmentation, progress: Progress) -> tuple[Measurement, ...]:
        """Return size, orientation, margin, echo and posterior acoustic feature."""
        progress.step("Measuring the lesion")
        unit = image.info.length_unit
        mask = _largest(segmentation)
        if mask is None:
            return tuple(_made(kind, unit, reason="No lesion was found.") for kind in _KINDS)
        if np.count_nonzero(mask) < _LEAST_LESION:
            return tuple(_made(kind, unit, reason="The lesion is too small to be measured.") for kind in _KINDS)
        shapes = _shape(mask, image.pixels, unit)
        return (*shapes, *_echoes(mask, sitk.GetArrayViewFromImage(image.pixels), unit))


def _largest(segmentation: Segmentation) -> np.ndarray | None:
    """Return the largest connected part of the lesion segment, or None."""
    found = segmentation.find("breast-lesion")
    if found is None:
        return None
    mask = largest_component(view(segmentation.mask(found)) > 0)
    return mask if mask.any() else None


def _made(
    kind: Measurement, unit: str, value: float = math.nan, lines: tuple[Line, ...] = (), reason: str = ""
) -> Measurement:
    return replace(
        kind, value=float(value), unit=unit if kind.unit == _LENGTH else kind.unit, lines=lines, reason=reason
    )


def _shape(mask: np.ndarray, pixels: sitk.Image, unit: str) -> tuple[Measurement, ...]:
    """Return the measurements that depend on the outline only."""
    kinds = _KINDS[:_GEOMETRIC]
    if mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any():
        reason = "The lesion is cut off at the edge of the picture."
        return tuple(_made(kind, unit, reason=reason) for kind in kinds)
    spacing = np.array(pixels.GetSpacing()[::-1])
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    depth, width = (rows[-1] - rows[0] + 1) * spacing[0], (columns[-1] - columns[0] + 1) * spacing[1]
    area, perimeter = area_and_perimeter(mask, spacing)
    hull = convex_hull(outer_points(line_ends(mask)) * spacing)
    start, end = _farthest(hull.points)
    middle_row, middle_column = (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2
    lines = (
        (_line("Longest diameter", pixels, start / spacing, end / spacing),),
        (_line("Width", pixels, (middle_row, columns[0] - 0.5), (middle_row, columns[-1] + 0.5)),),
        (_line("Depth", pixels, (rows[0] - 0.5, middle_column), (rows[-1] + 0.5, middle_column)),),
    )
    values = (
        np.linalg.norm(end - start),
        width,
        depth,
        depth / width,
        2 * math.sqrt(math.pi * area) / perimeter,
        perimeter / _ellipse_perimeter(mask, spacing, area),
        100 * (1 - area / hull.volume),
    )
    lines += ((),) * (len(kinds) - len(lines))
    return tuple(_made(kind, unit, value, drawn) for kind, value, drawn in zip(kinds, values, lines, strict=True))


def _farthest(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two points that are farthest apart."""
    from scipy.spatial.distance import cdist

    first, second = np.unravel_index(np.argmax(cdist(points, points)), (len(points), len(points)))
    return points[first], points[second]


def _ellipse_perimeter(mask: np.ndarray, spacing: np.ndarray, area: float) -> float:
    """Return the perimeter (Ramanujan 1914) of the ellipse with the axes' ratio of the mask's moments and its area."""
    variances = np.linalg.eigvalsh(np.cov(np.argwhere(mask) * spacing, rowvar=False) + np.diag(spacing**2 / 12))
    ratio = math.sqrt(variances[1] / variances[0])
    minor = math.sqrt(area / (math.pi * ratio))
    major = ratio * minor
    h = ((major - minor) / (major + minor)) ** 2
    return math.pi * (major + minor) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))


def _line(name: str, pixels: sitk.Image, start: tuple[float, float], end: tuple[float, float]) -> Line:
    """Return a line between two points given as (row, column)."""
    ends = [pixels.TransformContinuousIndexToPhysicalPoint((float(p[1]), float(p[0]))) for p in (start, end)]
    return Line(name, *ends)


def _echoes(mask: np.ndarray, values: np.ndarray, unit: str) -> tuple[Measurement, ...]:
    """Return the measurements that compare gray values of lesion, tissue behind and tissue beside."""
    low, high = np.percentile(values, [1, 99])
    if high <= low:
        return tuple(_made(kind, unit, reason="The picture is blank.") for kind in _KINDS[_GEOMETRIC:])
    scale = 100 / (high - low)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    beside = _beside(mask, columns)
    at_depth = beside.copy()
    at_depth[: rows[0]] = at_depth[rows[-1] + 1 :] = False
    behind = _behind(mask, columns)
    deeper = beside & behind.any(axis=1)[:, None]
    echo, posterior = _KINDS[_GEOMETRIC:]
    least = _LEAST_SEEN * np.count_nonzero(mask)
    return (
        _compared(echo, mask, at_depth, values, scale, least),
        _compared(posterior, behind, deeper, values, scale, least),
    )


def _beside(mask: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the columns left and right of the lesion, together as wide as the lesion, at all depths."""
    reach = max(len(columns) // 2, 2)
    gap = max(len(columns) // 10, 1)
    beside = np.zeros(mask.shape, dtype=bool)
    beside[:, max(columns[0] - gap - reach, 0) : max(columns[0] - gap, 0)] = True
    beside[:, columns[-1] + 1 + gap : columns[-1] + 1 + gap + reach] = True
    return beside


def _behind(mask: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the region behind the middle of the lesion, from its lower edge down as far as the lesion is deep."""
    cut = int(len(columns) * (1 - _MIDDLE) / 2)
    behind = np.zeros(mask.shape, dtype=bool)
    for column in columns[cut : len(columns) - cut]:
        inside = np.flatnonzero(mask[:, column])
        depth = inside[-1] - inside[0] + 1
        behind[inside[-1] + 2 : inside[-1] + 2 + depth, column] = True
    return behind


def _compared(
    kind: Measurement, region: np.ndarray, other: np.ndarray, values: np.ndarray, scale: float, least: float
) -> Measurement:
    if min(np.count_nonzero(region), np.count_nonzero(other)) < least:
        return _made(kind, kind.unit, reason="The picture shows too little tissue behind or beside the lesion.")
    return _made(kind, kind.unit, scale * (float(values[region].mean()) - float(values[other].mean())))
