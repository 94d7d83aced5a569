"""What a registry's answer changes in the life of a pipeline's versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.registry import lifecycle
from edge_agent.registry.choosing import choose
from edge_agent.registry.lifecycle import Stage

if TYPE_CHECKING:
    from edge_agent.registry.choosing import Reference
    from edge_agent.registry.inquiry import Answer
    from edge_agent.registry.listing import Gateway, Listing
    from edge_agent.registry.manning import Manning

_AT_WORK = (Stage.PREVIOUS, Stage.ACTIVE, *lifecycle.ON_ITS_WAY)
"""In this order: the one to return to goes before anything returns to it."""


def heed(
    manning: Manning, name: str, wanted: Reference, answer: Answer, gateway: Gateway
) -> None:
    """Let a pipeline's life follow what the registry says of its model.

    Args:
        manning: the lives, and who scores.
        name: of the pipeline.
        wanted: what the operator wrote.
        answer: of the registry.
        gateway: who asked.
    """
    listing = answer.listings.get(wanted.name)
    if listing is None:
        why = answer.missing.get((wanted.name, ""), answer.failed)
        active = manning.lives[name].active
        mine = active is not None and active.name == wanted.name
        manning.wait(name, "" if mine else why)
        return
    _halt(manning, name, listing)
    manning.pause(name, wanted.name if listing.paused else "")
    if listing.paused or manning.lives[name].held:
        return
    choice = choose(listing, wanted, gateway)
    missing = answer.missing.get((wanted.name, choice.version), choice.reason)
    if missing or manning.lives[name].candidate is None:
        manning.wait(name, missing)
    challenger = choice.challenger if choice.challenger != choice.version else ""
    _want(manning, name, answer, (wanted.name, choice.version), choice.via)
    _watch(manning, name, answer, (wanted.name, challenger))


def _halt(manning: Manning, name: str, listing: Listing) -> None:
    """Nobody may run a halted version, nor return to it."""
    halted = [
        version
        for stage in _AT_WORK
        for version in manning.lives[name].versions
        if version.stage is stage
        # one on its way is just wanted no more, and may begin again when the halt ends
        and (version.stage not in lifecycle.ON_ITS_WAY or version.urgent)
        and version.name == listing.name
        and version.version in listing.halted
    ]
    for version in halted:
        why = listing.halted[version.version]
        manning.halted(name, version.key, f"was halted by the centre: {why}")


def _want(
    manning: Manning, name: str, answer: Answer, version: tuple[str, str], via: str
) -> None:
    life, offer = manning.lives[name], answer.offers.get(version)
    if offer is None:
        if not answer.failed:
            manning.keep(name, lifecycle.unsee(life, watch=False))
        return
    life = lifecycle.see(life, offer, via)
    manning.keep(name, life)
    known = life.of(offer.key)
    if known is not None and known.stage is Stage.ACTIVE:
        manning.keep(name, lifecycle.confirm(life))
    former = known is not None and known.stage is Stage.PREVIOUS
    urgent = life.candidate is not None and life.candidate.urgent
    if known is not None and former and not life.returned and not urgent:
        manning.activate(name, known)  # the centre points back: proven here


def _watch(
    manning: Manning, name: str, answer: Answer, version: tuple[str, str]
) -> None:
    life, offer = manning.lives[name], answer.offers.get(version)
    if offer is not None:
        manning.keep(name, lifecycle.see(life, offer, "challenger", watch=True))
    elif not answer.failed:
        manning.keep(name, lifecycle.unsee(life, watch=True))
