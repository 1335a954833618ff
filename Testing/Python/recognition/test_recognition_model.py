"""Model folders: what is accepted, what is refused, and that a stranger's folder can do no harm."""

import io
import json
import random
import time
import zipfile

import numpy as np
import pytest

from MedImageAnalysisLib.errors import InvalidModelError, MedImageError, UnknownNameError
from MedImageAnalysisLib.recognition import available_models, load_model
from MedImageAnalysisLib.recognition.training.folder import write_model
from MedImageAnalysisLib.untrusted_file import sha256_of


def replace_weights(folder, content: bytes, edit_json) -> None:
    """Put other weights into the folder, with the right checksum."""
    (folder / "weights.npz").write_bytes(content)
    edit_json(folder, weights={"file": "weights.npz", "sha256": sha256_of(content)})


def packed(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.fixture(params=[model.name for model in available_models()])
def shipped(request):
    return load_model(request.param)


def test_a_shipped_model_says_what_it_is(shipped):
    assert shipped.folder.name == shipped.name
    assert shipped.intended_use
    assert shipped.references
    assert shipped.training.licence
    assert shipped.card().startswith(f"# {shipped.title}")


def test_a_shipped_model_says_how_good_it_is_if_it_learned_from_data(shipped):
    assert shipped.kind == "criterion" or len(shipped.performance) >= 3


def test_listing_reads_no_weights(linear_folder, monkeypatch):
    (linear_folder / "weights.npz").unlink()
    monkeypatch.setenv("MEDIMAGE_MODELS", str(linear_folder.parent))
    assert "clouds" in [model.name for model in available_models()]


def test_a_broken_folder_of_the_user_does_not_hide_the_others(linear_folder, monkeypatch):
    (linear_folder / "model.json").write_text("{")
    monkeypatch.setenv("MEDIMAGE_MODELS", str(linear_folder.parent))
    reported = []
    assert "cardiomegaly-ctr" in [m.name for m in available_models(lambda path, error: reported.append(path))]
    assert reported == [linear_folder]


def test_a_user_model_never_replaces_a_shipped_one(linear_folder, monkeypatch):
    linear_folder.rename(linear_folder.parent / "cardiomegaly-ctr")
    monkeypatch.setenv("MEDIMAGE_MODELS", str(linear_folder.parent))
    assert load_model("cardiomegaly-ctr").kind == "criterion"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="cardiomegaly-ctr"):
        load_model("no-such-model")


def test_writing_twice_gives_the_same_bytes(tmp_path, linear_description, cloud_fit):
    for name in ("a", "b"):
        write_model(tmp_path / name, linear_description, "# Clouds", cloud_fit.arrays)
    for file in ("weights.npz", "model.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_an_invalid_model_does_not_replace_a_valid_one(linear_folder, linear_description, cloud_fit):
    with pytest.raises(InvalidModelError, match="coverage"):
        write_model(linear_folder, linear_description | {"coverage": 2}, "# Clouds", cloud_fit.arrays)
    assert load_model(linear_folder).coverage == 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "another version"),
        ({"kind": "pickle"}, "must be one of"),
        ({"name": "../evil"}, "'name'"),
        ({"surprise": 1}, "unknown keys"),
        ({"coverage": "0.9"}, "must be a number"),
        ({"coverage": True}, "must be a number"),
        ({"classes": []}, "'classes'"),
        ({"references": [1]}, "must be a text"),
        ({"weights": {"file": "../weights.npz", "sha256": "0" * 64}}, "'file'"),
        ({"weights": {"file": "weights.npz", "sha256": "0" * 64}}, "not the file"),
        ({"weights": None}, "'weights' is missing"),
        ({"population": {"description": "all", "minimum_age_years": -1}}, "minimum_age_years"),
    ],
)
def test_a_wrong_description_is_refused_by_name(linear_folder, edit_json, change, message):
    edit_json(linear_folder, **change)
    with pytest.raises(InvalidModelError, match=message):
        load_model(linear_folder)


@pytest.mark.parametrize(
    "text", ["", "[]", "[" * 100_000, '{"a": 1, "a": 2}', '{"format": NaN}', '{"format": 1' + "0" * 9999 + "}"]
)
def test_json_that_is_no_model_is_refused(linear_folder, text):
    (linear_folder / "model.json").write_text(text)
    with pytest.raises(InvalidModelError):
        load_model(linear_folder)


