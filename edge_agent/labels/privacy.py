"""Names of people: only a keyed hash of them is ever kept.

The hash is HMAC-SHA256, cut to 64 bits: the same person gives the same text, and who
has the key (a file that only the agent reads) can tell whether it is a given person.
Without a key nothing is kept at all.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from typing import TYPE_CHECKING

import structlog

from edge_agent.durable import write_whole

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger()

_BYTES, _LEAST, _MOST = 32, 16, 4096
_DIGITS = 16
_NAME = "privacy.key"


class Pseudonyms:
    """Hashes names.

    Args:
        key: None hides every name altogether.
    """

    def __init__(self, key: bytes | None) -> None:
        self._key = key

    def of(self, name: str) -> str:
        """``h:`` and 16 hexadecimal digits; empty for no name, and without a key."""
        name = name.strip()
        if self._key is None or not name:
            return ""
        digest = hmac.digest(self._key, name.casefold().encode(), "sha256")
        return f"h:{digest.hex()[:_DIGITS]}"


def pseudonyms(key_file: Path | None, state_dir: Path) -> Pseudonyms:
    """With the key of a file; the default one is made where it is missing.

    A key that cannot be read, is short, or is open to others is not used: names are
    then dropped, and the log says so.
    """
    path = key_file or state_dir / "labels" / _NAME
    try:
        if key_file is None:
            _make(path)
        return Pseudonyms(_key(path))
    except (OSError, ValueError) as error:
        why = str(error)
        log.warning("no key for names, they are dropped", file=str(path), why=why)
        return Pseudonyms(None)


def _make(path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, secrets.token_bytes(_BYTES), 0o600)


def _key(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & stat.S_IRWXO:
            raise ValueError(f"open to everyone; run: chmod o-rwx {path}")
        key = file.read(_MOST + 1)
    if not _LEAST <= len(key) <= _MOST:
        raise ValueError(f"a key has {_LEAST} to {_MOST} bytes")
    return key
