"""Dropping records, each counted in the same transaction that drops it.

Functions on the store's connection, within a transaction of the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.records import RecordClass
from edge_agent.store.outbox import Loss, add_loss

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from edge_agent.store.outbox import LossKey

#: Bytes a record takes in the file beside its body: columns, cell, part of a page.
ROW = 64
_KINDS = {int(kind): kind.name.lower() for kind in RecordClass}
_URGENT = "outbox INDEXED BY outbox_urgent WHERE class < 3"
_REST = "outbox NOT INDEXED WHERE class >= 3"


def read(sql: sqlite3.Connection) -> dict[LossKey, Loss]:
    """Losses not yet turned into a record."""
    rows = sql.execute("SELECT * FROM ledger").fetchall()
    return {
        (str(what), str(subject), str(cause)): Loss(int(count), int(first), int(last))
        for what, subject, cause, count, first, last in rows
    }


def write(
    sql: sqlite3.Connection,
    losses: Mapping[LossKey, Loss],
    reported: Mapping[LossKey, Loss],
) -> None:
    """Add losses, and take out those that a record now reports."""
    sql.executemany(
        "DELETE FROM ledger WHERE what = ? AND subject = ? AND cause = ?", reported
    )
    sql.executemany(
        "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " count = count + excluded.count,"
        " at_first = min(at_first, excluded.at_first),"
        " at_last = max(at_last, excluded.at_last)",
        [(*key, x.count, x.first, x.last) for key, x in losses.items()],
    )


@dataclass(frozen=True, slots=True)
class Gone:
    """Records of one class that were dropped."""

    kind: int
    records: int = 0
    rows: int = 0
    bytes: int = 0
    """With `ROW` for each record."""
    next: int = 0
    """Id below which the class has none left."""


def drop(
    sql: sqlite3.Connection, id_: int, cause: str, losses: dict[LossKey, Loss]
) -> Gone | None:
    """Drop a record and count it; None if there is none."""
    gone = sql.execute(
        "DELETE FROM outbox WHERE id = ?"
        " RETURNING class, CAST(rows AS INTEGER), CAST(at_first AS INTEGER),"
        " CAST(at_last AS INTEGER), length(body)",
        (id_,),
    ).fetchone()
    if gone is None:
        return None
    kind, rows, first, last, size = gone
    key = ("rows", _KINDS.get(kind, "unknown"), cause)
    add_loss(losses, key, Loss(rows, first, last))
    return Gone(kind if kind in _KINDS else -1, 1, rows, size + ROW)


def drop_oldest(
    sql: sqlite3.Connection,
    kind: RecordClass,
    wanted: int,
    first: int,
    cause: str,
    losses: dict[LossKey, Loss],
) -> Gone:
    """Drop the oldest of a class until some bytes are free, in one statement.

    Args:
        sql: the store, within a transaction.
        kind: the class.
        wanted: bytes to make free; the last record may give more.
        first: no record of the class has an id below.
        cause: for the ledger.
        losses: what is dropped is added.
    """
    # the rows before those of scores have an index of their own
    table = _URGENT if kind < RecordClass.SCORE else _REST
    found = sql.execute(
        "SELECT id, CAST(rows AS INTEGER), CAST(at_first AS INTEGER),"  # noqa: S608 - constants
        f" CAST(at_last AS INTEGER), length(body) FROM {table}"
        " AND class = ? AND id >= ? ORDER BY id",
        (int(kind), first),
    )
    records = rows = size = last = 0
    times: list[int] = []
    for id_, count, begin, end, body in found:
        records, rows, size, last = records + 1, rows + count, size + body + ROW, id_
        times += (begin, end) if not times else ()
        times[:] = min(times[0], begin), max(times[1], end)
        if size >= wanted:
            break
    found.close()
    if not times:
        return Gone(kind, next=first)
    sql.execute(
        f"DELETE FROM {table} AND class = ? AND id BETWEEN ? AND ?",  # noqa: S608 - constants
        (int(kind), first, last),
    )
    add_loss(losses, ("rows", _KINDS[kind], cause), Loss(rows, times[0], times[1]))
    return Gone(kind, records, rows, size, last + 1)


def cancel(sql: sqlite3.Connection, bit: int, name: str) -> None:
    """Forget an output; what was owed to nobody else is dropped and counted."""
    mask = 1 << bit
    rows, first, last = sql.execute(
        "SELECT sum(rows), min(at_first), max(at_last) FROM outbox WHERE owed & ?",
        (mask,),
    ).fetchone()
    if rows:
        key = ("rows", name, "output removed from the configuration")
        write(sql, {key: Loss(rows, first, last)}, {})
    sql.execute("UPDATE outbox SET owed = owed & ~?", (mask,))
    sql.execute("DELETE FROM outbox WHERE owed = 0")
    sql.execute("DELETE FROM output WHERE bit = ?", (bit,))
