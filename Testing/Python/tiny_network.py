"""Makes networks of a few kilobytes that are understood to the last number."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

__all__ = ["OPSET", "SIZE", "description_of", "make_model", "many_operators_network", "sides_network", "value"]

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
        "modalities": [],
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


def many_operators_network():
    """A network that uses most of the operators that may run, each on a few numbers."""
    random = np.random.default_rng(0)
    draw = random.standard_normal
    constants = {
        "w": draw((4, 1, 3, 3)),
        "b": draw(4),
        "depthwise": draw((4, 1, 3, 3)),
        "up": draw((4, 2, 2, 2)),
        "scale": np.ones(4),
        "shift": np.zeros(4),
        "var": np.ones(4),
        "scales": np.array([1.0, 1.0, 2.0, 2.0]),
        "margins": np.array([0, 0, 1, 1, 0, 0, 1, 1], dtype=np.int64),
        "starts": np.array([1, 1], dtype=np.int64),
        "ends": np.array([2**63 - 1, -1], dtype=np.int64),
        "end": np.array([2**63 - 1], dtype=np.int64),
        "axes": np.array([2, 3], dtype=np.int64),
        "rows": np.array([0, 0, -1], dtype=np.int64),
        "first": np.array(0, dtype=np.int64),
        "last": np.array([-1], dtype=np.int64),
        "one": np.array([1], dtype=np.int64),
        "dense": draw((8, 6)),
        "bias": draw(6),
        "half": draw((6, 6)).astype(np.float16),
        "even": np.ones(6),
        "none": np.zeros(6),
        "zero": np.array(0.0),
        "six": np.array(6.0),
    }
    constants = {
        name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in constants.items()
    }
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w", "b"], ["c1"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", ["c1", "scale", "shift", "shift", "var"], ["n1"], epsilon=1e-3),
        node("Relu", ["n1"], ["r1"]),
        node("Conv", ["r1", "depthwise"], ["c2"], group=4, pads=[1, 1, 1, 1], dilations=[1, 1]),
        node("InstanceNormalization", ["c2", "scale", "shift"], ["n2"]),
        node("HardSwish", ["n2"], ["h2"]),
        node("Sigmoid", ["h2"], ["g2"]),
        node("Mul", ["h2", "g2"], ["m2"]),
        node("MaxPool", ["m2"], ["p2"], kernel_shape=[2, 2], strides=[2, 2]),
        node("ConvTranspose", ["p2", "up"], ["u2"], strides=[2, 2]),
        node("Resize", ["p2", "", "scales"], ["u3"], mode="linear", coordinate_transformation_mode="half_pixel"),
        node("Concat", ["u2", "u3"], ["joined"], axis=1),
        node("Pad", ["joined", "margins"], ["padded"], mode="reflect"),
        node("Slice", ["padded", "starts", "ends", "axes"], ["cut"]),
        node("LeakyRelu", ["cut"], ["soft"], alpha=0.1),
        node("Split", ["soft"], ["s1", "s2"], axis=1),
        node("Max", ["s1", "s2"], ["most"]),
        node("AveragePool", ["most"], ["averaged"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        node("GlobalAveragePool", ["averaged"], ["g"]),
        node("GlobalMaxPool", ["averaged"], ["gm"]),
        node("Flatten", ["g"], ["flat"], axis=1),
        node("ReduceMean", ["gm"], ["gm1"], axes=[2, 3], keepdims=0),
        node("Sub", ["flat", "gm1"], ["difference"]),
        node("Concat", ["difference", "flat", "gm1"], ["nine"], axis=1),
        node("Slice", ["nine", "one", "end", "one"], ["eight"]),
        node("Gemm", ["eight", "dense", "bias"], ["six_wide"], alpha=0.5),
        node("Cast", ["half"], ["whole"], to=TensorProto.FLOAT),
        node("MatMul", ["six_wide", "whole"], ["product"]),
        node("LayerNormalization", ["product", "even", "none"], ["normal"], axis=-1),
        node("Clip", ["normal", "zero", "six"], ["clipped"]),
        node("Erf", ["clipped"], ["e"]),
        node("Shape", ["e"], ["shape"]),
        node("Gather", ["shape", "first"], ["count"], axis=0),
        node("Unsqueeze", ["count", "first_axis"], ["counts"]),
        node("Concat", ["counts", "last"], ["target"], axis=0),
        node("Reshape", ["e", "target"], ["again"]),
        node("Transpose", ["again"], ["turned"], perm=[1, 0]),
        node("Gather", ["turned", "rows"], ["chosen"], axis=0),
        node("Transpose", ["chosen"], ["back"], perm=[1, 0]),
        node("Greater", ["back", "zero"], ["high"]),
        node("Where", ["high", "back", "zero"], ["kept"]),
        node("Tanh", ["kept"], ["t"]),
        node("Softmax", ["t"], ["y"], axis=-1),
    ]
    constants["first_axis"] = np.array([0], dtype=np.int64)
    return make_model(nodes, [value("x", "batch", 1, 16, 16)], [value("y", "batch", 3)], constants)
