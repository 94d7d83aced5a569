"""Of whom and of when a question is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent import dates

_LAST = "9999-01-01T00:00:00Z"
MICROSECOND = 1_000
DAY = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's bounds.

    Attributes:
        since, until: ns since 1970 by the wall clock; ``until`` is not in it.
        site, gateway, model: only theirs; empty for all.
    """

    since: int
    until: int
    site: str = ""
    gateway: str = ""
    model: str = ""

    def takes(self, site: str, gateway: str, day: str) -> bool:
        """Whether rows of a gateway and day may belong to it."""
        return self.of(site, gateway) and self.days[0] <= day <= self.days[1]

    def of(self, site: str, gateway: str) -> bool:
        """Whether it asks of this gateway."""
        return self.site in {"", site} and self.gateway in {"", gateway}

    @property
    def days(self) -> tuple[str, str]:
        """First and last day, UTC."""
        first, last = date_of(self.since), date_of(max(self.until - 1, self.since))
        return first[:10], last[:10]


def date_of(at: int) -> str:
    """ISO 8601 in UTC to the second; years beyond 9999 are its last.

    Args:
        at: ns since 1970.
    """
    return dates.date_of(at) or _LAST
