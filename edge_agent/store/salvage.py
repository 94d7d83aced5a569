"""What a damaged file still tells, and how it is carried over into a new store.

It lies beside the store under the name it was given when it was put aside; how far the
work on it has come is noted there, too.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import sys
import zlib
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING, Any, cast

import structlog

from edge_agent.store import checkpoints, codec, findings, ledger, pending, rings
from edge_agent.store.archive import TABLES, Left
from edge_agent.store.outbox import SEQ_BITS, Loss
from edge_agent.store.rows import Transaction, is_sound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge_agent.records import PipelineInfo
    from edge_agent.store.database import Database
    from edge_agent.store.outbox import LossKey, Stored
    from edge_agent.store.pending import Pending
    from edge_agent.store.rows import OnDisk

log = structlog.get_logger()

_CHUNK = 500
_WEIGHT = 1 << 18
_NOTE_EVERY = 50
_OUTPUT_BITS = 62
_MOST_LOST = 1 << 32  # more is a flipped bit
_COLUMNS = "id, class, rows, at_first, at_last, wall_offset, crc, body, owed"


@dataclass(slots=True)
class Salvage:
    """What a damaged file still tells.

    Attributes:
        aside: where it is now.
        note: what was wrong with it, and how far the work on it has come.
        infos: what its scores share.
        checkpoint: the parts with a matching CRC.
        outputs: which bit stood for which output.
        boot: highest boot number found.
        findings: that nothing had closed.
        losses: its ledger.
    """

    aside: Path
    note: Pending
    infos: dict[bytes, PipelineInfo] = field(default_factory=dict)
    checkpoint: dict[str, bytes] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    boot: int = 0
    findings: list[Stored] = field(default_factory=list)
    losses: dict[LossKey, Loss] = field(default_factory=dict)

    def told(self) -> str:
        """Say it once in the log; the sentence is for the operator's event."""
        log.error("store damaged", reason=self.note.reason, put_aside=str(self.aside))
        return (
            f"{self.note.reason}; put aside as {self.aside.name}, a new store was begun"
            " with all that could be read back"
        )


@dataclass(frozen=True, slots=True)
class Copied:
    """One step of a salvage: records carried over, and losses noted in the ledger."""

    records: int
    losses: dict[LossKey, Loss]


@dataclass(slots=True)
class Stretch:
    """Ids not read yet: above ``after`` and below ``before``."""

    after: int = -1
    before: int = sys.maxsize


class _Masks:
    """Who is still owed a record of a damaged file."""

    def __init__(self, salvage: Salvage, names: Sequence[str]) -> None:
        known = salvage.outputs
        self._moved = {1 << known[n]: 1 << i for i, n in enumerate(names) if n in known}
        # an output list that is lost, too, leaves every record owed to everyone
        self._everyone = 0 if known else (1 << len(names)) - 1

    def of(self, owed: int) -> int:
        """The mask in the new store."""
        moved = sum(new for old, new in self._moved.items() if owed & old)
        return self._everyone or moved


def unfinished(path: Path) -> Salvage | None:
    """The oldest file put aside that was not carried over to its end.

    Args:
        path: the store.
    """
    for one in pending.read(path):
        aside = path.with_name(one.aside)
        if aside.exists():
            salvage = Salvage(aside, one)
            with _reading(aside) as sql:
                _read_small(sql, salvage)
            return salvage
    return None


def take_over(database: Database, salvage: Salvage) -> None:
    """Carry over what the start needs: the checkpoint and the ledger.

    Raises:
        sqlite3.Error: the new store cannot be written.
        OSError: nor can the note beside it.
    """
    known, _ = database.checkpoint()
    missing = {n: body for n, body in salvage.checkpoint.items() if n not in known}
    database.commit(Transaction(checkpoint=missing, losses=salvage.losses))
    salvage.note.fresh = False
    pending.write(database.path, salvage.note)


