"""What alarms leave behind: one row a transition, kept long after it was sent.

A ring (see `rings`): a row says which model raised an alarm years later, and to any
tool that reads SQLite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_agent.records import AlarmRecord
from edge_agent.store import rings
from edge_agent.store.outbox import SEQ_BITS
from edge_agent.store.rings import Bounds, Ring, Table

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


TABLE = Table(
    "alarm",
    Trace,
    Trace._fields,
    (
        *("occurrence", "gateway", "pipeline", "asset", "reason", "part"),
        *("model", "model_version", "model_digest", "configuration"),
    ),
)
COLUMNS = TABLE.columns


@dataclass(frozen=True, slots=True)
class Origin:
    """What all alarms of a run share."""

    gateway: str = ""
    configuration: str = ""
    """Its SHA-256."""


NOWHERE = Origin()


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
        number(record.score),
        number(record.threshold),
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
    return rings.measured(sql, TABLE)


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
    return rings.write(sql, TABLE, traces, ring, Bounds(KEPT, limit))


def intact(rows: Iterable[Sequence[Any]]) -> Iterator[Trace]:
    """Those of some rows (`COLUMNS`) that are as they were written."""
    return rings.intact(TABLE, rows)


def number(value: float) -> float | None:
    """A number as SQLite keeps it: it makes nothing of what is none."""
    return float(value) if math.isfinite(value) else None
