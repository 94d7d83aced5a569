"""Dates as people write them in lists, to wall time. Pure.

ISO 8601; ``29.07.2025 14:30`` (day first); ``2025/07/29``; ``7/29/2025 2:30 PM`` and
``29/07/2025`` only where no other reading is possible. A time without a zone is the
plant's own; an hour that the clock showed twice, or never, is refused.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK = (
    r"(?:[ T]+(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2}))?\s*(?P<pm>[AaPp][Mm])?)?"
)
_DOTS = re.compile(r"(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.\s?(?P<y>\d{2,4})" + _CLOCK)
_SLASHES = re.compile(r"(?P<a>\d{1,2})[/-](?P<b>\d{1,2})[/-](?P<y>\d{2,4})" + _CLOCK)
_YEAR_FIRST = re.compile(r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})" + _CLOCK)
_MONTHS, _NOON, _YEAR_DIGITS = 12, 12, 4
_WRITE = "write 2025-07-29 14:30"


class NoDate(ValueError):
    """A text is no date, or may be two; the text says what to write."""


def nanoseconds(text: str, zone: tzinfo | None) -> int:
    """Wall time in ns since 1970 UTC.

    Args:
        text: as written.
        zone: of times that name none; None for the computer's own.

    Raises:
        NoDate: what to write instead; repeats nothing of the text.
    """
    text = text.strip()
    moment = _of(text)
    if moment.tzinfo is None:
        moment = _placed(moment, zone)
    try:
        since = moment.astimezone(UTC) - _EPOCH
    except (OverflowError, OSError):
        raise NoDate(f"a year that cannot be; {_WRITE}") from None
    if since.days < 0:
        raise NoDate(f"before 1970; {_WRITE}")
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def _of(text: str) -> datetime:
    if match := _DOTS.fullmatch(text) or _YEAR_FIRST.fullmatch(text):
        return _made(match, int(match["m"]), int(match["d"]))
    if match := _SLASHES.fullmatch(text):
        return _made(match, *_month_and_day(int(match["a"]), int(match["b"])))
    try:
        return datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        raise NoDate(f"is no date and time; {_WRITE} or 29.07.2025 14:30") from None


def _month_and_day(first: int, second: int) -> tuple[int, int]:
    if first <= _MONTHS and second <= _MONTHS and first != second:
        raise NoDate(
            f"may be day/month or month/day; {_WRITE} or with dots, 29.07.2025 14:30"
        )
    return (second, first) if first > _MONTHS else (first, second)


def _made(match: re.Match[str], month: int, day: int) -> datetime:
    if len(match["y"]) != _YEAR_DIGITS:
        raise NoDate(f"the year has not four digits; {_WRITE}")
    hour = int(match["h"] or 0)
    if match["pm"] is not None:
        if not 1 <= hour <= _NOON:
            raise NoDate(f"is no time of day; {_WRITE}")
        hour = hour % _NOON + (_NOON if match["pm"].lower() == "pm" else 0)
    try:
        return datetime(  # noqa: DTZ001 - its zone is found out next
            int(match["y"]),
            month,
            day,
            hour,
            int(match["min"] or 0),
            int(match["s"] or 0),
        )
    except ValueError:
        raise NoDate(f"there is no such day or time; {_WRITE}") from None


def _placed(moment: datetime, zone: tzinfo | None) -> datetime:
    """In the plant's zone, where that says one moment."""
    try:
        if zone is None:
            first = moment.replace(fold=0).astimezone()
            second = moment.replace(fold=1).astimezone()
        else:
            first = moment.replace(tzinfo=zone, fold=0)
            second = moment.replace(tzinfo=zone, fold=1)
        apart = first.utcoffset() != second.utcoffset()
    except (OverflowError, OSError, ValueError):
        raise NoDate(f"a year that cannot be; {_WRITE}") from None
    if apart:
        hint = "add the offset, as in 2025-10-26T02:30+02:00"
        raise NoDate(
            f"the clocks were changed: there are two such times, or none; {hint}"
        )
    return first
