"""Times as people type them: some time ago, a day's name, or a date."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

from edge_agent.clock import SystemClock
from edge_agent.config.scalars import parse_duration
from edge_agent.samples import NANOSECONDS

_DAYS = (
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
)
_SHORTEST_NAME = 3
_AGO = re.compile(r"(an?|\d{1,6}) (minute|hour|day|week)s? ago")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400}


def now() -> int:
    """The wall clock, ns since 1970."""
    clock = SystemClock()
    return clock.now() + clock.wall_offset()


def moment(typed: str) -> int:
    """A moment of the wall clock, ns since 1970; never before.

    A date without a zone is UTC's; a day's name is a day of this computer's zone.

    Raises:
        ArgumentTypeError: it is none.
    """
    return moment_of(typed, now())


def local_moment(typed: str) -> int:
    """The same, where a date without a zone is this computer's.

    Raises:
        ArgumentTypeError: it is none.
    """
    return moment_of(typed, now(), local=True)


def moment_of(typed: str, until: int, *, local: bool = False) -> int:
    """A moment seen from another.

    Args:
        typed: 7d, 12h, 3 days ago, tuesday (the last one before today), yesterday,
            today, now, a date or a date with a time.
        until: the present, ns since 1970.
        local: a date without a zone is this computer's, not UTC's.

    Raises:
        ArgumentTypeError: it is none.
    """
    words = " ".join(typed.lower().split())
    begun = _day(words, until)
    if begun is not None:
        return begun
    try:
        ago = _ago(words)
    except ValueError:
        return _date(typed.strip(), local=local)
    return until - round(min(ago * NANOSECONDS, until))


def local_time(at: int) -> datetime:
    """A moment on this computer's clock on the wall.

    Args:
        at: ns since 1970.
    """
    return datetime.fromtimestamp(at // NANOSECONDS, UTC).astimezone()


def _ago(words: str) -> float:
    found = _AGO.fullmatch(words)
    if found is None:
        return parse_duration(words)
    count, unit = found.groups()
    return (1 if count.startswith("a") else int(count)) * _SECONDS[unit]


def _day(words: str, until: int) -> int | None:
    """Where a day that is named began; None where none is."""
    if words == "now":
        return until
    today = local_time(until)
    if words in {"today", "yesterday"}:
        return _midnight(today, int(words == "yesterday"))
    names = [
        place
        for place, name in enumerate(_DAYS)
        if name == words or (len(words) == _SHORTEST_NAME and name.startswith(words))
    ]
    if not names:
        return None
    # on a Tuesday "tuesday" is a week ago: who asks gets rather more than too little
    back = (today.weekday() - names[0] - 1) % len(_DAYS) + 1
    return _midnight(today, back)


def _midnight(today: datetime, back: int) -> int:
    day = today.replace(hour=0, minute=0, second=0, tzinfo=None) - timedelta(back)
    # without a zone it is this computer's, by the rules of that day
    return max(round(day.astimezone().timestamp()), 0) * NANOSECONDS


def _date(typed: str, *, local: bool) -> int:
    try:
        found = datetime.fromisoformat(typed)
    except ValueError as why:
        raise argparse.ArgumentTypeError(
            f"{typed!r} is no time: write 7d, 12h, tuesday, yesterday, 2026-09-21 or"
            " 2026-09-21T14:00Z"
        ) from why
    try:
        if found.tzinfo is None:
            found = found.astimezone() if local else found.replace(tzinfo=UTC)
        return max(round(found.timestamp()), 0) * NANOSECONDS
    except (ValueError, OverflowError) as why:
        raise argparse.ArgumentTypeError(f"{typed!r} is beyond all clocks") from why
