"""What one run of a network takes: the sizes of all its values and the arithmetic, from the shapes alone.

The free number of images is set to the number that will be run, so that every size is a number; a network whose sizes
depend on more than the shapes of its inputs is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InvalidModelError
from . import allowed
from .check import CheckedGraph
from .shapes import Shape, value_shapes

if TYPE_CHECKING:
    import onnx

__all__ = ["Cost", "cost_of_run"]


@dataclass(frozen=True)
class Cost:
    """Bytes of all values that a run makes, multiplications with addition, and the shapes of the outputs."""

    activation_bytes: int
    operations: int
    outputs: Mapping[str, Shape]


def cost_of_run(graph: CheckedGraph, images: int) -> Cost:
    """Return what running `graph` on that many images at once takes.

    Raises
    ------
    InvalidModelError
        If the sizes do not fit one another, are not known before running, or are beyond what is allowed.
    """
    where = graph.where
    if not 1 <= images <= allowed.MAXIMUM_BATCH:
        raise InvalidModelError(f"{where} runs on 1 to {allowed.MAXIMUM_BATCH} images at once, not {images}.")
    shapes, size = value_shapes(graph, images)
    operations = sum(_operations(node, shapes) for node in graph.model.graph.node)
    if operations > allowed.MAXIMUM_OPERATIONS:
        raise InvalidModelError(
            f"{where} needs {operations:.1e} operations for {images} images; {allowed.MAXIMUM_OPERATIONS:.0e} are "
            "allowed."
        )
    return Cost(size, operations, {port.name: shapes[port.name] for port in graph.outputs})


def _operations(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Return the multiplications (or comparisons, or copies) that a node makes."""
    made = sum(math.prod(shapes[name]) for name in node.output if name)
    read = sum(math.prod(shapes[name]) for name in node.input if name)
    first = shapes[node.input[0]] if node.input and node.input[0] else ()
    second = shapes[node.input[1]] if len(node.input) > 1 and node.input[1] else ()
    if node.op_type == "Conv":
        return made * math.prod(second[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(first) * math.prod(second[1:])
    if node.op_type == "MatMul":
        return made * (first[-1] if first else 1)
    if node.op_type == "Gemm":
        return made * max(first, default=1)
    if node.op_type in ("MaxPool", "AveragePool"):
        window = next((tuple(a.ints) for a in node.attribute if a.name == "kernel_shape"), ())
        return made * math.prod(window)
    if node.op_type == "Resize":
        return 16 * made + read
    return made + read
