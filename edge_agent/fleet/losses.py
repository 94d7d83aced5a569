"""What was lost in the fleet, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.fleet.asked import MICROSECOND, date_of

if TYPE_CHECKING:
    from edge_agent.fleet.lake import Lake

_BY_CAUSE = """
SELECT site, what, subject, cause, sum("count")::BIGINT, count(DISTINCT gateway),
  min(epoch_us("first")), max(epoch_us("last")), count(*) FILTER ("count" = 0)
FROM losses
GROUP BY site, what, subject, cause
ORDER BY 5 DESC, site, what, subject, cause
"""


@dataclass(frozen=True, slots=True)
class Lost:
    """Losses of one kind and cause at a site.

    Attributes:
        what, subject, cause: see the table ``losses``.
        count: how many, of those that know it.
        gateways: that lost some.
        first, last: time of the first and last one, UTC; empty where not known.
        unknown: reports that do not know how many.
    """

    site: str
    what: str
    subject: str
    cause: str
    count: int
    gateways: int
    first: str
    last: str
    unknown: int = 0

    @property
    def how_many(self) -> str:
        """For people."""
        return how_many(self.count, self.unknown)


def how_many(count: int, unknown: int) -> str:
    """What is known of a number, for people.

    Args:
        count: that is known.
        unknown: reports that do not know how many.
    """
    if not unknown:
        return f"{count:,}"
    return f"{count:,} + not known" if count else "not known"


def losses(lake: Lake) -> tuple[Lost, ...]:
    """All losses told in the time, the largest first.

    Raises:
        ArchiveUnavailable: the archive cannot be read.
    """
    return tuple(_lost(row) for row in lake.rows(("losses",), _BY_CAUSE))


def _lost(row: tuple[Any, ...]) -> Lost:
    site, what, subject, cause = (text or "" for text in row[:4])
    first, last = (
        "" if at is None else date_of(at * MICROSECOND) for at in (row[6], row[7])
    )
    return Lost(site, what, subject, cause, row[4] or 0, row[5], first, last, row[8])
