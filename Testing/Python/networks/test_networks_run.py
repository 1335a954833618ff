"""Networks are run as they say, always alike, and only with what fits them."""

import subprocess
import sys

import numpy as np
import pytest
from onnx import helper

from MedImageAnalysisLib.errors import InvalidModelError, MissingPackageError
from MedImageAnalysisLib.networks import load_network, networks_available
from MedImageAnalysisLib.networks import network as room
from MedImageAnalysisLib.networks.network import network_from_bytes
from MedImageAnalysisLib.untrusted_file import sha256_of
from tiny_network import make_model, sides_network, value


@pytest.fixture(scope="module")
def sides():
    return network_from_bytes(sides_network().SerializeToString(), "test")


@pytest.fixture
def images():
    return np.random.default_rng(1).random((3, 1, 32, 32), dtype=np.float32)


def test_the_outputs_are_those_of_the_formula(sides, images):
    made = sides.run({"image": images})
    blocks = images.reshape(3, 4, 8, 4, 8).mean(axis=(2, 4))
    left = (blocks * [[8, 8, -8, -8]]).astype(np.float32)
    assert made["activation"] == pytest.approx(np.stack([left, -left], axis=1), abs=1e-5)
    assert made["scores"][:, 1, 0] == pytest.approx(1.1 * left.mean(axis=(1, 2)), abs=1e-5)


def test_each_image_is_judged_by_itself_and_always_alike(sides, images):
    together = sides.run({"image": images})
    alone = sides.run({"image": images[1:2]})
    again = sides.run({"image": images})
    for name in together:
        assert together[name][1:2] == pytest.approx(alone[name], abs=1e-6)
        assert np.array_equal(together[name], again[name])


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"picture": np.zeros((1, 1, 32, 32))},
        {"image": np.zeros((1, 1, 31, 32))},
        {"image": np.zeros((32, 32))},
        {"image": np.zeros(())},
    ],
)
def test_arrays_that_do_not_fit_are_refused(sides, arrays):
    with pytest.raises(ValueError, match=r"takes|shape"):
        sides.run(arrays)


def test_more_images_than_memory_allows_are_refused(sides):
    with pytest.raises(InvalidModelError, match="images at once"):
        sides.run({"image": np.zeros((65, 1, 32, 32))})


def test_values_that_are_not_finite_are_refused():
    model = make_model([helper.make_node("Log", ["x"], ["y"])], [value("x", 2)], [value("y", 2)])
    with pytest.raises(InvalidModelError, match="not finite"):
        network_from_bytes(model.SerializeToString(), "test").run({"x": np.array([-1.0, 1.0])})


def test_a_file_is_read_once_and_its_checksum_compared(tmp_path):
    content = sides_network().SerializeToString()
    path = tmp_path / "weights.onnx"
    path.write_bytes(content)
    assert load_network(path, sha256_of(content)) is load_network(path, sha256_of(content))
    with pytest.raises(InvalidModelError, match="SHA-256"):
        load_network(path, "0" * 64)
    with pytest.raises(InvalidModelError, match="missing"):
        load_network(tmp_path / "nothing.onnx")


def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingPackageError, match=r"medimageanalysis\[onnx\]"):
        network_from_bytes(b"", "test")


def test_a_missing_runtime_is_named_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackageError, match="onnxruntime"):
        network_from_bytes(sides_network().SerializeToString(), "test")


def test_asking_whether_networks_can_run_imports_nothing(monkeypatch):
    code = (
        "import sys; from MedImageAnalysisLib.networks import networks_available; networks_available();"
        "print([n for n in sys.modules if n.split('.')[0] in ('onnx', 'onnxruntime', 'google')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
    assert networks_available()
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    assert not networks_available()
