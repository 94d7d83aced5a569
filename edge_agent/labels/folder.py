"""A folder in which people drop CSV files with labels.

A file is read when its size and time have not changed for a look (it may still be
written, or copied over a slow link), once. When its labels are safe on disk it is
moved to ``read/``, or to ``refused/`` where nothing of it could be used; what was wrong
stands beside it in a file of its name and ``.report.txt``. Where files cannot be moved
they are remembered by their digest instead.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import threading
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from edge_agent.config.problems import Problem, report
from edge_agent.durable import write_whole
from edge_agent.labels import sheets
from edge_agent.labels.sheets import Sheet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo
    from pathlib import Path

    from edge_agent.labels.desk import LabelDesk
    from edge_agent.labels.telling import Reader

log = structlog.get_logger()

READ, REFUSED = "read", "refused"
#: Names looked at in the folder, and files remembered that could not be moved.
_MOST_NAMES, _REMEMBERED = 10_000, 10_000
#: Seconds a file's labels may take to be safe on disk.
_PATIENCE = 60.0
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SUFFIXES = (".csv", ".txt")
_REPORT = ".report.txt"
_AT_ONCE = 10_000


class _Seen(NamedTuple):
    """A file as it was at a look."""

    size: int
    changed: int


class _Waiting:
    """Waits until the desk has said whether labels are safe."""

    def __init__(self) -> None:
        self._event, self._safe = threading.Event(), False

    def told(self, safe: bool) -> None:
        """The desk's word."""
        self._safe = safe
        self._event.set()

    def safe(self) -> bool:
        """Whether they are, within `_PATIENCE`."""
        return self._event.wait(_PATIENCE) and self._safe


