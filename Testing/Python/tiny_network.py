"""Makes networks of a few kilobytes that are understood to the last number."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

__all__ = ["OPSET", "description_of", "make_model", "sides_network", "value"]

OPSET = 17
SIZE = 32


def value(name: str, *shape):
    """A float32 input or output; a text leaves its size open."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def make_model(nodes, inputs, outputs, constants=None, opset=OPSET, **more):
    """A whole model as a message."""
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "network", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], **more)
    model.ir_version = 8
    return model


def sides_network(members: int = 2, features: int = 0):
    """A network with two categories: bright on the left, and bright on the right.

    Its activation is the mean of each 8 x 8 block, times 8 on the category's side and -8 on the other. Member m scores
    1 + 0.1 m times the mean of the activation, plus the sum of the features for the first category. Strange is what is
    bright at the bottom: the log-odds are 10 times the mean of the image times a ramp from -1 to 1 down the image.
    """
    side = np.repeat(np.repeat([[8.0, -8.0]], 4, axis=0), 2, axis=1)
    constants = {
        "sides": np.stack([side, -side])[None].astype(np.float32),
        "members": (1 + 0.1 * np.arange(members, dtype=np.float32)).reshape(1, members, 1),
        "row": np.array([1], dtype=np.int64),
        "ramp": 10 * np.repeat(np.linspace(-1, 1, SIZE, dtype=np.float32)[:, None], SIZE, axis=1)[None, None],
    }
    nodes = [
        helper.make_node("AveragePool", ["image"], ["blocks"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Mul", ["blocks", "sides"], ["activation"]),
        helper.make_node("GlobalAveragePool", ["activation"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"], axis=1),
        helper.make_node("Unsqueeze", ["flat", "row"], ["one"]),
        helper.make_node("Mul", ["one", "members"], ["plain" if features else "scores"]),
        helper.make_node("Mul", ["image", "ramp"], ["tilted"]),
        helper.make_node("ReduceMean", ["tilted"], ["strangeness"], axes=[1, 2, 3], keepdims=0),
    ]
    inputs = [value("image", "batch", 1, SIZE, SIZE)]
    if features:
        inputs.append(value("features", "batch", features))
        constants["first"] = np.stack([np.ones(features), np.zeros(features)], axis=1).astype(np.float32)
        nodes += [
            helper.make_node("MatMul", ["features", "first"], ["added"]),
            helper.make_node("Unsqueeze", ["added", "row"], ["addend"]),
            helper.make_node("Add", ["plain", "addend"], ["scores"]),
        ]
    outputs = [
        value("scores", "batch", members, 2),
        value("activation", "batch", 2, 4, 4),
        value("strangeness", "batch"),
    ]
    return make_model(nodes, inputs, outputs, constants)


def description_of(**changes) -> dict:
    """The model.json of the network of sides, but for its weights."""
    return {
        "format": 1,
        "kind": "onnx",
        "name": "sides-network",
        "version": "1.0",
        "title": "Sides",
        "modalities": ["CR"],
        "body_parts": [],
        "population": {"description": "drawn images", "dimensions": [2]},
        "classes": [
            {"key": "left", "title": "Left", "code": {"scheme": "SCT", "value": "7771000", "meaning": "Left"}},
            {"key": "right", "title": "Right", "code": None},
        ],
        "intended_use": "Tests",
        "training": {"data": "Drawn", "licence": "None", "cases": 2},
        "performance": [],
        "references": [],
        "coverage": 0.9,
        "onnx": {
            "canvas": {"size": SIZE, "fill_marks": False},
            "temperature": 2.0,
            "set_thresholds": [0.3, 0.3],
            "priors": [0.5, 0.5],
            "stranger_limit": 1.0,
            "mirror": False,
        }
        | changes,
    }
