"""Looking into a store that no agent has open: a stopped gateway, a dead one's disk.

Takes no lock and leaves nothing behind: an agent that starts meanwhile is never kept
out. A file whose agent stopped in order is opened as one that nobody changes; beside
one whose agent was killed lies a log with the newest rows, and both are copied,
because SQLite must write to read them. Should an agent begin to write just now, a
row half read is told by its CRC.

For another process than the agent's own: closing a file gives up all locks that the
process has on it (https://www.sqlite.org/src/file/src/os_unix.c).
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import msgspec

from edge_agent.errors import StoreDamaged, StoreInUse
from edge_agent.records import EvidenceRecord
from edge_agent.store import history, looking
from edge_agent.store.rows import read_row
from edge_agent.store.schema import APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge_agent.store.looking import Found, Query

T = TypeVar("T")

# SQLite's locks on a file: https://www.sqlite.org/src/file/src/os.h
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
_FIRST_WITH_ALARMS, _FIRST_WITH_REST = 2, 3  # versions of the file
_FIRST_WITH = {history.Of.ALARMS: _FIRST_WITH_ALARMS, history.Of.LOSSES: 4}


def look(path: Path, query: Query) -> Found:
    """What alarms left behind in a store.

    Args:
        path: the file.
        query: what to find.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be read, or its copy finds no room.
        StoreInUse: an agent has it open; only that one can be asked.
        StoreDamaged: it is no store, or cannot be read.
    """
    with _reading(path) as (sql, version):
        known = version >= _FIRST_WITH_ALARMS
        return looking.look(sql if known else None, query)


def pages(path: Path, query: history.Query) -> Iterator[history.Page]:
    """Everything that is kept in a store, newest first; see `look` for what is raised.

    Args:
        path: the file.
        query: what to find; ``before`` is moved on from page to page.
    """
    with _reading(path) as (sql, version):
        known = version >= _FIRST_WITH.get(query.of, _FIRST_WITH_REST)
        while True:
            page = history.read(sql if known else None, query)
            yield page
            if page.before < 0:
                return
            query = msgspec.structs.replace(query, before=page.before)


def evidence(path: Path, begin: str) -> Iterator[bytes]:
    """Evidence of alarms that no log has yet; see `look` for what is raised.

    Args:
        path: the file.
        begin: how the alarm's occurrence begins.
    """
    with _reading(path) as (sql, _):
        columns = "id, class, rows, at_first, at_last, wall_offset, crc, body"
        query = f"SELECT {columns} FROM outbox WHERE class < 3 ORDER BY id"  # noqa: S608
        for row in sql.execute(query):
            stored = read_row(row, {})  # what shares an info is not asked for
            record = None if stored is None else stored.record
            if not isinstance(record, EvidenceRecord):
                continue
            if record.occurrence.startswith(begin):
                yield record.body


def inquire(path: Path, read: Callable[[sqlite3.Connection], T]) -> T:
    """What a function reads from a store; see `look` for what is raised."""
    with _reading(path) as (sql, _):
        return read(sql)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[tuple[sqlite3.Connection, int]]:
    """A store that nobody has open, and the version of its file."""
    if _held(path):
        raise StoreInUse(f"{path} is open in a running agent")
    try:
        with _opened(path) as sql:
            (owner,) = sql.execute("PRAGMA application_id").fetchone()
            (version,) = sql.execute("PRAGMA user_version").fetchone()
            if owner != APPLICATION_ID:
                raise StoreDamaged(f"{path} is not a store of edge-agent")
            yield sql, int(version)
    except sqlite3.Error as why:
        raise StoreDamaged(
            f"{path} cannot be read: {why}; an agent that starts on it puts a damaged"
            " file aside and keeps what is intact"
        ) from why


def _held(path: Path) -> bool:
    """Whether an agent has the file: it locks it for as long as it runs."""
    with path.open("rb") as file:
        try:
            # given up at once; SQLite of a starting agent tries for a second
            lock = fcntl.LOCK_SH | fcntl.LOCK_NB
            fcntl.lockf(file, lock, _SHARED_SIZE, _SHARED_FIRST)
        except BlockingIOError:
            return True
    return False


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    log = path.with_name(path.name + "-wal")
    with contextlib.ExitStack() as stack:
        if log.exists() and log.stat().st_size:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            uri = f"file:{quote(str(_copied(path, log, folder)))}"
        else:
            uri = f"file:{quote(str(path.absolute()))}?immutable=1"
        sql = stack.enter_context(contextlib.closing(sqlite3.connect(uri, uri=True)))
        # a flipped bit can make text of anything: reading it must not fail
        sql.text_factory = lambda raw: raw.decode("utf-8", "replace")
        yield sql


def _copied(path: Path, log: Path, folder: Path) -> Path:
    """A copy of a store and its log.

    Raises:
        OSError: there is no room for it.
    """
    size = path.stat().st_size + log.stat().st_size
    if size > shutil.disk_usage(folder).free // 2:
        raise OSError(
            f"no room in {folder.parent} for a copy of {path} ({size >> 20} MiB), whose"
            " agent was killed: start the agent and ask again, or set TMPDIR to a"
            " folder with more room"
        )
    copy = folder / path.name
    shutil.copyfile(path, copy)
    shutil.copyfile(log, folder / log.name)
    return copy
