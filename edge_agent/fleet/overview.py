"""All answers together: what the report shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.fleet.accuracy import Accuracy, accuracy
from edge_agent.fleet.alarms import Alarms, alarms
from edge_agent.fleet.asked import date_of
from edge_agent.fleet.drift import Feature, drift
from edge_agent.fleet.losses import Lost, losses
from edge_agent.fleet.models import Place, models
from edge_agent.fleet.silent import Silent, silent
from edge_agent.markup import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.fleet.lake import Lake
    from edge_agent.monitoring.accuracy.requirement import Requirement

#: Credit scoring's habit: from here on a column is worth a look, and has moved.
PSI_LOOK, PSI_MOVED = 0.1, 0.25


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a model in the fleet.

    Attributes:
        gateways, pipelines: that had it when they were last heard.
        states: how many pipelines are in each.
    """

    model: str
    version: str
    gateways: int
    pipelines: int
    states: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """The fleet.

    Attributes:
        since, until: of the time asked for, UTC.
        gateways: known, by a row or by a folder.
    """

    since: str
    until: str
    gateways: int
    sites: int
    versions: tuple[Version, ...]
    models: tuple[Place, ...]
    silent: tuple[Silent, ...]
    drift: tuple[Feature, ...]
    accuracy: tuple[Accuracy, ...]
    alarms: tuple[Alarms, ...]
    losses: tuple[Lost, ...]

    def parts(self) -> dict[str, Any]:
        """For the JSON."""
        names = ("gateways", "sites", "versions", "models", "silent", "drift")
        others = ("accuracy", "alarms", "losses")
        return {name: getattr(self, name) for name in (*names, *others)}

    @property
    def moved(self) -> tuple[Feature, ...]:
        """Features of the whole fleet that have moved."""
        return tuple(
            one for one in self.drift if not one.site and (one.psi or 0.0) >= PSI_MOVED
        )

    @property
    def breached(self) -> tuple[Accuracy, ...]:
        """Versions at sites that break their promise."""
        return tuple(one for one in self.accuracy if one.standing == "breached")

    @property
    def lost(self) -> tuple[int, int]:
        """Rows that were lost, and reports that do not know how many."""
        return (
            sum(one.count for one in self.losses),
            sum(one.unknown for one in self.losses),
        )

    def sentences(self) -> tuple[str, ...]:
        """What matters most."""
        lost, unknown = self.lost
        rows = counted(lost, "row")
        if unknown:
            rows += " and a number nobody counted"
        worst = self.moved[:1]
        where = f"{counted(self.gateways, 'gateway')} at {counted(self.sites, 'site')}"
        quiet = f"{counted(len(self.silent), 'gateway')} silent for a day"
        drifted = counted(len(self.moved), "feature") + " moved"
        if worst:
            drifted += f", most {worst[0].feature} of {worst[0].model}"
            drifted += f" (PSI {worst[0].psi:.2g})"
        rang = counted(sum(one.count for one in self.alarms), "alarm")
        return (f"{where}, {quiet}", drifted, f"{rang}, {rows} lost")


def overview(
    lake: Lake, now: int, requirements: Mapping[str, Requirement] | None = None
) -> Overview:
    """Ask everything.

    Args:
        lake: the archive.
        now: ns since 1970.
        requirements: of models' accuracy, by model.

    Raises:
        ArchiveUnavailable: it cannot be read.
    """
    places = models(lake, now)
    quiet = silent(lake, now)
    known = lake.gateways | {(one.site, one.gateway) for one in places}
    return Overview(
        since=date_of(lake.asked.since),
        until=date_of(now),
        gateways=len(known),
        sites=len({site for site, _ in known}),
        versions=versions(places),
        models=places,
        silent=quiet,
        drift=drift(lake),
        accuracy=accuracy(lake, requirements),
        alarms=alarms(lake),
        losses=losses(lake),
    )


def versions(places: tuple[Place, ...]) -> tuple[Version, ...]:
    """Places by model and version, the most frequent first."""
    by: dict[tuple[str, str], list[Place]] = {}
    for one in places:
        by.setdefault((one.model, one.model_version), []).append(one)
    found = [
        Version(
            *(model, version),
            *(len({(one.site, one.gateway) for one in some}), len(some)),
            tuple(Counter(one.state for one in some).most_common()),
        )
        for (model, version), some in by.items()
    ]
    return tuple(sorted(found, key=lambda v: (v.model, -v.pipelines, v.version)))
