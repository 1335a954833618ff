"""Fixtures that every ring of tests shares."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images with truth; tests that need it are skipped, saying so, where it is absent."""
    folder = Path(os.environ.get("MEDIMAGE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real images not found: set MEDIMAGE_DATA (looked in {folder})")
    return folder


@pytest.fixture(scope="session")
def output_folder() -> Path:
    """Where tests leave pictures for people to look at."""
    folder = REPOSITORY / "test-output"
    folder.mkdir(exist_ok=True)
    return folder
