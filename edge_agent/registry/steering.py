"""How a rollout is begun, carried on and ended: changes of aliases and tags. Pure.

Each is a list of writes in an order that is safe wherever it is cut: what stops a
version comes first, and as long as the rollout is there the next look finishes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.errors import ModelRejected
from edge_agent.registry.choosing import CANARY, CHALLENGER, CHAMPION
from edge_agent.registry.listing import CANARY_PERCENT, HALTED
from edge_agent.registry.rollout import Kind
from edge_agent.registry.rules import (
    FORMER,
    ROLLOUT_RULES,
    ROLLOUT_SINCE,
    ROLLOUT_VERSION,
    ROLLOUT_WELL,
    rollout_of,
    write_time,
)

if TYPE_CHECKING:
    from edge_agent.registry.listing import Listing
    from edge_agent.registry.rollout import Decision
    from edge_agent.registry.rules import Rollout, Rules

_LONG = 1000


@dataclass(frozen=True, slots=True)
class Write:
    """One change at the registry: of an alias, or of a tag of the model.

    Attributes:
        key: which.
        value: what it becomes; None removes it.
        alias: whether it is an alias.
    """

    key: str
    value: str | None
    alias: bool = False


def begin(
    listing: Listing, version: str, rules: Rules, percent: float, now: int
) -> list[Write]:
    """Begin a rollout; one of the same version that goes on gets new rules only.

    Args:
        listing: what the registry says of the model.
        version: the registry's id of the version.
        rules: what is watched.
        percent: the first share, as `first_share` says.
        now: ns UTC by the centre's clock.
    """
    written = Write(ROLLOUT_RULES, rules.write())
    if _goes_on(listing, version):
        return [written]
    return [
        Write(ROLLOUT_WELL, None),
        written,
        Write(ROLLOUT_SINCE, write_time(now)),
        Write(CANARY_PERCENT, f"{percent:g}"),
        Write(ROLLOUT_VERSION, version),
        Write(CANARY, version, alias=True),
    ]


def carry_out(decision: Decision, rollout: Rollout, listing: Listing) -> list[Write]:
    """What carries a decision out; nothing when it is to wait and nothing changed."""
    match decision.kind:
        case Kind.HALT:
            return halt(listing, rollout.version, decision.reason)
        case Kind.PROMOTE:
            return promote(listing, rollout.version)
        case Kind.WIDEN:  # first the watch ends: it is not the next share's
            percent = Write(CANARY_PERCENT, f"{decision.percent:g}")
            return [Write(ROLLOUT_WELL, None), percent]
        case Kind.WAIT:
            well = write_time(decision.well) if decision.well else None
            return [Write(ROLLOUT_WELL, well)]


def halt(listing: Listing, version: str, reason: str) -> list[Write]:
    """Nobody runs a version any more; a champion gives way to the one before it."""
    reason = " ".join(reason.split())[:_LONG]
    stop = Write(HALTED + version, listing.halted.get(version, reason))
    former = listing.tags.get(FORMER)
    back = []
    if listing.aliases.get(CHAMPION) == version and former and former != version:
        if former not in listing.halted:
            back = [Write(CHAMPION, former, alias=True)]
        back.append(Write(FORMER, None))
    return [stop, *back, *_end(listing, version)]


def promote(listing: Listing, version: str) -> list[Write]:
    """Everybody runs a version; the champion before it is remembered."""
    former = listing.aliases.get(CHAMPION)
    remembered = [Write(FORMER, former)] if former and former != version else []
    champion = Write(CHAMPION, version, alias=True)
    return [*remembered, champion, *_end(listing, version)]


def _end(listing: Listing, version: str) -> list[Write]:
    """Take away what held the rollout of a version; of another one it stays."""
    aliases = [
        Write(alias, None, alias=True)
        for alias in (CANARY, CHALLENGER)
        if listing.aliases.get(alias) == version
    ]
    held = (listing.aliases.get(CANARY), listing.tags.get(ROLLOUT_VERSION))
    if version not in held or set(held) - {version, None}:
        return aliases
    # rules that are left alone mean nothing; a version without them cannot be read
    keys = (CANARY_PERCENT, ROLLOUT_WELL, ROLLOUT_VERSION, ROLLOUT_RULES, ROLLOUT_SINCE)
    return [*aliases, *(Write(key, None) for key in keys)]


def _goes_on(listing: Listing, version: str) -> bool:
    try:
        rollout = rollout_of(listing)
    except ModelRejected:  # it is written anew
        return False
    return (
        rollout is not None
        and rollout.version == version
        and listing.aliases.get(CANARY) == version
    )
