"""The wall clock's nanoseconds as dates: ISO 8601 in UTC. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def date_of(wall: int) -> str:
    """A date to the second; empty for what no calendar has.

    Args:
        wall: ns since 1970 by the wall clock.
    """
    return _date(wall, "seconds")


def instant_of(wall: int) -> str:
    """A date to the millisecond; empty for what no calendar has.

    Args:
        wall: ns since 1970 by the wall clock.
    """
    return _date(wall, "milliseconds")


def _date(wall: int, timespec: str) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=wall // 1000)
    except OverflowError:
        return ""
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")
