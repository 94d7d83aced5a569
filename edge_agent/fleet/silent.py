"""Gateways of which nothing was heard for a day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_agent.centre.tables import TABLES
from edge_agent.fleet.asked import DAY, MICROSECOND, date_of
from edge_agent.fleet.lake import Lake

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.centre.names import Named
    from edge_agent.fleet.asked import Asked
    from edge_agent.fleet.lake import Archive
    from edge_agent.fleet.listing import Listing

    Whose = tuple[str, str]
    Heard = dict[Whose, tuple[int, str]]

_SECOND = 1_000_000_000
_OTHERS = tuple(name for name in TABLES if name != "health")
_NEWEST = (
    "SELECT site, gateway, max(epoch_us(ts)) FROM {} "
    "WHERE ts IS NOT NULL GROUP BY site, gateway"
)


@dataclass(frozen=True, slots=True)
class Silent:
    """A gateway that says nothing.

    Attributes:
        last: time of its newest row of any kind, UTC; empty where it has none in the
            time asked for, and is known by its folder only.
        table: which kind that row is of.
        silent_s: how long ago that was; None where ``last`` is empty.
    """

    site: str
    gateway: str
    last: str
    table: str
    silent_s: float | None


def silent(lake: Lake, now: int, after: int = DAY) -> tuple[Silent, ...]:
    """Gateways without a row for so long, those unheard longest first.

    Args:
        lake: the archive.
        now: ns since 1970.
        after: ns of silence.

    Raises:
        ArchiveUnavailable: the archive cannot be read.
    """
    heard: Heard = {}
    _hear(lake, ("health",), heard, frozenset())
    alive = {one for one, (at, _) in heard.items() if now - at * MICROSECOND < after}
    _hear(lake, _OTHERS, heard, frozenset(alive))
    found = [
        _silent(whose, heard.get(whose), now)
        for whose in lake.gateways | set(heard)
        if whose not in heard or now - heard[whose][0] * MICROSECOND >= after
    ]
    return tuple(sorted(found, key=lambda s: (s.last, s.site, s.gateway)))


def _hear(
    lake: Lake, tables: tuple[str, ...], heard: Heard, well: frozenset[Whose]
) -> None:
    """Note the newest row of each gateway that is not known to be well."""
    latest = _Latest(lake.archive, well)
    look = Lake(latest, lake.asked, lake.threads, checked=lake.checked)
    try:
        for table in tables:
            for site, gateway, at in look.rows((table,), _NEWEST.format(table)):
                one = (site, gateway)
                heard[one] = max(heard.get(one, (at, table)), (at, table))
    finally:
        look.close()
    lake.gateways |= look.gateways
    lake.left_out |= look.left_out


def _silent(whose: Whose, heard: tuple[int, str] | None, now: int) -> Silent:
    if heard is None:
        return Silent(*whose, "", "", None)
    at = heard[0] * MICROSECOND
    return Silent(*whose, date_of(at), heard[1], (now - at) / _SECOND)


@dataclass(frozen=True, slots=True)
class _Latest:
    """The objects of each gateway's last two days: its newest row is there.

    Two, as those of the last may all be damaged.
    """

    archive: Archive
    well: frozenset[Whose]

    @property
    def root(self) -> Path:
        return self.archive.root

    def listing(self, table: str, asked: Asked) -> Listing:
        found = self.archive.listing(table, asked)
        days: dict[Whose, list[str]] = {}
        for one in found.objects:  # in the order of days
            known = days.setdefault((one.site, one.gateway), [])
            if not known or known[-1] != one.day:
                known.append(one.day)
        kept = tuple(
            one
            for one in found.objects
            if (whose := (one.site, one.gateway)) not in self.well
            and one.day in days[whose][-2:]
        )
        return replace(found, objects=kept)

    def wrong(self, one: Named) -> str:
        return self.archive.wrong(one)

    def put(self, one: Named, body: bytes) -> None:
        self.archive.put(one, body)

    def remove(self, one: Named) -> None:
        self.archive.remove(one)

    def close(self) -> None:
        pass
