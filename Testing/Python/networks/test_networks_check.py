"""Networks from strangers: what may run, what is refused, and that nothing unseen reaches what runs."""

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from MedImageAnalysisLib.errors import InvalidModelError
from MedImageAnalysisLib.networks import allowed
from MedImageAnalysisLib.networks.check import check_network
from MedImageAnalysisLib.networks.cost import cost_of_run
from MedImageAnalysisLib.networks.network import network_from_bytes
from MedImageAnalysisLib.networks.wire import count_parts
from tiny_network import make_model, sides_network, value


def one_node(node, *shape, constants=None, **more):
    """A network of one node from `x` of `shape` to `y`."""
    return make_model([node], [value("x", *shape)], [onnx.ValueInfoProto(name="y", type=FLOAT4)], constants, **more)


FLOAT4 = value("y", "batch", "a", "b", "c").type


def refusal(model) -> str:
    """The message with which a network is refused."""
    content = model if isinstance(model, bytes) else model.SerializeToString()
    with pytest.raises(InvalidModelError) as error:
        network_from_bytes(content, "test")
    assert len(str(error.value)) < 600
    return str(error.value)


def test_a_plain_network_passes_and_says_what_goes_in_and_out():
    graph = check_network(sides_network().SerializeToString(), "test")
    assert [(port.name, port.shape) for port in graph.inputs] == [("image", (None, 1, 32, 32))]
    assert [port.name for port in graph.outputs] == ["scores", "activation", "strangeness"]


def test_what_says_nothing_about_the_computation_is_dropped():
    model = sides_network()
    model.doc_string = "x" * 1000
    model.graph.node[0].doc_string = "a long story"
    model.metadata_props.add(key="a", value="b")
    model.graph.value_info.append(value("blocks", 7, 7, 7, 7))
    checked = check_network(model.SerializeToString(), "test").model
    assert checked == check_network(sides_network().SerializeToString(), "test").model


def unknown_operator(model):
    model.graph.node[0].op_type = "Loop"


def other_domain(model):
    model.graph.node[0].domain = "com.microsoft"


def imported_domain(model):
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def old_opset(model):
    model.opset_import[0].version = 9


def new_file_version(model):
    model.ir_version = 99


def own_function(model):
    model.functions.append(helper.make_function("", "Mean2", ["a"], ["b"], [], [helper.make_opsetid("", 17)]))


def training(model):
    model.training_info.add()


def subgraph(model):
    model.graph.node[0].attribute.append(helper.make_attribute("body", model.graph))


def sparse_weights(model):
    model.graph.sparse_initializer.add()


def external_data(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def text_weights(model):
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array(["a"], dtype=object), "sides"))


def too_few_weights(model):
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]


def two_sets_of_weights(model):
    model.graph.initializer[0].float_data.extend([0.0] * 32)


def huge_weights(model):
    model.graph.initializer[0].dims[:] = [2**26, 2**26]


def weights_without_number(model):
    model.graph.initializer[0].raw_data = np.full(32, np.nan, dtype=np.float32).tobytes()


def huge_attribute(model):
    model.graph.node[0].attribute[0].ints[0] = 2**62


def infinite_attribute(model):
    model.graph.node[0].attribute.append(helper.make_attribute("alpha", float("inf")))


def unknown_attribute(model):
    model.graph.node[1].attribute.append(helper.make_attribute("surprise", 1))


def value_made_twice(model):
    model.graph.node[1].output[0] = "blocks"


def value_before_it_is_made(model):
    model.graph.node[0].input[0] = "scores"


def missing_output(model):
    model.graph.output[0].name = "nothing"


def open_size(model):
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"


def double_input(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def sizes_that_do_not_fit(model):
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((1, 2, 5, 5), dtype=np.float32), "sides"))


