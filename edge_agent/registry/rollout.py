"""The next step of a rollout, from what the registry and the gateways say. Pure.

    begin → share well for `watch` → wider → … → everybody well → champion
               └─ failed on too many, or too many fell silent → halted

Judging keeps nothing: whoever looks sees the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edge_agent.registry.choosing import CANARY, CHAMPION, Reference, bucket, choose
from edge_agent.registry.listing import CANARY_SALT
from edge_agent.registry.standings import (
    COUNTED,
    Standing,
    Stands,
    is_free,
    legible,
    stands,
)
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.registry.listing import Listing, Report
    from edge_agent.registry.rules import Rollout, Rules
    from edge_agent.registry.standings import Stand

_NAMED = 5


class Kind(StrEnum):
    """What to do with a rollout."""

    WAIT = "wait"
    WIDEN = "widen"
    PROMOTE = "promote"
    HALT = "halt"


@dataclass(frozen=True, slots=True)
class Decision:
    """The next step of a rollout.

    Attributes:
        kind: what to do.
        reason: why, in a sentence.
        stands: how each gateway stands to the version.
        percent: how large the share becomes when it widens.
        well: ns UTC since when the share is well; 0 when it is not.
    """

    kind: Kind
    reason: str
    stands: Stands
    percent: float = 0.0
    well: int = 0


def judge(
    rollout: Rollout, listing: Listing, reports: Iterable[Report], now: int
) -> Decision:
    """Whether a rollout waits, widens, ends or is stopped.

    A failure counts wherever it is reported. Everything else counts only from gateways
    of the share that were heard of lately.

    Args:
        rollout: as `rules.rollout_of` reads it from the listing.
        listing: what the registry says of the model.
        reports: of all gateways that have the model, in any order.
        now: ns UTC by the centre's clock.
    """
    known = tuple(reports)  # an iterator is gone after one look
    found = stands(rollout, listing, known, now)
    if ended := _ended(rollout, listing, found):
        return ended
    if blocked := _blocked(rollout, listing) or _not_well(rollout, found):
        return Decision(Kind.WAIT, blocked, found)
    well = rollout.well if 0 < rollout.well <= now else now
    seconds = (now - well) / NANOSECONDS
    why = f"{len(found.of(Standing.WELL))} of {found.asked} gateways are well"
    why += f"{_borne(found)}, for {words(seconds)}"
    if seconds < rollout.rules.watch:
        why += f" of {words(rollout.rules.watch)}"
        return Decision(Kind.WAIT, why, found, well=well)
    if unheard := _unheard(rollout, found, well):
        return Decision(Kind.WAIT, why + unheard, found, well=well)
    wider = _wider(rollout, listing, known)
    if wider is None:
        return Decision(Kind.PROMOTE, why, found, well=well)
    return Decision(Kind.WIDEN, why, found, wider, well)


def _ended(rollout: Rollout, listing: Listing, found: Stands) -> Decision | None:
    if rollout.version in listing.halted:
        why = f"it was halted: {listing.halted[rollout.version]}"
        return Decision(Kind.HALT, why, found)
    if too_many := _too_many(rollout, found):
        return Decision(Kind.HALT, too_many, found)
    if listing.aliases.get(CHAMPION) == rollout.version:
        return Decision(Kind.PROMOTE, "it is the champion already", found)
    return None


def _too_many(rollout: Rollout, found: Stands) -> str:
    rules = rollout.rules
    bad, lost = found.of(Standing.FAILED), found.of(Standing.LOST)
    said = f"it failed on {len(bad)} of {found.met} gateways ({_names(bad)}): "
    said += next((one.reason for one in bad if one.reason), "no reason given")
    if len(bad) >= rules.failed.among(found.met):
        return said
    left, wanted = found.asked - sum(one.inside for one in bad), _share(rules, found)
    if bad and left < wanted:  # nothing would ever end this rollout
        return f"{said}; {wanted} of {found.asked} can no longer be well"
    if lost and len(lost) >= rules.lost.among(len(found.of(*COUNTED, Standing.LOST))):
        since = f"{words(rules.gone)} and more"
        return f"{len(lost)} gateways said nothing for {since} ({_names(lost)})"
    return ""


def _blocked(rollout: Rollout, listing: Listing) -> str:
    """What a person did that must not be undone by a machine."""
    if listing.paused:
        return f"{listing.name} is paused"
    at = listing.aliases.get(CANARY)
    if at == rollout.version:
        return ""
    place = f"points at {at}" if at else "is gone"
    return f"the alias {CANARY} {place}: begin the rollout anew, or halt it"


def _not_well(rollout: Rollout, found: Stands) -> str:
    counted, needed = found.asked, _needed(rollout.rules, found)
    well = len(found.of(Standing.WELL))
    if well >= needed:
        return ""
    if not counted:
        there = ", ".join(f"{count} {word}" for word, count in found.counts.items())
        share = f"the share of {rollout.percent:g} %"
        return f"no gateway of {share} counts (reports: {there or 'none'})"
    slow = found.of(Standing.WAITING, Standing.COMING, Standing.QUIET)
    waits = f"; it waits for {_names(slow)}" if slow else ""
    said = f"{well} of {counted} gateways are well, {needed} are needed"
    return said + _borne(found) + waits


def _unheard(rollout: Rollout, found: Stands, well: int) -> str:
    """Who has not said since the watch began that it still is well.

    A gateway that its new version ended says nothing: its last word is a good one.
    """
    silent = [one for one in found.of(Standing.WELL) if one.at < well]
    again = len(found.of(Standing.WELL)) - len(silent)
    if again >= _needed(rollout.rules, found):
        return ""
    return f"; since then it waits for another report of {_names(silent)}"


def _needed(rules: Rules, found: Stands) -> int:
    return max(rules.least, _share(rules, found))


def _share(rules: Rules, found: Stands) -> int:
    # without the rounding 0.9 of 10 could be more than 9
    return math.ceil(round(rules.enough * found.asked, 9))


def _borne(found: Stands) -> str:
    bad = found.of(Standing.FAILED)
    return f", it failed on {len(bad)} ({_names(bad)})" if bad else ""


def _wider(
    rollout: Rollout, listing: Listing, reports: Iterable[Report]
) -> float | None:
    """The next share that takes in another gateway; None when there is none."""
    places = _places(listing, reports)
    inside = sum(place < rollout.percent for place in places)
    for step in rollout.rules.steps:
        if step > rollout.percent and sum(p < step for p in places) > inside:
            return step
    return None


def first_share(rules: Rules, listing: Listing, reports: Iterable[Report]) -> float:
    """The first step, or so much more that it holds as many gateways as are needed.

    Args:
        rules: with the steps, and how many gateways are needed.
        listing: what the registry says of the model.
        reports: of all gateways that have the model.
    """
    places = _places(listing, reports)
    if len(places) < rules.least or places[rules.least - 1] < rules.steps[0]:
        return rules.steps[0]
    return float(places[rules.least - 1] + 1)


def _places(listing: Listing, reports: Iterable[Report]) -> list[int]:
    """Where the gateways that a rollout may have lie between 0 and 99, sorted."""
    salt = listing.tags.get(CANARY_SALT, "")
    wanted = Reference(listing.name)
    names = {
        report.gateway.name
        for report in reports
        if is_free(choose(listing, wanted, report.gateway).via)
    }
    return sorted(bucket(listing.name, name, salt) for name in names)


def words(seconds: float) -> str:
    """A time as people say it."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def _names(some: list[Stand]) -> str:
    named = ", ".join(legible(one.gateway) for one in some[:_NAMED])
    more = len(some) - _NAMED
    return f"{named} and {more} more" if more > 0 else named
