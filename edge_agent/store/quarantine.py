"""Records that an output refused for good, kept aside: the newest, for a person.

Functions on the store's connection; `write` runs within a transaction of the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from edge_agent.store.rows import Refused

_KEPT = 1000


def count(sql: sqlite3.Connection) -> int:
    """How many are kept."""
    (found,) = sql.execute("SELECT count(*) FROM quarantine").fetchone()
    return int(found)


def write(sql: sqlite3.Connection, refused: Sequence[Refused]) -> None:
    """Keep some more; the oldest make room for them."""
    sql.executemany(
        "INSERT INTO quarantine (id, output, reason, at, rows, body)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(r.id, r.output, r.reason, r.at, r.rows, r.body) for r in refused],
    )
    if refused:
        sql.execute(
            "DELETE FROM quarantine WHERE number <="
            " (SELECT max(number) FROM quarantine) - ?",
            (_KEPT,),
        )
