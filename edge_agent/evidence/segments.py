"""The segments of a log, and reading in them.

Whoever reads while the agent writes sees whole lines; those behind the head may still
be cut off and written anew, so `entries` takes ``until``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import msgspec

from edge_agent.evidence.line import MOST, Entry, entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

NAME = re.compile(r"^(\d{6,12})\.jsonl$")


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of the log, or one within a package.

    Attributes:
        name: of the file.
        open: opens it to be read from its beginning.
    """

    name: str
    open: Callable[[], IO[bytes]]

    @property
    def index(self) -> int:
        """Its number, 0 for a file that was named otherwise."""
        found = NAME.match(self.name)
        return int(found[1]) if found else 0


def name_of(index: int) -> str:
    """File name of a segment."""
    return f"{index:06}.jsonl"


def of_file(path: Path) -> Segment:
    """A segment of its own."""
    return Segment(path.name, lambda: path.open("rb"))


def of_folder(folder: Path) -> list[Segment]:
    """Those of a log, oldest first.

    Raises:
        OSError: the folder cannot be read.
    """
    found = [of_file(path) for path in folder.iterdir() if NAME.match(path.name)]
    return sorted(found, key=lambda segment: segment.index)


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines with their newline; one that is too long comes in pieces without."""
    while line := file.readline(MOST):
        yield line


def entries(folder: Path, after: int = 0, until: int | None = None) -> Iterator[Entry]:
    """Lines of a log in order; those that are no entries are left out.

    Args:
        folder: ``state_dir/evidence``.
        after: only numbers above.
        until: none above; `Keeper.head` says up to where they are final.

    Raises:
        OSError: the disk.
    """
    segments = of_folder(folder)
    for segment in segments[_first(segments, after) :]:
        for found in _read(segment):
            if until is not None and found.number > until:
                return
            if found.number > after:
                yield found


def find(folder: Path, occurrence: str) -> list[Entry]:
    """Everything the log has of one alarm: its transitions and their windows.

    Args:
        folder: ``state_dir/evidence``.
        occurrence: as the alarm's messages have it.

    Raises:
        OSError: the disk.
    """
    wanted = b'"occurrence":' + msgspec.json.encode(occurrence)
    found = []
    for segment in of_folder(folder):
        with segment.open() as file:
            for place, line in enumerate(lines(file), 1):
                if wanted in line and (one := entry_of(line, segment, place)):
                    found.append(one)
    return found


def window_of(found: Entry) -> bytes:
    """`EvidenceRecord.body` of an entry of kind ``window``, without spaces.

    Raises:
        ValueError: it is no such entry.
    """
    try:
        return bytes(msgspec.json.decode(found.body, type=_Window).window)
    except msgspec.MsgspecError as why:
        raise ValueError(f"{found.file}:{found.place} has no window: {why}") from why


class _Window(msgspec.Struct):
    window: msgspec.Raw


def _read(segment: Segment) -> Iterator[Entry]:
    try:
        file = segment.open()
    except FileNotFoundError:
        return  # too old: it was removed while we read
    with file:
        for place, line in enumerate(lines(file), 1):
            if found := entry_of(line, segment, place):
                yield found


def entry_of(line: bytes, segment: Segment, place: int) -> Entry | None:
    """A line with its newline for those who read it; None where it is no entry."""
    if not line.endswith(b"\n"):
        return None
    try:
        return entry(line[:-1], segment.name, place)
    except ValueError:
        return None


def _first(segments: Sequence[Segment], after: int) -> int:
    """Position of the segment that holds the line behind ``after``."""
    low, high = 0, len(segments)
    while high - low > 1:
        middle = (low + high) // 2
        first = next(_read(segments[middle]), None)
        if first is not None and first.number <= after + 1:
            low = middle
        else:
            high = middle
    return low
