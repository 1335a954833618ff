"""Check an ONNX file before it is run: only fields, operators, types and sizes from the lists in :mod:`.allowed`.

The order matters. First the bytes are bounded and parsed; then Python walks over all that was parsed and refuses or
drops what is not on the lists; only a graph that is plain, closed and bounded in every number reaches C++ code, which
follows its shapes (:mod:`.shapes`). What is run later is the checked message written out again, so that nothing unseen
can hide in the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidModelError, MissingPackageError
from . import allowed

if TYPE_CHECKING:
    import onnx
    from google.protobuf.message import Message

__all__ = ["CheckedGraph", "Port", "check_network", "import_onnx", "short"]

# Type of a tensor in a network's inputs and outputs, by its number in TensorProto.DataType.
_FLOAT = 1


@dataclass(frozen=True)
class Port:
    """An input or output: its name and shape; None is a size that is left open, in inputs the number of images."""

    name: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class CheckedGraph:
    """A network that has passed: its message, for shape inference, and what goes in and out."""

    model: onnx.ModelProto
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    where: str


def check_network(content: bytes, where: str) -> CheckedGraph:
    """Parse and check an ONNX file.

    Parameters
    ----------
    content : bytes
    where : str
        Names the file in messages.

    Raises
    ------
    InvalidModelError
        If it is damaged, or holds anything that is not on the lists of :mod:`.allowed`.
    MissingPackageError
        If the package onnx is not installed.
    """
    onnx = import_onnx()
    if len(content) > allowed.MAXIMUM_FILE_BYTES:
        raise InvalidModelError(f"{where} is larger than the {allowed.MAXIMUM_FILE_BYTES:,} bytes that are allowed.")
    model = _parsed(onnx, content, where)
    _check_fields(model, where)
    _check_versions(model, where)
    _check_nodes(model.graph, where)
    _check_tensors(onnx, model.graph, where)
    _check_names(model.graph, where)
    inputs = tuple(_input(value, where) for value in model.graph.input)
    outputs = tuple(_port(value, where) for value in model.graph.output)
    if not 1 <= len(inputs) <= 8 or not 1 <= len(outputs) <= 8:
        raise InvalidModelError(f"{where} must have 1 to 8 inputs and outputs, but has {len(inputs)}, {len(outputs)}.")
    return CheckedGraph(model, inputs, outputs, where)


def import_onnx():
    """Return the package onnx with the parts that are used here.

    Raises
    ------
    MissingPackageError
        If it is not installed.
    """
    try:
        import onnx
        import onnx.checker
        import onnx.defs
        import onnx.helper
        import onnx.numpy_helper
        import onnx.shape_inference
    except ImportError as missing:
        raise MissingPackageError.of("onnx", "onnx", "Running a network") from missing
    return onnx


def _parsed(onnx, content: bytes, where: str) -> onnx.ModelProto:
    from google.protobuf.message import DecodeError

    from .wire import count_parts

    if count_parts(content, allowed.MAXIMUM_PARTS) > allowed.MAXIMUM_PARTS:
        raise InvalidModelError(f"{where} has more than {allowed.MAXIMUM_PARTS:,} parts.")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except (DecodeError, RuntimeError, ValueError) as error:
        raise InvalidModelError(f"{where} is damaged or not an ONNX file: {short(error)}.") from None
    model.DiscardUnknownFields()
    return model


def _check_fields(message: Message, where: str) -> None:
    """Drop what says nothing about the computation, and refuse every other field that is not listed."""
    kind = message.DESCRIPTOR.name
    for field, value in message.ListFields():
        default_location = field.name == "data_location" and value == 0
        if field.name in allowed.DROPPED_FIELDS or default_location:
            message.ClearField(field.name)
        elif field.name not in allowed.FIELDS.get(kind, ()):
            raise InvalidModelError(f"{where} has '{field.name}' in a {kind}, which is not allowed here.")
        elif field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                _check_fields(part, where)
        elif field.type == field.TYPE_STRING:
            _check_texts([value] if isinstance(value, (str, bytes)) else value, where)


def _check_texts(texts: Iterable[str | bytes], where: str) -> None:
    """Refuse texts that are not UTF-8, which come out of the parser as bytes, and such as nobody writes."""
    for text in texts:
        if isinstance(text, bytes) or len(text) > 500 or not text.isprintable():
            raise InvalidModelError(f"{where} holds a text that is no proper name: {text!r:.60}.")


def _check_versions(model: onnx.ModelProto, where: str) -> None:
    opsets = [(entry.domain, entry.version) for entry in model.opset_import]
    low, high = allowed.OPSETS[0], allowed.OPSETS[-1]
    if len(opsets) != 1 or opsets[0][0] not in ("", "ai.onnx") or opsets[0][1] not in allowed.OPSETS:
        stated = ", ".join(f"{domain or 'standard':.40} {version}" for domain, version in opsets[:4]) or "none"
        raise InvalidModelError(
            f"{where} must use the standard operators of one version from {low} to {high}, but states {stated}. "
            f"Export it with opset {low}."
        )
    if model.ir_version not in allowed.IR_VERSIONS:
        raise InvalidModelError(
            f"{where} has the file version {model.ir_version}; {allowed.IR_VERSIONS[0]} to {allowed.IR_VERSIONS[-1]} "
            "are read."
        )


def _check_nodes(graph: onnx.GraphProto, where: str) -> None:
    if not 1 <= len(graph.node) <= allowed.MAXIMUM_NODES:
        raise InvalidModelError(f"{where} must have 1 to {allowed.MAXIMUM_NODES} nodes, but has {len(graph.node)}.")
    for node in graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in allowed.OPERATORS:
            named = f"{node.domain}{node.op_type}"
            raise InvalidModelError(f"{where} uses the operator {named!r:.60}, which is not allowed.")
        for attribute in node.attribute:
            _check_attribute(attribute, f"{where}: {node.op_type}")


def _check_attribute(attribute: onnx.AttributeProto, where: str) -> None:
    numbers = (attribute.f, *attribute.floats, attribute.i, *attribute.ints)
    if not all(math.isfinite(number) and abs(number) <= _bound(number) for number in numbers):
        raise InvalidModelError(f"{where}: '{attribute.name!s:.40}' holds a number beyond what is allowed.")
    if any(len(text) > 64 for text in (attribute.s, *attribute.strings)):
        raise InvalidModelError(f"{where}: '{attribute.name!s:.40}' holds a text that is too long.")


def _bound(number: float) -> float:
    return allowed.MAXIMUM_ATTRIBUTE if isinstance(number, int) else 3.5e38


def _check_tensors(onnx, graph: onnx.GraphProto, where: str) -> None:
    """Check that each tensor holds as many finite values as its shape says, and all together not too many."""
    constants = (attribute.t for node in graph.node for attribute in node.attribute if attribute.HasField("t"))
    total = 0
    for tensor in (*graph.initializer, *constants):
        name = f"{where}: the tensor {tensor.name!r:.60}"
        if tensor.data_type not in allowed.TYPES:
            raise InvalidModelError(f"{name} has a type that is not allowed.")
        if len(tensor.dims) > 8 or any(not 0 <= length <= 2**26 for length in tensor.dims):
            raise InvalidModelError(f"{name} has an impossible shape.")
        size = math.prod(tensor.dims)
        total += size * allowed.TYPES[tensor.data_type]
        if total > allowed.MAXIMUM_WEIGHT_BYTES:
            raise InvalidModelError(f"{where} has more than {allowed.MAXIMUM_WEIGHT_BYTES:,} bytes of weights.")
        _check_content(onnx, tensor, size, name)


def _check_content(onnx, tensor: onnx.TensorProto, size: int, name: str) -> None:
    """Check that the values are stored in exactly one place, are as many as the shape says, and finite."""
    stored = {
        field.name: len(value) for field, value in tensor.ListFields() if field.name.endswith("_data") and len(value)
    }
    if "raw_data" in stored:
        stored["raw_data"] /= allowed.TYPES[tensor.data_type]
    if list(stored.values()) not in ([size], [] if size == 0 else [size]):
        raise InvalidModelError(f"{name} does not hold as many values as its shape says.")
    try:
        values = onnx.numpy_helper.to_array(tensor)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidModelError(f"{name} cannot be read: {short(error)}.") from None
    if not np.isfinite(values).all():
        raise InvalidModelError(f"{name} holds NaN or infinite values.")


def _check_names(graph: onnx.GraphProto, where: str) -> None:
    """Check that every value is made once, before it is used."""
    known: set[str] = set()

    def make(name: str) -> None:
        if not name or name in known:
            raise InvalidModelError(f"{where} makes the value {name!r:.60} twice or without a name.")
        known.add(name)

    for value in (*graph.input, *graph.initializer):
        make(value.name)
    for node in graph.node:
        for name in node.input:
            if name and name not in known:
                raise InvalidModelError(f"{where} uses the value {name!r:.60} before it is made.")
        for name in filter(None, node.output):
            make(name)
    for value in graph.output:
        if value.name not in known:
            raise InvalidModelError(f"{where} does not make its output {value.name!r:.60}.")


def _port(value: onnx.ValueInfoProto, where: str) -> Port:
    """Read an input or output: float32 with a stated number of dimensions."""
    kind = value.type.tensor_type
    if kind.elem_type != _FLOAT or not kind.HasField("shape") or not 1 <= len(kind.shape.dim) <= 5:
        raise InvalidModelError(f"{where}: {value.name!r:.60} must be float32 and have 1 to 5 dimensions.")
    return Port(value.name, tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim))


def _input(value: onnx.ValueInfoProto, where: str) -> Port:
    """Read an input: all its sizes are fixed but the first, which may be left open for the number of images."""
    port = _port(value, where)
    if None in port.shape[1:] or any(n is not None and not 1 <= n <= 2**16 for n in port.shape):
        raise InvalidModelError(f"{where}: only the first size of {value.name!r:.60} may be left open.")
    return port


def short(error: Exception) -> str:
    """Return the message of an error of another package, on one line and not too long."""
    return " ".join(str(error).split())[:200].rstrip(".")
