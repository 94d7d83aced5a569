"""Which time a report is of, and days of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.dates import date_of
from edge_agent.report.document import Day
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = 86_400 * NANOSECONDS
WEEK = 7 * DAY
#: Days of one chart, the newest.
MOST_DAYS = 1_100


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the wall clock, ns since 1970."""

    since: int
    until: int

    def days(self, known: Mapping[int, Day]) -> tuple[Day, ...]:
        """A day each, from the first that is known to the end; others are empty.

        Args:
            known: by days since 1970.
        """
        if not known:
            return ()
        last = max(*known, (self.until - 1) // DAY)
        first = max(min(known), last - MOST_DAYS + 1)
        return tuple(
            known.get(day) or Day(name_of(day), None) for day in range(first, last + 1)
        )


def name_of(day: int) -> str:
    """The date of a day since 1970."""
    return date_of(day * DAY)[:10]
