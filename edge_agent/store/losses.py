"""Losses on their way through the store: told, written down, due to be reported.

A loss is in the ledger on disk with the next commit: a process that is killed takes
with it what it lost in the last flush interval, and of losses that go on, the counts of
the last `PATIENCE` of them. What the ledger holds of one kind, subject and
cause becomes one record a minute.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec
import structlog

from edge_agent.durable import write_whole
from edge_agent.losses import OTHERS
from edge_agent.records import LossRecord
from edge_agent.samples import NANOSECONDS
from edge_agent.store import lost
from edge_agent.store.archive import Left
from edge_agent.store.outbox import Loss, add_loss
from edge_agent.store.plain import text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.store.database import Database
    from edge_agent.store.outbox import LossKey
    from edge_agent.store.rows import Refused
    from edge_agent.store.traces import Origin

log = structlog.get_logger()

#: Seconds between two reports of the same loss: one record a minute, not one a flush.
REPORT_LOSSES = 60.0
#: Flush intervals that more of a loss that is known may wait.
PATIENCE = 10
REFUSED = "refused by the output for good; kept in quarantine"
AT_STOP = "the agent stopped while its disk was failing"
#: Losses that wait for a disk; from there on a new subject is one of the others.
_APART = 2000
_LONGEST = 500  # characters of one text
_note_decoder = msgspec.json.Decoder(list[tuple[str, str, str, int, int, int]])


class Told:
    """Losses that others told of, until a transaction takes them.

    A new one waits for the flush interval, one of a kind that this minute knows ten
    times as long: a loss every second would else be a commit every second.

    Args:
        flush: interval, ns.

    Attributes:
        losses: by what, subject and cause.
        report_at: agent time at which what is written down is to be reported.
    """

    def __init__(self, flush: int) -> None:
        self.losses: dict[LossKey, Loss] = {}
        self.report_at: int | None = None
        self._flush = flush
        self._due: int | None = None
        self._minute = -1
        self._known: set[LossKey] = set()

    def add(self, key: LossKey, loss: Loss, now: int) -> None:
        """Something was lost."""
        what, subject, cause = (text(word)[:_LONGEST] for word in key)
        if (what, subject, cause) not in self.losses and len(self.losses) >= _APART:
            subject = OTHERS
        key = (what, subject, cause)
        add_loss(self.losses, key, loss)
        due = now + self._flush * (PATIENCE if self._knows(key, now) else 1)
        self._due = due if self._due is None else min(self._due, due)

    def _knows(self, key: LossKey, now: int) -> bool:
        """Whether this minute has seen one like it; from now on it has."""
        minute = now // int(REPORT_LOSSES * NANOSECONDS)
        if minute != self._minute:
            self._minute = minute
            self._known.clear()
        known = key in self._known
        self._known.add(key)
        return known

    def refused(self, refused: Refused) -> None:
        """An output will never take some rows."""
        loss = Loss(refused.rows, refused.first, refused.last)
        self.add(("rows", refused.output, REFUSED), loss, refused.at)

    def dues(self) -> list[int]:
        """Agent times at which there is something to write for it."""
        return [due for due in (self._due, self.report_at) if due is not None]

    def take(self) -> dict[LossKey, Loss]:
        """All of them, for a transaction."""
        taken, self.losses, self._due = self.losses, {}, None
        return taken


class Losses:
    """The ledger as the writer knows it; the file has the same."""

    def __init__(self) -> None:
        self.known: dict[LossKey, Loss] = {}
        self._reported_at: int | None = None

    def more(self, losses: Mapping[LossKey, Loss]) -> None:
        """These were written down, in a transaction that held."""
        for key, loss in losses.items():
            add_loss(self.known, key, loss)

    def due(self, now: int, *, last: bool) -> dict[LossKey, Loss]:
        """What the next transaction should report: nothing too soon."""
        return dict(self.known) if last or self._next() <= now else {}

    def next_due(self, now: int) -> int | None:
        """When that is, None where there is nothing to report."""
        return max(self._next(), now) if self.known else None

    def records(self, due: Mapping[LossKey, Loss], now: int) -> list[LossRecord]:
        """The reports."""
        return [
            LossRecord(now, what, subject, loss.count, loss.first, loss.last, cause)
            for (what, subject, cause), loss in due.items()
        ]

    def reported(self, now: int) -> None:
        """The transaction with the reports held."""
        self.known.clear()
        self._reported_at = now

    def _next(self) -> int:
        before = self._reported_at
        return 0 if before is None else before + int(REPORT_LOSSES * NANOSECONDS)


def begin(database: Database, boot: int, clock: Clock, origin: Origin) -> None:
    """Begin the ledger of a file, or go on with it and with the note beside it.

    Raises:
        sqlite3.Error: the file cannot be written.
    """
    noted = _noted(database.path)
    mark = lost.mark(boot, clock.now(), clock.wall_offset(), origin)
    kept = database.fill.losses.rows
    if noted or not kept:
        database.keep(Left(losses=[] if kept else [mark]), noted)
    with contextlib.suppress(OSError):
        _beside(database.path).unlink(missing_ok=True)


def note(path: Path, losses: Mapping[LossKey, Loss]) -> None:
    """Note what the store could not take any more beside it, for the next start.

    It is tried: on a disk that takes nothing at all only the log says so.
    """
    rows = [(*key, one.count, one.first, one.last) for key, one in losses.items()]
    try:
        write_whole(_beside(path), msgspec.json.encode(rows))
    except OSError as why:
        log.error("losses not noted", error=str(why), losses=rows[:20])  # noqa: TRY400


def last_seen(path: Path) -> int:
    """When a store was last written, ns UTC by the file's date; 0 for no store."""
    newest = 0
    for side in ("", "-wal"):
        with contextlib.suppress(OSError):
            found = path.with_name(path.name + side).stat().st_mtime_ns
            newest = max(newest, found)
    return newest


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".lost")


def _noted(path: Path) -> dict[LossKey, Loss]:
    found: dict[LossKey, Loss] = {}
    # a note that cannot be read is left out: the log had it too
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        for *key, count, first, last in _note_decoder.decode(
            _beside(path).read_bytes()
        ):
            what, subject, cause = map(str, key)
            add_loss(found, (what, subject, cause), Loss(count, first, last))
    return found
