"""What reads the texture of a lesion beside the network: fixed wavelets, regions of the lesion, a ridge regression."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).resolve().parents[3] / "benchmarks"))

from breast_ultrasound.texture import CELLS, Texture, Wavelets, fit_reading, regions  # noqa: E402

STRIPES = torch.sin(torch.arange(256.0) * 2.0).expand(1, 1, 256, 256)


@pytest.fixture(scope="module")
def wavelets():
    return Wavelets()


@pytest.fixture
def lesion():
    """Probabilities of a lesion in the middle, four cells wide and two high."""
    p = torch.zeros(1, 1, CELLS, CELLS)
    p[0, 0, 6:8, 6:10] = 1
    return p


def test_wavelets_do_not_see_brightness_but_in_the_local_means(wavelets):
    maps, brighter = wavelets(STRIPES), wavelets(STRIPES + 0.5)
    torch.testing.assert_close(brighter[:, 1:], maps[:, 1:], atol=1e-3, rtol=0)
    torch.testing.assert_close(brighter[:, 0], maps[:, 0] + 0.5, atol=1e-5, rtol=0)


def test_turned_stripes_are_seen_by_the_wavelets_across(wavelets):
    upright, lying = (wavelets(x)[0, 1:5].mean(dim=(1, 2)) for x in (STRIPES, STRIPES.mT))
    assert upright.argmax() == 0
    assert lying.argmax() == 2


def test_regions_are_the_lesion_its_margin_its_surroundings_and_what_is_behind(lesion):
    inside, margin, near, behind = regions(lesion)[0]
    assert inside.nonzero()[:, 0].unique().tolist() == [6, 7]
    assert margin.nonzero()[:, 0].unique().tolist() == [5, 6, 7, 8]
    assert (near[6:8, 6:10] == 0).all()
    assert behind.nonzero()[:, 0].unique().tolist() == [8, 9, 10, 11]
    torch.testing.assert_close(regions(lesion).sum(dim=(2, 3)), torch.ones(1, 4))


def test_where_there_is_no_lesion_its_regions_weigh_nothing():
    assert float(regions(torch.full((1, 1, CELLS, CELLS), 1e-4)).sum()) < 0.1


def test_reading_tells_coarse_lesions_from_fine_ones_that_it_has_not_seen(wavelets, lesion):
    """Shares add up to the scores, so that the map of evidence is exact."""
    random = torch.Generator().manual_seed(0)
    y = np.arange(24) % 2
    x = torch.rand(24, 1, 256, 256, generator=random)
    blurred = torch.nn.functional.avg_pool2d(x, 5, 1, 2)
    coarse = torch.from_numpy(y == 1).view(-1, 1, 1, 1) & (torch.nn.functional.interpolate(lesion, 256) > 0.5)
    with torch.no_grad():
        maps = torch.cat([wavelets(part) for part in torch.where(coarse, blurred, x).split(8)])
    everywhere = lesion.expand(24, -1, -1, -1)
    reading = fit_reading(Texture(maps[:16], everywhere[:16], torch.full((1, 1, 1), -3.0)), y[:16], 2)
    scores = reading(maps[16:], everywhere[16:]).sum(dim=(2, 3)).numpy()
    assert (scores.argmax(axis=1) == y[16:]).all()
