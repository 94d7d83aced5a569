"""What one commit writes, and how a row of the outbox is checked and read."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from edge_agent.records import RecordClass
from edge_agent.store import codec, squeeze
from edge_agent.store.outbox import Loss, Stored
from edge_agent.store.traces import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.records import PipelineInfo
    from edge_agent.store.outbox import Entry, LossKey
    from edge_agent.store.traces import Origin

#: id, class, rows, at_first, at_last, wall_offset, crc, body
OnDisk = tuple[int, int, int, int, int, int, int, bytes]
_KINDS = frozenset(map(int, RecordClass))
_HEAD = struct.Struct("<qqqqqq")


@dataclass(slots=True)
class Refused:
    """Part of a record that an output will never take."""

    id: int
    output: str
    reason: str
    at: int
    rows: int
    body: bytes
    first: int = 0
    last: int = 0
    info: PipelineInfo | None = None


class Row(NamedTuple):
    """A row of the outbox before it is written."""

    id: int
    kind: int
    rows: int
    first: int
    last: int
    offset: int
    owed: int
    """Bits of the file."""
    crc: int
    body: bytes
    info: PipelineInfo | None
    """What must be stored beside it; no column."""


@dataclass(slots=True)
class Transaction:
    """What one commit writes, all or nothing."""

    entries: Sequence[Entry] = ()
    acks: Mapping[int, int] = field(default_factory=dict)
    checkpoint: Mapping[str, bytes] = field(default_factory=dict)
    refused: Sequence[Refused] = ()
    losses: Mapping[LossKey, Loss] = field(default_factory=dict)
    told: Mapping[LossKey, Loss] = field(default_factory=dict)
    """Losses from elsewhere than the store."""
    reported: Mapping[LossKey, Loss] = field(default_factory=dict)
    """Losses that an entry of this transaction reports."""
    make_room: int = 0
    """Bytes of old records to drop first: the disk takes no more."""
    origin: Origin = NOWHERE
    """What the traces of its alarms share."""


def row_of(stored: Stored, owed: int) -> Row:
    """A record as it is written.

    Args:
        stored: the record, whose values are `plain`.
        owed: bits of the file.
    """
    record = stored.record
    body = squeeze.squeezed(codec.encode(record))
    head = (stored.id, int(record.kind), codec.rows_of(record), *codec.span_of(record))
    crc = crc_of((*head, stored.offset), body)
    return Row(*head, stored.offset, owed, crc, body, codec.info_of(record))


def as_new(row: OnDisk, owed: int) -> Row:
    """A sound row of another file as it is written into this one."""
    *head, crc, body = row
    id_, kind, rows, first, last, offset = head
    return Row(id_, kind, rows, first, last, offset, owed, crc, body, None)


def is_sound(row: OnDisk) -> bool:
    """Whether an outbox row is as it was written."""
    *head, crc, body = row
    try:
        return crc_of(tuple(head), body) == crc and head[1] in _KINDS
    except (struct.error, TypeError):
        return False


def read_row(
    row: OnDisk,
    infos: Mapping[bytes, PipelineInfo],
) -> Stored | None:
    """Record of an outbox row (id … wall_offset, crc, body); None if damaged."""
    *head, crc, body = row
    try:
        if crc_of(tuple(head), body) != crc:
            return None
        record = codec.decode(squeeze.whole(body), infos.__getitem__)
    except (ValueError, KeyError, TypeError, struct.error):
        return None
    return Stored(row[0], record, row[5])


def crc_of(head: tuple[int, ...], body: bytes) -> int:
    """CRC over a row's columns and its body."""
    return zlib.crc32(body, zlib.crc32(_HEAD.pack(*head)))
