"""Score records to bytes and back: a small msgpack header, then columns.

The columns are as they lie in memory: writing costs a copy, reading costs nothing
(arrays look into the body).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_agent.records import (
    NO_CONTEXT,
    PipelineInfo,
    RecordClass,
    ScoreRecord,
)
from edge_agent.store.plain import text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: name, type, values a row; the order is the order in the body: widest first, so
#: that every column starts aligned.
_COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("at", "<i8", 1),
    ("score", "<f8", 1),
    ("threshold", "<f8", 1),
    ("completeness", "<f8", 1),
    ("age", "<f8", 1),
    ("top_value", "<f8", 3),
    ("top_low", "<f8", 3),
    ("top_high", "<f8", 3),
    ("top_share", "<f8", 3),
    ("asset", "<i4", 1),
    ("severity", "<i4", 1),
    ("top_role", "<i2", 3),
    ("inputs_good", "<i2", 1),
    ("alarm", "u1", 1),
    ("quality", "u1", 1),
    ("no_score", "u1", 1),
    ("fallback", "u1", 1),
)
_TEXTS = ("part", "reason", "label")
#: Behind the columns, of records with contexts: old bodies have none.
_CONTEXT = "u1"
_PREFIX = 8  # one letter, three spare bytes, header length: columns stay aligned


class _ScoreHeader(msgspec.Struct, array_like=True):
    info: bytes
    rows: int
    inputs_total: int
    kind: int
    part: tuple[str, ...]
    reason: tuple[str, ...]
    label: tuple[str, ...] = ()
    contexts: tuple[str, ...] | None = None


_pack = msgspec.msgpack.Encoder(enc_hook=str).encode
_header_decoder = msgspec.msgpack.Decoder(_ScoreHeader)


def take(record: ScoreRecord, rows: Sequence[int]) -> ScoreRecord:
    """Some rows of a score record."""
    picked = list(rows)
    found = {name: getattr(record, name)[picked] for name, _, _ in _COLUMNS}
    for name in _TEXTS:
        words = getattr(record, name)
        found[name] = tuple(words[i] for i in picked) if words else ()
    if record.context is not None:
        found["context"] = record.context[picked]
    return replace(record, **found)


def encode_score(record: ScoreRecord, digest: bytes) -> bytes:
    """Body of a score record, behind the letter that says it is one.

    Args:
        record: whose values are `plain`.
        digest: names what its rows share.
    """
    header = _pack(
        _ScoreHeader(
            digest,
            len(record),
            record.inputs_total,
            int(record.kind),
            _plain(record.part),
            _plain(record.reason),
            _plain(record.label),
            None if record.context is None else _plain(record.contexts),
        )
    )
    columns = [
        np.ascontiguousarray(getattr(record, name), dtype).tobytes()
        for name, dtype, _ in _COLUMNS
    ]
    if record.context is not None:
        columns.append(np.ascontiguousarray(record.context, _CONTEXT).tobytes())
    prefix = b"\0\0\0" + len(header).to_bytes(4, "little")
    return b"".join([prefix, header, bytes(_padding(header)), *columns])


def _plain(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(text, texts))


def decode_score(body: bytes, info: Callable[[bytes], PipelineInfo]) -> ScoreRecord:
    """Score record of a whole body, its letter included.

    Args:
        body: what was stored.
        info: finds a pipeline's information by its digest; KeyError if unknown.

    Raises:
        ValueError: the body is damaged.
        KeyError: its pipeline information is missing.
    """
    packed = body[_PREFIX : _PREFIX + int.from_bytes(body[4:_PREFIX], "little")]
    header = _header_decoder.decode(packed)
    end = _PREFIX + len(packed) + _padding(packed)
    columns: dict[str, Any] = {}
    for name, dtype, width in _COLUMNS:
        column = np.frombuffer(body, dtype, header.rows * width, end)
        columns[name] = column if width == 1 else column.reshape(header.rows, width)
        end += column.nbytes
    if header.contexts is not None:
        context = columns["context"] = np.frombuffer(body, _CONTEXT, header.rows, end)
        named = context[context != NO_CONTEXT]
        if len(named) and named.max() >= len(header.contexts):
            raise ValueError("a row's context has no name")
    return ScoreRecord(
        info=info(header.info),
        inputs_total=header.inputs_total,
        kind=RecordClass(header.kind),
        part=header.part,
        reason=header.reason,
        label=header.label,
        contexts=header.contexts or (),
        **columns,
    )


def _padding(header: bytes) -> int:
    return -len(header) % 8
