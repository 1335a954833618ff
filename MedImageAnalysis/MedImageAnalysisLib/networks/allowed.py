"""What a network may consist of: operators, types, fields of the file, and sizes.

The operators are those that convolutional networks and small transformers for images need. None of them reads files,
runs a subgraph, draws random numbers, or makes an output whose size depends on values that are only known at run time.
"""

from __future__ import annotations

__all__ = [
    "DROPPED_FIELDS",
    "FIELDS",
    "IR_VERSIONS",
    "MAXIMUM_ACTIVATION_BYTES",
    "MAXIMUM_ATTRIBUTE",
    "MAXIMUM_BATCH",
    "MAXIMUM_DIMENSIONS",
    "MAXIMUM_FILE_BYTES",
    "MAXIMUM_PARTS",
    "MAXIMUM_NODES",
    "MAXIMUM_OPERATIONS",
    "MAXIMUM_WEIGHT_BYTES",
    "OPERATORS",
    "OPSETS",
    "TYPES",
]

OPSETS = range(17, 22)
IR_VERSIONS = range(8, 11)

MAXIMUM_FILE_BYTES = 10 * 2**20
MAXIMUM_NODES = 2000
# Messages and list elements in the whole file: what a small file could still blow up to when it is parsed.
MAXIMUM_PARTS = 50_000
MAXIMUM_WEIGHT_BYTES = 64 * 2**20
MAXIMUM_ATTRIBUTE = 2**20
MAXIMUM_BATCH = 64
MAXIMUM_DIMENSIONS = 6
# All intermediate results of one run together, and its multiplications and additions: seconds, not minutes.
MAXIMUM_ACTIVATION_BYTES = 2**30
MAXIMUM_OPERATIONS = 2 * 10**10

# fmt: off
OPERATORS = frozenset({
    "Abs", "Add", "AveragePool", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat", "Constant",
    "ConstantOfShape", "Conv", "ConvTranspose", "DepthToSpace", "Div", "Elu", "Equal", "Erf", "Exp", "Expand",
    "Flatten", "Floor", "Gather", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Greater",
    "GroupNormalization", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LayerNormalization",
    "LeakyRelu", "Less", "Log", "LogSoftmax", "MatMul", "Max", "MaxPool", "Mean", "Min", "Mish", "Mul", "Neg",
    "Not", "PRelu", "Pad", "Pow", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Relu",
    "Reshape", "Resize", "Shape", "Sigmoid", "Sign", "Slice", "Softmax", "Softplus", "Softsign", "SpaceToDepth",
    "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "Transpose", "Unsqueeze", "Where",
})
# fmt: on

# TensorProto.DataType by number, with bytes per element: float32, int32, int64, bool, float16.
TYPES = {1: 4, 6: 4, 7: 8, 9: 1, 10: 2}

# The fields that each kind of message may have. Those dropped say nothing about the computation.
DROPPED_FIELDS = frozenset({"doc_string", "metadata_props", "producer_name", "producer_version", "value_info"})
FIELDS = {
    "ModelProto": frozenset({"ir_version", "opset_import", "domain", "model_version", "graph"}),
    "OperatorSetIdProto": frozenset({"domain", "version"}),
    "GraphProto": frozenset({"name", "node", "initializer", "input", "output"}),
    "NodeProto": frozenset({"name", "op_type", "domain", "input", "output", "attribute"}),
    "AttributeProto": frozenset({"name", "type", "f", "i", "s", "t", "floats", "ints", "strings"}),
    "TensorProto": frozenset({"name", "dims", "data_type", "raw_data", "float_data", "int32_data", "int64_data"}),
    "ValueInfoProto": frozenset({"name", "type"}),
    "TypeProto": frozenset({"tensor_type"}),
    "Tensor": frozenset({"elem_type", "shape"}),
    "TensorShapeProto": frozenset({"dim"}),
    "Dimension": frozenset({"dim_value", "dim_param"}),
}
