"""The network that sees breast lesions closely learns from what it will see, the same way each time."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).resolve().parents[3] / "benchmarks"))

from breast_ultrasound.close_look import CloseLook, Together, on_picture, train_close_look, unseen_fit  # noqa: E402
from breast_ultrasound.views import CANVAS, Pictures  # noqa: E402
from MedImageAnalysisLib.segmentation.breast_ultrasound.close_look import (  # noqa: E402
    OVERSAMPLING,
    SIZE,
    cropped,
    square_around,
)

Y, X = np.mgrid[:CANVAS, :CANVAS]


@pytest.fixture(scope="module")
def pictures():
    """Dark disks in noise, benign and malignant by turns, and one picture without."""
    random = np.random.default_rng(0)
    masks = [(X - x) ** 2 + (Y - y) ** 2 < r**2 for x, y, r in random.integers((60, 60, 20), (190, 190, 45), (32, 3))]
    masks.append(np.zeros((CANVAS, CANVAS), bool))
    gray = [np.clip(160 - 90 * mask + random.normal(0, 20, mask.shape), 0, 255).astype(np.uint8) for mask in masks]
    category = np.append(1 + np.arange(32) % 2, 0)
    return Pictures(np.array(gray), np.array(gray), 255 * np.array(masks, np.uint8), category)


def test_training_sees_a_square_as_the_method_does(pictures):
    square = square_around(pictures.mask[0] > 127, CANVAS)
    canvas = pictures.plain[0] / np.float32(255)
    x, y, half = on_picture(square)
    rows = torch.tensor([[[half, 0, x], [0, half, y]]])
    side = SIZE * OVERSAMPLING
    grid = torch.nn.functional.affine_grid(rows, [1, 1, side, side], align_corners=False)
    samples = torch.nn.functional.grid_sample(
        torch.as_tensor(canvas)[None, None], grid, padding_mode="border", align_corners=False
    )
    found = torch.nn.functional.avg_pool2d(samples, OVERSAMPLING)[0, 0].numpy()
    np.testing.assert_allclose(found, cropped(canvas, square), atol=1e-4)


def test_gain_and_depth_do_not_matter():
    network, x = CloseLook().eval(), torch.rand(1, 1, SIZE, SIZE)
    with torch.no_grad():
        torch.testing.assert_close(network(x), network(0.9 * x + 0.3), atol=0.05, rtol=0.05)


def test_several_say_the_mean():
    members, x = [CloseLook().eval() for _ in range(2)], torch.rand(1, 1, SIZE, SIZE)
    with torch.no_grad():
        (together,) = Together(members)(x)
        torch.testing.assert_close(together, (members[0](x) + members[1](x)) / 2)


def test_the_same_seed_trains_the_same_network(pictures):
    first, second, other = (train_close_look(pictures, seed, 1).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["lesion.weight"], other["lesion.weight"])


def test_fit_of_unseen_lesions_is_that_of_their_outlines(pictures):
    assert unseen_fit(lambda x: 0.45 - torch.nn.functional.avg_pool2d(x, 5, 1, 2), pictures) > 0.9
    assert unseen_fit(lambda x: torch.full_like(x, -1.0), pictures) == 0
