"""One picture that tells an analysis: original, processed, segmentation and probabilities side by side."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..analysis import Analysis, Recognition
from ..errors import MissingPackageError
from ..export.atomic import replacing
from ..percent import percent
from .words import NOTICE, measurement_words, recognition_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_picture"]

# Longest side of what is drawn: more pixels cost time and show nothing more at this size.
_PANEL_PIXELS = 900
# More segments than this (e.g. superpixels) have no legend.
_LEGEND_ROWS = 10
_LINE_COLORS = ("#ffd23f", "#3ddc97", "#5bc0eb", "#ff8fab")
_ACCENT = "#1b6ca8"
_FAINT = "#b9cfe0"


@dataclass(frozen=True)
class _View:
    """One slice of an image, seen as radiologists see it (patient's right on the left side of the picture)."""

    pixels: np.ndarray
    extent: tuple[float, float, float, float]


def write_picture(analysis: Analysis, path: Path) -> Path:
    """Draw the analysis as a PNG; return its path.

    Volumes are shown by the axial slice that holds most segmented voxels.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise MissingPackageError.of("matplotlib", "report", "Drawing a picture") from missing

    mapped = _mapped(analysis)
    panels = 3 if mapped is None else 4
    figure = Figure(figsize=(4 * panels + 5, 5.6), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels + 1, gridspec_kw={"width_ratios": [*[1] * panels, 1.25]})
    original = analysis.image.pixels
    index = _slice_index(analysis)
    background = _view(original, index)
    _draw_image(axes[0], background, "Original")
    _draw_image(axes[1], _view(analysis.processed, _same_place(analysis, index)), "Processed")
    _draw_image(axes[2], background, "Segmentation")
    _draw_segments(axes[2], analysis, index)
    if mapped is not None:
        _draw_image(axes[3], background, "")
        _draw_evidence(axes[3], mapped)
    _draw_recognitions(axes[-1], analysis)
    preset = analysis.provenance.preset
    figure.suptitle(f"{preset.get('title', '')}   ·   {NOTICE}", fontsize=10, color="#555555")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)
    return path


def _slice_index(analysis: Analysis) -> int | None:
    """Return the axial slice with most segmented voxels, or None for a 2D image."""
    if analysis.image.pixels.GetDimension() == 2:
        return None
    counts = sum(
        np.count_nonzero(sitk.GetArrayFromImage(_axial(layer)), axis=(1, 2)) for layer in analysis.segmentation.layers
    )
    return int(np.argmax(counts)) if np.any(counts) else len(counts) // 2


def _same_place(analysis: Analysis, index: int | None) -> int | None:
    """Return the slice of the processed image that lies where slice `index` of the original lies."""
    if index is None:
        return None
    original, processed = _axial(analysis.image.pixels), _axial(analysis.processed)
    center = [size / 2 for size in original.GetSize()[:2]]
    point = original.TransformContinuousIndexToPhysicalPoint([*center, float(index)])
    place = processed.TransformPhysicalPointToContinuousIndex(point)[2]
    return int(np.clip(round(place), 0, processed.GetDepth() - 1))


def _axial(image: sitk.Image) -> sitk.Image:
    return sitk.DICOMOrient(image, "LPS")


def _view(image: sitk.Image, index: int | None) -> _View:
    plane = image if index is None else _axial(image)[:, :, index]
    stride = max(1, -(-max(plane.GetSize()) // _PANEL_PIXELS))
    pixels = sitk.GetArrayFromImage(plane)[::stride, ::stride]
    left, top = plane.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5))
    width, height = np.multiply(plane.GetSize(), plane.GetSpacing())
    return _View(pixels, (left, left + width, top + height, top))


def _draw_image(axes: Axes, view: _View, title: str) -> None:
    low, high = np.percentile(view.pixels, (0.5, 99.5))
    axes.imshow(view.pixels, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), extent=view.extent)
    axes.set_title(title, fontsize=12)
    axes.set_anchor("N")
    axes.set_axis_off()


def _draw_segments(axes: Axes, analysis: Analysis, index: int | None) -> None:
    """Tint and outline each segment, draw the lines of the measurements, and name both."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    segmentation = analysis.segmentation
    views = [_view(layer, index) for layer in segmentation.layers]
    colors = np.zeros((*views[0].pixels.shape, 4))
    few = len(segmentation.segments) <= _LEGEND_ROWS
    for segment in segmentation.segments:
        mask = views[segment.layer].pixels == segment.label
        colors[mask] = (*segment.color, 0.3 if few else 0.5)
        if few and mask.any() and not mask.all():
            axes.contour(mask, levels=[0.5], colors=[segment.color], linewidths=1.5, **_contour_place(views[0]))
    axes.imshow(colors, extent=views[0].extent, interpolation="nearest")
    handles = [Patch(color=segment.color, label=segment.name) for segment in segmentation.segments] if few else []
    lines = [line for measurement in analysis.measurements for line in measurement.lines]
    for line, color in zip(lines, itertools.cycle(_LINE_COLORS), strict=False):
        (x0, y0), (x1, y1) = line.start[:2], line.end[:2]
        axes.plot((x0, x1), (y0, y1), color=color, linewidth=2.2, solid_capstyle="butt")
        handles.append(Line2D([], [], color=color, linewidth=2.2, label=line.name))
    if handles:
        axes.legend(
            handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2, fontsize=8, frameon=False
        )


def _mapped(analysis: Analysis) -> Recognition | None:
    """Return the first recognition with a map over a 2D image, or None."""
    if analysis.image.pixels.GetDimension() != 2:
        return None
    return next((found for found in analysis.recognitions if found.evidence_map is not None), None)


def _draw_evidence(axes: Axes, recognition: Recognition) -> None:
    """Tint what speaks for the most probable category red and what speaks against it blue, the more the stronger."""
    from matplotlib import colormaps

    view = _view(recognition.evidence_map, None)
    strength = view.pixels / max(float(np.abs(view.pixels).max()), 1e-12)
    colors = colormaps["RdBu_r"](0.5 + 0.35 * strength)
    colors[..., 3] = 0.6 * np.sqrt(np.abs(strength))
    # The map may cover a part of the image only; the panel shows all of it.
    axes.autoscale(False)
    axes.imshow(colors, extent=view.extent, interpolation="bilinear")
    top = max(recognition.categories, key=lambda row: row.probability)
    axes.set_title(f"Evidence: {top.category}", fontsize=12)
    axes.text(0.5, -0.03, "red: for, blue: against", fontsize=8, ha="center", va="top", transform=axes.transAxes)


def _contour_place(view: _View) -> dict:
    left, right, bottom, top = view.extent
    return {"extent": (left, right, top, bottom), "origin": "lower"}


def _draw_recognitions(axes: Axes, analysis: Analysis) -> None:
    """Draw a bar per category, with what was measured and said below; without categories, the words alone."""
    axes.set_title("Probabilities", fontsize=12)
    rows = [category for recognition in analysis.recognitions for category in recognition.categories]
    if not rows:
        axes.set_axis_off()
        axes.text(0, 0.95, _words(analysis), fontsize=10, va="top", transform=axes.transAxes, linespacing=1.5)
        return
    for position, category in enumerate(rows):
        color = _ACCENT if category.in_prediction_set else _FAINT
        axes.barh(position, category.probability, color=color, height=0.5)
        axes.plot((category.lower, category.upper), (position, position), color="#222222", linewidth=1.4)
        label = f"{category.category}  {percent(category.probability)}"
        axes.text(0.01, position - 0.3, label, fontsize=9, va="bottom")
    axes.set_xlim(0, 1)
    axes.set_ylim(len(rows) - 0.5, -0.8)
    axes.set_yticks([])
    axes.set_xlabel("probability (line: uncertainty; dark bar: in the prediction set)", fontsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.text(0, -0.16, _words(analysis), fontsize=8, va="top", transform=axes.transAxes, linespacing=1.4)


def _words(analysis: Analysis) -> str:
    """Say measurements, and what was not assessed and why, in a few lines."""
    import textwrap

    lines = [measurement_words(measurement) for measurement in analysis.measurements[:5]]
    lines += [recognition_words(recognition) for recognition in analysis.recognitions]
    return "\n".join(part for line in lines for part in textwrap.wrap(line, 72))
