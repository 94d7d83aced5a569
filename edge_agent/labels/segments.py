"""The files of a pipeline's ring: one a page, appended to, dropped with the page.

No file is mapped: a page that a failing disk cannot give would kill the process. What
is appended survives a kill at once and a power cut after `sync`. A disk that takes
nothing is told once; predictions and labels go on in memory and are written when it
works again.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING

import structlog

from edge_agent.durable import sync_folder, unfinished, write_whole
from edge_agent.labels import blocks
from edge_agent.labels.blocks import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = structlog.get_logger()

_NAME = re.compile(r"([0-9]{8})\.labels")
#: Files looked at in the folder, and bytes read of one.
_MOST_FILES, _MOST_BYTES = 100_000, 256 * 2**20
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
#: Ns between two attempts while the disk is failing.
RETRY = 10_000_000_000


class Segments:
    """The files.

    Args:
        folder: made where missing; nothing else may be in it.
        tell: takes name and text of an event when the disk begins to fail or works
            again.
    """

    def __init__(self, folder: Path, tell: Callable[[str, str], None]) -> None:
        self.sizes: dict[int, int] = {}
        """Bytes of each file by its number, oldest first."""
        self.failure = ""
        self.failures = 0
        self.torn = 0
        """Bytes met that were no block: torn by a crash, or changed."""
        self._folder, self._tell = folder, tell
        self._open: int | None = None
        self._number = -1
        self._not_before = 0
        self.unsynced = False
        """Something was appended since the last sync."""
        self._broken = False
        self._unsure = False
        """The last sync failed: that something can be appended says nothing."""

    # -- reading back ------------------------------------------------------------

    def read(self) -> Iterator[tuple[int, list[Block]]]:
        """Number and blocks of each file there is, oldest first.

        A file that cannot be read is passed over, and told.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            numbers = sorted(self._numbers())
        except OSError as error:
            self._failed(error, 0)
            return
        for number in numbers:
            found = self._blocks(number)
            if found is not None:
                yield number, found
        self._number = max(numbers, default=-1)

    def _numbers(self) -> Iterator[int]:
        with os.scandir(self._folder) as entries:
            for count, entry in enumerate(entries):
                match = _NAME.fullmatch(entry.name)
                if match and entry.is_file(follow_symlinks=False):
                    yield int(match[1])
                if count >= _MOST_FILES:
                    return

    def _blocks(self, number: int) -> list[Block] | None:
        try:
            with self._path(number).open("rb") as file:
                raw = file.read(_MOST_BYTES)
        except OSError as error:
            self._failed(error, 0)
            return None
        found = []
        for each in blocks.opened(raw):
            if isinstance(each, Block):
                found.append(each)
            else:
                self.torn += each
        self.sizes[number] = len(raw)
        return found

    # -- writing -----------------------------------------------------------------

    def begin(self) -> int:
        """The next block goes to a new file; gives its number."""
        if self._open is not None and self.unsynced:
            try:
                os.fsync(self._open)
            except OSError as error:
                self._failed(error, 0)
        self._close()
        self._number += 1
        self.sizes[self._number] = 0
        return self._number

    def resume(self, end: int) -> None:
        """Go on behind the last whole block of the newest file."""
        self.sizes[self._number] = end

    @property
    def number(self) -> int:
        """Of the newest file."""
        return self._number

    def ready(self, now: int) -> bool:
        """Whether to try; after a failure not before some time has passed."""
        return now >= self._not_before

    def append(self, chunk: bytes, now: int) -> bool:
        """Write blocks behind the newest file; False when the disk refused.

        Nothing of a chunk that was refused is left in the file.
        """
        try:
            descriptor = self._descriptor()
            self._write(descriptor, chunk)
        except OSError as error:
            self._failed(error, now)
            return False
        self.sizes[self._number] += len(chunk)
        self.unsynced = True
        if not self._unsure:
            self._worked()
        return True

    def _descriptor(self) -> int:
        if self._open is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._path(self._number)
            self._open = os.open(path, _APPEND, 0o640)
            self._broken = True
        if self._broken:  # what a refused write left behind
            os.ftruncate(self._open, self.sizes[self._number])
            self._broken = False
        return self._open

    def _write(self, descriptor: int, chunk: bytes) -> None:
        left = memoryview(chunk)
        self._broken = True
        while left:
            left = left[os.write(descriptor, left) :]
        self._broken = False

    def sync(self, now: int) -> bool:
        """Let what was appended survive a power cut."""
        if not self.unsynced:
            return True
        try:
            os.fsync(self._descriptor())
            sync_folder(self._folder)
        except OSError as error:
            # what the kernel could not write it may have forgotten: a new file
            self._close()
            self._unsure = True
            self._failed(error, now)
            return False
        self.unsynced = self._unsure = False
        self._worked()
        return True

    def pack(self, number: int, chunk: bytes) -> None:
        """Put a file that is complete in a shorter form; the old one stays if not."""
        path = self._path(number)
        try:
            write_whole(path, chunk, 0o640)
            self.sizes[number] = len(chunk)
        except OSError as error:
            log.warning("labels not packed", file=str(path), why=str(error))

    def drop(self, number: int) -> None:
        """Remove a file."""
        self.sizes.pop(number, None)
        for path in (self._path(number), unfinished(self._path(number))):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(self.sizes.values())

    def close(self) -> None:
        """Close the file that is being written."""
        self._close()

    def _close(self) -> None:
        if self._open is not None:
            with contextlib.suppress(OSError):
                os.close(self._open)
        self._open = None

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.labels"

    def _failed(self, error: OSError, now: int) -> None:
        self.failures += 1
        self._not_before = now + RETRY
        said = (error.strerror or str(error)).lower()
        if not self.failure:
            where = str(self._folder)
            log.error("labels not stored", folder=where, error=said)
            self._tell(
                "labels not stored",
                f"{where}: {said}. Scoring goes on; predictions and labels are kept in"
                " memory, a restart would lose them. Check free space and owner of the"
                " folder; it recovers by itself",
            )
        self.failure = said

    def _worked(self) -> None:
        if self.failure:
            self.failure = ""
            log.info("labels stored again", folder=str(self._folder))
            self._tell("labels stored again", str(self._folder))
