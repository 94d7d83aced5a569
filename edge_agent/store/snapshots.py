"""How things stood, kept: the newest snapshot of each day, subject and name.

A ring (see `rings`); its rows are what a report shows of past days (`accuracy`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from edge_agent.records import SnapshotRecord
from edge_agent.records.monitored import PASSING
from edge_agent.samples import NANOSECONDS
from edge_agent.store import rings
from edge_agent.store.rings import Bounds, Ring, Table

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from edge_agent.store.outbox import Stored
    from edge_agent.store.traces import Origin

#: Rows kept at most.
KEPT = 50_000
_SMALLEST, _LARGEST = 64 << 10, 16 << 20
_WORD, _BODY = 200, 64_000  # characters
_LEFT_OUT = '{"left_out":"too long"}'
_DAY = 86_400 * NANOSECONDS
_SAME = "name = ? AND pipeline = ? AND subject = ? AND day = ?"


class Snapshot(NamedTuple):
    """How one thing stood; the fields are the table's columns in order."""

    id: int
    """As in the outbox."""
    gateway: str
    name: str
    pipeline: str
    subject: str
    at: int
    """Agent time, ns."""
    wall_offset: int
    """ns to add to it for the wall clock's date."""
    day: int
    """UTC, days since 1970."""
    body: str
    """A JSON object."""


TABLE = Table(
    "snapshot",
    Snapshot,
    Snapshot._fields,
    ("gateway", "name", "pipeline", "subject", "body"),
)


def share(limit: int) -> int:
    """Bytes the ring may hold in a store of some limit."""
    return min(max(limit // 32, _SMALLEST), _LARGEST)


def left_by(records: Iterable[Stored], origin: Origin) -> Iterator[Snapshot]:
    """Rows of the snapshots among some records."""
    for stored in records:
        record = stored.record
        if isinstance(record, SnapshotRecord) and record.name not in PASSING:
            yield _row(stored, record, origin)


def write(
    sql: sqlite3.Connection, rows: Iterable[Snapshot], ring: Ring, limit: int
) -> Ring:
    """Add snapshots, each in the place of an older one of its day.

    Args:
        sql: the store, within a transaction.
        rows: to add; one that is older than what is there is left out.
        ring: how full it is.
        limit: bytes it may hold.
    """
    for row in rows:
        same = (row.name, row.pipeline, row.subject, row.day)
        older = f"{_SAME} AND id < ?"
        ring = rings.remove(sql, TABLE, older, (*same, row.id), ring)
        # what is there now is newer, and stays: the table allows one a day
        ring = rings.add(sql, TABLE, [row], ring)
    return rings.within(sql, TABLE, ring, Bounds(KEPT, limit))


def body_of(snapshot: Snapshot) -> dict[str, Any]:
    """What it says."""
    found: dict[str, Any] = msgspec.json.decode(snapshot.body, type=dict[str, Any])
    return found


def _row(stored: Stored, record: SnapshotRecord, origin: Origin) -> Snapshot:
    body = msgspec.json.encode(record.body, enc_hook=str).decode()
    return Snapshot(
        stored.id,
        origin.gateway,
        record.name[:_WORD],
        record.pipeline[:_WORD],
        record.subject[:_WORD],
        record.at,
        stored.offset,
        (record.at + stored.offset) // _DAY,
        body if len(body) <= _BODY else _LEFT_OUT,
    )
