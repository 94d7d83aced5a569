"""``head.jsonl``: the newest two heads, each at a place of its own.

They are written over in turn and synced, without a rename: one block of flash a group.
A power cut can tear one of them; the other then holds, and the lines behind it were not
acknowledged.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from edge_agent.durable import write_whole
from edge_agent.evidence import signing

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.evidence.signing import Head

NAME = "head.jsonl"
_SLOT = 1024
#: What a head costs.
BYTES = _SLOT


def load(folder: Path) -> tuple[list[Head], int]:
    """The heads of a log, oldest first, and how many places hold none.

    Raises:
        OSError: it cannot be read; a file that is not there holds none.
    """
    try:
        with (folder / NAME).open("rb") as file:
            text = file.read(2 * _SLOT + 1)
    except FileNotFoundError:
        return [], 2
    return of_text(text)


def of_text(text: bytes) -> tuple[list[Head], int]:
    """The same from the file's text."""
    found, bad = [], 0 if len(text) == 2 * _SLOT else 1
    for place in range(2):
        slot = text[place * _SLOT : (place + 1) * _SLOT]
        try:
            found.append(signing.read(slot))
        except ValueError:
            bad += 1
    return sorted(found, key=lambda head: head.number), min(bad, 2)


class Heads:
    """Writes them.

    Args:
        folder: of the log.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._place = 0
        self.newest: Head | None = None

    def begin(self, head: Head) -> None:
        """Put one head in both places, whole or not at all.

        Raises:
            OSError: the disk refused.
        """
        write_whole(self._path, text_of(head), 0o640)
        self.newest = head

    def note(self, head: Head) -> None:
        """Put a head over the older one; on disk when this returns.

        Raises:
            OSError: the disk refused; the other one holds.
        """
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:  # somebody removed it
            self.begin(head)
            return
        try:
            os.pwrite(descriptor, _slot(head), self._place * _SLOT)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        self._place = 1 - self._place
        self.newest = head


def text_of(head: Head) -> bytes:
    """The file with one head in both places."""
    return _slot(head) * 2


def _slot(head: Head) -> bytes:
    return msgspec.json.encode(head).ljust(_SLOT - 1) + b"\n"
