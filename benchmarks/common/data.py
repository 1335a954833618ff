"""Where the images are that benchmarks read."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from . import REPOSITORY

__all__ = ["add_data_option"]


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Let the user say with `--data` where the collections are; else `MEDIMAGE_DATA` does, or a folder near by."""
    default = os.environ.get("MEDIMAGE_DATA", REPOSITORY.parent / "shared" / "data")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(default),
        help="folder that holds the collections; the default is MEDIMAGE_DATA, or ../shared/data beside the checkout",
    )
