"""State of the core by name, as of the last committed turn.

Functions on the store's connection; `write` runs within a transaction of the caller's.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping


def read(sql: sqlite3.Connection) -> tuple[dict[str, bytes], list[str]]:
    """The intact parts, and the names of damaged ones."""
    rows = sql.execute(
        "SELECT name, crc, CAST(body AS BLOB) FROM checkpoint"
    ).fetchall()
    good = {name: body for name, crc, body in rows if zlib.crc32(body) == crc}
    return good, [name for name, _, _ in rows if name not in good]


def write(sql: sqlite3.Connection, checkpoint: Mapping[str, bytes]) -> None:
    """Put some parts in the place of their former ones."""
    sql.executemany(
        "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)",
        [(name, zlib.crc32(body), body) for name, body in checkpoint.items()],
    )
