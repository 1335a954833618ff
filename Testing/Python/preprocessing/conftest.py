"""Images and progress that the tests of the preprocessing share."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.progress import Progress


@pytest.fixture
def noise() -> np.random.Generator:
    """The same random numbers in each test."""
    return np.random.default_rng(20260101)


@pytest.fixture
def quiet() -> Progress:
    """Progress that nobody watches."""
    return Progress()


@dataclass
class Listener:
    """Keeps what is reported, and asks to stop at the call number `stop_at`."""

    stop_at: int | None = None
    fractions: list[float] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    calls: int = 0

    def progress(self) -> Progress:
        """Return the progress that this listens to."""
        return Progress(report=self._report, cancelled=self._cancelled)

    def _report(self, message: str, fraction: float) -> None:
        self.messages.append(message)
        self.fractions.append(fraction)

    def _cancelled(self) -> bool:
        self.calls += 1
        return self.stop_at is not None and self.calls > self.stop_at


@pytest.fixture
def listener() -> type[Listener]:
    """Make listeners."""
    return Listener


def oblique(pixels: np.ndarray) -> sitk.Image:
    """Return pixels as an image whose axes are turned, left-handed, of different spacing, and away from the origin."""
    image = sitk.GetImageFromArray(pixels)
    c, s = np.cos(0.4), np.sin(0.4)
    if image.GetDimension() == 2:
        image.SetDirection((c, s, s, -c))
    else:
        image.SetDirection((c, 0, s, 0, -1, 0, -s, 0, c))
    image.SetSpacing((0.7, 0.9, 2.5)[: image.GetDimension()])
    image.SetOrigin((-31.25, 12.5, 100.1)[: image.GetDimension()])
    return image


@pytest.fixture
def oblique_image():
    """Make oblique images of arrays."""
    return oblique
