"""What the outbox holds, by class, and how it gives way when it holds too much.

Functions on the store's connection; all but `measured` run within a transaction of
the caller's.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.records import RecordClass
from edge_agent.store import ledger, shares
from edge_agent.store.ledger import ROW
from edge_agent.store.outbox import Loss, add_loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.store.ledger import Gone
    from edge_agent.store.outbox import LossKey
    from edge_agent.store.rows import Row

#: Of the room, what is made free beyond need: dropping in small bites wears flash.
_BITE = 100
_TAKE, _TAKEN = "DELETE FROM outbox", "RETURNING class, rows, length(body)"


@dataclass(slots=True)
class Held:
    """Rows and bytes on disk.

    Attributes:
        rows: rows of all records.
        kinds: bytes by class, with `ROW` for each record.
        records: by class.
        first: by class, an id that no record of it is below: the search for the
            oldest begins there.
    """

    rows: int = 0
    kinds: list[int] = field(default_factory=lambda: [*shares.NONE])
    records: list[int] = field(default_factory=lambda: [*shares.NONE])
    first: list[int] = field(default_factory=lambda: [*shares.NONE])

    @property
    def bytes(self) -> int:
        """Bytes of all classes."""
        return sum(self.kinds)

    def copy(self) -> Held:
        """As it is now, to go back to."""
        return Held(self.rows, [*self.kinds], [*self.records], [*self.first])

    def add(self, id_: int, kind: int, rows: int, size: int) -> None:
        """A record was written; ``size`` is that of its body."""
        self.rows += rows
        self.kinds[kind] += size + ROW
        self.records[kind] += 1
        self.first[kind] = min(self.first[kind], id_)

    def take(self, gone: Gone) -> None:
        """Records went."""
        self.rows -= gone.rows
        if 0 <= gone.kind < len(self.kinds):  # else a flipped bit made its class
            self.kinds[gone.kind] -= gone.bytes
            self.records[gone.kind] -= gone.records


def measured(sql: sqlite3.Connection) -> Held:
    """What a file holds."""
    held = Held()
    query = (
        "SELECT class, count(*), coalesce(sum(rows), 0),"
        " coalesce(sum(length(body)), 0) FROM outbox GROUP BY class"
    )
    for kind, records, rows, size in sql.execute(query).fetchall():
        held.rows += int(rows)
        if kind in range(len(held.kinds)):
            held.kinds[kind] = int(size) + int(records) * ROW
            held.records[kind] = int(records)
    return held


def size_of(rows: Iterable[Row]) -> int:
    """Bytes that rows will take."""
    return sum(len(row.body) + ROW for row in rows)


def insert(sql: sqlite3.Connection, held: Held, row: Row) -> None:
    """Write a row."""
    statement = "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    try:
        sql.execute(statement, row[:-1])
    except sqlite3.IntegrityError:
        # a commit that failed has reached the disk after all
        found = sql.execute(f"{_TAKE} WHERE id = ? {_TAKEN}", (row.id,)).fetchone()
        held.take(ledger.Gone(found[0], 1, found[1], found[2] + ROW))
        sql.execute(statement, row[:-1])
    held.add(row.id, row.kind, row.rows, len(row.body))


def settle(sql: sqlite3.Connection, held: Held, acks: Mapping[int, int]) -> None:
    """Outputs have records: those owed to nobody else go.

    Args:
        sql: the store.
        held: what it holds; kept up to date.
        acks: bits of the file, by id.
    """
    for id_, mask in acks.items():
        gone = sql.execute(
            f"{_TAKE} WHERE id = ? AND owed & ~? = 0 {_TAKEN}", (id_, mask)
        ).fetchone()
        if gone is None:
            row = (mask, id_)
            sql.execute("UPDATE outbox SET owed = owed & ~? WHERE id = ?", row)
        else:
            kind, rows, size = gone
            held.take(ledger.Gone(kind, 1, rows, size + ROW))


def make_room(
    sql: sqlite3.Connection,
    held: Held,
    coming: Sequence[Row],
    excess: int,
    cause: str,
    losses: dict[LossKey, Loss],
) -> Sequence[Row]:
    """Drop the oldest of the lowest class above its share; each loss is counted.

    What comes counts for its class: a flood that is larger than all there is must not
    drive out the others before it is even written.

    Args:
        sql: the store.
        held: what it holds; kept up to date.
        coming: rows that are about to be written, oldest first.
        excess: bytes to make free; none for 0 and less.
        cause: for the ledger.
        losses: what is dropped is added.

    Returns:
        What is left of those that come.
    """
    if excess <= 0:
        return coming
    both = [*held.kinds]
    for row in coming:
        both[row.kind] += len(row.body) + ROW
    wanted = shares.to_drop(both, excess + held.bytes // _BITE)
    for kind in sorted(RecordClass, reverse=True):
        if wanted[kind] <= 0 or held.records[kind] <= 0:
            continue
        gone = ledger.drop_oldest(
            sql, kind, wanted[kind], held.first[kind], cause, losses
        )
        held.take(gone)
        held.first[kind] = gone.next
        wanted[kind] -= gone.bytes
    return [row for row in coming if not _dropped(row, wanted, cause, losses)]


def _dropped(
    row: Row, wanted: list[int], cause: str, losses: dict[LossKey, Loss]
) -> bool:
    """Whether a row goes before it is written; it is counted then."""
    if wanted[row.kind] <= 0:
        return False
    wanted[row.kind] -= len(row.body) + ROW
    key = ("rows", RecordClass(row.kind).name.lower(), cause)
    add_loss(losses, key, Loss(row.rows, row.first, row.last))
    return True
