"""A bar plot of probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import slicer

__all__ = ["updateProbabilityPlot"]

_COLOR = (0.20, 0.45, 0.70)


def updateProbabilityPlot(
    series: slicer.vtkMRMLPlotSeriesNode, chart: slicer.vtkMRMLPlotChartNode, table: slicer.vtkMRMLTableNode
) -> None:
    """Make a bar plot of the column "probability" of `table` over its column "category"."""
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
