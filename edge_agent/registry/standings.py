"""How each gateway stands to a version that is rolled out. Pure.

A gateway's report carries its own wall clock. Ages are taken from it as far as it can
be believed: a clock that is off by more than a gateway may be quiet is noticed where
the report contradicts itself (it names the version before the rollout began, or lies
ahead of the centre), and such a gateway can stop a version but never carry it on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edge_agent.registry.choosing import CANARY, CHAMPION, Reference, choose
from edge_agent.registry.rules import HOUR
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.registry.listing import Listing, ModelReport, Report
    from edge_agent.registry.rules import Rollout

#: What `ModelReport.stage` says of a version that a gateway will not run, and of a
#: gateway whose people chose another one by hand.
FAILED_STAGES, HELD_STAGE = ("refused", "failed"), "held"
#: No agent is older: a clock that says so has not been set (2024-01-01).
_FIRST = 1_704_067_200 * NANOSECONDS
_LONG = 200


class Standing(StrEnum):
    """How a gateway stands to the version."""

    FAILED = "failed"
    """It was refused there, or taken off again."""
    WELL = "well"
    """It scores there, and the gateway was heard of lately."""
    COMING = "coming"
    """It is on its way."""
    WAITING = "waiting"
    """The gateway is to take it and has not begun."""
    QUIET = "quiet"
    """It was there when the rollout began and has said nothing lately."""
    LOST = "lost"
    """The same, for longer than a link is usually down."""
    SILENT = "silent"
    """It has said nothing since before the rollout: it is counted apart."""
    CLOCK = "wrong clock"
    """Its reports cannot be placed in time: it is counted apart."""
    PINNED = "pinned"
    """An alias of its own or its site's chooses: it is counted apart."""
    HELD = "held"
    """A person at the gateway chose: it is counted apart."""
    OUTSIDE = "outside"
    """It is not in the share."""


#: Who is asked whether a share is well; besides those of it where it failed.
COUNTED = (Standing.WELL, Standing.COMING, Standing.WAITING, Standing.QUIET)


@dataclass(frozen=True, slots=True)
class Stand:
    """One gateway.

    Attributes:
        gateway: its name.
        standing: how it stands to the version.
        met: whether its report names the version.
        inside: whether it is in the share.
        at: ns UTC of its report, by its own clock.
        reason: what it says, where something is wrong.
    """

    gateway: str
    standing: Standing
    met: bool = False
    inside: bool = False
    at: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stands:
    """All gateways that have the model, by name."""

    each: tuple[Stand, ...] = ()

    @property
    def counts(self) -> dict[Standing, int]:
        """Gateways by standing, those with none left out."""
        found = Counter(one.standing for one in self.each)
        return {standing: found[standing] for standing in Standing if found[standing]}

    def of(self, *standings: Standing) -> list[Stand]:
        """Those that stand so."""
        return [one for one in self.each if one.standing in standings]

    @property
    def met(self) -> int:
        """How many have met the version."""
        return sum(one.met for one in self.each)

    @property
    def asked(self) -> int:
        """How many are asked whether the share is well."""
        failed = sum(one.inside for one in self.of(Standing.FAILED))
        return failed + len(self.of(*COUNTED))


def stands(
    rollout: Rollout, listing: Listing, reports: Iterable[Report], now: int
) -> Stands:
    """How every gateway that reports the model stands to the version.

    Args:
        rollout: of which version, since when.
        listing: what the registry says of the model.
        reports: in any order; of two by one gateway the newer counts, of two
            pipelines of one gateway the worse.
        now: ns UTC by the centre's clock.
    """
    newest: dict[str, Report] = {}
    for report in reports:
        held = newest.get(report.gateway.name)
        if held is None or _age(held) < _age(report):
            newest[report.gateway.name] = report
    found = (
        min(
            (
                _stand(rollout, listing, report, model, now)
                for model in report.models
                if model.model == rollout.model
            ),
            key=lambda one: (_WORST_FIRST.index(one.standing), one.met, one.reason),
            default=None,
        )
        for _, report in sorted(newest.items())
    )
    return Stands(tuple(one for one in found if one is not None))


def _age(report: Report) -> tuple[int, str]:
    return report.at, repr(report)  # the second only so that the order never counts


_WORST_FIRST = (
    Standing.FAILED,
    Standing.LOST,
    Standing.QUIET,
    Standing.CLOCK,
    Standing.WAITING,
    Standing.COMING,
    Standing.HELD,
    Standing.WELL,
    Standing.SILENT,
    Standing.PINNED,
    Standing.OUTSIDE,
)


def _stand(
    rollout: Rollout, listing: Listing, report: Report, model: ModelReport, now: int
) -> Stand:
    version = rollout.version
    met = version in (model.version, model.candidate)
    via = choose(listing, Reference(listing.name), report.gateway).via
    if failed(model, version):
        standing = Standing.FAILED
    elif via != CANARY:
        standing = Standing.OUTSIDE if is_free(via) else Standing.PINNED
    elif model.stage == HELD_STAGE:
        standing = Standing.HELD
    else:
        late = _late(rollout, report.at, now, met=met)
        standing = late or _progress(version, model)
    name, reason = report.gateway.name, legible(model.reason)
    return Stand(name, standing, met, via == CANARY, report.at, reason)


def failed(model: ModelReport, version: str) -> bool:
    """Whether a report says that a version must not score there."""
    if model.candidate == version and model.stage in FAILED_STAGES:
        return True
    return model.version == version and model.state in ("limits", "none")


def believable(at: int, now: int, ahead: float = HOUR) -> bool:
    """Whether a gateway's clock can have said so: set, and not ahead of ours.

    Args:
        at: ns UTC by its clock.
        now: ns UTC by the centre's.
        ahead: s that it may be ahead.
    """
    return _FIRST <= at <= now + int(ahead * NANOSECONDS)


def legible(text: str, length: int = _LONG) -> str:
    """What a gateway says, fit for a terminal: no control characters, not endless."""
    cut = text if len(text) <= length else f"{text[: length - 1]}…"
    return "".join(sign if sign.isprintable() else " " for sign in cut)


def is_free(via: str) -> bool:
    """Whether what chose a gateway's version (`Choice.via`) lets a rollout have it."""
    return via in (CANARY, CHAMPION, "newest", "")


def _late(rollout: Rollout, at: int, now: int, *, met: bool) -> Standing | None:
    """What the age of a report says; None for one that is fresh."""
    quiet = int(rollout.rules.quiet * NANOSECONDS)
    began = rollout.since - quiet
    if not believable(at, now, rollout.rules.quiet) or (met and at < began):
        return Standing.CLOCK
    if now - at <= quiet:
        return None
    if at < began:
        return Standing.SILENT
    gone = int(rollout.rules.gone * NANOSECONDS)
    return Standing.LOST if now - at > max(gone, quiet) else Standing.QUIET


def _progress(version: str, model: ModelReport) -> Standing:
    if model.version == version:
        return Standing.WELL
    return Standing.COMING if model.candidate == version else Standing.WAITING
