"""Is the file what was written? A look at the start, and a thorough one beside work.

A small file is checked whole before anything is done with it. In a large one only the
small tables are, so that scoring does not wait for a gigabyte; the outbox follows in
pieces between two commits. These look at more than SQLite's own check: at the CRC of
every record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.errors import StoreDamaged
from edge_agent.store.rows import is_sound

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

#: Bytes of a file that is checked whole at the start: half a second on a slow disk.
WHOLE = 64 << 20
#: Records looked at between two commits.
PIECE = 200


def check(sql: sqlite3.Connection, path: Path) -> bool:
    """Look at a file that was just opened; whether that was all of it.

    Raises:
        StoreDamaged: it is not intact.
    """
    (pages,) = sql.execute("PRAGMA page_count").fetchone()
    (page,) = sql.execute("PRAGMA page_size").fetchone()
    if pages * page <= WHOLE:
        if sql.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
            _verdict(path, sql.execute("PRAGMA quick_check(1)").fetchone()[0])
            # only an index is wrong: rows would not be found that are there
            sql.execute("REINDEX")
        return True
    names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'outbox'"
    for (name,) in sql.execute(names).fetchall():
        quoted = str(name).replace("'", "''")
        found = sql.execute(f"PRAGMA quick_check('{quoted}')").fetchone()
        _verdict(path, found[0])
    return False


def piece(sql: sqlite3.Connection, after: int) -> tuple[list[int], int | None]:
    """Look at some records of the outbox.

    Args:
        sql: the store.
        after: only ids above.

    Returns:
        Ids of damaged ones, and the last id looked at; None: there is nothing more.
    """
    rows = sql.execute(
        "SELECT id, class, rows, at_first, at_last, wall_offset, crc, body, owed"
        " FROM outbox WHERE id > ? ORDER BY id LIMIT ?",
        (after, PIECE),
    ).fetchall()
    bad = [
        int(id_)
        for id_, *rest, owed in rows
        if not (is_sound((id_, *rest)) and isinstance(owed, int) and owed)
    ]
    return bad, int(rows[-1][0]) if rows else None


def hidden(sql: sqlite3.Connection) -> list[int]:
    """Ids of rows that damage has hidden from every reader."""
    found = sql.execute(
        "SELECT id FROM outbox WHERE class NOT IN (0, 1, 2, 3, 4)"
        " OR typeof(owed) != 'integer' OR typeof(rows) != 'integer' OR owed = 0"
    ).fetchall()
    return [int(id_) for (id_,) in found]


def _verdict(path: Path, found: object) -> None:
    if found != "ok":
        raise StoreDamaged(f"{path}: {found}")
