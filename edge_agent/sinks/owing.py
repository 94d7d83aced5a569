"""How much an output is owed, how old that is, and when it will be gone.

The file is counted when a link is made, a piece at a time so that no commit waits for
it; what comes and goes is added up in between. What the store drops meanwhile shows
with the next count. Numbers come from several threads.
"""

from __future__ import annotations

import asyncio
import math
import threading
from typing import TYPE_CHECKING, Any

from edge_agent.samples import NANOSECONDS
from edge_agent.store.codec import span_of
from edge_agent.store.outbox import SEQ_BITS

if TYPE_CHECKING:
    from edge_agent.store.journal import Journal
    from edge_agent.store.outbox import Stored

#: Records of the file looked at in one go: a few milliseconds.
_PIECE = 5_000
#: Nanoseconds after which the file is counted again when a link is made.
_AGAIN = 60 * NANOSECONDS
#: Seconds over which the rate of old rows is averaged.
_AVERAGED = 5.0


class Owing:
    """The debts of one output.

    Args:
        sink: its name.
        outbox: the journal.
    """

    def __init__(self, sink: str, outbox: Journal) -> None:
        self._sink = sink
        self._outbox = outbox
        self._lock = threading.Lock()
        self._rows = 0
        self._oldest: tuple[int, int] | None = None
        self._counted_at: int | None = None
        self._rate = 0.0
        self._rate_at: int | None = None
        self._cut = True

    @property
    def rows(self) -> int:
        """Owed now."""
        return max(self._rows, 0)

    def arrived(self, stored: Stored, rows: int) -> None:
        """Rows of a new record; any thread."""
        with self._lock:
            self._rows += rows
            if self._cut and self._oldest is None:
                self._oldest = _place(stored)

    def connected(self) -> None:
        """What comes is on its way from here on."""
        self._cut = False

    def cut(self, in_hand: Stored | None) -> None:
        """The link is gone: what was in hand is owed, and what comes is."""
        with self._lock:
            self._cut, self._rate_at = True, None
            if in_hand is not None:
                self._oldest = min(_place(in_hand), self._oldest or _place(in_hand))

    def settled(self, rows: int) -> None:
        """Rows that the peer has, or will never take."""
        with self._lock:
            self._rows -= rows

    def drained(self, stored: Stored, rows: int, now: int) -> None:
        """Rows of an old record among them, at a time in ns."""
        self._oldest = _place(stored)
        if self._rate_at is None:
            self._rate, self._rate_at = 0.0, now
            return
        passed = max(now - self._rate_at, 1) / NANOSECONDS
        kept = math.exp(-passed / _AVERAGED)
        self._rate = self._rate * kept + rows * (1.0 - kept) / passed
        self._rate_at = now

    def nothing_but(self, rows: int) -> None:
        """The whole outbox was looked through: nothing old, and so many fresh rows."""
        with self._lock:
            self._rows = rows
        self._oldest = self._rate_at = None

    async def count(self, now: int) -> None:
        """Count what the file holds, unless that was done a short while ago.

        Args:
            now: agent time in ns.
        """
        if self._counted_at is not None and now - self._counted_at < _AGAIN:
            return
        with self._lock:
            before = self._rows
        rows, after, oldest = 0, -1, None
        while True:
            asked = self._outbox.owed(self._sink, after, _PIECE)
            piece = await asyncio.wrap_future(asked)
            rows += piece.rows
            if oldest is None and piece.rows:
                oldest = piece.first, piece.at
            if piece.last <= after:
                break
            after = piece.last
        self._counted_at = now
        with self._lock:
            # what came meanwhile may be in the file by now or not: it is little
            self._rows = rows + self._rows - before
        if oldest is not None:
            self._oldest = oldest

    def told(self, now: int, under_way: Stored | None) -> dict[str, Any]:
        """For the status.

        Args:
            now: agent time in ns.
            under_way: oldest old record in hand, where there is one.
        """
        rows, oldest = self.rows, self._oldest
        if under_way is not None:
            oldest = _place(under_way)
        if not rows:
            oldest = None
        known = oldest is not None
        first, at = oldest or (-1, now)
        return {
            "backlog_rows": rows,
            "oldest_boot": first >> SEQ_BITS if known else None,
            "oldest_seq": first & ((1 << SEQ_BITS) - 1) if known else None,
            "oldest_age_s": round(max(now - at, 0) / NANOSECONDS, 1) if known else 0.0,
            "drain_rows_per_s": round(self._rate_now(now), 1),
            "drains_in_s": self._drains_in(rows, now),
        }

    def _rate_now(self, now: int) -> float:
        """Old rows a second; it fades when none is settled any more."""
        if self._rate_at is None:
            return 0.0
        passed = max(now - self._rate_at, 0) / NANOSECONDS
        return (
            self._rate if passed < 1.0 else self._rate * math.exp(-passed / _AVERAGED)
        )

    def _drains_in(self, rows: int, now: int) -> float | None:
        if not rows:
            return 0.0
        rate = self._rate_now(now)
        return round(rows / rate, 1) if rate >= 1.0 / 60 else None


def _place(stored: Stored) -> tuple[int, int]:
    """Id and agent time of a record."""
    return stored.id, span_of(stored.record)[0]
