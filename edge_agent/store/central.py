"""Records of the centre and of the evidence log to bytes and back."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_agent.records import EvidenceRecord, LabelRecord, RawRecord, RecordClass

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What a body begins with.
LABELS, EVIDENCE, RAW = b"B", b"V", b"R"

Central = LabelRecord | EvidenceRecord | RawRecord

_KINDS: dict[str, str] = {"I32": "<i4", "I64": "<i8", "F64": "<f8", "U8": "u1"}
_TYPES: dict[bytes, type[Central]] = {
    LABELS: LabelRecord,
    EVIDENCE: EvidenceRecord,
    RAW: RawRecord,
}
_LETTERS = {made: letter for letter, made in _TYPES.items()}
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Any]).decode


def packed(record: Central) -> bytes:
    """Body of a record."""
    values = [
        _bytes(getattr(record, field.name), str(field.type)) for field in fields(record)
    ]
    return _LETTERS[type(record)] + _pack(values)


def unpacked(body: bytes) -> Central:
    """Inverse of `packed`.

    Raises:
        ValueError: the body is damaged.
    """
    made = _TYPES[body[:1]]
    values = _unpack(body[1:])
    if len(values) != len(fields(made)):
        raise ValueError("a record of the centre has another number of fields")
    given = {
        field.name: _value(value, str(field.type))
        for field, value in zip(fields(made), values, strict=True)
    }
    try:
        record: Central = made(**given)
    except TypeError as why:
        raise ValueError(str(why)) from why
    _check(record)
    return record


def _bytes(value: Any, kind: str) -> Any:  # noqa: ANN401 - of any field
    if kind in _KINDS:
        return np.ascontiguousarray(value, _KINDS[kind]).tobytes()
    return int(value) if kind == "RecordClass" else value


def _value(value: Any, kind: str) -> Any:  # noqa: ANN401 - of any field
    if kind in _KINDS:
        return _numbers(value, _KINDS[kind])
    if kind == "tuple[str, ...]":
        return tuple(msgspec.convert(value, list[str]))
    if kind == "RecordClass":
        return RecordClass(value)
    wanted: Any = {"int": int, "str": str, "bytes": bytes}[kind]
    return msgspec.convert(value, wanted)


def _numbers(value: object, kind: str) -> NDArray[Any]:
    if not isinstance(value, bytes):
        raise ValueError("a column of a record of the centre is none")  # noqa: TRY004 - damage
    return np.frombuffer(value, kind).astype(np.dtype(kind).newbyteorder("="))


def _check(record: Central) -> None:
    """Every column is as long as the record."""
    if isinstance(record, EvidenceRecord):
        return
    names = [f.name for f in fields(record) if str(f.type) in _KINDS]
    if isinstance(record, LabelRecord):
        names += ["part", "version", "context", "label"]
        most = len(record.assets)
        place = record.asset
    else:
        most = len(record.tags)
        place = record.tag
    if len({len(getattr(record, name)) for name in names}) != 1:
        raise ValueError("columns of a record of the centre differ in length")
    if len(place) and not 0 <= place.min() <= place.max() < most:
        raise ValueError("a record of the centre names what it does not list")
