"""What an output is owed of the file, a piece at a time.

A function on the store's connection: looking at some thousand records takes a few
milliseconds, at all of them a commit would have to wait for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3


class Owed(NamedTuple):
    """Debts among some records.

    Attributes:
        rows: owed.
        first: id of the first record with any, -1 where none has.
        at: agent time of that one in ns.
        last: id of the last record looked at, -1 where there is none.
    """

    rows: int = 0
    first: int = -1
    at: int = 0
    last: int = -1


def owed(sql: sqlite3.Connection, output: str, after: int, limit: int) -> Owed:
    """Debts to an output among the next records.

    Args:
        sql: the store.
        output: its name.
        after: only ids above.
        limit: records looked at, at most.
    """
    found = sql.execute(
        "SELECT coalesce(sum(iif(owed & mask, rows, 0)), 0),"
        " coalesce(min(iif(owed & mask, id, NULL)), -1), coalesce(max(id), -1)"
        " FROM (SELECT 1 << bit AS mask FROM output WHERE name = ?),"
        " (SELECT id, rows, owed FROM outbox WHERE id > ? ORDER BY id LIMIT ?)",
        (output, after, limit),
    ).fetchone()
    rows, first, last = map(int, found)
    at = sql.execute("SELECT at_first FROM outbox WHERE id = ?", (first,)).fetchone()
    return Owed(rows, first, int(at[0]) if at else 0, last)
