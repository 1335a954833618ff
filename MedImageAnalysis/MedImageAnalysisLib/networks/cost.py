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
from .check import CheckedGraph, import_onnx

if TYPE_CHECKING:
    import onnx

__all__ = ["Cost", "cost_of_run"]

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Cost:
    """Bytes of all values that a run makes, multiplications with addition, and the shapes of the outputs."""

    activation_bytes: int
    operations: int
    outputs: Mapping[str, tuple[int, ...]]


def cost_of_run(graph: CheckedGraph, images: int) -> Cost:
    """Return what running `graph` on that many images at once takes.

    Raises
    ------
    InvalidModelError
        If the sizes do not fit one another, are not known before running, or are beyond what is allowed.
    """
    onnx = import_onnx()
    where = graph.where
    if not 1 <= images <= allowed.MAXIMUM_BATCH:
        raise InvalidModelError(f"{where} runs on 1 to {allowed.MAXIMUM_BATCH} images at once, not {images}.")
    fixed = onnx.ModelProto()
    fixed.CopyFrom(graph.model)
    for value in fixed.graph.input:
        first = value.type.tensor_type.shape.dim[0]
        if not first.HasField("dim_value"):
            first.dim_value = images
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(fixed, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise InvalidModelError(f"{where}: the sizes do not fit one another: {reason}.") from None
    shapes, size = _shapes(inferred.graph, where)
    if size > allowed.MAXIMUM_ACTIVATION_BYTES:
        raise InvalidModelError(
            f"{where} needs more than {allowed.MAXIMUM_ACTIVATION_BYTES:,} bytes of memory for {images} images."
        )
    operations = sum(_operations(node, shapes) for node in inferred.graph.node)
    if operations > allowed.MAXIMUM_OPERATIONS:
        raise InvalidModelError(
            f"{where} needs {operations:.1e} operations for {images} images; {allowed.MAXIMUM_OPERATIONS:.0e} are "
            "allowed."
        )
    return Cost(size, operations, {value.name: shapes[value.name] for value in fixed.graph.output})


def _shapes(graph: onnx.GraphProto, where: str) -> tuple[dict[str, tuple[int, ...]], int]:
    """Return the shape of every value, and the bytes of all that nodes make."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    made = {name for node in graph.node for name in node.output if name}
    size = 0
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if kind.elem_type not in allowed.TYPES:
            raise InvalidModelError(f"{where}: the value {value.name!r:.60} has a type that is not allowed.")
        known = kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim)
        lengths = tuple(dim.dim_value for dim in kind.shape.dim)
        if not known or len(lengths) > 8 or any(length < 0 for length in lengths):
            raise InvalidModelError(f"{where}: the size of {value.name!r:.60} is not known before running.")
        if value.name not in shapes and value.name in made:
            size += math.prod(lengths) * allowed.TYPES[kind.elem_type]
        shapes[value.name] = lengths
    unknown = made - set(shapes)
    if unknown:
        raise InvalidModelError(f"{where}: the size of {min(unknown)!r:.60} is not known before running.")
    return shapes, size


def _operations(node: onnx.NodeProto, shapes: Shapes) -> int:
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