def test_weights_that_hold_objects_are_refused_without_unpickling(linear_folder, edit_json, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    replace_weights(linear_folder, packed(mean=np.array([Bomb()], dtype=object)), edit_json)
    with pytest.raises(InvalidModelError, match="plain numbers"):
        load_model(linear_folder)
    assert not (tmp_path / "exploded").exists()


def test_weights_that_unpack_to_too_much_are_refused_before_unpacking(linear_folder, edit_json):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mean.npy", bytes(80 * 2**20))
    replace_weights(linear_folder, buffer.getvalue(), edit_json)
    with pytest.raises(InvalidModelError, match="unpacks to"):
        load_model(linear_folder)


def test_a_header_that_claims_a_huge_shape_is_refused(linear_folder, edit_json):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        member = io.BytesIO()
        np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**40)})
        archive.writestr("mean.npy", member.getvalue())
    replace_weights(linear_folder, buffer.getvalue(), edit_json)
    with pytest.raises(InvalidModelError, match="claims the shape"):
        load_model(linear_folder)


def test_weights_with_nan_are_refused(linear_folder, edit_json):
    replace_weights(linear_folder, packed(mean=np.array([np.nan])), edit_json)
    with pytest.raises(InvalidModelError, match="NaN"):
        load_model(linear_folder)


@pytest.mark.parametrize(
    ("name", "array"), [("mean", np.zeros(7)), ("weights", np.zeros((3, 5))), ("scale", np.zeros(3))]
)
def test_weights_that_do_not_fit_the_description_are_refused(linear_folder, edit_json, cloud_fit, name, array):
    replace_weights(linear_folder, packed(**(cloud_fit.arrays | {name: array})), edit_json)
    with pytest.raises(InvalidModelError, match=name):
        load_model(linear_folder)


def test_a_link_out_of_the_folder_is_refused(linear_folder, tmp_path):
    outside = tmp_path / "outside.npz"
    (linear_folder / "weights.npz").rename(outside)
    (linear_folder / "weights.npz").symlink_to(outside)
    with pytest.raises(InvalidModelError, match="out of the model's folder"):
        load_model(linear_folder)


def mutated(value, dice: random.Random):
    """Return JSON with one part replaced, removed, added or repeated."""
    strange = [
        None,
        True,
        -1,
        0,
        1e308,
        10**400,
        "",
        "x" * 50_000,
        "../../etc/passwd",
        "\x00",
        [],
        {},
        [[[]]],
        {"a": {}},
    ]
    if isinstance(value, dict) and value and dice.random() < 0.8:
        key = dice.choice(list(value))
        kind = dice.random()
        if kind < 0.15:
            return {k: v for k, v in value.items() if k != key}
        if kind < 0.25:
            return value | {dice.choice(["extra", "__class__", "file"]): dice.choice(strange)}
        return value | {key: mutated(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.8:
        index = dice.randrange(len(value))
        if dice.random() < 0.2:
            return value + value
        return [*value[:index], mutated(value[index], dice), *value[index + 1 :]]
    return dice.choice(strange)


def test_mutated_models_give_a_clear_error_or_load(linear_folder):
    """2,000 mutations of description and weights: never another exception, never a hang."""
    dice = random.Random(20240501)
    description = json.loads((linear_folder / "model.json").read_text(encoding="utf-8"))
    text = (linear_folder / "model.json").read_bytes()
    weights = (linear_folder / "weights.npz").read_bytes()
    messages = []
    started = time.process_time()
    for trial in range(2000):
        content, body = weights, text
        if trial % 4 == 0:  # flip bytes of the weights, checksum corrected
            damaged = bytearray(weights)
            for _ in range(dice.randrange(1, 8)):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            content = bytes(damaged[: dice.choice([len(damaged), dice.randrange(len(damaged))])])
            changed = description | {"weights": {"file": "weights.npz", "sha256": sha256_of(content)}}
            body = json.dumps(changed).encode()
        elif trial % 4 == 1:  # damage the text itself
            damaged = bytearray(text)
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            body = bytes(damaged[: dice.choice([len(damaged), dice.randrange(len(damaged))])])
        else:
            body = json.dumps(mutated(description, dice)).encode()
        (linear_folder / "weights.npz").write_bytes(content)
        (linear_folder / "model.json").write_bytes(body)
        try:
            load_model(linear_folder)
        except MedImageError as error:
            messages.append(str(error))
    assert len(messages) > 1200
    assert max(map(len, messages)) < 1000
    assert time.process_time() - started < 20
