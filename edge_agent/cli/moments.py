"""Times as people type them: some time ago, or a date."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from edge_agent.clock import SystemClock
from edge_agent.config.scalars import parse_duration
from edge_agent.samples import NANOSECONDS


def now() -> int:
    """The wall clock, ns since 1970."""
    clock = SystemClock()
    return clock.now() + clock.wall_offset()


def moment(typed: str) -> int:
    """A moment of the wall clock, ns since 1970; never before.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        ago = parse_duration(typed)
    except ValueError:
        return _date(typed)
    until = now()
    return until - round(min(ago * NANOSECONDS, until))


def _date(typed: str) -> int:
    try:
        found = datetime.fromisoformat(typed)
    except ValueError as why:
        raise argparse.ArgumentTypeError(
            f"{typed!r} is no time: write 7d, 12h, 2026-09-21 or 2026-09-21T14:00Z"
        ) from why
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return max(round(found.timestamp()), 0) * NANOSECONDS
