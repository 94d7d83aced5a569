"""What the upload tells of itself: how much went, what is owed, since when."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from edge_agent.samples import NANOSECONDS
from edge_agent.store import codec

if TYPE_CHECKING:
    from edge_agent.centre.packing import Made
    from edge_agent.centre.plan import Position
    from edge_agent.clock import Clock
    from edge_agent.instruments import Instruments
    from edge_agent.store.outbox import Stored


class Account:
    """Counts; records arrive in the journal's threads, the rest is on the loop.

    Args:
        clock: agent time.
        instruments: counters.
    """

    def __init__(self, clock: Clock, instruments: Instruments) -> None:
        self._clock = clock
        self._instruments = instruments
        self._arrived = 0
        self._gone = 0
        self._since: int | None = None
        self._rows: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._objects: Counter[str] = Counter()
        self._last: dict[str, str] = {}
        self._last_at: int | None = None
        self._last_error = ""
        self.reached = False

    def owe(self, stored: Stored, rows: int) -> None:
        """A record waits."""
        self._arrived += rows
        if self._since is None:
            first = codec.span_of(stored.record)[0]
            self._since = first + stored.offset

    def full(self, rows: int) -> bool:
        """Whether so many rows wait."""
        return self._arrived - self._gone >= rows

    def mark(self) -> int:
        """How much had come by now; for `drained`."""
        return self._arrived

    def drained(self, mark: int) -> None:
        """Everything that had come by a mark is there."""
        self._gone = mark
        self._since = None

    def sent(self, one: Made) -> None:
        """An object is there."""
        table = one.named.table
        self.reached = True
        self._last_error = ""
        self._last_at = self._clock.now()
        self._last[table] = str(one.named)
        self._rows[table] += one.rows
        self._bytes[table] += len(one.body)
        self._objects[table] += 1
        for what, many in (("rows", one.rows), ("bytes", len(one.body))):
            self._instruments.count(f"centre_{what}_total", many, table=table)
        self._instruments.count("centre_objects_total", table=table)

    def lost(self, why: str) -> None:
        """The link is gone."""
        self.reached = False
        self._last_error = why

    def status(self, position: Position, due: int) -> dict[str, Any]:
        """For a technician; times in seconds, counted since the start.

        ``owed_rows`` are those that came since the archive last had all; what was
        owed at the start is not counted among them.
        """
        now = self._clock.now()
        wall = now + self._clock.wall_offset()
        return {
            "state": "connected" if self.reached else "disconnected",
            "last_error": self._last_error,
            "last_upload_age_s": _age(self._last_at, now),
            "next_upload_in_s": max(due - now, 0) / NANOSECONDS,
            "owed_rows": max(self._arrived - self._gone, 0),
            "oldest_age_s": _age(self._since, wall),
            "underway_objects": len(position.plan.objects) if position.plan else 0,
            "evidence": position.evidence,
            "days_to_put_together": len(position.days),
            "rows": self._rows.total(),
            "bytes": self._bytes.total(),
            "objects": self._objects.total(),
            "tables": {
                name: {
                    "rows": self._rows[name],
                    "bytes": self._bytes[name],
                    "objects": self._objects[name],
                    "bytes_per_row": round(self._bytes[name] / rows, 1),
                    "last": self._last[name],
                }
                for name, rows in sorted(self._rows.items())
            },
        }


def _age(at: int | None, now: int) -> float | None:
    return None if at is None else max(now - at, 0) / NANOSECONDS
