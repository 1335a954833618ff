"""Pseudonyms: keyed hashes that stand for cases and patients in everything a cohort run writes.

Whoever has the key file and the images can find the case behind a pseudonym; whoever has the store alone cannot
(HMAC-SHA256, RFC 2104). The key file lies beside the store, never in it, readable by its owner only.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidSettingError

__all__ = ["Pseudonyms", "key_file_of"]

_KEY_BYTES = 32
_NAME_DIGITS = 20


@dataclass(frozen=True)
class Pseudonyms:
    """Gives each identity a name that says nothing of it."""

    key: bytes

    @classmethod
    def from_file(cls, path: Path) -> Pseudonyms:
        """Read the key, or make a new one (mode 0600) if the file does not exist."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(_read_key(path))
        key = secrets.token_bytes(_KEY_BYTES)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.hex().encode() + b"\n")
        return cls(key)

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


def _read_key(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as problem:
        raise InvalidSettingError(f"The key file {path.name} cannot be read. Restore it from your backup.") from problem
    if len(key) != _KEY_BYTES:
        raise InvalidSettingError(f"The key file {path.name} does not hold a key of {_KEY_BYTES} bytes.")
    return key
