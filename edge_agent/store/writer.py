"""The thread that owns the database: open, commit, answer, survive the disk.

A commit that fails is tried again with a growing wait. A file found damaged while
running is put aside like one found at start.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.durable import sync_folder
from edge_agent.records import EventRecord
from edge_agent.samples import NANOSECONDS
from edge_agent.store import answers, condition, losses, quarantine, recovery
from edge_agent.store.chores import AT_ONCE, Chores
from edge_agent.store.disk import Disk
from edge_agent.store.losses import Losses
from edge_agent.store.pledge import Pledge
from edge_agent.store.rows import Transaction
from edge_agent.store.salvage import take_over
from edge_agent.store.schema import is_corrupt
from edge_agent.store.work import Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.config.keeping import Store
    from edge_agent.instruments import Instruments
    from edge_agent.store.database import Database
    from edge_agent.store.outbox import Entry, Loss, LossKey
    from edge_agent.store.traces import Origin
    from edge_agent.store.tray import Tray
    from edge_agent.store.work import Ask, Work

log = structlog.get_logger()

#: Attempts to open a file that cannot be read before it is put aside; and at a start,
#: one right after the other.
PATIENCE, TRIES = 4, 5
_EPOCH_2020 = 1_577_836_800  # a start without a disk counts from its second
_GONE = "no longer configured: what was still owed to it is dropped and counted"
_UNREAD = "this part of the saved state was unreadable and begins anew"


class Writer:
    """Everything that touches the file; used by the journal's thread only.

    Args:
        path: the file.
        settings: what is promised, and how much may be kept.
        outputs: names of the configured outputs.
        tray: where work comes from.
        hand_out: tells those who wait for commits; called in this thread.
        clock: agent time.
        instruments: counters.
        origin: what all that is kept of this run shares.
    """

    def __init__(
        self,
        path: Path,
        settings: Store,
        outputs: Sequence[str],
        tray: Tray,
        hand_out: Callable[[Callable[[], list[Entry]]], object],
        clock: Clock,
        instruments: Instruments,
        origin: Origin,
    ) -> None:
        self._path = path
        self._outputs = outputs
        self._tray = tray
        self._hand_out = hand_out
        self._clock = clock
        self._instruments = instruments
        self._origin = origin
        self._database: Database | None = None
        self._chores = Chores(outputs, clock, partial(self._count, ()))
        self._damage = ""
        self._boot = 0
        self._losses = Losses()
        self._disk = Disk(path, clock, self._tell)
        self.pledge = Pledge(path, settings, tray.flow, clock, self._tell)
        self._quarantined, self.status = 0, dict[str, Any]()

    def open(self) -> Opened:
        """Open the file; with a failing disk, begin without it.

        Raises:
            StoreInUse: another process has it.
        """
        opened = Opened(recovery.read_boot(self._path) + 1)
        opened.last_seen = losses.last_seen(self._path)
        self.pledge.begin()
        if (error := self._begun(opened)) is not None:
            # ids stay unique although the boot cannot be counted on disk
            opened.seq = max(self._wall() // NANOSECONDS - _EPOCH_2020, 0) << 14
            self._disk_failed(error)
            self._disk.doubtful = True  # what was left undone is done before a commit
        self._boot = opened.boot
        self._show()
        if (database := self._database) and not database.engine.exclusive:
            log.warning("store not exclusive", engine=self.status["engine"])
        return opened

    def _begun(self, opened: Opened) -> BaseException | None:
        """Open the file, tried some times; what a failing disk says.

        Without the saved state every window and alarm would begin anew.
        """
        failed: BaseException | None = None
        for _ in range(TRIES):
            try:
                self._read(opened)
                opened.events += self._move_in()
            except (sqlite3.Error, OSError) as error:
                recovery.refuse_taken(self._path, error)
                failed = error
            else:
                return None
            if self._database:
                break  # it can be read, if not written
        return failed

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database = None

    @property
    def _usable(self) -> Database | None:
        return None if self._disk.doubtful else self._database

    def run(self) -> None:
        """Work until the tray says that this was the last."""
        self._do_chores(AT_ONCE)
        self.pledge.opened(self._usable)
        while True:
            work = self._tray.next(self._disk.not_before, self._chores.pause)
            for read in work.reads if work else ():
                self._answer(read)
            held = work is None or bool(work.reads) or self._commit(work)
            self._do_chores(1)
            if work is None or work.reads:
                continue
            self.pledge.look(self._usable, last=work.last)
            rows = self._tray.depth()[0]
            if work.last and rows and not held:
                log.error("records lost at stop", rows=rows, error=self._disk.failure)
                losses.note(self._path, self._tray.unwritten(losses.AT_STOP))
            if work.last and not (rows and held):
                break
        self._chores.end()
        self._close()

    def _read(self, opened: Opened) -> None:
        """Open the file and take from it what the start needs."""
        database, salvage = recovery.open_store(
            self._path,
            self.pledge.limit,
            self._wall(),
            patient=self._disk.failures < PATIENCE,
            damage=self._damage,
        )
        self._database, self._damage = database, ""
        self._chores.begin(database, salvage)
        self._losses.known = database.ledger()
        boots = [opened.boot, database.last_boot() + 1]
        opened.checkpoint, damaged = database.checkpoint()
        opened.findings = database.open_findings()
        if salvage is not None and salvage.note.fresh:
            boots.append(salvage.boot + 1)
            take_over(database, salvage)
            opened.checkpoint, _ = database.checkpoint()
            opened.findings = salvage.findings
            told = self._event("store damaged", str(self._path), salvage.told())
            opened.events.append(told)
        if damaged:
            names = ", ".join(damaged)
            opened.events.append(self._event("checkpoint damaged", names, _UNREAD))
        opened.boot = self._boot = self._boot or max(boots)

    def _move_in(self) -> list[EventRecord]:
        """Write down this opening and its outputs."""
        assert self._database is not None  # noqa: S101 - just opened
        # first what can be read even from a disk that takes nothing more
        gone = self._database.set_outputs(self._outputs)
        if recovery.read_boot(self._path) < self._boot:
            recovery.write_boot(self._path, self._boot)
        self._database.note_boot(self._boot)
        if self._database.whole:  # else a chore
            self._database.sweep(answers.DAMAGED_ROW)
        losses.begin(self._database, self._boot, self._clock, self._origin)
        self._losses.known = self._database.ledger()
        self._quarantined = self._database.inquire(quarantine.count)
        # SQLite does not look whether that worked for the log it has just made
        sync_folder(self._path.parent)
        return [self._event("output removed", ", ".join(gone), _GONE)] if gone else []

    def _reopen(self) -> None:
        """Begin again with the file after an error."""
        if self._database is not None:
            recovery.mend_log(self._path)  # first: closing folds it into the file
            self._close()
        opened = Opened(self._boot)
        self._read(opened)
        events = opened.events + self._move_in()
        self._disk.doubtful = False
        self._tray.put(events, {})
        self._do_chores(AT_ONCE)

    def _do_chores(self, pieces: int) -> None:
        """Some of what can wait; submitters never wait for it."""
        try:
            for _ in range(pieces):
                self._chores.step()
        except (sqlite3.Error, OSError) as error:
            self._disk_failed(error)
        self._show()

    def _commit(self, work: Work) -> bool:
        """Write it all; whether that held."""
        try:
            if self._disk.doubtful or self._database is None:
                self._reopen()
            reports = self._write(work)
        except (sqlite3.Error, OSError) as error:
            self._tray.failed(work)
            self._disk_failed(error)
            return False
        self._show()  # first: a record in neither count would look delivered
        self._hand_out(lambda: [*self._tray.committed(work), *reports])
        self._disk.worked()
        return True

    def _write(self, work: Work) -> list[Entry]:
        """One transaction; returns the loss reports it holds beside the work."""
        assert self._database is not None  # noqa: S101 - _commit has opened it
        now, before = self._clock.now(), self._database.fill
        due = self._losses.due(now, last=work.last)
        reports = self._tray.number(self._losses.records(due, now))
        entries = [*work.entries, *reports]
        room = self._disk.room_to_make(self._tray.depth()[1], self._tray.limit)
        asked = (work.losses, work.told, due, room, self._origin)
        lost = self._database.commit(
            Transaction(entries, work.acks, work.checkpoint, work.refused, *asked)
        )
        condition.forgotten(self._instruments, before, self._database.fill)
        if work.refused:
            self._quarantined = self._database.inquire(quarantine.count)
        if due:
            self._losses.reported(now)
        self._count(entries, lost)
        self._losses.more(work.told)
        self._tray.told.report_at = self._losses.next_due(now)
        return reports

    def _count(self, entries: Sequence[Entry], lost: dict[LossKey, Loss]) -> None:
        self._losses.more(lost)
        condition.committed(self._instruments, sum(e.rows for e in entries), lost)

    def _answer(self, read: Ask) -> None:
        if not read.answer.set_running_or_notify_cancel():
            return
        unread = partial(self._count, ())
        error = answers.give(read, self._database, self._tray, self._origin, unread)
        if error is not None:
            self._disk_failed(error)

    def _disk_failed(self, error: BaseException) -> None:
        self._instruments.count("store_failures_total")
        if is_corrupt(error):
            self._damage = f"{self._path}: {error}"
        self._disk.failed(error)

    def _tell(self, event: EventRecord) -> None:
        self._tray.put([event], {})

    def _event(self, name: str, subject: str, message: str) -> EventRecord:
        return EventRecord(self._clock.now(), name, subject, message)

    def _wall(self) -> int:
        return self._clock.now() + self._clock.wall_offset()

    def _show(self) -> None:
        """Refresh what the journal's status tells about the disk."""
        self.status = {
            "boot": self._boot,
            "failing": self._disk.failure,
            "chore": self._chores.told,
            "failing_since": self._disk.failing_since,
            "quarantined": self._quarantined,
            **condition.told(self._usable, self._instruments),
        }
