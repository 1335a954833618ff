"""Write a model folder: weights, description and card, checked before it takes the place of an older one."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ExportError
from ...untrusted_file import sha256_of
from ..library import load_model
from ..model import Model

__all__ = ["draft_model", "pack_weights", "replaced_folder", "write_model"]

WEIGHTS = "weights.npz"
NETWORK = "weights.onnx"


def pack_weights(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the arrays as an .npz file whose bytes depend on nothing but the arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]).reshape(np.shape(arrays[name])))
            # A fixed date: the time of packing must not change the checksum.
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, member.getvalue())
    return buffer.getvalue()


@contextlib.contextmanager
def draft_model(name: str, description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Iterator[Model]:
    """Lend a model that has no figures yet, in a folder that vanishes: it is judged before it is written for good."""
    with tempfile.TemporaryDirectory(prefix="MedImageAnalysis-") as aside:
        yield write_model(Path(aside) / name, {**description, "performance": []}, f"# {description['title']}", arrays)


@contextlib.contextmanager
def replaced_folder(folder: Path, *, keep: bool) -> Iterator[Path]:
    """Lend a folder to write a model into: a copy of what was there if `keep`, else an empty one.

    If it then holds a valid model, it takes the place of `folder`.

    Raises
    ------
    InvalidModelError
        If what was written makes no valid model; the folder stays as it was.
    ExportError
        If the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".model-") as aside:
            made = Path(aside) / folder.name
            if keep:
                shutil.copytree(folder, made)
            else:
                made.mkdir()
            yield made
            load_model(made)
            if folder.exists():
                shutil.rmtree(folder)
            made.rename(folder)
    except OSError as error:
        raise ExportError(f"The model could not be written to {folder}: {error}.") from error


def write_model(
    folder: Path,
    description: Mapping[str, Any],
    card: str,
    arrays: Mapping[str, np.ndarray] | None = None,
    files: Mapping[str, bytes] | None = None,
    network: bytes | None = None,
) -> Model:
    """Write a model folder and return the model read back from it.

    The folder is written aside and checked by reading it; only then does it replace what was there, all of it.

    Parameters
    ----------
    arrays : mapping of str to numpy.ndarray, optional
        Weights of a linear model.
    files : mapping of str to bytes, optional
        Further files of the folder by name, such as plots that the card shows.
    network : bytes, optional
        The ONNX file of a model of the kind "onnx".

    Raises
    ------
    InvalidModelError
        If the description or the arrays do not make a valid model.
    ExportError
        If the folder cannot be written.
    """
    description = dict(description)
    with replaced_folder(folder, keep=False) as made:
        content = network if arrays is None else pack_weights(arrays)
        if content is not None:
            name = NETWORK if arrays is None else WEIGHTS
            (made / name).write_bytes(content)
            description["weights"] = {"file": name, "sha256": sha256_of(content)}
        for name, content in (files or {}).items():
            (made / name).write_bytes(content)
        text = json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False)
        (made / "model.json").write_text(text + "\n", encoding="utf-8")
        (made / "CARD.md").write_text(card.strip() + "\n", encoding="utf-8")
    return load_model(folder)
