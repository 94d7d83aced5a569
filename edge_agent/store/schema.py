"""The file's settings, schema and versions, and what an SQLite error means."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from edge_agent.errors import StoreDamaged
from edge_agent.store import engine, pages, soundness

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.store.engine import Engine

APPLICATION_ID = 0x45444745  # "EDGE"

#: One entry a version of the file; opening runs those above its user_version.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE boot(id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL);
    INSERT INTO boot VALUES (1, 0);
    CREATE TABLE outbox(
      id INTEGER PRIMARY KEY, class INTEGER NOT NULL, rows INTEGER NOT NULL,
      at_first INTEGER NOT NULL, at_last INTEGER NOT NULL,
      wall_offset INTEGER NOT NULL, owed INTEGER NOT NULL,
      crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE INDEX outbox_urgent ON outbox(id) WHERE class < 3;
    CREATE TABLE checkpoint(
      name TEXT PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE info(
      digest BLOB PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE ledger(
      what TEXT, subject TEXT, cause TEXT, count INTEGER NOT NULL,
      at_first INTEGER NOT NULL, at_last INTEGER NOT NULL,
      PRIMARY KEY (what, subject, cause)) WITHOUT ROWID;
    CREATE TABLE quarantine(
      number INTEGER PRIMARY KEY, id INTEGER NOT NULL, output TEXT NOT NULL,
      reason TEXT NOT NULL, at INTEGER NOT NULL, rows INTEGER NOT NULL,
      body BLOB NOT NULL);
    CREATE TABLE output(bit INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    """,
    """
    CREATE TABLE alarm(
      id INTEGER PRIMARY KEY, occurrence TEXT NOT NULL, gateway TEXT NOT NULL,
      pipeline TEXT NOT NULL, asset TEXT NOT NULL, state INTEGER NOT NULL,
      at INTEGER NOT NULL, since INTEGER NOT NULL, wall_offset INTEGER NOT NULL,
      score REAL, threshold REAL, severity INTEGER NOT NULL,
      reason TEXT NOT NULL, part TEXT NOT NULL, model TEXT NOT NULL,
      model_version TEXT NOT NULL, model_digest TEXT NOT NULL,
      fallback INTEGER NOT NULL, configuration TEXT NOT NULL, crc INTEGER NOT NULL);
    CREATE INDEX alarm_occurrence ON alarm(occurrence);
    """,
    """
    CREATE TABLE finding(
      id INTEGER PRIMARY KEY, episode TEXT NOT NULL, gateway TEXT NOT NULL,
      pipeline TEXT NOT NULL, asset TEXT NOT NULL, tag TEXT NOT NULL,
      context TEXT NOT NULL, what TEXT NOT NULL, cause TEXT NOT NULL,
      state INTEGER NOT NULL, at INTEGER NOT NULL, since INTEGER NOT NULL,
      wall_offset INTEGER NOT NULL, strength REAL, sentence TEXT NOT NULL,
      action TEXT NOT NULL, evidence TEXT NOT NULL, model TEXT NOT NULL,
      model_version TEXT NOT NULL, configuration TEXT NOT NULL,
      crc INTEGER NOT NULL);
    CREATE INDEX finding_episode ON finding(episode);
    CREATE TABLE drift(
      id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, pipeline TEXT NOT NULL,
      context TEXT NOT NULL, model TEXT NOT NULL, model_version TEXT NOT NULL,
      model_digest TEXT NOT NULL, baseline_id TEXT NOT NULL, layout TEXT NOT NULL,
      since INTEGER NOT NULL, until INTEGER NOT NULL, wall_offset INTEGER NOT NULL,
      day INTEGER NOT NULL, whole INTEGER NOT NULL, blocks INTEGER NOT NULL,
      rows INTEGER NOT NULL, gated INTEGER NOT NULL, body BLOB NOT NULL,
      crc INTEGER NOT NULL);
    CREATE INDEX drift_fresh ON drift(day) WHERE whole = 0;
    CREATE TABLE snapshot(
      id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, name TEXT NOT NULL,
      pipeline TEXT NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL,
      wall_offset INTEGER NOT NULL, day INTEGER NOT NULL, body TEXT NOT NULL,
      crc INTEGER NOT NULL, UNIQUE (name, pipeline, subject, day));
    """,
    """
    CREATE TABLE loss(
      id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, what TEXT NOT NULL,
      subject TEXT NOT NULL, cause TEXT NOT NULL, amount INTEGER NOT NULL,
      at INTEGER NOT NULL, at_first INTEGER NOT NULL, at_last INTEGER NOT NULL,
      wall_offset INTEGER NOT NULL, configuration TEXT NOT NULL,
      crc INTEGER NOT NULL);
    """,
)

