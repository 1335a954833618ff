"""Training images that resemble the one at hand most, named by their id: what a linear model would compare it with.

Images are compared as the model sees them: by the Euclidean distance between their coordinates on the model's first
principal axes. Exemplars do not take part in the score; they let a reader look up what the model was taught about
similar images (Kim et al. 2016, "Examples are not enough, learn to criticize!", NeurIPS 29).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..analysis import Evidence
from ..errors import InvalidModelError
from ..untrusted_file import checked_file
from .schema import Fields
from .weights import read_weights

__all__ = ["MAXIMUM_EXEMPLARS", "Exemplar", "Exemplars"]

MAXIMUM_EXEMPLARS = 400
_SHOWN = 3
_ARRAY = "coordinates"


@dataclass(frozen=True)
class Exemplar:
    """A training image: its id, which must not identify a patient, and the index of its category."""

    id: str
    category: int


@dataclass(frozen=True)
class Exemplars:
    """Some of the training images of a model, and the file with their coordinates.

    Parameters
    ----------
    file, sha256 : str
        An .npz file in the model's folder with the array "coordinates", shape (exemplars, axes); the axes are the first
        ones of the model.
    cases : tuple of Exemplar
        In the order of the rows.
    """

    file: str
    sha256: str
    cases: tuple[Exemplar, ...]

    @classmethod
    def read(cls, fields: Fields, classes: int) -> Exemplars:
        """Read and check the object "exemplars" of a model.json."""

        def case(item: Any, place: str) -> Exemplar:
            found = Fields(item, place)
            read = Exemplar(found.text("id", pattern=r"[\w .()-]{1,64}"), found.integer("category", 0, classes - 1))
            found.done()
            return read

        exemplars = cls(
            fields.text("file", pattern=r"[A-Za-z0-9_-]{1,64}\.npz"),
            fields.text("sha256", pattern=r"[0-9a-f]{64}"),
            fields.list("cases", case, least=2, most=MAXIMUM_EXEMPLARS),
        )
        fields.done()
        return exemplars

    def coordinates(self, folder: Path, axes: int) -> np.ndarray:
        """Return the coordinates of the exemplars, shape (exemplars, at most `axes`).

        Raises
        ------
        InvalidModelError
            If the file is missing, damaged, or does not fit the description.
        """
        arrays = read_weights(checked_file(folder, self.file, (".npz",)), self.sha256)
        found = arrays.get(_ARRAY, np.zeros(0))
        if (
            set(arrays) != {_ARRAY}
            or found.ndim != 2
            or len(found) != len(self.cases)
            or not 1 <= found.shape[1] <= axes
        ):
            raise InvalidModelError(
                f"{folder.name}/{self.file} must hold '{_ARRAY}' of {len(self.cases)} exemplars on 1 to {axes} axes."
            )
        return found.astype(np.float64)

    def nearest(self, folder: Path, u: np.ndarray, titles: Sequence[str]) -> tuple[Evidence, ...]:
        """Return the exemplars nearest to the coordinates `u` (axes,) as rows of evidence, nearest first.

        The value is the distance, where 1 is the median distance of an exemplar from the one nearest to it; the
        contribution is 0.
        """
        known = self.coordinates(folder, len(u))
        distance = np.linalg.norm(known - u[: known.shape[1]], axis=1)
        order = np.argsort(distance, kind="stable")[:_SHOWN]
        usual = _usual_distance(known)
        return tuple(
            Evidence(
                f"exemplar[{place}]",
                f"Similar training image {place}: {self.cases[i].id}",
                float(distance[i] / usual),
                "",
                titles[self.cases[i].category],
                0.0,
            )
            for place, i in enumerate(order.tolist(), start=1)
        )


def _usual_distance(known: np.ndarray) -> float:
    """Return the median distance of an exemplar from the one nearest to it; 1 if they are all the same."""
    squares = (known * known).sum(axis=1)
    between = squares[:, None] + squares - 2 * known @ known.T
    np.fill_diagonal(between, np.inf)
    return float(np.median(np.sqrt(np.maximum(between.min(axis=1), 0)))) or 1.0
