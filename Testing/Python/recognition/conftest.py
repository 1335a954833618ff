"""Nouns of stage 4: images, cases, measurements and small models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from MedImageAnalysisLib.recognition.training.fitting import FitSettings, LinearFit, fit_linear
from MedImageAnalysisLib.recognition.training.folder import write_model


@pytest.fixture(scope="session")
def two_clouds() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Two overlapping normal clouds in three dimensions: features, categories, groups of two cases each."""
    random = np.random.default_rng(7)
    y = np.arange(600) % 2
    x = random.normal(size=(600, 3)) * [1.0, 10.0, 0.1] + np.outer(y, [1.5, 0.0, 0.05]) + [5.0, -3.0, 0.0]
    return x, y, [str(i // 4 * 2 + i % 2) for i in range(600)]


@pytest.fixture(scope="session")
def cloud_fit(two_clouds) -> LinearFit:
    """A linear model fitted to the clouds."""
    return fit_linear(*two_clouds, FitSettings(folds=3, members=10))


@pytest.fixture(scope="session")
def linear_description(cloud_fit) -> dict:
    """The model.json of a model that reads two features and one measurement."""
    return {
        "format": 1,
        "kind": "linear",
        "name": "clouds",
        "version": "1.0",
        "title": "Clouds",
        "modalities": ["CR"],
        "body_parts": [],
        "population": {"description": "children of 1 to 5 years", "minimum_age_years": 1, "maximum_age_years": 5},
        "classes": [
            {"key": "left", "title": "Left cloud", "code": {"scheme": "SCT", "value": "17621005", "meaning": "Normal"}},
            {"key": "right", "title": "Right cloud", "code": None},
        ],
        "intended_use": "Tests",
        "training": {"data": "Drawn", "licence": "None", "cases": 600},
        "performance": [{"measure": "AUC", "value": 0.9, "lower": 0.85, "upper": None, "data": "drawn"}],
        "references": [],
        "coverage": 0.9,
        "linear": {
            "inputs": [
                {"feature": "brightness", "segment": "*", "statistic": "mean"},
                {"feature": "width", "segment": "Region 1", "statistic": "value"},
                {"measurement": "angle"},
            ],
            "temperature": cloud_fit.temperature,
            "set_thresholds": list(cloud_fit.set_thresholds),
            "outlier_range": list(cloud_fit.outlier_range),
            "priors": list(cloud_fit.priors),
        },
    }


@pytest.fixture
def linear_folder(tmp_path, linear_description, cloud_fit) -> Path:
    """A model folder with weights."""
    folder = tmp_path / "clouds"
    write_model(folder, linear_description, "# Clouds", cloud_fit.arrays)
    return folder


@pytest.fixture
def edit_json():
    """Change values of the model.json in a folder: ``edit_json(folder, key=value)``."""

    def edit(folder: Path, **changes) -> None:
        path = folder / "model.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes))

    return edit