_DISK_TROUBLE = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    }
)


def is_disk_trouble(error: BaseException) -> bool:
    """Whether an error may go away by itself: the disk, not the file, is at fault."""
    return isinstance(error, sqlite3.Error) and code_of(error) in _DISK_TROUBLE


def is_damage(error: BaseException) -> bool:
    """Whether an error says that the file is not what was written.

    A flipped bit can turn a number into text or break the schema, so any other
    complaint about the content counts.
    """
    if isinstance(error, sqlite3.Error):
        return not is_disk_trouble(error)
    return isinstance(error, (StoreDamaged, ValueError, TypeError, OverflowError))


def is_corrupt(error: BaseException) -> bool:
    """Whether SQLite itself found the file damaged: no waiting mends that."""
    corrupt = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
    return isinstance(error, sqlite3.Error) and code_of(error) in corrupt


def is_taken(error: BaseException) -> bool:
    """Whether another process has the file."""
    taken = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return isinstance(error, sqlite3.Error) and code_of(error) in taken


def code_of(error: sqlite3.Error) -> int:
    """Primary result code, 0 when the module raised without one."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def prepare(sql: sqlite3.Connection, path: Path, limit: int) -> tuple[Engine, bool]:
    """Settings of the connection and a check of the file.

    Returns:
        How the file is kept, and whether all of it was checked.

    Raises:
        StoreDamaged: the file is not intact, not ours or from a newer version.
    """
    # before anything touches the file: a second opener is refused, and the log's
    # index lives in our memory instead of a shared file
    sql.execute("PRAGMA locking_mode = EXCLUSIVE")
    _check_owner(sql, path)
    sql.execute(f"PRAGMA page_size = {pages.PAGE}")  # of a new file, else it stays
    used = engine.choose(sql, path)
    sql.execute("PRAGMA synchronous = FULL")
    sql.execute("PRAGMA temp_store = MEMORY")
    sql.execute("PRAGMA trusted_schema = OFF")
    pages.prepare(sql, limit)
    return used, soundness.check(sql, path)


def migrate(sql: sqlite3.Connection) -> None:
    """Bring the file to this version."""
    (version,) = sql.execute("PRAGMA user_version").fetchone()
    for number in range(version, len(MIGRATIONS)):
        sql.executescript(
            f"BEGIN IMMEDIATE; {MIGRATIONS[number]}"
            f" PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {number + 1}; COMMIT;"
        )


def _check_owner(sql: sqlite3.Connection, path: Path) -> None:
    """Look before anything is written: a file that is not ours stays as it is."""
    (owner,) = sql.execute("PRAGMA application_id").fetchone()
    (version,) = sql.execute("PRAGMA user_version").fetchone()
    (tables,) = sql.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != APPLICATION_ID and tables:
        raise StoreDamaged(f"{path} is not a store of edge-agent")
    if version > len(MIGRATIONS):
        raise StoreDamaged(
            f"{path} was written by a newer edge-agent (version {version},"
            f" this one knows {len(MIGRATIONS)})"
        )
