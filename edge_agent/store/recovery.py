"""Opening whatever is there: intact, missing, damaged, foreign or from the future.

A file that is not usable is put aside under a name with the time, never deleted
(the three newest are kept), a new one is begun, and every record that can still be
read, with a matching CRC, is carried over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import struct
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.durable import write_again, write_whole
from edge_agent.errors import StoreDamaged
from edge_agent.samples import NANOSECONDS
from edge_agent.store import codec, findings, rings
from edge_agent.store.archive import TABLES, Left
from edge_agent.store.database import Database
from edge_agent.store.outbox import SEQ_BITS, Loss
from edge_agent.store.rows import Transaction, read_row
from edge_agent.store.schema import code_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge_agent.records import PipelineInfo
    from edge_agent.store.outbox import Stored

log = structlog.get_logger()

_KEPT = 3
_CHUNK = 500
_OUTPUT_BITS = 62
_SIDE = ("", "-wal", "-shm", "-journal")
_COLUMNS = "id, class, rows, at_first, at_last, wall_offset, crc, body, owed"


@dataclass(slots=True)
class Salvage:
    """What a damaged file still tells.

    Attributes:
        reason: what was wrong with it.
        aside: where it is now.
        infos: what its scores share.
        checkpoint: the parts with a matching CRC.
        outputs: which bit stood for which output.
        boot: highest boot number found.
        findings: that nothing had closed.
    """

    reason: str
    aside: Path
    infos: dict[bytes, PipelineInfo] = field(default_factory=dict)
    checkpoint: dict[str, bytes] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    boot: int = 0
    findings: list[Stored] = field(default_factory=list)

    def told(self) -> str:
        """Say it once in the log; the sentence is for the operator's event."""
        log.error("store damaged", reason=self.reason, put_aside=str(self.aside))
        return (
            f"{self.reason}; put aside as {self.aside.name}, a new store was begun"
            " with all that could be read back"
        )


def open_store(
    path: Path, limit: int, now: int, *, patient: bool = True
) -> tuple[Database, Salvage | None]:
    """Open the store, putting a damaged file aside.

    Args:
        path: the file.
        limit: bytes of bodies kept at most.
        now: wall-clock time in ns, for the name of a file put aside.
        patient: False takes a file that cannot be read on a disk that can be
            written for damaged: a bad block does not go away by waiting.

    Raises:
        sqlite3.OperationalError: the disk does not let us, or the file is in use.
        OSError: the folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mend_log(path)
    try:
        return Database(path, limit), None
    except StoreDamaged as error:
        reason = str(error)
    except sqlite3.OperationalError as error:
        unreadable = code_of(error) == sqlite3.SQLITE_IOERR
        if patient or not unreadable or not _writable(path.parent):
            raise
        reason = f"{path}: {error}"
    salvage = Salvage(reason, _put_aside(path, now))
    with _reading(salvage.aside) as sql:
        _read_small(sql, salvage)
    return Database(path, limit), salvage


def carry_over(
    database: Database, salvage: Salvage, names: Sequence[str], at: int
) -> int:
    """Copy every readable record; returns how many, notes the others in the ledger.

    A crash on the way leaves the rest in the file put aside, for a person.

    Args:
        database: the new store.
        salvage: the damaged one.
        names: the configured outputs, in order of the new masks.
        at: agent time of the loss note.

    Raises:
        sqlite3.Error: the new store cannot be written.
    """
    moved = {
        1 << salvage.outputs[n]: 1 << i
        for i, n in enumerate(names)
        if n in salvage.outputs
    }
    everyone = (1 << len(names)) - 1
    for name, table in TABLES.items():
        rows = _both_ends(salvage, f"{table.columns} FROM {table.name}")
        left = rings.intact(table, rows)
        while some := list(islice(left, _CHUNK)):
            kept: dict[str, Any] = {name: some}
            database.keep(Left(**kept))
    chunk: list[tuple[Stored, int]] = []
    count = unreadable = 0
    for stored, owed in _outbox_of(salvage):
        if stored is None:
            unreadable += 1
            continue
        # an output list that is lost, too, leaves every record owed to everyone
        mask = sum(new for old, new in moved.items() if owed & old)
        mask = mask if salvage.outputs else everyone
        if mask:
            chunk.append((stored, mask))
            count += 1
        if len(chunk) >= _CHUNK:
            database.adopt(chunk)
            chunk.clear()
    database.adopt(chunk)
    losses = {}
    if unreadable:
        key = ("records", "outbox", f"damaged store put aside as {salvage.aside.name}")
        losses[key] = Loss(unreadable, at, at)
    database.commit(Transaction(losses=losses))
    return count


def mend_log(path: Path) -> None:
    """Make the log beside a store last, whatever became of syncs before.

    SQLite reads it from the system's cache and builds on it: behind a part that a
    failed sync has left there, nothing would outlast a power cut.

    Raises:
        OSError: the disk does not let us.
    """
    try:
        write_again(path.with_name(path.name + "-wal"))
    except OSError as error:
        # where nothing can be written, it can still be read
        if error.errno not in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise


def read_boot(path: Path) -> int:
    """Boot number noted beside the store; 0 if there is none.

    The store alone could not keep it from going back when its file is lost, and a
    consumer drops an id it has seen.
    """
    try:
        return int(_boot_note(path).read_text("ascii"))
    except (OSError, ValueError):
        return 0


def write_boot(path: Path, number: int) -> None:
    """Note the boot number beside the store, atomically.

    Raises:
        OSError: the disk does not let us.
    """
    write_whole(_boot_note(path), f"{number}\n".encode("ascii"))


def _boot_note(path: Path) -> Path:
    return path.with_name(path.name + ".boot")


def _writable(folder: Path) -> bool:
    """Whether the disk takes something new."""
    probe = folder / ".probe"
    try:
        with probe.open("wb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
    except OSError:
        return False
    return True


def _put_aside(path: Path, now: int) -> Path:
    date = datetime.fromtimestamp(now // NANOSECONDS, UTC)
    label = date.strftime("damaged-%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.{label}")
    number = 0
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.{label}-{number}")
    # the log must go with its file: left behind, it would be read into the new one
    for side in _SIDE:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + side).rename(aside.with_name(aside.name + side))
    _forget_old(path)
    return aside


def _forget_old(path: Path) -> None:
    found = [
        file
        for file in path.parent.glob(f"{path.name}.damaged-*")
        if not file.name.endswith(_SIDE[1:])
    ]
    found.sort(key=lambda file: (file.stat().st_mtime_ns, file.name))
    for file in found[:-_KEPT]:
        for side in _SIDE:
            file.with_name(file.name + side).unlink(missing_ok=True)


@contextlib.contextmanager
def _reading(aside: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a damaged file; complaints about its content end the block."""
    sql = sqlite3.connect(aside, isolation_level=None)
    sql.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        with contextlib.suppress(
            sqlite3.Error, ValueError, TypeError, OverflowError, struct.error
        ):
            sql.execute("PRAGMA locking_mode = EXCLUSIVE")
            # or SQLite reads nothing at all of a file that was cut off
            sql.execute("PRAGMA writable_schema = ON")
            yield sql
    finally:
        sql.close()


