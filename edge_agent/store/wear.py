"""How much is written to the disk in a day, as far as this run can tell. Pure."""

from __future__ import annotations

from collections import deque

from edge_agent.samples import NANOSECONDS

_HOUR = 3600 * NANOSECONDS
_DAY_S = 86_400
#: Seconds of a run before a day is made of them: the start writes more.
_ENOUGH = 60


class Wear:
    """Bytes written, noted about once a minute."""

    def __init__(self) -> None:
        self._noted: deque[tuple[int, int]] = deque()
        self._first: tuple[int, int] | None = None

    def note(self, now: int, written: int) -> None:
        """Remember a count.

        Args:
            now: agent time.
            written: bytes that the thread has caused to be written so far.
        """
        self._first = self._first or (now, written)
        self._noted.append((now, written))
        while self._noted[0][0] < now - _HOUR:
            self._noted.popleft()

    def told(self, now: int, written: int) -> dict[str, float | None]:
        """For the status: as bytes a day, over this run and over its last hour."""
        recent = self._noted[0] if self._noted else None
        return {
            "bytes_written_per_day": _per_day(self._first, now, written),
            "bytes_written_per_day_last_hour": _per_day(recent, now, written),
        }


def _per_day(since: tuple[int, int] | None, now: int, written: int) -> float | None:
    if since is None or now - since[0] < _ENOUGH * NANOSECONDS:
        return None
    return round((written - since[1]) * _DAY_S * NANOSECONDS / (now - since[0]))
