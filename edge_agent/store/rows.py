"""What one commit writes, and how a row of the outbox is checked and read."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.records import RecordClass
from edge_agent.store import codec
from edge_agent.store.outbox import Loss, Stored
from edge_agent.store.traces import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.records import PipelineInfo
    from edge_agent.store.outbox import Entry, LossKey
    from edge_agent.store.traces import Origin

#: id, class, rows, at_first, at_last, wall_offset, crc, body
Row = tuple[int, int, int, int, int, int, int, bytes]
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


@dataclass(slots=True)
class Transaction:
    """What one commit writes, all or nothing."""

    entries: Sequence[Entry] = ()
    acks: Mapping[int, int] = field(default_factory=dict)
    checkpoint: Mapping[str, bytes] = field(default_factory=dict)
    refused: Sequence[Refused] = ()
    losses: Mapping[LossKey, Loss] = field(default_factory=dict)
    reported: Mapping[LossKey, Loss] = field(default_factory=dict)
    """Losses that an entry of this transaction reports."""
    make_room: int = 0
    """Bytes of old records to drop first: the disk takes no more."""
    origin: Origin = NOWHERE
    """What the traces of its alarms share."""


def is_sound(row: Row) -> bool:
    """Whether an outbox row is as it was written."""
    *head, crc, body = row
    try:
        return crc_of(tuple(head), body) == crc and head[1] in _KINDS
    except (struct.error, TypeError):
        return False


def read_row(
    row: Row,
    infos: Mapping[bytes, PipelineInfo],
) -> Stored | None:
    """Record of an outbox row (id … wall_offset, crc, body); None if damaged."""
    *head, crc, body = row
    try:
        if crc_of(tuple(head), body) != crc:
            return None
        record = codec.decode(body, infos.__getitem__)
    except (ValueError, KeyError, TypeError, struct.error):
        return None
    return Stored(row[0], record, row[5])


def crc_of(head: tuple[int, ...], body: bytes) -> int:
    """CRC over a row's columns and its body."""
    return zlib.crc32(body, zlib.crc32(_HEAD.pack(*head)))
