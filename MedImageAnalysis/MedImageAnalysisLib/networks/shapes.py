"""The shape of every value of a network, node by node, before anything runs.

The package onnx knows for each operator which shapes come out for those that go in. It is asked about one node at a
time, and each answer is checked before the next question: its C++ code ends the process if sizes are impossible, as
they are behind a convolution whose kernel is larger than the image.

Sizes that a network computes from the shapes of its own values (torch exports `x.view(x.size(0), -1)` that way) are
followed through the few operators that this takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InvalidModelError
from . import allowed
from .check import CheckedGraph, import_onnx, short

if TYPE_CHECKING:
    import onnx

__all__ = ["Shape", "value_shapes"]

Shape = tuple[int, ...]
# Sizes have few elements: larger integer tensors are not followed.
_FOLLOWED_ELEMENTS = 64
_INT64 = 7


def value_shapes(graph: CheckedGraph, images: int) -> tuple[dict[str, Shape], int]:
    """Return the shape of each value if `images` images are run at once, and the bytes of all values that nodes make.

    Raises
    ------
    InvalidModelError
        If sizes do not fit one another, are not known before running, or need more memory than is allowed.
    """
    state = _State(graph, images)
    for node in graph.model.graph.node:
        state.follow(node)
    return state.shapes(), state.made_bytes


class _State:
    """What is known of the values so far: types with shapes, and the content of small integer tensors."""

    def __init__(self, graph: CheckedGraph, images: int) -> None:
        self.onnx = import_onnx()
        self.where = graph.where
        self.made_bytes = 0
        self._opset = graph.model.opset_import[0].version
        self._opsets = [self.onnx.helper.make_opsetid("", self._opset)]
        self._ir_version = graph.model.ir_version
        self._types: dict[str, onnx.TypeProto] = {}
        self._tensors: dict[str, onnx.TensorProto] = {}
        for port in graph.inputs:
            self._types[port.name] = self._type(1, [images if n is None else n for n in port.shape])
        for tensor in graph.model.graph.initializer:
            self._types[tensor.name] = self._type(tensor.data_type, tensor.dims)
            if math.prod(tensor.dims) <= _FOLLOWED_ELEMENTS:
                self._tensors[tensor.name] = tensor

    def shapes(self) -> dict[str, Shape]:
        """Return the shapes of all values."""
        return {name: _lengths(kind) for name, kind in self._types.items()}

    def follow(self, node: onnx.NodeProto) -> None:
        """Learn the outputs of a node whose inputs are known."""
        names = [name for name in node.input if name]
        types = {name: self._types[name] for name in names}
        tensors = {name: self._tensors[name] for name in names if name in self._tensors}
        onnx = self.onnx
        try:
            schema = onnx.defs.get_schema(node.op_type, self._opset)
            found = onnx.shape_inference.infer_node_outputs(
                schema, node, types, tensors, opset_imports=self._opsets, ir_version=self._ir_version
            )
        except _refusals(onnx) as error:
            raise InvalidModelError(f"{self.where}: {node.op_type}: the sizes do not fit: {short(error)}.") from None
        for name in filter(None, node.output):
            self._learn(name, found.get(name), least=0 if node.op_type == "Constant" else 1)
        if node.output and node.output[0]:
            self._follow_content(node, node.output[0])

    def _learn(self, name: str, kind: onnx.TypeProto | None, least: int) -> None:
        """Check and keep the type of a value; its lengths are at least `least`."""
        tensor = kind.tensor_type if kind is not None else None
        if tensor is None or not tensor.HasField("shape") or not all(d.HasField("dim_value") for d in tensor.shape.dim):
            raise InvalidModelError(f"{self.where}: the size of {name!r:.60} is not known before running.")
        if tensor.elem_type not in allowed.TYPES:
            raise InvalidModelError(f"{self.where}: the value {name!r:.60} has a type that is not allowed.")
        lengths = _lengths(kind)
        if len(lengths) > allowed.MAXIMUM_DIMENSIONS or any(length < least for length in lengths):
            raise InvalidModelError(f"{self.where}: the value {name!r:.60} has the impossible shape {lengths}.")
        self.made_bytes += math.prod(lengths) * allowed.TYPES[tensor.elem_type]
        if self.made_bytes > allowed.MAXIMUM_ACTIVATION_BYTES:
            raise InvalidModelError(
                f"{self.where} needs more memory than the {allowed.MAXIMUM_ACTIVATION_BYTES:,} bytes that are allowed."
            )
        self._types[name] = kind

    def _follow_content(self, node: onnx.NodeProto, name: str) -> None:
        """Learn the sizes that a node makes, where all that it reads is known."""
        kind = self._types[name]
        shape = _lengths(kind)
        if math.prod(shape) > _FOLLOWED_ELEMENTS:
            return
        helper, numpy_helper = self.onnx.helper, self.onnx.numpy_helper
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant" and "value" in attributes:
            self._tensors[name] = attributes["value"]
        if kind.tensor_type.elem_type != _INT64:
            return
        if node.op_type == "Shape":
            lengths = _lengths(self._types[node.input[0]])
            content = np.array(lengths[attributes.get("start", 0) : attributes.get("end", len(lengths))])
        elif node.op_type in _FOLLOWED and all(each in self._tensors for each in node.input):
            inputs = [numpy_helper.to_array(self._tensors[each]) for each in node.input]
            try:
                content = _FOLLOWED[node.op_type](inputs, attributes)
            except (IndexError, ValueError) as error:
                raise InvalidModelError(f"{self.where}: {node.op_type} of sizes: {short(error)}.") from None
        else:
            return
        if content is not None and content.size == math.prod(shape):
            content = content.astype(np.int64).reshape(shape)
            self._tensors[name] = numpy_helper.from_array(content, name)

    def _type(self, number: int, lengths: Iterable[int]) -> onnx.TypeProto:
        return self.onnx.helper.make_tensor_type_proto(number, [int(length) for length in lengths])


def _refusals(onnx) -> tuple[type[Exception], ...]:
    """Return the errors with which the package onnx refuses a node."""
    own = onnx.checker.ValidationError, onnx.shape_inference.InferenceError, onnx.defs.SchemaError
    return (*own, RuntimeError, ValueError, TypeError)


def _lengths(kind: onnx.TypeProto) -> Shape:
    return tuple(dim.dim_value for dim in kind.tensor_type.shape.dim)


def _same(inputs: list[np.ndarray], _: Mapping[str, Any]) -> np.ndarray:
    return inputs[0]


def _sliced(inputs: list[np.ndarray], _: Mapping[str, Any]) -> np.ndarray | None:
    """Return a slice with step 1 of a list of sizes; other slices are not followed."""
    steps = inputs[4] if len(inputs) > 4 else np.ones(1)
    if inputs[0].ndim != 1 or inputs[1].size != 1 or inputs[2].size != 1 or steps.tolist() != [1]:
        return None
    return inputs[0][int(inputs[1].ravel()[0]) : int(inputs[2].ravel()[0])]


# Each takes the inputs and the attributes and returns the elements; their shape is known already.
_FOLLOWED: Mapping[str, Callable[[list[np.ndarray], Mapping[str, Any]], np.ndarray | None]] = {
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "Cast": _same,
    "Concat": lambda inputs, attributes: np.concatenate(inputs, axis=attributes["axis"]),
    "Gather": lambda inputs, attributes: np.take(inputs[0], inputs[1], axis=attributes.get("axis", 0)),
    "Identity": _same,
    "Mul": lambda inputs, _: inputs[0] * inputs[1],
    "Reshape": _same,
    "Slice": _sliced,
    "Squeeze": _same,
    "Sub": lambda inputs, _: inputs[0] - inputs[1],
    "Unsqueeze": _same,
}
