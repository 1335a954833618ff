"""Collections of labelled images: where they are listed, and which of them belong together."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import SimpleITK as sitk

from ...errors import InvalidSettingError, MedImageError, UnreadableImageError
from ...image import read_image
from .duplicates import near_duplicates

__all__ = [
    "GROUP",
    "HELD_OUT",
    "SEGMENTATION",
    "SPLIT_SEED",
    "TABLE",
    "LabelledImage",
    "collection_key",
    "drawn_by_name",
    "drawn_groups",
    "from_folders",
    "from_table",
    "has_segmentations",
    "lots",
    "read_pixels",
    "read_rows",
    "spread",
]

TABLE = "labels.csv"
GROUP = "group"
SEGMENTATION = "segmentation"
HELD_OUT = 0.2
SPLIT_SEED = 20240501

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class LabelledImage:
    """One image of a collection.

    Parameters
    ----------
    category : int
        Index into the model's classes.
    group : str
        Images of one patient, or near-duplicates, share it; they stay on one side of every split.
    held_out : bool
        Kept for the final figures; never seen in fitting. Only the prediction sets of networks are calibrated on them,
        and judged cross-fitted.
    """

    path: Path
    category: int
    group: str
    held_out: bool


def from_table(
    folder: Path,
    labels: Sequence[str],
    *,
    image: str = "image",
    label: str = "label",
    group: str = GROUP,
    split: str = "split",
) -> tuple[LabelledImage, ...]:
    """Read `labels.csv` of a folder; the arguments name its columns, `labels` the categories in order.

    Without a column of groups, near-duplicates form them; without one of splits, a fifth of the groups is held out. A
    column of groups with another name than the usual one must be there.

    Raises
    ------
    UnreadableImageError
        If there is no such table.
    InvalidSettingError
        If a column is missing or a label is unknown.
    """
    table = folder / TABLE
    if not table.is_file():
        raise UnreadableImageError(f"There is no table of cases {table}.")
    rows = read_rows(table)
    columns = set(rows[0] if rows else ())
    missing = {image, label} - columns | ({group} - columns - {GROUP, ""})
    if missing:
        raise InvalidSettingError(f"{table} lacks the columns {', '.join(sorted(missing))}.")
    unknown = {row[label] for row in rows} - set(labels)
    if unknown:
        raise InvalidSettingError(f"{table} has labels that are not expected: {', '.join(sorted(unknown))[:200]}.")
    paths = [folder / row[image] for row in rows]
    groups = [row[group] for row in rows] if group in columns else _groups(paths)
    held = [row[split] == "val" for row in rows] if split in columns else drawn_groups(groups, HELD_OUT, SPLIT_SEED)
    return tuple(
        LabelledImage(path, labels.index(row[label]), *rest)
        for path, row, *rest in zip(paths, rows, groups, held, strict=True)
    )


def read_rows(table: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV (or, by its name, TSV) file with a header, each by column; short rows are filled."""
    with table.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t" if table.suffix == ".tsv" else ",", restkey="", restval=""))


def has_segmentations(folder: Path) -> bool:
    """Tell whether the table of a folder names a segmentation of each image."""
    table = folder / TABLE
    rows = read_rows(table) if table.is_file() else []
    return bool(rows) and SEGMENTATION in rows[0]


def from_folders(
    folder: Path,
    labels: Sequence[str],
    *,
    held_out: float,
    seed: int,
    draw: Callable[[Sequence[str], float, int], list[bool]] | None = None,
) -> tuple[LabelledImage, ...]:
    """List the images of one subfolder per category; near-duplicates form groups, a share of which is held out.

    `draw` tells which; :func:`drawn_groups` if not given.
    """
    paths = [(path, k) for k, label in enumerate(labels) for path in sorted((folder / label).glob("[!.]*.*"))]
    if not paths:
        raise UnreadableImageError(f"{folder} has no images in the folders {', '.join(labels)}.")
    groups = _groups([path for path, _ in paths])
    held = (draw or drawn_groups)(groups, held_out, seed)
    return tuple(
        LabelledImage(path, category, *rest) for (path, category), *rest in zip(paths, groups, held, strict=True)
    )


def _groups(paths: Sequence[Path]) -> list[str]:
    return near_duplicates([read_pixels(path) for path in paths])


def drawn_groups(groups: Sequence[str], share: float, seed: int) -> list[bool]:
    """Tell for each case whether its group is one of the share that is drawn for the figures.

    The number of drawn groups is exact, for small collections; which they are changes with every other group.
    """
    names = sorted(set(groups))
    chosen = np.random.default_rng(seed).permutation(len(names))[: round(share * len(names))]
    kept = {names[i] for i in chosen}
    return [group in kept for group in groups]


def lots(groups: Sequence[str], seed: int) -> np.ndarray:
    """Return for each case a number from 0 to 1 that depends on nothing but the name of its group and the seed.

    Evenly distributed: what is drawn by it keeps its place when other groups come, change or go.
    """
    drawn = {name: hashlib.sha256(f"{seed}/{name}".encode()).digest()[:6] for name in set(groups)}
    return np.array([int.from_bytes(drawn[name], "big") / 2**48 for name in groups])


def drawn_by_name(groups: Sequence[str], share: float, seed: int) -> list[bool]:
    """Tell for each case whether the lot of its group is below `share`: about that share, whatever the other groups."""
    return (lots(groups, seed) < share).tolist()


def spread(items: Sequence[_Item], most: int) -> list[_Item]:
    """Return up to `most` of the items, evenly spread over their order: in order of category, some of each."""
    chosen = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[index] for index in chosen]


def read_pixels(path: Path) -> sitk.Image:
    """Return the gray pixels of an image file."""
    try:
        return read_image(path, color="luminance").pixels
    except MedImageError as error:
        raise type(error)(f"{path.name}: {error}") from error


def collection_key(cases: Sequence[LabelledImage], *settings: object) -> str:
    """Return a name for what is computed from these files, as they are now, with these settings."""
    files = [(case.path.name, case.path.stat().st_size, case.path.stat().st_mtime_ns, case.held_out) for case in cases]
    return hashlib.sha256(repr((files, settings)).encode()).hexdigest()[:16]
