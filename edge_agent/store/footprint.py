"""What a record takes on disk: measured in a small file in memory, not guessed.

A body is a row with nine columns, in pages that end before the next one fits; for
urgent classes there is an index. How much that is depends on its length.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING

from edge_agent.records import RecordClass
from edge_agent.store import codec, pages
from edge_agent.store.ledger import ROW
from edge_agent.store.outbox import SEQ_BITS, Stored
from edge_agent.store.rows import row_of
from edge_agent.store.schema import MIGRATIONS

if TYPE_CHECKING:
    from edge_agent.records import Record
    from edge_agent.store.holdings import Held

#: Bytes written to measure one length: pages that are not full count little.
_SAMPLE = 64 << 10
#: Lengths are measured in steps of this part of them.
_STEP = 16


def weight(record: Record) -> float:
    """Bytes on disk for a byte of the record's size in memory.

    Args:
        record: whose values are `plain`.
    """
    body = row_of(Stored(1 << SEQ_BITS, record), 1).body
    return on_disk(len(body), record.kind) / max(codec.size_of(record), 1)


def on_disk(length: int, kind: RecordClass) -> float:
    """Bytes of pages that a row with a body of some length takes."""
    step = max(length // _STEP, 8)
    urgent = kind < RecordClass.SCORE
    return length + _beside(-(-length // step) * step, urgent=urgent)


def part_of(held: Held) -> float:
    """Bytes of pages for a byte that is counted as held; 1 where nothing is."""
    counted = real = 0.0
    for kind in RecordClass:
        records, size = held.records[kind], held.kinds[kind]
        if records > 0:
            counted += size
            real += records * on_disk(size // records - ROW, kind)
    return max(real / counted, 1.0) if counted else 1.0


@lru_cache(maxsize=256)
def _beside(length: int, *, urgent: bool) -> float:
    """Bytes beside the body."""
    kind = int(RecordClass.ALARM if urgent else RecordClass.SCORE)
    records = max(_SAMPLE // max(length, 64), 8)
    row = (kind, 10, 1 << 60, 1 << 60, 1 << 60, 3, 1 << 31, bytes(length))
    # closed below; nothing of it touches a disk
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as sql:
        sql.execute(f"PRAGMA page_size = {pages.PAGE}")
        sql.executescript(MIGRATIONS[0])
        before = pages.used(sql)
        sql.executemany(
            "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [((1 << SEQ_BITS) + 10 * i, *row) for i in range(records)],
        )
        return (pages.used(sql) - before) / records - length
