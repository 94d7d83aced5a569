"""Stored records as rows of the archive's tables. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.centre import scored, told
from edge_agent.records import (
    AlarmRecord,
    DriftRecord,
    LabelRecord,
    LossRecord,
    RawRecord,
    ScoreRecord,
    SnapshotRecord,
)

if TYPE_CHECKING:
    from edge_agent.centre.rows import Rows
    from edge_agent.store.outbox import Stored


def rows_of(stored: Stored) -> Rows | None:
    """Rows of a record; None for one that the archive has no table for.

    Raises:
        Exception: the record contradicts itself; nothing else is to blame.
    """
    rows = _rows(stored)
    return rows if rows is not None and len(rows) else None


def _rows(stored: Stored) -> Rows | None:
    rows: Rows | None = None
    match stored.record:
        case ScoreRecord() as record:
            rows = scored.predictions(stored, record)
        case AlarmRecord() as record:
            rows = scored.alarms(stored, record)
        case LabelRecord() as record:
            rows = told.labels(stored, record)
        case DriftRecord() as record:
            rows = told.drift(stored, record)
        case LossRecord() as record:
            rows = told.losses(stored, record)
        case RawRecord() as record:
            rows = told.samples(stored, record)
        case SnapshotRecord() as record:
            rows = told.snapshot(stored, record)
        case _:
            pass  # events and findings are in the evidence log
    return rows
