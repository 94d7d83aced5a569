"""Which number a record gets, and who is owed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.records import Unseen
from edge_agent.records.appetites import takers
from edge_agent.store import codec
from edge_agent.store.outbox import SEQ_BITS, UNSEEN, Entry, Stored
from edge_agent.store.plain import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.records import Record
    from edge_agent.records.appetites import Appetite


class Numbering:
    """Numbers records in order; those SCADA is not told of apart from the others.

    Args:
        outputs: what each takes.
    """

    def __init__(self, outputs: Sequence[Appetite]) -> None:
        self._takers = takers(outputs)
        self._next, self._next_unseen = 0, 0

    def begin(self, boot: int, seq: int) -> None:
        """Number what follows from here."""
        self._next = boot << SEQ_BITS | seq
        self._next_unseen = self._next | UNSEEN

    def reserve(self, rows: int) -> int:
        """Id of the first of some rows that are sent without being stored."""
        first = self._next
        self._next += rows
        return first

    def entry(self, record: Record, now: int, offset: int) -> Entry:
        """A record with its number.

        Args:
            record: any.
            now: agent time, from which on it waits.
            offset: ns to add to its times for the wall clock's date.
        """
        record = plain(record)
        rows, size = codec.rows_of(record), codec.size_of(record)
        unseen = isinstance(record, Unseen)
        stored = Stored(self._next_unseen if unseen else self._next, record, offset)
        if unseen:
            self._next_unseen += max(rows, 1)
        else:
            self._next += max(rows, 1)
        owed = self._takers.get(type(record), 0)
        return Entry(stored, record.kind, rows, size, owed, now)
