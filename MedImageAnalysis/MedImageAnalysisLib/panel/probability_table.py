"""The table of probabilities in the panel: a bar for each category, and its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt

from .rich_text import ProbabilityRow

__all__ = ["show_probabilities"]

BAR_STEPS = 1000
ADJUSTED_COLUMN = 5


def show_probabilities(table: Any, rows: Sequence[ProbabilityRow]) -> None:
    """Fill a QTableWidget: name, bar, probability with bounds, and whether the category cannot be ruled out.

    The last column, the probability at the stated prevalence, is only shown if there is one.
    """
    header = table.horizontalHeader()
    header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
    header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
    table.setRowCount(0)
    table.setRowCount(len(rows))
    for index, row in enumerate(rows):
        _show(table, index, row)
    table.setColumnHidden(ADJUSTED_COLUMN, not any(row.adjusted for row in rows))
    table.resizeRowsToContents()


def _show(table: Any, index: int, row: ProbabilityRow) -> None:
    for column, text in enumerate((row.category, "", row.probability, row.bounds, row.mark, row.adjusted)):
        item = qt.QTableWidgetItem(text)
        item.setToolTip(row.note)
        table.setItem(index, column, item)
    if row.share is not None:
        bar = qt.QProgressBar()
        bar.maximum = BAR_STEPS
        bar.value = round(BAR_STEPS * row.share)
        bar.textVisible = False
        bar.enabled = bool(row.mark)
        table.setCellWidget(index, 1, bar)
