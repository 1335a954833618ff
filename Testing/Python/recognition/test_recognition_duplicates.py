"""Near-duplicates and what is drawn by name: the same on every machine, in any order, whatever else there is."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.recognition.training.data import LabelledImage, drawn_by_name, lots
from MedImageAnalysisLib.recognition.training.duplicates import near_duplicates
from MedImageAnalysisLib.recognition.training.network.recipes import eighths_by_lot


def image_of(pixels):
    return sitk.GetImageFromArray(np.ascontiguousarray(pixels))


def scene(seed, shape=(96, 96)):
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8))
    return np.kron(blocks, np.ones((12, 12)))[: shape[0], : shape[1]].astype(np.uint8)


@pytest.fixture(scope="module")
def collection():
    """Twelve scenes; of the first four another copy each: brighter, mirrored, noisy, and the same again."""
    scenes = [scene(seed) for seed in range(12)]
    noise = np.random.default_rng(99).integers(-3, 4, (96, 96))
    copies = [scenes[0].astype(np.int16) * 3 + 10, scenes[1][:, ::-1], (scenes[2] + noise).astype(np.int16), scenes[3]]
    return [image_of(pixels) for pixels in (*scenes, *copies)]


def test_copies_are_in_the_group_of_their_original(collection):
    groups = near_duplicates(collection)
    assert groups[12:] == groups[:4]
    assert len(set(groups)) == 12


def test_the_order_of_images_does_not_change_their_groups(collection):
    order = np.random.default_rng(3).permutation(len(collection))
    groups = near_duplicates(collection)
    assert near_duplicates([collection[i] for i in order]) == [groups[i] for i in order]


def test_another_image_leaves_the_groups_of_the_others_and_what_is_drawn_of_them(collection):
    groups = near_duplicates(collection)
    more = near_duplicates([image_of(scene(77)), *collection])
    assert more[1:] == groups
    assert drawn_by_name(more, 0.4, seed=1)[1:] == drawn_by_name(groups, 0.4, seed=1)


@pytest.mark.parametrize(("last", "together"), [(351, True), (352, False)])
def test_the_threshold_is_met_exactly(last, together):
    """Swapped pairs of ranks, k apart: the correlation is 1 - 2 * sum of k² / 31,850,400; at 796,260 it is 0.95."""
    ranks = np.random.default_rng(0).permutation(576)
    other = ranks.copy()
    for a, b in ((0, 550), (1, 541), (2, 451), (500, 523), (300, 305), (340, 342), (350, last)):
        other[ranks == a], other[ranks == b] = b, a
    first, second = (image_of(values.reshape(24, 24).astype(np.uint16)) for values in (ranks, other))
    assert (len(set(near_duplicates([first, second]))) == 1) == together


def test_similarity_is_passed_on():
    start = np.random.default_rng(4).permutation(576)
    random, chain = np.random.default_rng(5), [start]
    for _ in range(3):
        chain.append(np.argsort(np.argsort(chain[-1] + random.normal(0, 40, 576))))
    images = [image_of(ranks.reshape(24, 24).astype(np.uint16)) for ranks in chain]
    assert len(set(near_duplicates(images))) == 1
    assert len(set(near_duplicates([images[0], images[-1]]))) == 2


def test_real_numbers_are_grouped_as_their_whole_multiples():
    whole = scene(5)
    groups = near_duplicates([image_of(whole), image_of(whole * 0.37 - 4.0), image_of(whole.astype(np.int64) * 10**9)])
    assert len(set(groups)) == 1


def test_empty_images_are_one_group_of_their_own(collection):
    groups = near_duplicates([image_of(np.full((30, 40), value, dtype=np.uint8)) for value in (0, 9)] + collection[:2])
    assert groups[0] == groups[1]
    assert len(set(groups)) == 3


def test_a_lot_depends_on_the_name_alone_and_all_are_spread_evenly():
    names = [f"group{i}" for i in range(4000)]
    drawn = lots(names, seed=7)
    assert (lots(names[::-1], seed=7) == drawn[::-1]).all()
    assert lots(["group5"], seed=7)[0] == drawn[5]
    assert (lots(names, seed=8) != drawn).all()
    assert np.histogram(drawn, 4, (0, 1))[0] == pytest.approx([1000] * 4, abs=120)


def test_the_share_of_groups_that_is_drawn_is_about_the_one_asked_for():
    assert np.mean(drawn_by_name([str(i) for i in range(4000)], 0.15, seed=1)) == pytest.approx(0.15, abs=0.025)


def test_parts_are_by_lot_and_hold_whole_groups():
    names = [f"g{i // 2}" for i in range(400)]
    parts = eighths_by_lot([LabelledImage(Path("x"), 0, name, held_out=False) for name in names])
    assert (parts[::2] == parts[1::2]).all()
    assert set(parts) == set(range(8))
    assert eighths_by_lot([LabelledImage(Path("x"), 0, names[9], held_out=False)])[0] == parts[9]
