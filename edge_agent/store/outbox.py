"""Records on their way to the disk: what waits in memory, bounded.

Plain state without a lock or a thread; `journal` guards it. An entry lives here
from submit until it is committed, acknowledged by everybody (then it is never
written: a healthy link costs no flash), or dropped and counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.records import (
    AlarmRecord,
    DriftRecord,
    FindingRecord,
    LossRecord,
    RecordClass,
    SnapshotRecord,
)
from edge_agent.store import codec, shares

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.records import Record

#: What leaves a trace, see `archive`.
_TRACED = (AlarmRecord, FindingRecord, DriftRecord, SnapshotRecord, LossRecord)
SEQ_BITS = 44
"""Rows a boot can number: 27 years at 10,000 a second; 524,287 boots. The upper half
is for records that SCADA is not told of: it must see no gap where they are."""
UNSEEN = 1 << (SEQ_BITS - 1)
"""First number of that half."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record with its place in the order, as outputs get it.

    Attributes:
        id: ``boot << 44 | seq``; seq is that of the first row, row i has seq + i.
        record: the record.
        offset: ns to add to its times for the wall clock's date.
    """

    id: int
    record: Record
    offset: int = 0

    @property
    def boot(self) -> int:
        """Which opening of the store numbered it."""
        return self.id >> SEQ_BITS

    @property
    def seq(self) -> int:
        """Number of its first row within the boot."""
        return self.id & ((1 << SEQ_BITS) - 1)


@dataclass(slots=True)
class Entry:
    """A record that waits for its commit."""

    stored: Stored
    kind: RecordClass
    rows: int
    size: int
    owed: int
    since: int
    writing: bool = False
    handed: bool = False
    """Told to those who get records after the commit."""

    @property
    def traced(self) -> bool:
        """It leaves a trace that outlasts its acknowledgement."""
        return isinstance(self.stored.record, _TRACED)


@dataclass(slots=True)
class Loss:
    """Rows dropped for one cause, not yet reported."""

    count: int
    first: int
    last: int

    def add(self, count: int, first: int, last: int) -> None:
        """Count more of the same."""
        self.count += count
        self.first = min(self.first, first)
        self.last = max(self.last, last)


#: what, subject, cause
LossKey = tuple[str, str, str]


def add_loss(into: dict[LossKey, Loss], key: LossKey, loss: Loss) -> None:
    """Add a loss to those of the same what, subject and cause."""
    known = into.get(key)
    if known is None:
        into[key] = Loss(loss.count, loss.first, loss.last)
    else:
        known.add(loss.count, loss.first, loss.last)


@dataclass(slots=True)
class Waiting:
    """Entries not yet committed, oldest first, and acknowledgements to write."""

    limit: int
    """Bytes held at most; beyond, the oldest goes of the lowest class that has more
    than its share."""
    entries: dict[int, Entry] = field(default_factory=dict)
    acks: dict[int, int] = field(default_factory=dict)
    acks_since: int = 0
    losses: dict[LossKey, Loss] = field(default_factory=dict)
    rows: int = 0
    held: list[int] = field(default_factory=lambda: [*shares.NONE])
    """Bytes by class."""
    fixed: list[int] = field(default_factory=lambda: [*shares.NONE])
    """Of them, what a transaction is just writing and cannot be dropped."""
    urgent: int = 0
    """Entries that are worth a commit at once."""
    reporting: int | None = None
    """First id of the loss reports that a transaction writes beside the entries."""
    elided: int = 0
    """Rows acknowledged before they were ever written."""

    @property
    def size(self) -> int:
        """Bytes of all classes."""
        return sum(self.held)

    def add(self, entry: Entry) -> None:
        """Queue a record; may drop older ones to stay within the limit."""
        self.entries[entry.stored.id] = entry
        self._count(entry, 1)
        self._shrink()

    def acknowledge(self, bit: int, ids: Iterable[int], now: int) -> None:
        """Note that an output has these records; done ones leave at once."""
        for id_ in ids:
            entry = self.entries.get(id_)
            if entry is None or entry.writing:
                if not self.acks:
                    self.acks_since = now
                self.acks[id_] = self.acks.get(id_, 0) | bit
                continue
            self._taken(entry, bit)

    def begin(self) -> tuple[list[Entry], dict[int, int]]:
        """What the next transaction writes; entries stay until `commit`."""
        entries = list(self.entries.values())
        for entry in entries:
            entry.writing = True
        self.fixed = [*self.held]
        acks, self.acks = self.acks, {}
        return entries, acks

    def commit(self, entries: Sequence[Entry]) -> None:
        """The transaction held: its entries wait no longer."""
        self.fixed, self.reporting = [*shares.NONE], None
        for entry in entries:
            entry.writing = False
            self._remove(entry)

    def abandon(self, entries: Sequence[Entry], acks: dict[int, int], now: int) -> None:
        """The transaction failed: everything waits for the next one."""
        self.fixed, self.reporting = [*shares.NONE], None
        for entry in entries:
            entry.writing = False
        if acks and not self.acks:
            self.acks_since = now
        for id_, mask in acks.items():
            # kept as well: a commit that failed may still have reached the disk
            self.acks[id_] = self.acks.get(id_, 0) | mask
        for id_, mask in self.acks.items():
            if id_ in self.entries:
                self._taken(self.entries[id_], mask)
        self._shrink()

    def owed_to(
        self, bit: int, after: int, *, urgent: bool, live: bool
    ) -> list[Stored]:
        """Waiting records an output has not acknowledged, oldest first.

        Args:
            bit: the output.
            after: only ids above.
            urgent: those above the class of scores, or only scores.
            live: scores may leave before their commit.
        """
        return [
            entry.stored
            for id_, entry in self.entries.items()
            if id_ > after
            and entry.owed & bit
            and (entry.kind < RecordClass.SCORE) == urgent
            and (entry.handed or (live and not urgent))
        ]

    def unhanded(self) -> list[Entry]:
        """Entries for after the commit that nobody was told about, oldest first.

        Without events behind a report of losses that is just being written: both go to
        one topic, and the report is told first.
        """
        if not self.urgent:
            return []
        ahead = self.reporting
        return [
            entry
            for entry in self.entries.values()
            if entry.kind <= RecordClass.AUDIT
            and not entry.handed
            and (
                ahead is None
                or entry.kind is RecordClass.ALARM
                or entry.stored.id < ahead
            )
        ]

    def hand(self, before: int) -> list[Entry]:
        """Those of them that wait since some agent time; they are told from now on."""
        late = [entry for entry in self.unhanded() if entry.since <= before]
        for entry in late:
            entry.handed = True
        return late

    def lose(self, key: LossKey, loss: Loss) -> None:
        """Count a loss that is not in the ledger yet."""
        add_loss(self.losses, key, loss)

    def traced(self) -> list[Stored]:
        """Records that leave a trace and are not on the disk, oldest first."""
        return [entry.stored for entry in self.entries.values() if entry.traced]

    def oldest(self) -> int | None:
        """Agent time the first waiting entry was submitted."""
        first = next(iter(self.entries.values()), None)
        return None if first is None else first.since

    def unwritten(self, cause: str) -> dict[LossKey, Loss]:
        """What waits, as what it is when nobody can write it any more."""
        lost = dict(self.losses)
        for entry in self.entries.values():
            _lose(entry, cause, lost)
        return lost

    def _taken(self, entry: Entry, mask: int) -> None:
        """Outputs have an entry that is not being written."""
        entry.owed &= ~mask
        # an alarm waits on: what it leaves behind is still to be written
        if not entry.owed and not entry.traced:
            self.elided += entry.rows
            self._remove(entry)

    def _count(self, entry: Entry, sign: int) -> None:
        self.rows += sign * entry.rows
        self.held[entry.kind] += sign * entry.size
        self.urgent += sign * (entry.kind <= RecordClass.AUDIT)

    def _remove(self, entry: Entry) -> None:
        if self.entries.pop(entry.stored.id, None) is not None:
            self._count(entry, -1)

    def _shrink(self) -> None:
        """Drop to nine tenths of the room, so that it is seldom needed.

        A disk that hangs may hold up a whole limit's worth that cannot be dropped: a
        quarter more is allowed then, or alarms that come meanwhile had no room.
        """
        size, fixed = self.size, sum(self.fixed)
        room = max(self.limit - fixed, self.limit // 4)
        if size - fixed <= room:
            return
        free = [h - f for h, f in zip(self.held, self.fixed, strict=True)]
        wanted = shares.to_drop(free, size - fixed - room * 9 // 10)
        for entry in [*self.entries.values()]:
            if wanted[entry.kind] > 0 and not entry.writing:
                wanted[entry.kind] -= entry.size
                self._remove(entry)
                _lose(entry, "memory full while disk is failing", self.losses)


def _lose(entry: Entry, cause: str, losses: dict[LossKey, Loss]) -> None:
    what = "rows" if entry.owed else "traces"
    first, last = codec.span_of(entry.stored.record)
    loss = Loss(entry.rows, first, last)
    add_loss(losses, (what, entry.kind.name.lower(), cause), loss)
