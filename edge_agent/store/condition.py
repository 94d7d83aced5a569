"""What the status says of the open file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.records import RecordClass
from edge_agent.store.archive import Fill
from edge_agent.store.holdings import Held

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.instruments import Instruments
    from edge_agent.store.database import Database
    from edge_agent.store.outbox import Loss, LossKey

FORGOTTEN = "store_forgotten_total"


def committed(
    instruments: Instruments, rows: int, lost: Mapping[LossKey, Loss]
) -> None:
    """Count a commit, the rows it wrote and what it had to drop."""
    instruments.count("store_commits_total")
    instruments.count("store_rows_written_total", rows)
    for (what, subject, cause), loss in lost.items():
        labels = {"what": what, "kind": subject, "cause": cause}
        instruments.count("store_lost_total", loss.count, **labels)


def forgotten(instruments: Instruments, before: Fill, after: Fill) -> None:
    """Count what the rings let go in a commit."""
    for what, count in after.forgotten.items():
        instruments.count(FORGOTTEN, count - before.forgotten[what], what=what)


def told(database: Database | None, instruments: Instruments) -> dict[str, Any]:
    """Depth and age; of a disk that fails nothing is known.

    Args:
        database: the store, None while the disk fails.
        instruments: counters.
    """
    held = database.held if database else Held()
    kinds = zip(RecordClass, held.kinds, strict=True)
    return {
        "engine": database.engine.told() if database else "",
        "disk_rows": held.rows,
        "disk_bytes": held.bytes,
        "disk_bytes_by_class": {kind.name.lower(): size for kind, size in kinds},
        "oldest": database.oldest() if database else None,
        **(database.fill if database else Fill()).told(),
        "alarms_forgotten": instruments.counter(FORGOTTEN, what="alarms"),
        "findings_forgotten": instruments.counter(FORGOTTEN, what="findings"),
        "drift_forgotten": instruments.counter(FORGOTTEN, what="drift"),
        "losses_forgotten": instruments.counter(FORGOTTEN, what="losses"),
    }