class DropFolder:
    """The folder of one pipeline; `look` blocks, and is called by one thread.

    Args:
        pipeline: whose labels.
        folder: where files appear.
        reader: of the pipeline.
        desk: takes labels.
        memory: file that remembers digests.
        zone: of times that name none; None for the computer's own.
    """

    def __init__(
        self,
        pipeline: str,
        folder: Path,
        reader: Reader,
        desk: LabelDesk,
        memory: Path,
        zone: tzinfo | None = None,
    ) -> None:
        self.pipeline, self.folder = pipeline, folder
        self.read = self.refused = 0
        self.stopping = threading.Event()
        self._reader, self._desk, self._zone = reader, desk, zone
        self._seen: dict[str, _Seen] = {}
        self._done: dict[str, _Seen] = {}
        """Files that could not be moved, as they were when they were read."""
        self._memory = memory
        self._digests = self._remembered()

    def look(self) -> None:
        """Read the files that are whole.

        Raises:
            OSError: the folder cannot be read.
        """
        seen = dict(self._files())
        whole = [
            name
            for name, facts in sorted(seen.items())
            if self._seen.get(name) == facts and self._done.get(name) != facts
        ]
        self._seen = seen
        self._done = {n: f for n, f in self._done.items() if n in seen}
        for name in whole:
            if self.stopping.is_set() or self._desk.crowded:
                return
            self._take(name, seen[name])

    def _files(self) -> Iterator[tuple[str, _Seen]]:
        with os.scandir(self.folder) as entries:
            for count, entry in enumerate(entries):
                if count >= _MOST_NAMES:
                    return
                name = entry.name
                if name.startswith((".", "~$")) or name.endswith(_REPORT):
                    continue
                if not name.lower().endswith(_SUFFIXES):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    facts = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(facts.st_mode):
                        yield name, _Seen(facts.st_size, facts.st_mtime_ns)

    def _take(self, name: str, facts: _Seen) -> None:
        if facts.size > sheets.LIMIT:
            said = f"the file is larger than {sheets.LIMIT // 2**20} MiB: split it"
            sheet = Sheet(problems=[Problem(name, 0, 0, said)], usable=False)
            self._settle(name, facts, sheet, "")
            return
        try:
            raw = self._bytes(name)
        except OSError as error:
            # Windows and Excel hold what they write: the next look tries again
            why = (error.strerror or str(error)).lower()
            log.debug("labels file not opened", file=name, why=why)
            return
        digest = hashlib.sha256(raw).hexdigest()
        if digest in self._digests:
            self._done[name] = facts
            return
        sheet = sheets.read(name, raw, self._reader, self._zone)
        if self._handed_over(sheet):
            self._settle(name, facts, sheet, digest)

    def _bytes(self, name: str) -> bytes:
        with os.fdopen(os.open(self.folder / name, _OPEN), "rb") as file:
            return file.read(sheets.LIMIT + 1)

    def _handed_over(self, sheet: Sheet) -> bool:
        """Give the labels to the desk; True once they are safe on disk."""
        for begin in range(0, len(sheet.labels), _AT_ONCE):
            portion = sheet.labels[begin : begin + _AT_ONCE]
            waiting = _Waiting()
            if not self._desk.labelled(self.pipeline, portion, waiting.told):
                return False
            if not waiting.safe():
                return False
        return True

    def _settle(self, name: str, facts: _Seen, sheet: Sheet, digest: str) -> None:
        """Move a file that was read, and say what was wrong with it."""
        good = sheet.usable and (bool(sheet.labels) or not sheet.bad)
        for cause, count in (sheet.causes or ({} if good else {"file": 1})).items():
            self._desk.refused(self.pipeline, cause, count)
        self.read += good
        self.refused += not good
        log.info(
            "labels file read" if good else "labels file refused",
            pipeline=self.pipeline,
            file=name,
            labels=len(sheet.labels),
            bad_lines=sheet.bad,
        )
        try:
            place = self._moved(name, READ if good else REFUSED)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            log.warning("labels file not moved", file=name, why=why)
            self._remember(name, facts, digest)
            place = self._memory.parent / name
        if sheet.problems:
            self._report(place, sheet)

    def _moved(self, name: str, to: str) -> Path:
        """Rename a file into a folder below, whatever is there already.

        Raises:
            OSError: it cannot be.
        """
        target = self.folder / to
        target.mkdir(exist_ok=True)
        stem, dot, suffix = name.rpartition(".")
        for number in range(1, 10_000):
            place = target / (name if number == 1 else f"{stem}.{number}{dot}{suffix}")
            try:
                os.link(self.folder / name, place, follow_symlinks=False)
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP}:
                    raise
                # no hard links here (a share, a stick): nobody else writes below
                if place.exists():
                    continue
                (self.folder / name).rename(place)
                return place
            (self.folder / name).unlink()
            return place
        raise FileExistsError(errno.EEXIST, "too many files of this name", str(target))

    def _report(self, place: Path, sheet: Sheet) -> None:
        more = sheet.bad - len(sheet.problems)
        text = report(sheet.problems)
        if more > 0:
            text += f"\n{more} more bad lines are not listed."
        used = len(sheet.labels)
        text += f"\n{used} label{'' if used == 1 else 's'} used.\n"
        path = place.with_name(place.name + _REPORT)
        try:
            write_whole(path, text.encode("utf-8", "replace"))
        except OSError as error:
            log.warning("labels report not written", file=str(path), why=str(error))

    # -- files that cannot be moved ------------------------------------------------

    def _remember(self, name: str, facts: _Seen, digest: str) -> None:
        self._done[name] = facts
        if not digest:
            return
        self._digests[digest] = None
        while len(self._digests) > _REMEMBERED:
            del self._digests[next(iter(self._digests))]
        with contextlib.suppress(OSError):
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._memory, msgspec.json.encode(list(self._digests)), 0o640)

    def _remembered(self) -> dict[str, None]:
        try:
            found = msgspec.json.decode(self._memory.read_bytes(), type=list[str])
        except (OSError, msgspec.MsgspecError):
            return {}
        return dict.fromkeys(found[-_REMEMBERED:])
