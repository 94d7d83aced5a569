"""What is kept for reports, whoever acknowledged it.

Five rings: alarms, findings, drift, snapshots and losses. They lie in the store's file
and are written in the commit of the records that leave them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from edge_agent.store import drifts, findings, lost, rings, snapshots, traces
from edge_agent.store.drifts import Calendar
from edge_agent.store.rings import EMPTY, Bounds, Ring

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from edge_agent.store.drifts import Drift
    from edge_agent.store.findings import Finding
    from edge_agent.store.lost import Lost
    from edge_agent.store.outbox import Stored
    from edge_agent.store.rings import Table
    from edge_agent.store.snapshots import Snapshot
    from edge_agent.store.traces import Origin, Trace


@dataclass(frozen=True, slots=True)
class Left:
    """What some records leave behind."""

    alarms: Sequence[Trace] = ()
    findings: Sequence[Finding] = ()
    drift: Sequence[Drift] = ()
    snapshots: Sequence[Snapshot] = ()
    losses: Sequence[Lost] = ()

    @staticmethod
    def by(records: Iterable[Stored], origin: Origin) -> Left:
        """Rows of records.

        Args:
            records: any.
            origin: what the rows of this run share.
        """
        given = list(records)
        return Left(
            list(traces.left_by(given, origin)),
            list(findings.left_by(given, origin)),
            list(drifts.left_by(given, origin)),
            list(snapshots.left_by(given, origin)),
            list(lost.left_by(given, origin)),
        )


#: The rings, by the name of their field in `Left` and in `Fill`.
TABLES: dict[str, Table[Any]] = {
    "alarms": traces.TABLE,
    "findings": findings.TABLE,
    "drift": drifts.TABLE,
    "snapshots": snapshots.TABLE,
    "losses": lost.TABLE,
}


@dataclass(frozen=True, slots=True)
class Fill:
    """How full the rings are."""

    alarms: Ring = EMPTY
    findings: Ring = EMPTY
    drift: Ring = EMPTY
    snapshots: Ring = EMPTY
    losses: Ring = EMPTY
    calendar: Calendar = field(default_factory=Calendar)

    def told(self) -> dict[str, int]:
        """For the status."""
        each = {name: getattr(self, name) for name in TABLES}
        kept = {f"{name}_kept": ring.rows for name, ring in each.items()}
        return kept | {"kept_bytes": sum(ring.bytes for ring in each.values())}

    @property
    def forgotten(self) -> dict[str, int]:
        """Rows that went since the start, by ring."""
        return {name: getattr(self, name).forgotten for name in TABLES}


def share(limit: int) -> int:
    """Bytes that all rings together may hold in a store of some limit."""
    each = (
        *(traces.share, findings.share, drifts.share, snapshots.share),
        lost.share,
    )
    return sum(share(limit) for share in each)


def measured(sql: sqlite3.Connection) -> Fill:
    """How full the rings of a file are."""
    found: dict[str, Any] = {
        name: rings.measured(sql, table) for name, table in TABLES.items()
    }
    return Fill(**found)


def write(sql: sqlite3.Connection, left: Left, fill: Fill, limit: int) -> Fill:
    """Add what records left behind; in every ring the oldest makes room.

    Args:
        sql: the store, within a transaction.
        left: rows; those already there stay as they are.
        fill: how full the rings are.
        limit: bytes of the store.
    """
    drift, calendar = drifts.write(
        sql, left.drift, fill.drift, fill.calendar, drifts.share(limit)
    )
    bounds = Bounds(findings.KEPT, findings.share(limit))
    most = Bounds(lost.KEPT, lost.share(limit))
    return replace(
        fill,
        alarms=traces.write(sql, left.alarms, fill.alarms, traces.share(limit)),
        findings=rings.write(sql, findings.TABLE, left.findings, fill.findings, bounds),
        drift=drift,
        snapshots=snapshots.write(
            sql, left.snapshots, fill.snapshots, snapshots.share(limit)
        ),
        losses=rings.write(sql, lost.TABLE, left.losses, fill.losses, most),
        calendar=calendar,
    )
