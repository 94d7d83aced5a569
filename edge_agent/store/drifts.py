"""What pipelines' columns looked like, kept: one row a block, later one row a day.

A ring (see `rings`) that grows coarser before it forgets: once a block is `HOURS_KEPT`
days old, the blocks of a day are added up into one row, without any loss (`blocks`).
Where the ring has no room, the oldest blocks are added up sooner. Only then the oldest
row goes.

A row is only ever added up in a later transaction than the one that wrote it: written
again, because nobody knows whether a commit held, it must not count twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from edge_agent.records import DriftRecord
from edge_agent.samples import NANOSECONDS
from edge_agent.store import blocks, rings
from edge_agent.store.blocks import Block
from edge_agent.store.rings import OVERHEAD, Bounds, Ring, Table

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from edge_agent.store.outbox import Stored
    from edge_agent.store.traces import Origin

#: Rows kept at most.
KEPT = 100_000
#: Days for which blocks stay as they came.
HOURS_KEPT = 7
#: Days added up in one commit beside one for twelve rows that come, the most where
#: there is no room, and rows of a day at once: alarms wait for it.
MERGES, MERGES_FOR_ROOM, ROWS_AT_ONCE = 8, 64, 300
_SMALLEST, _LARGEST = 256 << 10, 64 << 20
_WORD = 200  # characters
_DAY = 86_400 * NANOSECONDS
_ALL_DAYS = 1 << 40


class Drift(NamedTuple):
    """Columns of one pipeline and context; the fields are the table's in order."""

    id: int
    """As in the outbox; of blocks that were added up, the newest one's."""
    gateway: str
    pipeline: str
    context: str
    model: str
    model_version: str
    model_digest: str
    baseline_id: str
    """Names the bins."""
    layout: str
    """Names the columns: only rows of equal baseline and layout are added up."""
    since: int
    until: int
    """Agent time, ns."""
    wall_offset: int
    """ns to add to both for the wall clock's date."""
    day: int
    """UTC, days since 1970, in which it began."""
    whole: int
    """1 when nothing more of the day is to be added."""
    blocks: int
    """How many it is made of."""
    rows: int
    gated: int
    body: bytes
    """See `blocks`."""

    @property
    def block(self) -> Block:
        """Its columns.

        Raises:
            ValueError: the body is damaged.
        """
        return blocks.unpack(self.body)


TABLE = Table(
    "drift",
    Drift,
    Drift._fields,
    (
        *("gateway", "pipeline", "context", "model", "model_version", "model_digest"),
        *("baseline_id", "layout", "body"),
    ),
)
#: What rows must have in common to be added up.
_KEY = (
    *("gateway", "pipeline", "context", "model", "model_version", "model_digest"),
    *("baseline_id", "layout", "day"),
)
_SAME = " AND ".join(f"{name} = ?" for name in _KEY)


@dataclass(frozen=True, slots=True)
class Calendar:
    """How far the days are added up.

    Attributes:
        before: all blocks that began before this day.
        changes: times that rows were added up since the start; who reads the table
            page by page begins anew when it moves.
    """

    before: int = 0
    changes: int = 0


