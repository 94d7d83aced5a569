"""Dropping records, each counted in the same transaction that drops it.

Functions on the store's connection, within a transaction of the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.records import RecordClass
from edge_agent.store.outbox import Loss, add_loss

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from edge_agent.store.outbox import LossKey

_KINDS = {int(kind): kind.name.lower() for kind in RecordClass}


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


def drop(
    sql: sqlite3.Connection, id_: int, cause: str, losses: dict[LossKey, Loss]
) -> tuple[int, int]:
    """Drop a record and count it; returns its rows and bytes."""
    gone = sql.execute(
        "DELETE FROM outbox WHERE id = ?"
        " RETURNING class, CAST(rows AS INTEGER), CAST(at_first AS INTEGER),"
        " CAST(at_last AS INTEGER), length(body)",
        (id_,),
    ).fetchone()
    if gone is None:
        return 0, 0
    kind, rows, first, last, size = gone
    key = ("rows", _KINDS.get(kind, "unknown"), cause)
    add_loss(losses, key, Loss(rows, first, last))
    return rows, size


def drop_oldest(
    sql: sqlite3.Connection, excess: int, cause: str, losses: dict[LossKey, Loss]
) -> tuple[int, int]:
    """Drop the oldest of the lowest class until some bytes are free."""
    rows = size = 0
    for kind in sorted(RecordClass, reverse=True):
        while size < excess:
            found = sql.execute(
                "SELECT id FROM outbox WHERE class = ? ORDER BY id LIMIT 1", (kind,)
            ).fetchone()
            if found is None:
                break
            gone = drop(sql, found[0], cause, losses)
            rows, size = rows + gone[0], size + gone[1]
    return rows, size


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
