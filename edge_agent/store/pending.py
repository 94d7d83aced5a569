"""Notes of files put aside that are not carried over to their end.

They lie in a file of their own beside the store, written whole: a crash on the way
must not end the work.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from edge_agent.durable import sync_folder, write_whole

if TYPE_CHECKING:
    from pathlib import Path

#: Files put aside that are kept, and remembered: the newest.
KEPT = 3


class Pending(msgspec.Struct):
    """How far the work on one file has come.

    Attributes:
        aside: its name beside the store.
        reason: what was wrong with it.
        fresh: nothing of it was taken over yet.
        after, before: ids of records up to here, and from here on, were carried over.
    """

    aside: str
    reason: str
    fresh: bool = True
    after: int = -1
    before: int = sys.maxsize


def read(path: Path) -> list[Pending]:
    """Notes beside a store, oldest first; none where they cannot be read."""
    try:
        return msgspec.json.decode(_file(path).read_bytes(), type=list[Pending])
    except (OSError, msgspec.MsgspecError):
        return []


def write(path: Path, pending: Pending) -> None:
    """Put a note in the place of the former one on the same file.

    Raises:
        OSError: the disk does not let us.
    """
    notes = {one.aside: one for one in read(path)} | {pending.aside: pending}
    write_whole(_file(path), msgspec.json.encode(list(notes.values())[-KEPT:]))


def done(path: Path, pending: Pending) -> None:
    """Forget a file.

    Raises:
        OSError: the disk does not let us.
    """
    notes = [one for one in read(path) if one.aside != pending.aside]
    if notes:
        write_whole(_file(path), msgspec.json.encode(notes))
        return
    _file(path).unlink(missing_ok=True)
    sync_folder(path.parent)


def _file(path: Path) -> Path:
    return path.with_name(path.name + ".salvage")
