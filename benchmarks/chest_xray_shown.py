"""In how many chests, of ill children too, `chest-xray` shows lungs and heart, and in how many other pictures.

    python benchmarks/chest_xray_shown.py [--number 100] [--engine network]

There is no reference for most of these pictures: it is counted whether a structure is shown, not how well. Children are
those of chest_xray_kermany, of whom 15 (network) or 8 (classical) were drawn to learn from.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from common.data import add_data_option
from MedImageAnalysisLib.errors import MedImageError
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.recognition.training.data import read_pixels, spread
from MedImageAnalysisLib.recognition.training.recipes import CHEST
from MedImageAnalysisLib.recognition.training.strangers import strangers
from MedImageAnalysisLib.segmentation.chest_xray.method import ChestXray
from MedImageAnalysisLib.segmentation.chest_xray.outliners import STRUCTURES

ADULTS = {"adults (JSRT)": "chest_xray_jsrt", "adults, most with COVID-19": "chest_xray_lungs"}
LUNGS = set(STRUCTURES[:2])


def main() -> None:
    """Print a row for each kind of picture and each engine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--number", type=int, default=100, help="at most so many pictures of each kind of chest")
    parser.add_argument("--engine", nargs="+", default=["classical", "network"])
    options = parser.parse_args()
    print("| pictures | engine | number | refused | lungs and heart | one lung only |\n|---|---|---|---|---|---|")
    for kind, images in pictures(options.data, options.number):
        for engine in options.engine:
            shown = [structures_shown(ChestXray(engine=engine), image) for image in images]
            refused, complete = shown.count(set()), shown.count(set(STRUCTURES))
            single = sum(len(keys & LUNGS) == 1 for keys in shown)
            print(f"| {kind} | {engine} | {len(shown)} | {refused} | {complete} | {single} |", flush=True)


def pictures(data: Path, number: int) -> Iterator[tuple[str, list[sitk.Image]]]:
    """Yield chests by their kind, then pictures of something else: no chests, or chests that do not stand upright."""
    chests: list[sitk.Image] = []
    for kind, paths in chest_paths(data).items():
        images = [read_pixels(path) for path in spread(paths, number)]
        chests += images
        yield kind, images
    yield "not: own images, mirrored", [mirrored(image) for image in spread(chests, number)]
    for kind, images in strangers(spread(chests, number), data, CHEST.folder):
        # An inverted chest is recognized and outlined; those of adults are above.
        if not kind.startswith("chest") and "inverted" not in kind:
            yield f"not: {kind}", images


def mirrored(image: sitk.Image) -> sitk.Image:
    return sitk.GetImageFromArray(np.ascontiguousarray(sitk.GetArrayViewFromImage(image)[:, ::-1]))


def chest_paths(data: Path) -> dict[str, list[Path]]:
    """Return the radiographs of chests by their kind."""
    found = {kind: sorted((data / folder / "images").glob("*.png")) for kind, folder in ADULTS.items()}
    children = CHEST.read(data / CHEST.folder)
    for category, described in enumerate(CHEST.description["classes"]):
        found[f"children: {described['title']}"] = [case.path for case in children if case.category == category]
    return found


def structures_shown(method: ChestXray, image: sitk.Image) -> set[str]:
    """Return the keys of the structures that are shown; none if the picture is refused."""
    try:
        return {segment.key for segment in method(image, None, Progress()).segments}
    except MedImageError:
        return set()


if __name__ == "__main__":
    main()
