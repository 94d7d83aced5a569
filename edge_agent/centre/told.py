"""Labels, drift, snapshots, losses, samples and evidence as rows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_agent.centre.rows import Rows, microseconds, moment, of_one, texts
from edge_agent.centre.tables import PARTITIONS, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge_agent.records import (
        DriftRecord,
        LabelRecord,
        LossRecord,
        RawRecord,
        SnapshotRecord,
    )
    from edge_agent.store.outbox import Stored

#: Codes of `LabelRecord`: 0, 1, 2.
_JUDGED = ("good", "bad", "")
#: Snapshots that are rows of a table; others are for reports on the gateway.
SNAPSHOTS = {"baseline": "baselines", "health": "health"}


class Entry(NamedTuple):
    """An entry of the evidence log, as the archive takes it.

    Attributes:
        number: of the entry; they count up by one.
        boot, seq: its place in the store's order, 0 where it has none.
        at: wall-clock time, ns UTC.
        kind, what, subject: see `tables`.
        body: the entry itself, JSON, byte for byte.
        previous, hash: hexadecimal.
    """

    number: int
    boot: int
    seq: int
    at: int
    kind: str
    what: str
    subject: str
    body: str
    previous: str
    hash: str


def labels(stored: Stored, record: LabelRecord) -> Rows:
    """A row for each label."""
    count = len(record)
    asset = [record.assets[place] for place in record.asset.tolist()]
    ts = microseconds(record.row_at, stored.offset)
    # the row's own wall time: a clock that is set later must not make another row of it
    rows = zip(asset, record.part, record.version, ts.tolist(), strict=True)
    return Rows(
        "labels",
        {
            "ts": ts,
            **_order(stored, count),
            "told": [moment(record.at, stored.offset)] * count,
            "row_id": ["/".join((record.pipeline, *map(str, row))) for row in rows],
            "pipeline": [record.pipeline] * count,
            "asset": asset,
            "part": texts(record.part),
            "model": [record.model] * count,
            "model_version": texts(record.version),
            "context": texts(record.context),
            "score": record.score,
            "threshold": record.threshold,
            "predicted": [_JUDGED[code] for code in record.predicted.tolist()],
            "state": [_JUDGED[code] for code in record.state.tolist()],
            "value": record.value,
            "label": texts(record.label),
            "delay_s": record.delay,
        },
    )


def drift(stored: Stored, record: DriftRecord) -> Rows:
    """A row for each feature and output."""
    count, info = len(record.columns), record.info
    counts = [
        row[:bins].tolist()
        for row, bins in zip(record.counts, record.bins.tolist(), strict=True)
    ]
    same = {
        "ts": moment(record.until, stored.offset),
        "boot": stored.boot,
        "seq": stored.seq,
        "since": moment(record.since, stored.offset),
        "pipeline": info.pipeline,
        "model": info.model,
        "model_version": info.model_version,
        "model_digest": info.model_digest,
        "baseline_id": record.baseline_id,
        "context": record.context,
        "rows": record.rows,
        "gated": record.gated,
    }
    own = {name: getattr(record, name) for name in ("n", "missing", "total", "square")}
    own |= {"low": record.low, "high": record.high, "counts": counts}
    own["feature"] = list(record.columns)
    return Rows("drift", {**{k: [v] * count for k, v in same.items()}, **own})


def losses(stored: Stored, record: LossRecord) -> Rows:
    """One loss."""
    return of_one(
        "losses",
        {
            "ts": moment(record.at, stored.offset),
            "boot": stored.boot,
            "seq": stored.seq,
            "what": record.what,
            "subject": record.subject,
            "cause": record.cause,
            "count": record.count,
            "first": moment(record.first, stored.offset),
            "last": moment(record.last, stored.offset),
        },
    )


def samples(stored: Stored, record: RawRecord) -> Rows:
    """A row for each sample."""
    count = len(record)
    return Rows(
        "samples",
        {
            "ts": microseconds(record.time, stored.offset),
            **_order(stored, count),
            "tag": texts([record.tags[place] for place in record.tag.tolist()]),
            "value": record.value,
            "quality": record.quality.astype(np.int32),
        },
    )


def snapshot(stored: Stored, record: SnapshotRecord) -> Rows | None:
    """Rows of a snapshot whose body's keys are columns; None for any other.

    Where ``feature`` is a list there is a row for each; other lists of that length
    are its columns, and what is no list is the same in all. A value that does not fit
    its column is null.
    """
    table = SNAPSHOTS.get(record.name)
    if table is None:
        return None
    body = {"pipeline": record.pipeline, **record.body}
    features = body.get("feature")
    count = len(features) if isinstance(features, list | tuple) else None
    rows = 1 if count is None else count
    columns: dict[str, Any] = {
        "ts": [moment(record.at, stored.offset)] * rows,
        "boot": [stored.boot] * rows,
        "seq": [stored.seq] * rows,
    }
    for column in TABLES[table].columns:
        if column.name in body and column.name not in (*columns, *PARTITIONS):
            value = body[column.name]
            many = _many(value, count) if count is not None else [value]
            fitting = _FITTING[column.type]
            columns[column.name] = [fitting(one) for one in many]
    return Rows(table, columns) if rows else None


def evidence(entries: Sequence[Entry]) -> Rows:
    """A row for each entry."""
    columns: Mapping[str, list[Any]] = {
        name: [getattr(one, name) for one in entries]
        for name in ("boot", "seq", "number", "kind", "what", "subject", "body")
    }
    hashes = {n: [getattr(one, n) for one in entries] for n in ("previous", "hash")}
    ts = [moment(one.at, 0) for one in entries]
    return Rows("evidence", {"ts": ts, **columns, **hashes})


def _order(stored: Stored, count: int) -> dict[str, Any]:
    return {
        "boot": np.full(count, stored.boot, np.int64),
        "seq": stored.seq + np.arange(count, dtype=np.int64),
    }


def _many(value: object, count: int) -> Sequence[Any]:
    if isinstance(value, list | tuple) and len(value) == count:
        return value
    return [value] * count


def _whole(value: object) -> int | None:
    if isinstance(value, int | np.integer) and -(2**63) <= value < 2**63:
        return int(value)
    return None


def _short(value: object) -> int | None:
    whole = _whole(value)
    return whole if whole is not None and -(2**31) <= whole < 2**31 else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float | np.number) else None


def _list_of(kind: Callable[[object], Any]) -> Callable[[object], Any]:
    def fitting(value: object) -> list[Any] | None:
        if isinstance(value, np.ndarray):
            value = value.tolist()
        return [kind(one) for one in value] if isinstance(value, list | tuple) else None

    return fitting


_FITTING: dict[str, Callable[[object], Any]] = {
    "string": lambda value: texts([value])[0] if isinstance(value, str) else None,
    "int32": _short,
    "int64": _whole,
    "float64": _number,
    "bool": lambda value: value if isinstance(value, bool) else None,
    "timestamp": _whole,
    "list<int64>": _list_of(_whole),
    "list<float64>": _list_of(_number),
}