def many_nodes(model):
    for index in range(allowed.MAXIMUM_NODES):
        model.graph.node.append(helper.make_node("Identity", ["image"], [f"copy{index}"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unknown_operator, "operator 'Loop'"),
        (other_domain, "com.microsoft"),
        (imported_domain, "standard operators of one version"),
        (old_opset, "from 17 to 21"),
        (new_file_version, "file version 99"),
        (own_function, "'functions' in a ModelProto"),
        (training, "'training_info'"),
        (subgraph, "'g' in a AttributeProto"),
        (sparse_weights, "'sparse_initializer'"),
        (external_data, "'(external_data|data_location)' in a TensorProto"),
        (text_weights, "'string_data'"),
        (too_few_weights, "as many values as its shape"),
        (two_sets_of_weights, "as many values as its shape"),
        (huge_weights, "bytes of weights"),
        (weights_without_number, "NaN or infinite"),
        (huge_attribute, "beyond what is allowed"),
        (infinite_attribute, "beyond what is allowed"),
        (unknown_attribute, "surprise"),
        (value_made_twice, "'blocks' twice"),
        (value_before_it_is_made, "'scores' before it is made"),
        (missing_output, "'nothing'"),
        (open_size, "only the first size"),
        (double_input, "float32"),
        (sizes_that_do_not_fit, "do not fit"),
        (many_nodes, "nodes"),
    ],
)
def test_what_is_not_plain_is_refused_by_name(change, message):
    model = sides_network()
    change(model)
    assert re.search(message, refusal(model))


def test_a_node_that_makes_a_huge_value_is_refused():
    constants = {"shape": np.array([1, 1, 2**15, 2**15], dtype=np.int64)}
    node = helper.make_node("Expand", ["x", "shape"], ["y"])
    assert "more memory" in refusal(one_node(node, "batch", 1, 1, 1, constants=constants))


def test_a_chain_that_doubles_its_size_is_refused():
    nodes = [helper.make_node("Concat", [f"x{i}"] * 4, [f"x{i + 1}"], axis=3) for i in range(20)]
    output = onnx.ValueInfoProto(name="x20", type=FLOAT4)
    assert "more memory" in refusal(make_model(nodes, [value("x0", "batch", 1, 1, 1)], [output]))


def test_a_network_that_would_run_for_minutes_is_refused():
    nodes = [
        helper.make_node("Conv", [f"x{i}", "w"], [f"x{i + 1}"], pads=[15, 15, 15, 15], kernel_shape=[31, 31])
        for i in range(10)
    ]
    output = onnx.ValueInfoProto(name="x10", type=FLOAT4)
    weights = {"w": np.zeros((16, 16, 31, 31), dtype=np.float32)}
    found = refusal(make_model(nodes, [value("x0", "batch", 16, 256, 256)], [output], weights))
    assert "operations" in found


def test_a_size_that_is_known_only_at_run_time_is_refused():
    nodes = [
        helper.make_node("Cast", ["x"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Expand", ["x", "whole"], ["y"]),
    ]
    output = onnx.ValueInfoProto(name="y", type=FLOAT4)
    assert "not known before running" in refusal(make_model(nodes, [value("x", 4)], [output]))


def test_the_cost_of_a_convolution_is_its_multiplications():
    constants = {"w": np.zeros((4, 3, 3, 3), dtype=np.float32)}
    model = one_node(helper.make_node("Conv", ["x", "w"], ["y"]), "batch", 3, 10, 10, constants=constants)
    cost = cost_of_run(check_network(model.SerializeToString(), "test"), 2)
    assert cost.outputs == {"y": (2, 4, 8, 8)}
    assert cost.operations == 2 * 4 * 8 * 8 * 3 * 3 * 3
    assert cost.activation_bytes == 4 * 2 * 4 * 8 * 8


def field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message; see networks/wire.py."""
    size, length = b"", len(content)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


@pytest.mark.parametrize(
    "bomb",
    [
        field(7, b"\x0a\x00" * 2**17),
        field(7, field(1, b"\x2a\x00" * 2**17)),
        field(7, field(1, field(5, field(6, b"\x0a\x00" * 2**17)))),
        field(7, field(13, b"\x0a\x00" * 2**17)),
    ],
    ids=["nodes", "attributes", "subgraph", "values"],
)
def test_a_small_file_of_very_many_parts_is_refused_before_it_is_parsed(bomb):
    assert count_parts(bomb, 10**7) >= 2**17
    assert "parts" in refusal(bomb)


@pytest.mark.parametrize("content", [b"", b"\x00", b"not a network", b"\x3a\xff\xff\xff\xff\x0f", bytes(1000)])
def test_what_is_no_network_is_refused(content):
    refusal(content)


def test_a_file_that_is_too_large_is_refused():
    assert "larger" in refusal(bytes(allowed.MAXIMUM_FILE_BYTES + 1))


def test_every_listed_operator_exists_in_every_listed_version():
    for opset in allowed.OPSETS:
        known = {name for name in allowed.OPERATORS if onnx.defs.has(name, opset)}
        assert allowed.OPERATORS - known <= {"Gelu", "GroupNormalization", "Mish"}
