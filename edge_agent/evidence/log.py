"""The log as its writer has it: groups of lines, segments, anchors, the key."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edge_agent.evidence import opening
from edge_agent.evidence.line import NOTHING, hash_of, line_of, suffix
from edge_agent.evidence.notary import Notary
from edge_agent.evidence.opening import Broken
from edge_agent.evidence.recovery import recovered
from edge_agent.evidence.report import Stretch
from edge_agent.evidence.retention import Limits, Retention
from edge_agent.evidence.segments import name_of
from edge_agent.evidence.tail import Tail
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.evidence.keyring import Keys
    from edge_agent.evidence.line import Facts
    from edge_agent.evidence.recovery import Found
    from edge_agent.evidence.retention import Sent
    from edge_agent.evidence.signing import Head
    from edge_agent.records import LossRecord


@dataclass(slots=True)
class _End:
    """Where the log ends."""

    number: int = 0
    hash: str = NOTHING
    anchored: bool = False
    """The last line is an anchor."""
    since: int = 0
    """Agent time of the first line behind the last anchor."""


class Log:
    """Appends; one thread at a time does.

    Args:
        folder: ``state_dir/evidence``; it is made.
        gateway: its name.
        clock: agent time.
        limits: how much is kept, and how it is cut into segments.
        sent: number up to which another place has it too; None where there is none.
    """

    def __init__(
        self,
        folder: Path,
        gateway: str,
        clock: Clock,
        limits: Limits | None = None,
        sent: Sent = lambda: None,
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._notary = Notary(folder, gateway, clock)
        self._retention = Retention(folder, self._limits, sent)
        self._end = _End()
        self._seen: set[int] = set()
        self._tail: Tail | None = None
        self._stretch = Stretch("")
        self._segment = 0
        self._broken: Broken | None = None
        self._why = ""
        """What the next opening is for, where a new segment must begin."""
        self.written = 0
        """Bytes of lines given to the disk so far."""
        self.is_open = False
        """`open` has held."""

    def open(self) -> Found:
        """Find where the log ends and mend what a crash left.

        Returns:
            What was there; a damaged log is gone on with in a new chain.

        Raises:
            OSError: the disk refused; call again.
        """
        with self._lock:
            self.folder.mkdir(0o750, parents=True, exist_ok=True)
            keys = self._notary.keys
            found = recovered(self.folder, keys)
            report = found.report
            self._seen = found.seen
            self._segment = found.segment
            self._retention.ended = list(report.segments)
            now = self._clock.now()
            last = report.hash if report.end else NOTHING
            self._end = _End(report.end, last, report.anchored, now)
            self._why, self._broken = "", None
            self._go_on(found, keys)
            if self._why:
                self._begin_segment()
            self.is_open = True
            return found

    def _go_on(self, found: Found, keys: Keys) -> None:
        report = found.report
        if found.fresh or not self._end.hash:
            number = max(report.end, report.known)
            self._broken = Broken(report.end, report.known, found.fresh)
            self._end = _End(number, NOTHING, True, 0)
            self._why = opening.BROKEN
        elif not report.segments:
            self._why = opening.BEGUN
        elif keys.why or (report.signers and keys.id != list(report.signers)[-1]):
            self._why = opening.CHANGED
        else:
            self._stretch = self._retention.ended.pop()
            path = self.folder / self._stretch.name
            self._tail = Tail(path, self._stretch.size)
            self._note_head(begin=True)

    def append(self, group: Sequence[Facts]) -> int:
        """Add lines; on disk with a head of them when this returns.

        Those of records that the log has already are left out.

        Returns:
            How many were added.

        Raises:
            OSError: the disk refused; none of them counts, call again.
        """
        with self._lock:
            endings = [(one, suffix(one)) for one in group]
            fresh = [
                (one, ending)
                for one, ending in endings
                if not (one.boot and hash(ending) in self._seen)
            ]
            if fresh:
                self._turn_page()
                self._add([ending for _, ending in fresh])
            return len(fresh)

    def tend(self) -> None:
        """Anchor what has waited long enough, and let go what is too old.

        Raises:
            OSError: the disk refused; call again.
        """
        with self._lock:
            waited = self._clock.now() - self._end.since
            if not self._end.anchored and waited >= self._limits.anchor * NANOSECONDS:
                self._anchor()

    def close(self) -> None:
        """Anchor what is there, and leave the file.

        Raises:
            OSError: the disk refused; the next start goes on.
        """
        with self._lock:
            if self._tail is not None and not self._end.anchored:
                self._anchor()
            if self._tail is not None:
                self._tail.close()

    def head(self) -> Head | None:
        """The newest head; any thread. Lines up to its number are final."""
        return self._notary.newest

    @property
    def key(self) -> str:
        """Id of the key it is signed with."""
        return self._notary.keys.id

    @property
    def lost_key(self) -> str:
        """What became of the key before it, where that is lost; else empty."""
        keys = self._notary.keys
        former = f" (it was {keys.former[:16]}…)" if keys.former else ""
        return f"{keys.why}{former}" if keys.why else ""

    def losses(self) -> list[LossRecord]:
        """What went and had reached no other place, since the last call."""
        return self._retention.losses(self._clock.now())

    def status(self) -> dict[str, Any]:
        """For a technician; any thread."""
        head = self._notary.newest
        return {
            "number": head.number if head else 0,
            "hash": head.hash if head else "",
            "date": head.date if head else "",
            "key": head.key if head else "",
            "segments": len(self._retention.ended) + 1,
            "bytes": self._retention.bytes + self._stretch.size,
            "limit_bytes": self._limits.room,
            "keep_s": self._limits.keep,
            "oldest": self._retention.oldest or self._stretch.opened,
            "bytes_written": self.written + self._notary.written,
        }

    # -- with the lock ---------------------------------------------------------------

    def _add(self, endings: Sequence[bytes]) -> None:
        """A group and its head: both, or the log ends where it did."""
        assert self._tail is not None  # noqa: S101 - a segment was begun
        end, stretch, size = self._end, replace(self._stretch), self._tail.size
        try:
            self._write(endings)
            self._note_head()
        except OSError:
            self._end, self._stretch = end, stretch
            self._tail.close()  # what is behind its size goes before the next write
            self._tail.size = size
            raise

    def _turn_page(self) -> None:
        """Begin a new segment where the old one is full, or of another day."""
        today = self._notary.date()[:10]
        full = self._stretch.size >= self._limits.segment
        if not self._why and (full or self._stretch.opened[:10] != today):
            if not self._end.anchored:
                self._anchor()
            self._retention.ended.append(self._stretch)
            self._why = opening.NEXT
        if self._why:
            self._begin_segment()
            self._retain()

    def _begin_segment(self) -> None:
        """Open a new file with its first line."""
        if self._tail is not None:
            self._tail.close()
        end, index = self._end, self._segment + 1
        chained = end.number and self._why != opening.BROKEN
        head = self._notary.signed(end.number, end.hash) if chained else None
        facts = self._notary.opens(self._why, index, head, self._broken)
        self._tail = Tail(self.folder / name_of(index), 0)
        self._stretch = Stretch(name_of(index))
        self._write([suffix(facts)])
        self._segment, self._why, self._broken = index, "", None
        self._note_head(begin=True)

    def _anchor(self) -> None:
        self._write([suffix(self._notary.anchor(self._end.number, self._end.hash))])
        self._end.anchored = True
        self._note_head()

    def _retain(self) -> None:
        """Let the oldest segments go: first it is written, then they are removed."""
        wall = self._clock.now() + self._clock.wall_offset()
        gone = self._retention.due(wall, self._stretch)
        if gone is None:
            return
        at, offset = self._clock.now(), self._clock.wall_offset()
        facts = opening.removes(gone, self._notary.gateway, at, offset)
        self._write([suffix(facts)])
        self._note_head()
        self._retention.remove(gone)

    def _write(self, endings: Iterable[bytes]) -> None:
        assert self._tail is not None  # noqa: S101 - a segment was begun
        number, previous, lines = self._end.number, self._end.hash, []
        for ending in endings:
            number += 1
            line = line_of(number, previous, ending)
            previous = hash_of(previous, line)
            lines.append(line)
        body = b"\n".join(lines) + b"\n"
        self._tail.write(body)
        self.written += len(body)
        since = self._clock.now() if self._end.anchored else self._end.since
        self._grow(number, previous, len(lines), len(body))
        self._end = _End(number, previous, False, since)

    def _grow(self, number: int, last: str, lines: int, size: int) -> None:
        stretch = self._stretch
        if not stretch.entries:
            stretch.first, stretch.opened = number - lines + 1, self._notary.date()
        stretch.last, stretch.hash, stretch.date = number, last, self._notary.date()
        stretch.entries += lines
        stretch.size += size

    def _note_head(self, *, begin: bool = False) -> None:
        self._notary.note(self._end.number, self._end.hash, begin=begin)
