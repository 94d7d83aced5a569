"""Spans of the day: shifts as the operator writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = 24 * 60
"""Minutes."""


def span_of(text: str) -> tuple[int, int]:
    """First minute of the day and the minute behind the last of ``06:00-14:00``.

    Raises:
        ValueError: it is no such span.
    """
    begins, dash, ends = text.replace(" ", "").partition("-")
    if not dash:
        raise ValueError(f"{text!r} is no span of the day")
    first, behind = _minute(begins), _minute(ends)
    if first in {DAY, behind}:
        raise ValueError(f"{text!r} is empty")
    return first, behind


def overlapping(spans: Sequence[tuple[str, int, int]]) -> tuple[str, str] | None:
    """Two shifts that share a minute; None where none do."""
    owner: dict[int, str] = {}
    for name, first, behind in spans:
        for minute in range(first, first + ((behind - first) % DAY or DAY)):
            other = owner.setdefault(minute % DAY, name)
            if other != name:
                return other, name
    return None


def _minute(text: str) -> int:
    hour, colon, minute = text.partition(":")
    digits = (hour + minute).isascii() and (hour + minute).isdigit()
    if not (colon and digits and len(hour) <= 2 and len(minute) == 2):  # noqa: PLR2004
        raise ValueError(f"{text!r} is no time of the day")
    found = int(hour) * 60 + int(minute)
    if int(minute) >= 60 or found > DAY:  # noqa: PLR2004
        raise ValueError(f"{text!r} is no time of the day")
    return found
