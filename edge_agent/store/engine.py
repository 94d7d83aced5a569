"""Which SQLite this is, and that the way it is used cannot meet its defect.

Versions 3.7.0 to 3.51.2 can damage a file in WAL mode when two connections write and
fold its log into the file at the same time (https://www.sqlite.org/wal.html, "the
WAL-reset bug"). There is one connection here, and with ``locking_mode=EXCLUSIVE`` it is
SQLite itself that refuses a second one. That is tried out at every opening: a file
system whose locks do nothing would not show it otherwise. There a rollback journal is
used, which has no log that could be reset.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path

_FIRST_BAD, _FIRST_GOOD = (3, 7, 0), (3, 51, 3)
_TAKEN = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


@dataclass(frozen=True, slots=True)
class Engine:
    """How the file is kept.

    Attributes:
        version: of SQLite.
        journal: wal, or truncate where WAL is not safe.
        exclusive: a second connection was tried and refused.
    """

    version: str = sqlite3.sqlite_version
    journal: str = "wal"
    exclusive: bool = True

    def told(self) -> str:
        """For the status and the log."""
        alone = "refused" if self.exclusive else "NOT refused by this file system"
        return f"SQLite {self.version}, {self.journal}, a second connection is {alone}"


def has_reset_bug(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Whether two connections in WAL mode can damage a file, by SQLite's version."""
    return _FIRST_BAD <= version < _FIRST_GOOD


def choose(sql: sqlite3.Connection, path: Path) -> Engine:
    """Set the journal of an exclusive connection that has read the file.

    Raises:
        sqlite3.Error: the disk does not let us, or the file is in use.
    """
    (journal,) = sql.execute("PRAGMA journal_mode = WAL").fetchone()
    # in WAL the lock is taken by the first look, and kept
    sql.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    exclusive = refuses_another(path)
    if journal != "wal" or (not exclusive and has_reset_bug()):
        (journal,) = sql.execute("PRAGMA journal_mode = TRUNCATE").fetchone()
    return Engine(journal=journal, exclusive=exclusive)


def refuses_another(path: Path) -> bool:
    """Whether a second connection is kept from reading the file."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=0)) as second:
        try:
            second.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError as error:
            return getattr(error, "sqlite_errorcode", 0) & 0xFF in _TAKEN
    return False
