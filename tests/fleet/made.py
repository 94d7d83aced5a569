"""Archives as gateways write them: objects of `centre.tables`, made of plain rows."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from arro3.core import Array, DataType, Field, Schema, Table, list_array
from arro3.io import write_parquet

from edge_agent.centre.names import Named, sha_of
from edge_agent.centre.tables import TABLES
from edge_agent.fleet.asked import DAY, Asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge_agent.centre.tables import Type

Row = dict[str, Any]
DAY_US = 86_400_000_000
HOUR_US = DAY_US // 24
#: 2026-01-01, in microseconds.
BEGIN = 20_454 * DAY_US
EVER = Asked(0, 40_000 * DAY)
_TYPES: Mapping[Type, DataType] = {
    "string": DataType.utf8(),
    "int32": DataType.int32(),
    "int64": DataType.int64(),
    "float64": DataType.float64(),
    "bool": DataType.bool(),
    "timestamp": DataType.timestamp("us", tz="UTC"),
    "list<int64>": DataType.list(Field("item", DataType.int64(), nullable=True)),
    "list<float64>": DataType.list(Field("item", DataType.float64(), nullable=True)),
}


#: Encodings that readers must know: every engine has to cope with them.
_ENCODINGS = {
    "delta_binary_packed": ("ts", "seq", "number", "told", "since", "first", "last"),
    "byte_stream_split": (
        *("age_s", "delay_s", "high", "low", "score", "square", "top1_share"),
        *("top1_value", "total", "value"),
    ),
}


def parquet(
    table: str,
    rows: Sequence[Row],
    without: Sequence[str] = (),
    texts: Sequence[str] = (),
) -> bytes:
    """An object's bytes.

    Args:
        table: of `TABLES`.
        rows: values by column; what is missing is null. Times are microseconds.
        without: columns an older release did not have.
        texts: columns that are wrongly texts.
    """
    columns = [c for c in TABLES[table].columns if c.name not in without]
    known = {c.name for c in columns}
    fields, arrays = [], []
    for column in columns:
        kind: Type = "string" if column.name in texts else column.type
        fields.append(Field(column.name, _TYPES[kind], nullable=True))
        arrays.append(_array([row.get(column.name) for row in rows], kind))
    others = sorted({k for row in rows for k in row if k not in {*known, *without}})
    for name in others:  # a column of a newer release
        fields.append(Field(name, DataType.utf8(), nullable=True))
        arrays.append(_array([row.get(name) for row in rows], "string"))
    body = BytesIO()
    whole = Table.from_arrays(arrays, schema=Schema(fields))
    encodings = {
        name: kind
        for kind, names in _ENCODINGS.items()
        for name in names
        if name in {field.name for field in fields} and name not in texts
    }
    write_parquet(
        whole,
        body,
        compression="zstd(3)",
        column_encoding=encodings,  # type: ignore[arg-type]  # words as their own type
        column_dictionary_enabled=dict.fromkeys(encodings, False),
        skip_arrow_metadata=True,
    )
    return body.getvalue()


def _array(values: Sequence[Any], kind: Type) -> Array:
    if kind.startswith("list"):
        flat = [number for one in values for number in one or ()]
        ends = np.cumsum([0, *(len(one or ()) for one in values)])
        inner = np.float64 if "float" in kind else np.int64
        numbers = Array.from_numpy(np.array(flat, inner))
        offsets = Array.from_numpy(ends.astype(np.int32))
        return list_array(offsets, numbers).cast(_TYPES[kind])
    if kind == "timestamp":
        return Array(values, type=DataType.int64()).cast(_TYPES[kind])
    return Array(values, type=_TYPES[kind])


def put(
    archive: Path,
    table: str,
    site: str,
    gateway: str,
    rows: Sequence[Row],
    *,
    ids: tuple[int, int] | None = None,
    without: Sequence[str] = (),
) -> list[Named]:
    """Write rows as a gateway does: an object a day; ids are their boot and seq."""
    made = []
    for day in sorted({row["ts"] // DAY_US for row in rows}):
        some = [row for row in rows if row["ts"] // DAY_US == day]
        body = parquet(table, some, without)
        first, last = ids or _ids(some)
        name = Named(
            *(table, site, gateway, str(np.datetime64(int(day), "D"))),
            *(first, last, sha_of(body)),
        )
        path = archive / str(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        made.append(name)
    return made


def _ids(rows: Sequence[Row]) -> tuple[int, int]:
    numbers = [row.get("boot", 0) << 32 | row.get("seq", 0) for row in rows]
    return min(numbers), max(numbers)


def health(at: int, seq: int = 0, **columns: Any) -> Row:  # noqa: ANN401
    """A health row."""
    return {
        "ts": at,
        "boot": 1,
        "seq": seq,
        "pipeline": "pumps",
        "model": "pump",
        "model_version": "1.0",
        "state": "scoring",
        "because": "",
        "assets": 10,
        "agent_version": "0.1",
        **columns,
    }


def label(at: int, seq: int, **columns: Any) -> Row:  # noqa: ANN401
    """A labelled row."""
    return {
        "ts": at,
        "boot": 1,
        "seq": seq,
        "told": at,
        "row_id": str(seq),
        "pipeline": "pumps",
        "asset": "P1",
        "part": "",
        "model": "pump",
        "model_version": "1.0",
        "context": "",
        **columns,
    }


def alarm(at: int, seq: int, **columns: Any) -> Row:  # noqa: ANN401
    """An alarm that became active."""
    return {
        "ts": at,
        "boot": 1,
        "seq": seq,
        "occurrence": str(seq),
        "pipeline": "pumps",
        "asset": "P1",
        "state": "active",
        **columns,
    }
