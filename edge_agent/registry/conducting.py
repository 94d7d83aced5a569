"""A rollout's steps done at a real registry, one call each.

Nothing is kept between two calls: any machine that reaches the registry may do the next
step. Two that do the same step at once write the same things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.errors import ModelRejected
from edge_agent.registry import steering
from edge_agent.registry.choosing import CANARY, CHAMPION
from edge_agent.registry.listing import CANARY_SALT, HALTED, PAUSED, VERSION
from edge_agent.registry.rollout import Decision, Kind, first_share, judge
from edge_agent.registry.rules import rollout_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.registry.listing import Listing
    from edge_agent.registry.registry import Desk
    from edge_agent.registry.rules import Rollout, Rules
    from edge_agent.registry.steering import Write


def start(
    desk: Desk, model: str, version: str, rules: Rules, now: int, salt: str = ""
) -> Rollout:
    """Begin a rollout, or give the one that goes on new rules.

    Args:
        desk: the registry.
        model: which model.
        version: the registry's id, or the passport's version.
        rules: what is watched, and the shares.
        now: ns UTC.
        salt: draws other gateways than those of the rollout before; empty for the same.

    Raises:
        ModelRejected: this version cannot be rolled out; the text says why.
        RegistryUnavailable: the registry does not answer.
    """
    version = desk.offer(model, version).version
    listing = desk.listing(model)
    _check_free(listing, version)
    if salt and salt != listing.tags.get(CANARY_SALT):
        desk.set_tag(model, CANARY_SALT, salt)
        listing = desk.listing(model)
    share = first_share(rules, listing, tuple(desk.reports(model)))
    _apply(desk, listing, steering.begin(listing, version, rules, share, now))
    begun = rollout_of(desk.listing(model))
    if begun is None:
        raise ModelRejected(f"the rollout of {model} was ended by somebody else")
    return begun


def check(desk: Desk, model: str, now: int) -> tuple[Rollout, Decision] | None:
    """Do the next step of a rollout, if it is time for one.

    Args:
        desk: the registry.
        model: which model.
        now: ns UTC.

    Returns:
        The rollout as it was and what was done; None where none goes on.

    Raises:
        ModelRejected: the rollout cannot be read, or there is no such model.
        RegistryUnavailable: the registry does not answer; the next call goes on.
    """
    listing = desk.listing(model)
    rollout = rollout_of(listing)
    if rollout is None:
        return None
    decision = judge(rollout, listing, desk.reports(model), now)
    if decision.kind is not Kind.WAIT and _moved(desk, listing):
        why = "somebody changed it at this moment: the next look decides"
        return rollout, Decision(Kind.WAIT, why, decision.stands, well=decision.well)
    _apply(desk, listing, steering.carry_out(decision, rollout, listing))
    return rollout, decision


def halt(desk: Desk, model: str, version: str, reason: str) -> str:
    """Let nobody run a version any more; returns the registry's id of it.

    Raises:
        ModelRejected: there is no such version.
        RegistryUnavailable: the registry does not answer.
    """
    version = desk.offer(model, version).version
    listing = desk.listing(model)
    _apply(desk, listing, steering.halt(listing, version, reason))
    return version


def promote(desk: Desk, model: str, version: str) -> str:
    """Make a version the champion, whatever was reported of it; returns its id.

    Raises:
        ModelRejected: there is no such version, or it is halted.
        RegistryUnavailable: the registry does not answer.
    """
    version = desk.offer(model, version).version
    listing = desk.listing(model)
    _check_not_halted(listing, version)
    _apply(desk, listing, steering.promote(listing, version))
    return version


def pause(desk: Desk, model: str, *, paused: bool) -> None:
    """Let gateways adopt nothing new of a model, or again what is wanted.

    Raises:
        ModelRejected: there is no such model.
        RegistryUnavailable: the registry does not answer.
    """
    desk.set_tag(model, PAUSED, "true" if paused else None)


def lift(desk: Desk, model: str, version: str) -> str:
    """Take back a halt; returns the registry's id of the version.

    Raises:
        ModelRejected: there is no such version.
        RegistryUnavailable: the registry does not answer.
    """
    version = desk.offer(model, version).version
    desk.set_tag(model, HALTED + version, None)
    return version


def labels(desk: Desk, model: str) -> dict[str, str]:
    """The passport's version of each of the registry's ids.

    Raises:
        ModelRejected: there is no such model.
        RegistryUnavailable: the registry does not answer.
    """
    return {one["version"]: one.get(VERSION, "") for one in desk.history(model)}


def _check_free(listing: Listing, version: str) -> None:
    _check_not_halted(listing, version)
    name = listing.name
    if listing.aliases.get(CHAMPION) == version:
        raise ModelRejected(f"{name} {version} is the champion already")
    other = listing.aliases.get(CANARY, version)
    if other != version:
        raise ModelRejected(
            f"the canary of {name} is {other}: promote it (edge-agent fleet promote "
            f"{name} {other}) or halt it first"
        )
    if not listing.aliases and set(listing.versions) - {version}:
        raise ModelRejected(
            f"{name} has no champion: every gateway takes its newest version by "
            f"itself. Say which is good: edge-agent fleet promote {name} VERSION"
        )


def _check_not_halted(listing: Listing, version: str) -> None:
    if version in listing.halted:
        raise ModelRejected(
            f"{listing.name} {version} is halted: {listing.halted[version]}. Push a "
            "new version; if the halt was a mistake: edge-agent fleet resume "
            f"{listing.name} {version}"
        )


def _moved(desk: Desk, listing: Listing) -> bool:
    return desk.listing(listing.name).fingerprint != listing.fingerprint


def _apply(desk: Desk, listing: Listing, some: Iterable[Write]) -> None:
    """Write what is not so already, in order."""
    for one in some:
        there = listing.aliases if one.alias else listing.tags
        if there.get(one.key) == one.value:
            continue
        if one.alias:
            desk.point(listing.name, one.key, one.value)
        else:
            desk.set_tag(listing.name, one.key, one.value)
