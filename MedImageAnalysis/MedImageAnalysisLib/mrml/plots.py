"""A bar plot of probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .runtime import active_scene

if TYPE_CHECKING:
    import slicer

__all__ = ["ProbabilityPlot", "addProbabilityPlot", "updateProbabilityPlot"]

_COLOR = (0.20, 0.45, 0.70)


@dataclass(frozen=True)
class ProbabilityPlot:
    """The two nodes of a plot."""

    series: slicer.vtkMRMLPlotSeriesNode
    chart: slicer.vtkMRMLPlotChartNode


def addProbabilityPlot(
    table: slicer.vtkMRMLTableNode, name: str, *, scene: slicer.vtkMRMLScene | None = None
) -> ProbabilityPlot:
    """Add a bar plot of the column "probability" of `table` over its column "category"."""
    scene = scene or active_scene()
    plot = ProbabilityPlot(
        scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "Probability"),
        scene.AddNewNodeByClass("vtkMRMLPlotChartNode", name),
    )
    updateProbabilityPlot(plot, table)
    return plot


def updateProbabilityPlot(plot: ProbabilityPlot, table: slicer.vtkMRMLTableNode) -> None:
    """Point the nodes of a plot to `table`."""
    series, chart = plot.series, plot.chart
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(series.PlotTypeBar)
    # Slicer takes the ticks of the axis from the x column if it holds text, and tooltips from the label column.
    series.SetXColumnName("category")
    series.SetLabelColumnName("category")
    series.SetYColumnName("probability")
    series.SetColor(_COLOR)
    chart.RemoveAllPlotSeriesNodeIDs()
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(table.GetName())
    chart.SetYAxisTitle("Probability")
    chart.SetYAxisRangeAuto(False)
    chart.SetYAxisRange(0.0, 1.0)
    chart.SetLegendVisibility(False)