def carry_over(
    database: Database, salvage: Salvage, names: Sequence[str], at: int
) -> Iterator[Copied]:
    """Copy every readable record, and count the others, a piece a step.

    Where it stands is noted beside the store: a crash on the way repeats some records
    and loses none.

    Args:
        database: the new store.
        salvage: the damaged one.
        names: the configured outputs, in order of the new masks.
        at: agent time of the loss note.

    Raises:
        sqlite3.Error: the new store cannot be written.
        OSError: nor can the note beside it.
    """
    for name, table in TABLES.items():
        rows = _both_ends(salvage, f"{table.columns} FROM {table.name}", Stretch())
        left = rings.intact(table, rows)
        while some := list(islice(left, _CHUNK)):
            kept: dict[str, Any] = {name: some}
            database.keep(Left(**kept))
            yield Copied(0, {})
    # of pages that cannot be read at all nobody knows what was on them: 0 says so
    key = ("records", "outbox", f"damaged store put aside as {salvage.aside.name}")
    yield Copied(0, database.commit(Transaction(losses={key: Loss(0, at, at)})))
    masks = _Masks(salvage, names)
    stretch = Stretch(salvage.note.after, salvage.note.before)
    outbox = _outbox_of(salvage, stretch)
    for number in count(1):
        chunk = list(_weighed(outbox))
        if not chunk:
            break
        good = [(row, masks.of(owed)) for row, owed in chunk if is_sound(row)]
        database.adopt(good, salvage.infos.values())
        losses = {}
        if bad := len(chunk) - len(good):
            losses = database.commit(Transaction(losses={key: Loss(bad, at, at)}))
        salvage.note.after, salvage.note.before = stretch.after, stretch.before
        if number % _NOTE_EVERY == 0:
            pending.write(database.path, salvage.note)
        yield Copied(sum(1 for _, mask in good if mask), losses)
    pending.done(database.path, salvage.note)


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
        if isinstance(body, bytes):
            part = checkpoints.intact(crc, body)
            salvage.checkpoint |= {} if part is None else {name: part}
    with contextlib.suppress(sqlite3.Error, ValueError, TypeError):
        found = ledger.read(sql)
        salvage.losses = {k: x for k, x in found.items() if 0 <= x.count < _MOST_LOST}
    rows = _rows(sql, f"SELECT {findings.TABLE.columns} FROM finding")  # noqa: S608 - constants
    still, _ = findings.open_now(None, rings.intact(findings.TABLE, rows))
    salvage.findings = [findings.stored_of(one) for one in still]


def _plausible_boot(number: object) -> int:
    """A boot number, or 0 for one that a flipped bit has made."""
    return number if isinstance(number, int) and 0 < number < 1 << 18 else 0


def _outbox_of(salvage: Salvage, stretch: Stretch) -> Iterator[tuple[OnDisk, int]]:
    for *row, owed in _both_ends(salvage, f"{_COLUMNS} FROM outbox", stretch):
        yield cast("OnDisk", tuple(row)), owed if isinstance(owed, int) else -1


def _weighed(outbox: Iterator[tuple[OnDisk, int]]) -> Iterator[tuple[OnDisk, int]]:
    """The next records that are worth a transaction, and no long one."""
    size = 0
    for row, owed in islice(outbox, _CHUNK):
        yield row, owed
        body: object = row[7]  # a flipped bit makes any type of it
        size += len(body) if isinstance(body, bytes) else 0
        if size > _WEIGHT:
            return


def _both_ends(
    salvage: Salvage, what: str, stretch: Stretch
) -> Iterator[tuple[Any, ...]]:
    """Rows from both ends: a broken page in the middle costs only itself."""
    with _reading(salvage.aside) as sql:
        where = f"id > {stretch.after} AND id < {stretch.before}"
        for row in _rows(sql, f"SELECT {what} WHERE {where} ORDER BY id"):
            stretch.after = int(row[0])
            yield row
        where = f"id > {stretch.after} AND id < {stretch.before}"
        for row in _rows(sql, f"SELECT {what} WHERE {where} ORDER BY id DESC"):
            stretch.before = int(row[0])
            yield row


def _rows(sql: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Rows of a query until the file gives no more."""
    try:
        cursor = sql.execute(query)
        while (row := cursor.fetchone()) is not None:
            yield row
    except (sqlite3.Error, ValueError, OverflowError):
        return
