"""Many small objects of a day become one; any crash in between loses nothing.

The merged object is put before the small ones are removed: in between, and after a
crash until the next time, rows are there twice, which their key tells. The same
objects make the same merged one, byte for byte, wherever this runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import structlog

from edge_agent.centre import parquet
from edge_agent.centre.names import Named, named, sha_of
from edge_agent.centre.tables import TABLES
from edge_agent.store.outbox import SEQ_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arro3.core import RecordBatch

    from edge_agent.centre.bucket import Bucket
    from edge_agent.samples import I64

log = structlog.get_logger()

#: Bytes of objects that a gateway puts together at most; ten times that in memory.
TOGETHER = 4 << 20


class Compacted(NamedTuple):
    """What was done: objects before, removed and put; rows that were there twice."""

    before: int = 0
    removed: int = 0
    put: int = 0
    rows: int = 0
    twice: int = 0

    def __add__(self, other: object) -> Compacted:
        """Both together."""
        if not isinstance(other, Compacted):
            return NotImplemented
        return Compacted(*(one + two for one, two in zip(self, other, strict=True)))


def compact_day(
    bucket: Bucket, site: str, gateway: str, day: str, together: int = TOGETHER
) -> Compacted:
    """`compact` for every table.

    Raises:
        SinkLost: the store was lost; call again.
    """
    done = Compacted()
    for table in TABLES:
        done += compact(bucket, table, site, gateway, day, together)
    return done


def compact(
    bucket: Bucket,
    table: str,
    site: str,
    gateway: str,
    day: str,
    together: int = TOGETHER,
) -> Compacted:
    """Put the objects of one table, gateway and day together.

    Args:
        bucket: the archive.
        table: of `tables.TABLES`.
        site: where the gateway stands.
        gateway: whose rows.
        day: UTC, ``YYYY-MM-DD``; one that is over, or objects are merged again.
        together: bytes of objects that become one at most.

    Raises:
        SinkLost: the store was lost; call again.
    """
    folder = Named(table, site, gateway, day, 0, 0, "").folder
    found = [(one, size) for name, size in bucket.names(folder) if (one := named(name))]
    done = Compacted(before=len(found))
    for group in grouped(found, together):
        if len(group) > 1:
            done += _merge(bucket, group)
    return done


def grouped(
    found: Sequence[tuple[Named, int]], together: int = TOGETHER
) -> list[list[Named]]:
    """Which objects become one: neighbours in the order of their rows.

    Those whose ids overlap belong together whatever their size: one of them is what
    an earlier attempt made of the others. None is larger than a few times the limit.
    """
    groups: list[list[Named]] = []
    size, last = 0, -1
    for one, more in sorted(found):
        near = size + more <= together
        again = one.first <= last and size + more <= 4 * together
        if groups and (near or again):
            groups[-1].append(one)
            size, last = size + more, max(last, one.last)
        else:
            groups.append([one])
            size, last = more, one.last
    return groups


def _merge(bucket: Bucket, group: Sequence[Named]) -> Compacted:
    table = group[0].table
    batches: list[RecordBatch] = []
    read: list[Named] = []
    for one in group:
        body = bucket.get(str(one))
        if sha_of(body) != one.sha:
            log.warning("object differs from its name", object=str(one))
            continue
        try:
            batches.append(parquet.loaded(table, body))
        except ValueError as why:
            log.warning("object left as it is", object=str(one), why=str(why))
            continue
        read.append(one)
    if len(read) < 2:  # noqa: PLR2004 - one alone is together already
        return Compacted()
    whole = parquet.put_together(table, batches)
    where, twice = _once(table, whole)
    kept = parquet.picked(whole, where)
    body = parquet.encoded(table, kept)
    ids = _ids(kept)
    merged = Named(
        *(table, group[0].site, group[0].gateway, group[0].day),
        *(int(ids[0]), int(ids[-1]), sha_of(body)),
    )
    bucket.put(str(merged), body)
    gone = [str(one) for one in read if one != merged]
    bucket.remove(gone)
    return Compacted(0, len(gone), 1, len(where), twice)


def _once(table: str, rows: RecordBatch) -> tuple[I64, int]:
    """Positions of rows in the store's order, each key once; how many were twice."""
    ids = _ids(rows)
    order = np.argsort(ids, kind="stable")
    if TABLES[table].key == ("boot", "seq"):
        first = np.diff(ids[order], prepend=ids[order[0]] - 1) != 0
        return order[first], int(np.count_nonzero(~first))
    keys = [rows.column(name).to_pylist() for name in TABLES[table].key]
    # an entry's key is its hash, a feature's row has its name in it
    seen = set[tuple[object, ...]]()
    kept = []
    for at in order.tolist():
        key = tuple(column[at] for column in keys)
        if key not in seen:
            seen.add(key)
            kept.append(at)
    return np.array(kept, np.int64), len(order) - len(kept)


def _ids(rows: RecordBatch) -> I64:
    boot = np.asarray(rows.column("boot").to_numpy(), np.int64)
    seq = np.asarray(rows.column("seq").to_numpy(), np.int64)
    return (boot << SEQ_BITS) | seq
