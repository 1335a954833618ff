"""Open files of strangers' folders: a plain name, no way out of the folder, a bounded size, a checksum."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .errors import InvalidModelError

__all__ = ["MAXIMUM_FILE_BYTES", "checked_file", "read_bytes", "sha256_of"]

MAXIMUM_FILE_BYTES = 16 * 2**20


def checked_file(folder: Path, name: str, suffixes: tuple[str, ...]) -> Path:
    """Return the path of the file `name` of a model folder.

    Raises
    ------
    InvalidModelError
        If the name holds a path, the suffix is another, or the file is missing, a link out of the folder, or too large.
    """
    path, shown = folder / name, f"{folder.name}: {name!r:.80}"
    if Path(name).name != name or name.startswith(".") or "\x00" in name or path.suffix not in suffixes:
        raise InvalidModelError(f"{shown} is not a plain file name ending in {'/'.join(suffixes)}.")
    if not path.is_file():
        raise InvalidModelError(f"{shown} is missing. Get the model again from its source.")
    if path.resolve().parent != folder.resolve():
        raise InvalidModelError(f"{shown} leads out of the model's folder, which is not allowed.")
    if path.stat().st_size > MAXIMUM_FILE_BYTES:
        raise InvalidModelError(f"{shown} is larger than the {MAXIMUM_FILE_BYTES:,} bytes that are allowed.")
    return path


def read_bytes(path: Path, sha256: str) -> bytes:
    """Return the content of `path` after comparing it with its checksum."""
    content = path.read_bytes()
    found = sha256_of(content)
    if found != sha256:
        raise InvalidModelError(
            f"{path.parent.name}/{path.name} is not the file that model.json describes: its SHA-256 is {found[:12]}…, "
            f"expected {sha256[:12]}…. Get the model again from its source."
        )
    return content


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of `content` as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
