"""Write an ensemble as an ONNX file, with weights in half precision, and check what it computes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import ExportError
from .architecture import build_ensemble

if TYPE_CHECKING:
    import onnx
    import torch

__all__ = ["OPSET", "as_onnx", "exported", "store_in_half_precision", "to_onnx"]

OPSET = 17
# Tensors with fewer elements, such as biases, stay in single precision: they cost nothing.
_SMALL = 256
# Half precision has 11 bits. What a sum of many products may differ by, as a share of the greatest value, at least 1.
TOLERANCE = 0.01


def to_onnx(members: Sequence[torch.nn.Module], size: int) -> bytes:
    """Return the ONNX file of an ensemble: image (batch, 1, size, size) to scores, activation and strangeness.

    Raises
    ------
    ExportError
        If the file does not compute what the ensemble does.
    """
    return as_onnx(build_ensemble(members), size, ("scores", "activation", "strangeness"))


def as_onnx(network: torch.nn.Module, size: int, outputs: Sequence[str]) -> bytes:
    """Return the ONNX file of a network from image (batch, 1, size, size) to the named outputs.

    Raises
    ------
    ExportError
        If the file does not compute what the network does.
    """
    import torch

    network = network.eval()
    example = torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(0))
    content = _in_half_precision(exported(network, example, "image", outputs))
    _compare(network, content, example)
    return content


def exported(network: torch.nn.Module, example: torch.Tensor, given: str, outputs: Sequence[str]) -> bytes:
    """Return the ONNX file of a network from a batch like `example`, named `given`, to outputs; nothing is checked."""
    import torch

    buffer = io.BytesIO()
    torch.onnx.export(
        network,
        (example,),
        buffer,
        input_names=[given],
        output_names=list(outputs),
        dynamic_axes={name: {0: "batch"} for name in (given, *outputs)},
        opset_version=OPSET,
        dynamo=False,
    )
    return buffer.getvalue()


def store_in_half_precision(graph: onnx.GraphProto) -> None:
    """Store the large weights of a graph as half precision, cast to single where they are used."""
    from onnx import TensorProto, helper, numpy_helper

    casts: list[Any] = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _SMALL:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _in_half_precision(content: bytes) -> bytes:
    import onnx

    model = onnx.load_model_from_string(content)
    store_in_half_precision(model.graph)
    model.producer_name = model.producer_version = ""
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _compare(network: torch.nn.Module, content: bytes, example: torch.Tensor) -> None:
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found = session.run(None, {"image": example.numpy()})
    with torch.inference_mode():
        expected = network(example)
    worst = max(
        float(np.abs(a - b.numpy()).max()) / max(1.0, float(b.abs().max()))
        for a, b in zip(found, expected, strict=True)
    )
    if not worst < TOLERANCE:
        raise ExportError(f"The ONNX file differs by {100 * worst:.2g} % from the network it was made of.")
