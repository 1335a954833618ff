"""Pseudonyms: keyed hashes that stand for cases and patients in everything a cohort run writes.

Whoever has the key file and the images can find the case behind a pseudonym; whoever has the store alone cannot
(HMAC-SHA256, RFC 2104). The key file lies beside the store, never in it, readable by its owner only.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ExportError, InvalidSettingError

__all__ = ["Pseudonyms", "key_file_of", "without_file_names"]

_KEY_BYTES = 32
_NAME_DIGITS = 20
_PATIENCE = 10
_SURELY_A_NAME = 6


@dataclass(frozen=True)
class Pseudonyms:
    """Gives each identity a name that says nothing of it."""

    key: bytes

    @classmethod
    def from_file(cls, path: Path) -> Pseudonyms:
        """Read the key, or make a new one (mode 0600) if the file does not exist.

        Raises
        ------
        ExportError
            If it cannot be made.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(_read_key(path))
        except OSError as problem:
            raise ExportError(f"The key file {path} cannot be made: {problem.strerror}.") from problem
        key = secrets.token_bytes(_KEY_BYTES)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.hex().encode() + b"\n")
        return cls(key)

    @classmethod
    def fleeting(cls) -> Pseudonyms:
        """Return pseudonyms of a key that is kept nowhere."""
        return cls(secrets.token_bytes(_KEY_BYTES))

    def case(self, identity: str) -> str:
        """Return the pseudonym of a case."""
        return self._name("case", identity)

    def patient(self, identity: str) -> str:
        """Return the pseudonym of a patient; "" stays ""."""
        return self._name("patient", identity) if identity else ""

    def _name(self, kind: str, identity: str) -> str:
        digest = hmac.new(self.key, f"{kind}\0{identity}".encode(), hashlib.sha256).hexdigest()
        return f"{kind}-{digest[:_NAME_DIGITS]}"


def key_file_of(store: Path) -> Path:
    """Return the place of a store's key file: beside it, with the suffix ".key"."""
    return store.with_name(store.name + ".key")


def without_file_names(text: str, files: Iterable[Path]) -> str:
    """Return `text` without the names of files and of the folders they lie in: people name them after patients.

    Messages of this package put names in quotation marks; a file's own name is found without them, too, unless it is so
    short that it could be a word.
    """
    for path in files:
        text = text.replace(str(path), "the file")
        if len(path.name) >= _SURELY_A_NAME:
            text = text.replace(f"'{path.name}'", "the file").replace(path.name, "the file")
        for part in path.parts[::-1]:
            text = text.replace(f"'{part}'", "the file" if part == path.name else "the folder")
    return text


def _read_key(path: Path) -> bytes:
    try:
        text = path.read_text(encoding="ascii")
        for _ in range(_PATIENCE):
            if text:
                break
            # Another driver has made the file and is about to fill it.
            time.sleep(0.05)
            text = path.read_text(encoding="ascii")
        key = bytes.fromhex(text.strip())
    except (OSError, ValueError) as problem:
        raise InvalidSettingError(f"The key file {path.name} cannot be read. Restore it from your backup.") from problem
    if len(key) != _KEY_BYTES:
        raise InvalidSettingError(f"The key file {path.name} does not hold a key of {_KEY_BYTES} bytes.")
    return key
