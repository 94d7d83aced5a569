"""State of the core by name, as of the last committed turn.

Functions on the store's connection; `write` runs within a transaction of the caller's.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from edge_agent.store import squeeze

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping


def read(sql: sqlite3.Connection) -> tuple[dict[str, bytes], list[str]]:
    """The intact parts, and the names of damaged ones."""
    rows = sql.execute(
        "SELECT name, crc, CAST(body AS BLOB) FROM checkpoint"
    ).fetchall()
    good = {}
    for name, crc, body in rows:
        part = intact(crc, body)
        if part is not None:
            good[name] = part
    return good, [name for name, _, _ in rows if name not in good]


def intact(crc: object, body: bytes) -> bytes | None:
    """A part as it was given; None if it is damaged.

    Args:
        crc: of what is stored.
        body: what is stored.
    """
    try:
        return squeeze.whole(body) if zlib.crc32(body) == crc else None
    except ValueError:
        return None


def write(sql: sqlite3.Connection, checkpoint: Mapping[str, bytes]) -> None:
    """Put some parts in the place of their former ones."""
    small = [(name, squeeze.squeezed(body)) for name, body in checkpoint.items()]
    # updated in place: a replaced row would get a new number, and its pages with it
    sql.executemany(
        "INSERT INTO checkpoint VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET"
        " crc = excluded.crc, body = excluded.body",
        [(name, zlib.crc32(body), body) for name, body in small],
    )
