"""Training of networks: parts, calibration, changed images; and, where PyTorch is installed, a member and its file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.recognition.training.data import LabelledImage
from MedImageAnalysisLib.recognition.training.network.calibrate import calibrate
from MedImageAnalysisLib.recognition.training.network.canvases import Collection
from MedImageAnalysisLib.recognition.training.network.members import LeftOut, parts_of
from MedImageAnalysisLib.recognition.training.network.recipes import (
    BRAIN_NETWORK,
    CHEST_NETWORK,
    NETWORKS,
    in_order_of_names,
)
from MedImageAnalysisLib.recognition.training.network.schedule import Schedule
from MedImageAnalysisLib.recognition.training.network.shift import SHIFTS, shifted
from MedImageAnalysisLib.recognition.training.recipes import RECIPES
from MedImageAnalysisLib.recognition.training.strangers import foreign, strangers


def cases_of(groups, held_out=()):
    return tuple(LabelledImage(Path(f"{i}.png"), i % 2, g, g in held_out) for i, g in enumerate(groups))


def two_of_each(number):
    """Cases of `number` patients, two each, in no particular order."""
    names = [f"person{n}" for n in range(number)] * 2
    return cases_of(np.random.default_rng(0).permutation(names).tolist())


@pytest.fixture
def gratings():
    """80 canvases: bars that stand (0) or lie (1), and 20 of noise that do not belong."""
    random = np.random.default_rng(1)
    waves = [np.sin(np.arange(48) * random.uniform(0.4, 0.9) + random.uniform(0, 6)) for _ in range(80)]
    images = [np.tile(wave, (48, 1)) if i % 2 == 0 else np.tile(wave[:, None], 48) for i, wave in enumerate(waves)]
    canvases = ((np.array(images) + 1) * 127).astype(np.uint8)
    noise = random.integers(0, 256, (20, 48, 48)).astype(np.uint8)
    return Collection(cases_of([f"g{i}" for i in range(80)], held_out={"g0", "g1"}), canvases, noise)


@pytest.fixture
def small_recipe():
    return replace(
        CHEST_NETWORK,
        priors=(0.5, 0.5),
        size=48,
        widths=(4, 8, 16),
        schedule=Schedule(steps=3, batch=8, strangers=4),
        parts=in_order_of_names,
    )


def test_a_group_is_in_one_part_and_no_part_is_empty():
    cases = two_of_each(40)
    found = in_order_of_names(cases)
    assert set(found) == {0, 1, 2, 3, 4}
    assert len({(case.group, part) for case, part in zip(cases, found, strict=True)}) == 40


def test_parts_in_order_of_names_hold_neighboring_numbers():
    cases = two_of_each(40)
    found = in_order_of_names(cases)
    numbers = np.array([int(case.group.removeprefix("person")) for case in cases])
    spans = sorted((numbers[found == part].min(), numbers[found == part].max()) for part in range(5))
    assert spans == [(8 * i, 8 * i + 7) for i in range(5)]


def test_parts_in_order_of_names_hold_all_kinds_of_names():
    names = [f"{family}{n:04}{ending}" for n in range(20) for family, ending in (("A2-IM-", ""), ("person", "virus"))]
    found = in_order_of_names(cases_of(names))
    for part in range(5):
        assert sum(name.startswith("A2") for name, p in zip(names, found, strict=True) if p == part) == 4
        assert sum(name.endswith("virus") for name, p in zip(names, found, strict=True) if p == part) == 4


def test_held_out_cases_are_in_no_part(gratings, small_recipe):
    parts = parts_of(small_recipe, gratings)
    assert ((parts < 0) == gratings.held_out).all()


def test_every_network_stands_beside_a_linear_model_with_as_many_categories():
    for name, recipe in NETWORKS.items():
        assert name == f"{recipe.base.description['name']}-network"
        linear = RECIPES[recipe.base.description["name"]]
        assert replace(recipe.base, description=linear.description) == linear
        assert len(recipe.priors) == len(recipe.base.description["classes"])
        assert sum(recipe.priors) == pytest.approx(1)
    assert {CHEST_NETWORK.name, BRAIN_NETWORK.name} <= set(NETWORKS)


def test_calibration_gives_probabilities_that_come_true():
    random = np.random.default_rng(2)
    logit = random.normal(0, 2, 4000)
    y = (random.random(4000) < 1 / (1 + np.exp(-logit))).astype(int)
    overconfident = np.stack([np.zeros(4000), 3 * logit], axis=1)
    recipe = replace(CHEST_NETWORK, priors=(0.5, 0.5))
    found = calibrate(recipe, LeftOut(np.arange(4000), overconfident, random.normal(size=4000)), y)
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert found.stranger_limit == pytest.approx(2.05, abs=0.2)


def test_the_limit_of_strangeness_counts_a_group_by_the_root_of_its_size():
    strangeness = np.concatenate([np.linspace(0, 1, 100), np.full(100, 5.0)])
    left = LeftOut(np.arange(200), np.zeros((200, 2)), strangeness)
    groups = [f"g{i}" for i in range(100)] + ["many"] * 100
    y = np.arange(200) % 2
    recipe = replace(CHEST_NETWORK, priors=(0.5, 0.5), flagged=0.15)
    assert calibrate(recipe, left, y, groups).stranger_limit == 5.0
    # 100 groups of one and one that counts as ten: 15 % of 110 are that one and 6.5 others.
    found = calibrate(replace(recipe, flag_groups=True), left, y, groups).stranger_limit
    assert found == pytest.approx(1 - 6.5 / 99, abs=0.02)


@pytest.mark.parametrize("kind", SHIFTS)
def test_a_changed_image_is_another_image_and_always_the_same(kind):
    image = sitk.GetImageFromArray(np.random.default_rng(3).integers(0, 200, (70, 90)).astype(np.uint8))
    first, second = (sitk.GetArrayFromImage(shifted(image, kind, seed=5)) for _ in range(2))
    assert (first == second).all()
    assert np.isfinite(first).all()
    assert first.shape != (70, 90) or np.abs(first - sitk.GetArrayFromImage(image) / 199).mean() > 0.01


def test_photographs_to_learn_from_are_not_those_to_judge_by(tmp_path):
    own = [sitk.GetImageFromArray(np.eye(20, dtype=np.uint8))]
    judged = dict(strangers(own, tmp_path, "none"))["photographs"]
    learned = foreign(tmp_path, "none", 5, np.random.default_rng(0))
    assert len(judged) == 60
    assert len(learned) == 5
    assert not {hash(sitk.GetArrayFromImage(i).tobytes()) for i in judged} & {
        hash(sitk.GetArrayFromImage(i).tobytes()) for i in learned
    }


@pytest.mark.parametrize("units", [0, 8])
def test_training_repeats_itself_and_is_what_the_file_computes(gratings, small_recipe, units):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    from MedImageAnalysisLib.networks.network import network_from_bytes
    from MedImageAnalysisLib.recognition.training.network.fit import asked, fit_member, restored
    from MedImageAnalysisLib.recognition.training.network.graph import to_onnx

    small_recipe = replace(small_recipe, judging=units)
    first, second = (fit_member(small_recipe, gratings, ~gratings.held_out, 7, Progress()) for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)
    network = restored(small_recipe, first)
    content = to_onnx([network, network], 48)
    x = gratings.canvases[:5]
    found = network_from_bytes(content, "test").run({"image": x[:, None].astype(np.float32) / 255})
    scores, strangeness = asked(network, x, mirror=False)
    assert found["scores"] == pytest.approx(np.repeat(scores[:, None], 2, axis=1), abs=0.02)
    assert found["strangeness"] == pytest.approx(strangeness, abs=0.02)
    bias = network.head.bias.detach().numpy()
    assert found["activation"].mean(axis=(2, 3)) + bias == pytest.approx(scores, abs=0.02)
    assert torch.is_tensor(network.head.weight)


def test_variations_are_ranks_and_repeat_with_the_seed(gratings):
    torch = pytest.importorskip("torch")
    from MedImageAnalysisLib.recognition.training.network.variation import Variation, varied_batch

    raw = torch.from_numpy(gratings.canvases[:6])
    first, second = (varied_batch(raw, Variation(), 24, torch.Generator().manual_seed(1)) for _ in range(2))
    assert first.shape == (6, 1, 24, 24)
    assert torch.equal(first, second)
    assert 0 <= float(first.min()) <= float(first.max()) <= 1
    assert first.mean(dim=(1, 2, 3)).numpy() == pytest.approx(np.full(6, 0.5), abs=0.01)
