"""Between those who submit and the writer: the one lock of the store.

Every method returns at once but `next`, where the writer waits for a reason to
write. Ages are agent time; a wait is only ever a guess, so due is asked again.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from edge_agent.records import RecordClass
from edge_agent.samples import NANOSECONDS
from edge_agent.store.flow import Flow
from edge_agent.store.losses import Told
from edge_agent.store.numbering import Numbering
from edge_agent.store.outbox import Loss, Waiting
from edge_agent.store.upcoming import Upcoming
from edge_agent.store.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.clock import Clock
    from edge_agent.records import Record
    from edge_agent.records.appetites import Appetite
    from edge_agent.store.outbox import Entry, LossKey, Stored
    from edge_agent.store.rows import Refused
    from edge_agent.store.work import Ask, Read

#: Rows, or acknowledged records, worth a commit before the flush interval is over.
ROWS_A_COMMIT = 500
#: A checkpoint alone, or with scores, may wait this many flush intervals: whatever is
#: above scores brings its own along, and flash wears by the commit.
CHECKPOINT_PATIENCE = 10
#: Nanoseconds an alarm waits for the disk before it is sent uncommitted.
OVERDUE = NANOSECONDS // 2


class Tray:
    """What was submitted and not yet written.

    Args:
        flush: seconds a record waits at most for its commit.
        limit: bytes held at most while the disk is failing.
        outputs: what each takes.
        clock: agent time.
    """

    def __init__(
        self, flush: float, limit: int, outputs: Sequence[Appetite], clock: Clock
    ) -> None:
        self._flush = int(flush * NANOSECONDS)
        self.numbering = Numbering(outputs)
        self._clock = clock
        self._lock = lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._urgent = threading.Condition(lock)
        self._waiting = Waiting(limit)
        self.limit = limit
        self._state = Upcoming()
        self._refused: list[Refused] = []
        self.told = Told(self._flush)
        """Losses from elsewhere."""
        self._reads: list[Ask] = []
        self._wake_at: int | None = None
        self._stopping = False
        self.flow = Flow()
        self.broken: BaseException | None = None  # what ended the writer, should it end

    def begin(self, boot: int, seq: int, checkpoint: Mapping[str, bytes]) -> None:
        """Number what follows from here; the checkpoint is what the disk has."""
        with self._lock:
            self.numbering.begin(boot, seq)
            self._state.begin(checkpoint)

    def put(
        self, records: Iterable[Record], checkpoint: Mapping[str, bytes]
    ) -> list[Stored]:
        """Number records and queue them with the checkpoint they belong to."""
        now, offset = self._clock.now(), self._offset()
        with self._lock:
            self._alive()
            self._state.merge(checkpoint, now)
            numbered = [self._add(record, now, offset) for record in records]
            self._wake_if_due(now)
        return numbered

    def number(self, records: Iterable[Record]) -> list[Entry]:
        """Entries for records that the writer adds to the commit it is making."""
        now, offset = self._clock.now(), self._offset()
        with self._lock:
            made = [self.numbering.entry(record, now, offset) for record in records]
            self._waiting.reporting = made[0].stored.id if made else None
        return made

    def reserve(self, rows: int) -> int:
        """Id of the first of some rows that are sent without being stored."""
        with self._lock:
            return self.numbering.reserve(rows)

    def acknowledge(self, bit: int, ids: Iterable[int]) -> None:
        """An output has these records."""
        now = self._clock.now()
        with self._lock:
            self._waiting.acknowledge(bit, ids, now)
            self._wake_if_due(now)

    def refuse(self, refused: Refused) -> None:
        """Keep aside what an output will never take: to the ledger, it is lost."""
        with self._lock:
            self._refused.append(refused)
            self.told.refused(refused)

    def lose(self, key: LossKey, count: int, first: int, last: int) -> None:
        """Something was lost elsewhere; the ledger has it with the next commit."""
        now = self._clock.now()
        with self._lock:
            self.told.add(key, Loss(count, first, last), now)
            self._wake_if_due(now)

    def ask(self, read: Ask) -> None:
        """Queue a read; the writer answers it."""
        with self._lock:
            self._alive()
            self._reads.append(read)
            self._changed.notify()

    def unsettled(self, read: Read, found: list[Stored]) -> list[Stored]:
        """Without those acknowledged already, whose deletion is not written yet."""
        with self._lock:
            acks = self._waiting.acks
            return [s for s in found if not acks.get(s.id, 0) & read.bit]

    def waiting(self, read: Read) -> list[Stored]:
        """The part of an answer that is still in memory."""
        with self._lock:
            return self._waiting.owed_to(
                read.bit, read.after, urgent=read.urgent, live=read.live
            )

    def traced(self) -> list[Stored]:
        """Records that leave a trace and are still in memory."""
        with self._lock:
            return self._waiting.traced()

    def stop(self) -> None:
        """Let `next` return everything at once, for the last time."""
        with self._lock:
            self._stopping = True
            self._changed.notify_all()
            self._urgent.notify_all()

    def give_up(self, error: BaseException) -> None:
        """The writer has died: whoever waits or comes later is told."""
        with self._lock:
            self.broken, self._stopping = error, True
            reads, self._reads = self._reads, []
            self._urgent.notify_all()
        for read in reads:
            read.answer.set_exception(error)

    def next(self, not_before: int, pause: float | None = None) -> Work | None:
        """Wait for something to do.

        Args:
            not_before: agent time of the next attempt after a failed one; reads are
                answered all the same.
            pause: seconds to wait at most; then there is nothing to do.
        """
        until = None if pause is None else self._clock.now() + int(pause * NANOSECONDS)
        with self._lock:
            while True:
                if self._reads:
                    reads, self._reads = self._reads, []
                    return Work(reads=reads)
                if self._stopping:
                    return self._begin()
                now, due = self._clock.now(), self._due()
                if due is not None and max(due, not_before) <= now:
                    return self._begin()
                if until is not None and now >= until:
                    return None
                self._wake_at = None if due is None else max(due, not_before)
                ends = [end for end in (self._wake_at, until) if end is not None]
                wait = (min(ends) - now) / NANOSECONDS if ends else None
                self._changed.wait(wait)
                self._wake_at = None

    def committed(self, work: Work) -> list[Entry]:
        """The transaction held; returns entries nobody was told about yet."""
        with self._lock:
            self._waiting.commit(work.entries)
            self._state.committed(work.checkpoint)
            fresh = [entry for entry in work.entries if not entry.handed]
            for entry in fresh:
                entry.handed = True
            self._urgent.notify()
        return fresh

    def failed(self, work: Work) -> None:
        """The transaction did not hold: all of it waits for the next one."""
        now = self._clock.now()
        with self._lock:
            self._waiting.abandon(work.entries, work.acks, now)
            self._urgent.notify()
            self._refused[:0] = work.refused
            for key, loss in work.losses.items():
                self._waiting.lose(key, loss)
            self._state.failed(work.checkpoint)
            for key, loss in work.told.items():
                self.told.add(key, loss, now)

    def unwritten(self, cause: str) -> dict[LossKey, Loss]:
        """Everything that waits, as losses."""
        with self._lock:
            return self._waiting.unwritten(cause) | self.told.losses

    def overdue(self) -> bool:
        """Wait until the disk keeps an alarm or event too long; False at a stop."""
        with self._lock:
            while not self._stopping:
                late, now = self._waiting.unhanded(), self._clock.now()
                due = late[0].since + OVERDUE if late else None
                if due is not None and due <= now:
                    return True
                self._urgent.wait(None if due is None else (due - now) / NANOSECONDS)
        return False

    def take_overdue(self, *, patient: bool = True) -> list[Entry]:
        """Alarms and events that the disk keeps too long; they are told from now on."""
        with self._lock:
            return self._waiting.hand(self._clock.now() - (OVERDUE if patient else 0))

    def depth(self) -> tuple[int, int, int | None, int]:
        """Rows, bytes and oldest agent time waiting; rows never written so far."""
        with self._lock:
            waiting = self._waiting
            return waiting.rows, waiting.size, waiting.oldest(), waiting.elided

    def _offset(self) -> int:
        offset = self._clock.wall_offset()
        # less is slew, not a step, and is left off the labels
        return offset if abs(offset) > NANOSECONDS else 0

    def _alive(self) -> None:
        if self.broken is not None:
            raise RuntimeError("the journal's thread has died") from self.broken

    def _add(self, record: Record, now: int, offset: int) -> Stored:
        entry = self.numbering.entry(record, now, offset)
        if entry.rows and (entry.owed or entry.traced):
            self._waiting.add(entry)
            self.flow.count(entry)
            if entry.kind <= RecordClass.AUDIT:
                self._urgent.notify()
        return entry.stored

    def _due(self) -> int | None:
        """Agent time at which something should be written; None: nothing is there."""
        waiting, dues = self._waiting, []
        oldest = waiting.oldest()
        if oldest is not None:
            at_once = waiting.urgent or waiting.rows >= ROWS_A_COMMIT
            dues.append(oldest if at_once else oldest + self._flush)
        if waiting.acks:
            wait = 0 if len(waiting.acks) >= ROWS_A_COMMIT else self._flush
            dues.append(waiting.acks_since + wait)
        saved = self._state.due(CHECKPOINT_PATIENCE * self._flush)
        dues += [saved] if saved is not None else []
        if self._refused:  # a burst of them is not worth a commit each
            dues.append(self._refused[0].at + self._flush)
        if waiting.losses:
            dues.append(0)
        dues += self.told.dues()
        return min(dues, default=None)

    def _ripe(self, entries: Iterable[Entry]) -> bool:
        """Whether the state goes along: it must where it remembers a record."""
        due = self._state.due(CHECKPOINT_PATIENCE * self._flush)
        told = any(entry.kind < RecordClass.SCORE for entry in entries)
        overdue = due is not None and due <= self._clock.now()
        return self._stopping or told or overdue

    def _wake_if_due(self, now: int) -> None:
        """Wake the writer only when it would sleep too long."""
        due = self._due()
        if due is not None and (self._wake_at is None or due < self._wake_at):
            self._wake_at = max(due, now)
            self._changed.notify()

    def _begin(self) -> Work:
        entries, acks = self._waiting.begin()
        checkpoint = self._state.take() if self._ripe(entries) else {}
        refused, self._refused = self._refused, []
        losses, self._waiting.losses = self._waiting.losses, {}
        told = self.told.take()
        return Work(
            [], entries, acks, checkpoint, refused, losses, told, self._stopping
        )
