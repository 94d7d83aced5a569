"""Which shift a moment lies in, by the gateway's local time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.samples import I64

    Offset = Callable[[int], int]
    """Seconds to add to UTC for local time, at whole seconds since 1970."""

MINUTE = 60_000_000_000
DAY = 24 * 60
#: What a context says of a time that no shift covers.
NO_SHIFT = "no shift"


def utc(_: int) -> int:
    """The offset of UTC itself."""
    return 0


class Shifts:
    """Shifts of a day.

    The clock of the wall is asked for each minute, so that a day with 23 or 25 hours
    has its shifts where people work them.

    Args:
        spans: name, first minute of the day, minute behind the last; one that ends
            no later than it begins goes over midnight.
        offset: from UTC to local time; a function of its argument alone.

    Attributes:
        names: of the shifts, then `NO_SHIFT`.
    """

    def __init__(self, spans: Sequence[tuple[str, int, int]], offset: Offset) -> None:
        self.names = (*(name for name, _, _ in spans), NO_SHIFT)
        self._offset = offset
        self._by_minute = [len(spans)] * DAY
        for number, (_, first, behind) in enumerate(spans):
            length = (behind - first) % DAY or DAY
            for minute in range(first, first + length):
                self._by_minute[minute % DAY] = number
        self._known = self._of(0)
        self._from = 0

    def of(self, at: I64) -> int | I64:
        """Number of the shift of each moment; one number where it is the same.

        Args:
            at: int64[n] ns since 1970.
        """
        if not len(at):
            return self._known
        first, last = int(at.min()), int(at.max())
        if not self._from <= first <= last < self._from + MINUTE:
            minute = first // MINUTE
            self._known, self._from = self._of(minute), minute * MINUTE
            if last >= self._from + MINUTE:
                return self._each(at)
        return self._known

    def _each(self, at: I64) -> I64:
        minutes, place = np.unique(at // MINUTE, return_inverse=True)
        found = np.array([self._of(minute) for minute in minutes.tolist()], np.int64)
        each: I64 = found[place]
        return each

    def _of(self, minute: int) -> int:
        seconds = minute * 60
        return self._by_minute[(seconds + self._offset(seconds)) // 60 % DAY]
