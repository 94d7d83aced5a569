"""What all gateways do with one model, as one document. Pure.

Versions are shown as their passports call them; the registry's own numbers are beside.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.registry.choosing import CHAMPION, Reference, choose
from edge_agent.registry.rollout import judge
from edge_agent.registry.standings import believable, failed, legible
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge_agent.registry.listing import (
        Listing,
        ModelReport,
        Observed,
        Report,
    )
    from edge_agent.registry.rules import Rollout


@dataclass(frozen=True, slots=True)
class Row:
    """One gateway with one model.

    Attributes:
        gateway, site, agent: who, and the agent's version.
        version: that scores; empty for none.
        state: see `ModelReport`.
        next: the version on its way, or that failed.
        stage: how far that has come.
        wants: what the registry wants there.
        via: what chooses that.
        standing: how it stands to the version that is rolled out; empty without one.
        heard: s since the report by the gateway's clock; None when that is wrong.
        digest: of the bundle that scores.
        reason: why it is not well.
        accuracy: see `Observed`, with the measure and its interval.
        drift: what moved most.
        findings: of monitoring that are open.
    """

    gateway: str
    site: str
    agent: str
    version: str
    state: str
    next: str
    stage: str
    wants: str
    via: str
    standing: str
    heard: float | None
    digest: str
    reason: str
    accuracy: str
    drift: str
    findings: int


@dataclass(frozen=True, slots=True)
class Going:
    """A rollout that goes on.

    Attributes:
        version, percent: which, and how large its share is.
        since: ns UTC when it began.
        next: what the next look would do: wait, widen, promote or halt.
        reason: why, in a sentence.
        counts: gateways by standing.
    """

    version: str
    percent: float
    since: int
    next: str
    reason: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Overview:
    """One model in the fleet.

    Attributes:
        model: its name.
        champion: the version that everybody shall run; empty for none.
        paused: nobody adopts anything new.
        halted: versions that nobody may run, with the reason.
        rollout: the one that goes on.
        versions: version -> state -> gateways; the state of those where it failed is
            ``failed``, of those on their way to it ``coming``.
        gateways: by name.
    """

    model: str
    champion: str
    paused: bool
    halted: Mapping[str, str]
    rollout: Going | None
    versions: Mapping[str, Mapping[str, int]]
    gateways: tuple[Row, ...]


def overview(
    listing: Listing,
    rollout: Rollout | None,
    reports: Iterable[Report],
    labels: Mapping[str, str],
    now: int,
) -> Overview:
    """Everything that is known of a model.

    Args:
        listing: what the registry says of it.
        rollout: the one that goes on.
        reports: of all gateways that have it.
        labels: the passport's version by the registry's id.
        now: ns UTC by the centre's clock.
    """
    known = tuple(reports)
    going, standings = _going(listing, rollout, known, labels, now)
    rows = [
        _row(listing, report, model, labels, now, standings)
        for report in sorted(known, key=lambda r: (r.gateway.name, r.at))
        for model in report.models
        if model.model == listing.name
    ]
    return Overview(
        listing.name,
        _label(listing.aliases.get(CHAMPION, ""), labels),
        listing.paused,
        {_label(v, labels): why for v, why in sorted(listing.halted.items())},
        going,
        _versions(listing.name, known, labels),
        tuple(rows),
    )


def _going(
    listing: Listing,
    rollout: Rollout | None,
    reports: tuple[Report, ...],
    labels: Mapping[str, str],
    now: int,
) -> tuple[Going | None, Mapping[str, str]]:
    if rollout is None:
        return None, {}
    decision = judge(rollout, listing, reports, now)
    going = Going(
        _label(rollout.version, labels),
        rollout.percent,
        rollout.since,
        decision.kind,
        decision.reason,
        {str(word): count for word, count in decision.stands.counts.items()},
    )
    return going, {one.gateway: str(one.standing) for one in decision.stands.each}


def _row(
    listing: Listing,
    report: Report,
    model: ModelReport,
    labels: Mapping[str, str],
    now: int,
    standings: Mapping[str, str],
) -> Row:
    gateway = report.gateway
    choice = choose(listing, Reference(listing.name), gateway)
    heard = (now - report.at) / NANOSECONDS if believable(report.at, now) else None
    return Row(
        legible(gateway.name),
        legible(gateway.site),
        legible(report.agent),
        _label(model.version, labels),
        legible(model.state),
        _label(model.candidate, labels),
        legible(model.stage),
        _label(choice.version, labels),
        choice.via,
        standings.get(gateway.name, ""),
        heard,
        legible(model.digest),
        legible(model.reason),
        _accuracy(model.observed),
        legible(model.observed.drift),
        model.observed.findings,
    )


def _accuracy(observed: Observed) -> str:
    """In words: ``breached: f1 0.61 (0.55 to 0.67), 120 labels``."""
    if not observed.accuracy:
        return ""
    said = observed.measure
    if observed.value is not None:
        said = f"{said} {observed.value:.3g}"
    if observed.low is not None and observed.high is not None:
        said = f"{said} ({observed.low:.3g} to {observed.high:.3g})"
    return legible(f"{observed.accuracy}: {said}, {observed.labels} labels")


def _versions(
    name: str, reports: tuple[Report, ...], labels: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for model in (m for r in reports for m in r.models if m.model == name):
        scoring = found.setdefault(_label(model.version, labels), Counter())
        scoring[legible(model.state)] += 1
        if model.candidate:
            coming = found.setdefault(_label(model.candidate, labels), Counter())
            bad = failed(model, model.candidate)
            coming["failed" if bad else "coming"] += 1
    return {version: dict(found[version]) for version in sorted(found)}


def _label(version: str, labels: Mapping[str, str]) -> str:
    return legible(labels.get(version) or version)
