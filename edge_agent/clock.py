"""The only module that reads time.

Agent time is the monotonic clock anchored to the wall clock once, at start: it
reads like a date and never steps. Every age, delay, interval and order uses it.
The wall clock is only a label on what leaves the agent.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo


def local_offset(zone: tzinfo | None) -> Callable[[int], int]:
    """Seconds to add to UTC for the clock on the wall, as a function of the time.

    Args:
        zone: whose; None for this computer's own.
    """

    def offset(seconds: int) -> int:
        if zone is None:
            return time.localtime(seconds).tm_gmtoff
        there = dt.datetime.fromtimestamp(seconds, zone).utcoffset()
        return round(there.total_seconds()) if there is not None else 0

    return offset


class Clock(Protocol):
    """Where time comes from; replay and tests bring their own."""

    def now(self) -> int:
        """Agent time in nanoseconds; never decreases."""
        ...

    def wall_offset(self) -> int:
        """Nanoseconds to add to agent time to label it with the wall clock."""
        ...


class SystemClock:
    """Agent time from CLOCK_MONOTONIC, anchored to the wall clock when made."""

    def __init__(self) -> None:
        self._anchor = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Agent time in nanoseconds."""
        return time.monotonic_ns() + self._anchor

    def wall_offset(self) -> int:
        """How far the wall clock was stepped or slewed since the start."""
        return time.time_ns() - self.now()


class ManualClock:
    """A clock that a test or a replay moves by hand."""

    def __init__(self, now: int = 0) -> None:
        self.time = now

    def now(self) -> int:
        """The time it was set to."""
        return self.time

    def wall_offset(self) -> int:
        """Always 0: a recording's time is its own."""
        return 0
