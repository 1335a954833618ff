"""Table nodes from tables and back, with typed columns, units, titles and descriptions.

Slicer's own table files keep six significant digits. :mod:`.scene_file` therefore writes the tables of a scene through
:mod:`MedImageAnalysisLib.export.tables`, which Slicer reads back bit for bit; a table node remembers by an attribute
that it is one of those. In a scene saved by Slicer's File > Save, the record of the analysis still has every digit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UnsupportedImageError
from ..export.tables import Column, Table
from .access import added_node

if TYPE_CHECKING:
    import slicer
    import vtk

__all__ = ["EXACT_ATTRIBUTE", "nodeFromTable", "tableFromNode", "updateTableNode"]

# Marks the table nodes whose files this package writes at full precision.
EXACT_ATTRIBUTE = "MedImageAnalysis.ExactTable"

_NUMERIC = {"double": np.float64, "integer": np.int64}


def nodeFromTable(table: Table, name: str = "", *, scene: slicer.vtkMRMLScene | None = None) -> slicer.vtkMRMLTableNode:
    """Add a table node that holds `table`."""
    with added_node("vtkMRMLTableNode", name or table.title, scene) as node:
        updateTableNode(node, table)
    return node


def updateTableNode(node: slicer.vtkMRMLTableNode, table: Table) -> None:
    """Replace the columns of a table node."""
    modifying = node.StartModify()
    node.SetAttribute(EXACT_ATTRIBUTE, "1")
    node.RemoveAllColumns()
    for column in table.columns:
        node.AddColumn(_array(column))
        node.SetColumnUnitLabel(column.name, column.unit)
        node.SetColumnTitle(column.name, column.title)
        node.SetColumnDescription(column.name, column.description)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)
    node.EndModify(modifying)


def tableFromNode(node: slicer.vtkMRMLTableNode) -> Table:
    """Return the table that a node holds.

    Raises
    ------
    UnsupportedImageError
        If a column has several components per row.
    """
    columns = []
    for index in range(node.GetNumberOfColumns()):
        array = node.GetTable().GetColumn(index)
        name = array.GetName()
        kind, values = _values(array)
        columns.append(
            Column(
                name,
                kind,
                values,
                unit=node.GetColumnUnitLabel(name),
                title=node.GetColumnTitle(name),
                description=node.GetColumnDescription(name),
            )
        )
    return Table(node.GetName(), tuple(columns))


def _array(column: Column) -> vtk.vtkAbstractArray:
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    if column.kind in _NUMERIC:
        array = numpy_to_vtk(np.array(column.values, dtype=_NUMERIC[column.kind]), deep=True)
    else:
        array = vtk.vtkStringArray() if column.kind == "string" else vtk.vtkBitArray()
        for value in column.values:
            array.InsertNextValue(value)
    array.SetName(column.name)
    return array


def _values(array: Any) -> tuple[str, tuple]:
    """Return the kind and the values of one column."""
    from vtk.util.numpy_support import vtk_to_numpy

    if array.GetNumberOfComponents() != 1:
        raise UnsupportedImageError(f"The table column '{array.GetName()}' has several values per row.")
    if array.IsA("vtkStringArray"):
        return "string", tuple(array.GetValue(row) for row in range(array.GetNumberOfValues()))
    if array.IsA("vtkBitArray"):
        return "boolean", tuple(bool(array.GetValue(row)) for row in range(array.GetNumberOfValues()))
    values = vtk_to_numpy(array)
    return ("double" if values.dtype.kind == "f" else "integer"), tuple(values.tolist())
