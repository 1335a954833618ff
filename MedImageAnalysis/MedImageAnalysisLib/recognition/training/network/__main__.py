"""Train a shipped network again; see the package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import SimpleITK as sitk

from ....progress import Progress
from .canvases import collect
from .members import member
from .recipes import NETWORKS
from .train import train

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Train a shipped network again and write its model folder.")
    parser.add_argument("name", choices=sorted(NETWORKS))
    parser.add_argument("data", type=Path, help="folder that holds the collections")
    parser.add_argument("--output", type=Path, help="model folder to write")
    parser.add_argument("--work", type=Path, default=Path(".medimage-training"), help="where members are kept")
    parser.add_argument("--member", type=int, help="only train this member and keep it")
    chosen = parser.parse_args(arguments)
    if (chosen.output is None) == (chosen.member is None):
        parser.error("give either --output or --member")
    # One thread: sums in another order would give other weights.
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

    def show(message: str, fraction: float) -> None:
        sys.stderr.write(f"\r{100 * fraction:5.1f} % {message:60.60}")

    recipe, progress = NETWORKS[chosen.name], Progress(report=show)
    if chosen.member is not None:
        collection = collect(recipe, chosen.data, chosen.work, progress.part(0.0, 0.1))
        member(recipe, collection, chosen.member, chosen.work, progress.part(0.1, 1.0))
        sys.stderr.write("\n")
        return
    model = train(recipe, chosen.data, chosen.output, chosen.work, progress)
    sys.stderr.write("\n")
    for row in model.performance:
        sys.stdout.write(f"{row.measure:58} {row.value:.3f} ({row.lower:.3f} to {row.upper:.3f})\n")


if __name__ == "__main__":
    main()