def share(limit: int) -> int:
    """Bytes the ring may hold in a store of some limit."""
    return min(max(limit // 8, _SMALLEST), _LARGEST)


def left_by(records: Iterable[Stored], origin: Origin) -> Iterator[Drift]:
    """Rows of the drift records among some records."""
    for stored in records:
        if isinstance(stored.record, DriftRecord):
            yield _row(stored, stored.record, origin)


def write(
    sql: sqlite3.Connection,
    rows: Sequence[Drift],
    ring: Ring,
    calendar: Calendar,
    limit: int,
) -> tuple[Ring, Calendar]:
    """Add blocks; old ones are added up, and the oldest make room.

    Args:
        sql: the store, within a transaction.
        rows: one already there stays as it is.
        ring: how full it is.
        calendar: how far the days are added up.
        limit: bytes it may hold.
    """
    if not rows:
        return ring, calendar
    bounds = Bounds(KEPT, limit)
    ring, calendar = _grown_coarser(sql, rows, ring, calendar, bounds)
    ring = rings.add(sql, TABLE, rows, ring)
    return rings.within(sql, TABLE, ring, bounds), calendar


def _grown_coarser(
    sql: sqlite3.Connection,
    coming: Sequence[Drift],
    ring: Ring,
    calendar: Calendar,
    bounds: Bounds,
) -> tuple[Ring, Calendar]:
    """Add up what is old enough, or what it takes to make room; bounded in time."""
    due = max(row.day for row in coming) - HOURS_KEPT
    first = min(row.id for row in coming)
    size = sum(OVERHEAD + sum(map(_length, row)) for row in coming)
    for done in range(MERGES_FOR_ROOM):
        tight = ring.bytes + size > bounds.bytes or ring.rows >= bounds.rows
        enough = due <= calendar.before or done >= MERGES + len(coming) // 12
        if not tight and enough:
            break
        found = _some_of_a_day(sql, _ALL_DAYS if tight else due, first)
        if not found:
            return ring, replace(calendar, before=max(due, calendar.before))
        ring = _added_up(sql, found, ring)
        calendar = replace(calendar, changes=calendar.changes + 1)
    return ring, calendar


def _length(value: object) -> int:
    return len(value) if isinstance(value, (str, bytes)) else 0


def _some_of_a_day(
    sql: sqlite3.Connection, before: int, first: int
) -> list[tuple[int, Drift | None]]:
    """Blocks that can be added up, of the first day there is, with their ids.

    None stands for a damaged one.

    Args:
        sql: the store.
        before: only of days before this one.
        first: only ids below.
    """
    one = sql.execute(
        f"SELECT id, {', '.join(_KEY)} FROM drift"  # noqa: S608 - constants
        " WHERE whole = 0 AND day < ? AND id < ? ORDER BY day LIMIT 1",
        (before, first),
    ).fetchone()
    if one is None:
        return []
    rows = sql.execute(
        f"SELECT {TABLE.columns} FROM drift"  # noqa: S608 - constants
        f" WHERE whole = 0 AND {_SAME} AND id < ? ORDER BY id LIMIT ?",
        (*one[1:], first, ROWS_AT_ONCE),
    ).fetchall()
    if not rows:  # so damaged that it is not even like itself
        return [(int(one[0]), None)]
    return [(int(row[0]), next(rings.intact(TABLE, [row]), None)) for row in rows]


def _added_up(
    sql: sqlite3.Connection, found: Sequence[tuple[int, Drift | None]], ring: Ring
) -> Ring:
    """Put one row in the place of some; damaged ones are gone for good."""
    good = [row for _, row in found if row is not None]
    for id_, _ in found:
        ring = rings.remove(sql, TABLE, "id = ?", (id_,), ring)
    ring = replace(ring, forgotten=ring.forgotten + len(found) - len(good))
    if not good:
        return ring
    row = merged(good)._replace(whole=int(len(found) < ROWS_AT_ONCE))
    return rings.add(sql, TABLE, [row], ring)


def merged(rows: Sequence[Drift]) -> Drift:
    """Rows of equal pipeline, context, model, baseline and layout as one, exactly.

    Args:
        rows: at least one, oldest first.
    """
    last, block = rows[-1], rows[0].block
    for row in rows[1:]:
        block = block.plus(row.block)
    since = min(row.since + row.wall_offset for row in rows)
    until = max(row.until + row.wall_offset for row in rows)
    return last._replace(
        since=since - last.wall_offset,
        until=until - last.wall_offset,
        blocks=sum(row.blocks for row in rows),
        rows=sum(row.rows for row in rows),
        gated=sum(row.gated for row in rows),
        body=blocks.pack(block),
    )


def _row(stored: Stored, record: DriftRecord, origin: Origin) -> Drift:
    info, block = record.info, Block.of(record)
    return Drift(
        stored.id,
        origin.gateway,
        info.pipeline[:_WORD],
        record.context[:_WORD],
        info.model,
        info.model_version,
        info.model_digest or info.model_sha8,
        record.baseline_id[:_WORD],
        block.layout,
        record.since,
        record.until,
        stored.offset,
        (record.since + stored.offset) // _DAY,
        0,
        1,
        record.rows,
        record.gated,
        blocks.pack(block),
    )
