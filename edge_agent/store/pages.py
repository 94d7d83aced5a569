"""Pages of the file and of its write-ahead log: how large, how many, how they end.

What bounds the store on the disk: the file holds at most `most(limit)` bytes, as room
that was acknowledged is reused but never given back; the log is folded into the file
every `LOG` bytes, and when that fails nothing more is written to it (`check_log`).
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from edge_agent.store import archive

if TYPE_CHECKING:
    from pathlib import Path

#: Bytes of a page in a new file: a commit writes whole pages, and most are small.
PAGE = 1024
#: Bytes of log after which it is folded into the file. Pages that were written often
#: meanwhile, and records that were acknowledged, are written once or not at all.
LOG = 16 << 20
#: Bytes of log at which something must be wrong; a large transaction is in it.
_TOO_LONG = 96 << 20
#: Bytes for the saved state, the ledger, the quarantine and pages half full.
_REST = 8 << 20
#: Beyond what is enforced record by record: the transaction that goes over it.
_BACKSTOP = 16 << 20


def most(limit: int) -> int:
    """Bytes of the file within which everything is kept, for a limit of the outbox."""
    return limit + archive.share(limit) + _REST


def prepare(sql: sqlite3.Connection, limit: int) -> None:
    """Settings for a connection that is in WAL mode."""
    (page,) = sql.execute("PRAGMA page_size").fetchone()
    sql.execute(f"PRAGMA wal_autocheckpoint = {LOG // page}")
    sql.execute(f"PRAGMA journal_size_limit = {LOG}")
    # zeros over what was deleted, but not at the price of more pages
    sql.execute("PRAGMA secure_delete = FAST")
    bound(sql, limit)


def bound(sql: sqlite3.Connection, limit: int) -> None:
    """Let SQLite itself refuse a file that is larger than a limit allows."""
    (page,) = sql.execute("PRAGMA page_size").fetchone()
    sql.execute(f"PRAGMA max_page_count = {(most(limit) + _BACKSTOP) // page}")


def used(sql: sqlite3.Connection) -> int:
    """Bytes of pages that hold something; the others of the file are reused first."""
    (page,) = sql.execute("PRAGMA page_size").fetchone()
    (count,) = sql.execute("PRAGMA page_count").fetchone()
    return int(page * count) - reusable(sql)


def reusable(sql: sqlite3.Connection) -> int:
    """Bytes of pages that hold nothing."""
    (page,) = sql.execute("PRAGMA page_size").fetchone()
    (free,) = sql.execute("PRAGMA freelist_count").fetchone()
    return int(page * free)


def log_of(path: Path) -> Path:
    """The write-ahead log of a file."""
    return path.with_name(path.name + "-wal")


def on_disk(path: Path) -> tuple[int, int]:
    """Bytes of the file and of its log; 0 for what is not there."""
    sizes = []
    for file in (path, log_of(path)):
        try:
            sizes.append(file.stat().st_size)
        except OSError:
            sizes.append(0)
    return sizes[0], sizes[1]


def check_log(sql: sqlite3.Connection, path: Path) -> None:
    """Before a commit: a log that cannot be folded into the file must not grow.

    SQLite folds after a commit and keeps a failure to itself.

    Raises:
        sqlite3.Error: what keeps the log from being folded.
    """
    if on_disk(path)[1] <= _TOO_LONG:
        return
    (busy, _, _) = sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError(f"the log of {path} cannot be emptied")
