"""Records that an output refused for good, kept aside: the newest, for a person.

Functions on the store's connection; `write` runs within a transaction of the caller's.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from edge_agent.records import EventRecord, ScoreRecord
from edge_agent.samples import NANOSECONDS
from edge_agent.store import codec
from edge_agent.store.outbox import Loss, add_loss
from edge_agent.store.rows import Refused

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from edge_agent.records import PipelineInfo, Record
    from edge_agent.store.outbox import LossKey, Stored

KEPT = 1000
#: Records on a page, and bytes of them from which on it is full.
PAGE, PAGE_BYTES = 100, 256 << 10
#: Nanoseconds between two events about what an output refused.
_NOTICE_EVERY = 60 * NANOSECONDS
_NEWEST = (1 << 63) - 1
_FULL = "refused for good, and the quarantine is full"


class Kept(NamedTuple):
    """A record in quarantine.

    Attributes:
        number: of the refusal; it counts up.
        id: of the record, see `outbox.Stored`.
        output: who refused it.
        reason: in its words.
        at: agent time of the refusal in ns.
        rows: refused.
        record: what was refused, None where it cannot be read any more.
    """

    number: int
    id: int
    output: str
    reason: str
    at: int
    rows: int
    record: Record | None


class Page(NamedTuple):
    """Some of it, newest first.

    Attributes:
        kept: the records.
        before: what to ask for next, -1 where this was all.
        total: all that are kept.
    """

    kept: tuple[Kept, ...] = ()
    before: int = -1
    total: int = 0


def count(sql: sqlite3.Connection) -> int:
    """How many are kept."""
    (found,) = sql.execute("SELECT count(*) FROM quarantine").fetchone()
    return int(found)


def page(sql: sqlite3.Connection, before: int = -1, output: str = "") -> Page:
    """Those refused last.

    Args:
        sql: the store.
        before: only numbers below; -1 for all.
        output: of this output only; empty for all.
    """
    rows = sql.execute(
        "SELECT number, id, output, reason, at, rows, body FROM quarantine"
        " WHERE number < ? AND (? IN ('', output)) ORDER BY number DESC LIMIT ?",
        (before if before >= 0 else _NEWEST, output, PAGE + 1),
    ).fetchall()
    infos, kept, size = _infos(sql), list[Kept](), 0
    for row in rows[:PAGE]:
        if kept and size > PAGE_BYTES:
            break
        size += len(row[-1])
        kept.append(Kept._make((*row[:-1], _record(row[-1], infos))))
    more = len(rows) > len(kept)
    return Page(tuple(kept), kept[-1].number if more else -1, count(sql))


def refused(
    stored: Stored, output: str, reason: str, rows: Sequence[int], at: int
) -> Refused:
    """What is kept of a record that an output will never take.

    Args:
        stored: the record.
        output: who refuses it.
        reason: what it said.
        rows: the refused rows of a score record; empty for all.
        at: agent time in ns.
    """
    record = stored.record
    if isinstance(record, ScoreRecord) and rows:
        record = codec.take(record, rows)
    body, many = codec.encode(record), codec.rows_of(record)
    first = stored.id + min(rows, default=0)
    span = codec.span_of(record)
    info = codec.info_of(record)
    return Refused(first, output, reason, at, many, body, *span, info)


def write(
    sql: sqlite3.Connection,
    refused: Sequence[Refused],
    losses: dict[LossKey, Loss],
) -> None:
    """Keep some more; the oldest make room for them, and are lost.

    Args:
        sql: the store.
        refused: what to keep.
        losses: takes what was lost.
    """
    if not refused:
        return
    sql.executemany(
        "INSERT INTO quarantine (id, output, reason, at, rows, body)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(r.id, r.output, r.reason, r.at, r.rows, r.body) for r in refused],
    )
    # the record itself may never have been written
    infos = {codec.pack_info(r.info) for r in refused if r.info is not None}
    sql.executemany(
        "INSERT OR IGNORE INTO info VALUES (?, ?, ?)",
        [(digest, zlib.crc32(body), body) for digest, body in infos],
    )
    gone = sql.execute(
        "DELETE FROM quarantine WHERE number <="
        " (SELECT max(number) FROM quarantine) - ? RETURNING output, rows, at",
        (KEPT,),
    ).fetchall()
    for output, rows, at in gone:
        # the refusal itself is counted already: this is what was kept of it
        add_loss(losses, ("kept aside", output, _FULL), Loss(rows, at, at))


class Notices:
    """Events about refusals: one an output and minute, however many there are."""

    def __init__(self) -> None:
        self._told_at: dict[str, int] = {}
        self._untold: dict[str, int] = {}

    def of(self, one: Refused, stored: Stored) -> EventRecord | None:
        """What to tell of a refusal; None when one was told a short while ago."""
        told_at = self._told_at.get(one.output)
        if told_at is not None and one.at - told_at < _NOTICE_EVERY:
            self._untold[one.output] = self._untold.get(one.output, 0) + one.rows
            return None
        self._told_at[one.output] = one.at
        before = self._untold.pop(one.output, 0)
        message = (
            f"{one.rows} rows refused for good and put in quarantine: {one.reason}"
        )
        if before:
            message += f"; {before} more in the minutes before"
        details = {"boot": stored.boot, "seq": stored.seq, "rows": one.rows + before}
        return EventRecord(one.at, "record refused", one.output, message, details)


def _infos(sql: sqlite3.Connection) -> dict[bytes, PipelineInfo]:
    known = {}
    for digest, crc, body in sql.execute("SELECT digest, crc, body FROM info"):
        if zlib.crc32(body) == crc:
            known[digest] = codec.unpack_info(body)
    return known


def _record(body: bytes, infos: Mapping[bytes, PipelineInfo]) -> Record | None:
    """A body has no checksum of its own: anything may come of a damaged one."""
    try:
        return codec.decode(body, infos.__getitem__)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, struct.error):
        return None
