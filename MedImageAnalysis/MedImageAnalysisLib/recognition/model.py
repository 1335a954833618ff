"""What a recognition model is: a validated, frozen description, and weights that are read when they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

from ..analysis import Code
from ..untrusted_file import checked_file

if TYPE_CHECKING:
    import numpy as np

    from ..networks import Network

__all__ = ["Category", "Model", "Performance", "Population", "Specification", "Training", "Weights"]


# The arrays of a linear model by name, or the network of the kind "onnx".
Weights: TypeAlias = "Mapping[str, np.ndarray] | Network"


class Specification(Protocol):
    """What is particular to a kind of model."""

    suffix: ClassVar[str]
    """Of the weights file, "" for kinds that have none."""

    def open_weights(self, path: Path, sha256: str, classes: int, where: str) -> Weights:
        """Read the weights file; raise InvalidModelError unless it fits the description."""


@dataclass(frozen=True)
class Category:
    """One class of a model: stable key, title for people, and its coded concept if there is a fitting one."""

    key: str
    title: str
    code: Code | None


@dataclass(frozen=True)
class Population:
    """Whose images the model is meant for.

    Parameters
    ----------
    description : str
        For people, e.g. "children of 1 to 5 years".
    minimum_age_years, maximum_age_years : float or None
        Inclusive; a known age outside means "not assessed".
    dimensions : tuple of int
        2, 3 or both.
    views : tuple of str
        DICOM view positions that suit without a remark; empty = any.
    view_cautions : mapping of str to str
        What to say about other views; "" stands for an unknown view. A known view in neither is not assessed.
    """

    description: str
    minimum_age_years: float | None = None
    maximum_age_years: float | None = None
    dimensions: tuple[int, ...] = (2, 3)
    views: tuple[str, ...] = ()
    view_cautions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """What the model's numbers come from."""

    data: str
    licence: str
    cases: int = 0


@dataclass(frozen=True)
class Performance:
    """One measured figure with its 95 % confidence interval, and the data it was measured on."""

    measure: str
    value: float
    lower: float | None
    upper: float | None
    data: str


@dataclass(frozen=True, eq=False)
class Model:
    """A validated recognition model.

    Parameters
    ----------
    kind : {"criterion", "linear", "onnx"}
    modalities, body_parts : tuple of str
        DICOM terms; empty = any.
    coverage : float
        The share of cases for which the prediction set is meant to hold the truth.
    spec : Specification
        A CriterionSpec, LinearSpec or NetworkSpec.
    weights_file, weights_sha256 : str
        "" for models without weights.
    alternative_to : str
        Name of the model in whose place this one is taken where the packages that it needs are installed, or "".
    """

    folder: Path
    kind: str
    name: str
    version: str
    title: str
    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]
    population: Population
    classes: tuple[Category, ...]
    intended_use: str
    training: Training
    performance: tuple[Performance, ...]
    references: tuple[str, ...]
    coverage: float
    spec: Specification
    weights_file: str = ""
    weights_sha256: str = ""
    alternative_to: str = ""

    def weights(self) -> Weights:
        """Return what is in the weights file, checked; it is read at the first call.

        Raises
        ------
        InvalidModelError
            If the file is missing, damaged, or does not fit the description.
        MissingPackageError
            If the model is a network and the packages that run it are not installed.
        """
        path = checked_file(self.folder, self.weights_file, (self.spec.suffix,))
        return self.spec.open_weights(path, self.weights_sha256, len(self.classes), self.name)

    def states_prevalence_of(self, prevalence: Mapping[str, float]) -> bool:
        """Tell whether a prevalence by category key is that of this model's categories, and it can be adjusted to it.

        Models of the kind "criterion" assume no prevalence that could be replaced by another.
        """
        return self.kind != "criterion" and set(prevalence) == {category.key for category in self.classes}

    def card(self) -> str:
        """Return the text of CARD.md."""
        content = checked_file(self.folder, "CARD.md", (".md",)).read_bytes()
        return content.decode("utf-8", errors="replace")