def _read_small(sql: sqlite3.Connection, salvage: Salvage) -> None:
    for (number,) in _rows(sql, "SELECT number FROM boot"):
        salvage.boot = _plausible_boot(number)
    for (newest,) in _rows(sql, "SELECT max(id) FROM outbox"):
        salvage.boot = max(salvage.boot, _plausible_boot((newest or 0) >> SEQ_BITS))
    for name, bit in _rows(sql, "SELECT name, bit FROM output"):
        if isinstance(name, str) and isinstance(bit, int) and 0 <= bit < _OUTPUT_BITS:
            salvage.outputs[name] = bit
    for digest, crc, body in _rows(sql, "SELECT digest, crc, body FROM info"):
        if isinstance(body, bytes) and zlib.crc32(body) == crc:
            salvage.infos[digest] = codec.unpack_info(body)
    for name, crc, body in _rows(sql, "SELECT name, crc, body FROM checkpoint"):
        if isinstance(body, bytes) and zlib.crc32(body) == crc:
            salvage.checkpoint[name] = body
    rows = _rows(sql, f"SELECT {findings.TABLE.columns} FROM finding")  # noqa: S608 - constants
    still, _ = findings.open_now(None, rings.intact(findings.TABLE, rows))
    salvage.findings = [findings.stored_of(one) for one in still]


def _plausible_boot(number: object) -> int:
    """A boot number, or 0 for one that a flipped bit has made."""
    return number if isinstance(number, int) and 0 < number < 1 << 18 else 0


def _outbox_of(salvage: Salvage) -> Iterator[tuple[Stored | None, int]]:
    for row in _both_ends(salvage, f"{_COLUMNS} FROM outbox"):
        owed = row[8] if isinstance(row[8], int) else -1
        yield read_row(row[:8], salvage.infos), owed


def _both_ends(salvage: Salvage, what: str) -> Iterator[tuple[Any, ...]]:
    """Rows from both ends: a broken page in the middle costs only itself."""
    last = -1
    with _reading(salvage.aside) as sql:
        for order in ("ASC", "DESC"):
            stop = last
            for row in _rows(sql, f"SELECT {what} ORDER BY id {order}"):
                if order == "DESC" and row[0] <= stop:
                    break
                last = row[0]
                yield row


def _rows(sql: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Rows of a query until the file gives no more."""
    try:
        cursor = sql.execute(query)
        while (row := cursor.fetchone()) is not None:
            yield row
    except (sqlite3.Error, ValueError, OverflowError):
        return
