"""What alarms leave behind: one row a transition, kept long after it was sent.

A ring, not an outbox: nobody is owed these rows, the oldest goes when the ring is
full. A row stands by itself (plain columns, no reference), so that it says which
model raised an alarm years later, and to any tool that reads SQLite.

Functions on the store's connection; those that write run within a transaction of
the caller's.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from edge_agent.records import AlarmRecord
from edge_agent.store.outbox import SEQ_BITS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from edge_agent.store.outbox import Stored

#: Transitions kept at most: at 100 a day, 2.7 years.
KEPT = 100_000
_SMALLEST, _LARGEST = 64 << 10, 64 << 20
_LONGEST = 500  # characters of one text


class Trace(NamedTuple):
    """One transition of one alarm; the fields are the table's columns in order."""

    id: int
    """As in the outbox: ``boot << 44 | seq``."""
    occurrence: str
    gateway: str
    pipeline: str
    asset: str
    state: int
    """`records.AlarmState`."""
    at: int
    """Agent time, ns."""
    since: int
    """When the alarm came, agent time, ns."""
    wall_offset: int
    """ns to add to both for the wall clock's date."""
    score: float | None
    threshold: float | None
    severity: int
    reason: str
    part: str
    model: str
    model_version: str
    model_digest: str
    """SHA-256 of the bundle; empty where no model scored."""
    fallback: int
    """`records.Fallback`."""
    configuration: str
    """SHA-256 of the configuration that was running."""

    @property
    def boot(self) -> int:
        """Which opening of the store numbered it."""
        return self.id >> SEQ_BITS

    @property
    def seq(self) -> int:
        """Its number within the boot."""
        return self.id & ((1 << SEQ_BITS) - 1)


_NAMES = ", ".join(Trace._fields)
_TEXTS = (
    *("occurrence", "gateway", "pipeline", "asset", "reason", "part"),
    *("model", "model_version", "model_digest", "configuration"),
)
#: Bytes of a row, closely enough to bound the ring by.
_SIZE = "+".join(["100", *(f"length({name})" for name in _TEXTS)])
_INSERT = (
    f"INSERT OR IGNORE INTO alarm ({_NAMES}, crc) VALUES"  # noqa: S608 - constants
    f" ({', '.join('?' * len(Trace._fields))}, ?) RETURNING {_SIZE}"
)
#: Everything a row must be checked by, for a damaged file.
COLUMNS = f"{_NAMES}, crc"


@dataclass(frozen=True, slots=True)
class Origin:
    """What all alarms of a run share."""

    gateway: str = ""
    configuration: str = ""
    """Its SHA-256."""


NOWHERE = Origin()


@dataclass(frozen=True, slots=True)
class Ring:
    """How full the ring is.

    Attributes:
        rows, bytes: that it holds.
        forgotten: rows that went since the start, by design.
    """

    rows: int = 0
    bytes: int = 0
    forgotten: int = 0


def share(limit: int) -> int:
    """Bytes the ring may hold in a store of some limit."""
    return min(max(limit // 8, _SMALLEST), _LARGEST)


def left_by(records: Iterable[Stored], origin: Origin) -> Iterator[Trace]:
    """What the alarms among some records leave behind."""
    for stored in records:
        if isinstance(stored.record, AlarmRecord):
            yield _trace_of(stored, stored.record, origin)


def _trace_of(stored: Stored, record: AlarmRecord, origin: Origin) -> Trace:
    info = record.info
    return Trace(
        stored.id,
        record.occurrence[:_LONGEST],
        origin.gateway,
        info.pipeline,
        info.assets[record.asset],
        int(record.state),
        record.at,
        record.since,
        stored.offset,
        _number(record.score),
        _number(record.threshold),
        record.severity,
        record.reason[:_LONGEST],
        record.part[:_LONGEST],
        info.model,
        info.model_version,
        info.model_digest or info.model_sha8,
        int(record.fallback),
        origin.configuration,
    )


def measured(sql: sqlite3.Connection) -> Ring:
    """How full the ring of a file is."""
    rows, size = sql.execute(
        f"SELECT count(*), coalesce(sum({_SIZE}), 0) FROM alarm"  # noqa: S608 - constants
    ).fetchone()
    return Ring(int(rows), int(size))


def write(
    sql: sqlite3.Connection, traces: Iterable[Trace], ring: Ring, limit: int
) -> Ring:
    """Add transitions; the oldest make room for them.

    Args:
        sql: the store, within a transaction.
        traces: one already there stays as it is.
        ring: how full it is.
        limit: bytes it may hold.
    """
    rows, size = ring.rows, ring.bytes
    for trace in traces:
        for (added,) in sql.execute(_INSERT, (*trace, _crc(trace))).fetchall():
            rows, size = rows + 1, size + int(added)
    return _within(sql, replace(ring, rows=rows, bytes=size), limit)


def intact(rows: Iterable[Sequence[Any]]) -> Iterator[Trace]:
    """Those of some rows (`COLUMNS`) that are as they were written."""
    for *values, crc in rows:
        trace = Trace(*values)
        if _crc(trace) == crc:
            yield trace


def _within(sql: sqlite3.Connection, ring: Ring, limit: int) -> Ring:
    """Forget the oldest until the ring is within its bounds."""
    while ring.rows > KEPT or (ring.bytes > limit and ring.rows > 1):
        gone = sql.execute(
            "DELETE FROM alarm WHERE id = (SELECT min(id) FROM alarm)"  # noqa: S608 - constants
            f" RETURNING {_SIZE}"
        ).fetchone()
        if gone is None:
            return replace(ring, rows=0, bytes=0)
        ring = Ring(ring.rows - 1, ring.bytes - int(gone[0]), ring.forgotten + 1)
    return ring


def _number(value: float) -> float | None:
    """A number as SQLite keeps it: it makes nothing of what is none."""
    return float(value) if math.isfinite(value) else None


def _crc(trace: Trace) -> int:
    # a flipped bit makes any type of a value: bytes are encoded, too
    return zlib.crc32(msgspec.msgpack.encode(tuple(trace)))
