"""What was lost, kept: one row a report of a loss.

A ring (see `rings`). It begins with a mark, a row that names nothing: from there on the
ledger knows, so that "nothing was lost" can be told from "nobody knows".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge_agent.records import LossRecord
from edge_agent.store import ledger
from edge_agent.store.outbox import SEQ_BITS
from edge_agent.store.rings import Table

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from edge_agent.store.outbox import Stored
    from edge_agent.store.traces import Origin

#: Rows kept at most: one loss that lasts, told every minute, for 69 days.
KEPT = 100_000
_SMALLEST, _LARGEST = 64 << 10, 32 << 20
_WORD, _SENTENCE = 200, 500  # characters
_NEWEST = (1 << 63) - 2


class Lost(NamedTuple):
    """One report of one loss; the fields are the table's columns in order."""

    id: int
    """As in the outbox: ``boot << 44 | seq``."""
    gateway: str
    what: str
    """Rows, samples, messages ...; empty for the mark where the ledger begins."""
    subject: str
    cause: str
    amount: int
    """How many; 0 where nobody can know."""
    at: int
    """When it was told, agent time, ns."""
    at_first: int
    at_last: int
    wall_offset: int
    """ns to add to all three for the wall clock's date."""
    configuration: str
    """SHA-256 of the configuration that was running."""

    @property
    def mark(self) -> bool:
        """Nothing was lost: the ledger begins here."""
        return not self.what


TABLE = Table(
    "loss",
    Lost,
    Lost._fields,
    ("gateway", "what", "subject", "cause", "configuration"),
)


def share(limit: int) -> int:
    """Bytes the ring may hold in a store of some limit."""
    return min(max(limit // 16, _SMALLEST), _LARGEST)


def left_by(records: Iterable[Stored], origin: Origin) -> Iterator[Lost]:
    """Rows of the losses among some records."""
    for stored in records:
        if isinstance(stored.record, LossRecord):
            yield _row(stored, stored.record, origin)


def mark(boot: int, at: int, offset: int, origin: Origin) -> Lost:
    """Where the ledger of a new file begins: before everything of this opening.

    Args:
        boot: number of the opening.
        at: agent time.
        offset: ns to add to it for the wall clock's date.
        origin: who keeps it.
    """
    same = (at, at, at, offset, origin.configuration)
    return Lost((boot << SEQ_BITS) - 1, origin.gateway, "", "", "", 0, *same)


def some(
    sql: sqlite3.Connection | None, rows: Iterable[Lost], *, first: bool
) -> list[Lost]:
    """Losses of a page, without a mark; on the first page with those not reported yet.

    Args:
        sql: the store.
        rows: of the page.
        first: it is the newest one.
    """
    pending = _pending(sql) if first and sql is not None else []
    return pending + [row for row in rows if not row.mark]


def _pending(sql: sqlite3.Connection) -> list[Lost]:
    try:
        found = sorted(ledger.read(sql).items())
    except (ValueError, TypeError):  # a flipped bit: what opens the file next says so
        return []
    return [
        Lost(_NEWEST - place, "", *key, of.count, of.last, of.first, of.last, 0, "")
        for place, (key, of) in enumerate(found)
    ]


def _row(stored: Stored, record: LossRecord, origin: Origin) -> Lost:
    return Lost(
        stored.id,
        origin.gateway,
        record.what[:_WORD],
        record.subject[:_WORD],
        record.cause[:_SENTENCE],
        record.count,
        record.at,
        record.first,
        record.last,
        stored.offset,
        origin.configuration,
    )
