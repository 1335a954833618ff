"""How pictures of the breast are varied while networks learn from them."""

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).resolve().parents[3] / "benchmarks"))

from breast_ultrasound.views import scanned_otherwise, varied  # noqa: E402

SIDE = 64


@pytest.fixture
def pictures():
    return 0.2 + 0.6 * torch.rand(24, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def lesions():
    """Everything is lesion, so that what is missing was hidden or moved out."""
    return torch.ones(24, 1, SIDE, SIDE)


def seeded():
    return torch.Generator().manual_seed(2)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_same_seed_gives_the_same_variation(pictures, lesions, elsewhere):
    first, second = (varied(pictures, lesions, 48, seeded(), elsewhere) for _ in range(2))
    assert first[0].shape == first[1].shape == (24, 1, 48, 48)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_frames_are_black_and_hide_the_lesion(pictures, lesions):
    x, mask = varied(pictures, lesions, SIDE, seeded(), elsewhere=True)
    rows = x.flatten(0, 2).abs().amax(1) == 0
    assert 0.01 < rows.float().mean() < 0.3
    assert (mask.flatten(0, 2)[rows] == 0).all()


def test_other_scanners_change_gray_values_and_nothing_moves(pictures):
    other = scanned_otherwise(pictures, seeded())
    assert not torch.equal(other, pictures)
    for before, after in zip(pictures, other, strict=True):
        fine = [each - torch.nn.functional.avg_pool2d(each, 9, 1, 4) for each in (before, after)]
        assert torch.corrcoef(torch.stack([each.flatten() for each in fine]))[0, 1] > 0.3
