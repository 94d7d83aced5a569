"""Which version of a model a gateway shall run, from what its registry says. Pure.

An alias for this gateway comes before one for its site, that before the canary for
those in its share, that before the champion. ``challenger`` is only ever watched.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.registry.lifecycle import PINNED
from edge_agent.registry.listing import CANARY_PERCENT, CANARY_SALT

if TYPE_CHECKING:
    from edge_agent.registry.listing import Gateway, Listing

CHAMPION, CANARY, CHALLENGER = "champion", "canary", "challenger"
_VERSION = re.compile(r"v?\d+(\.\d+\.\d+(-[0-9A-Za-z.-]+)?)?")
_UNFIT = re.compile(r"[^\w-]")


@dataclass(frozen=True, slots=True)
class Reference:
    """``NAME``, ``NAME@ALIAS`` or ``NAME@VERSION`` as the operator wrote it."""

    name: str
    alias: str = ""
    pinned: str = ""

    @staticmethod
    def of(text: str) -> Reference:
        """Read it; a word of digits and dots is a version, any other an alias."""
        name, _, wanted = text.partition("@")
        if _VERSION.fullmatch(wanted):
            return Reference(name, pinned=wanted)
        return Reference(name, alias=wanted)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a gateway shall do with a model.

    Attributes:
        version: the registry's id of the version to run; empty for none.
        via: what chose it: an alias, ``newest`` or ``pinned``.
        challenger: id of a version to watch only; empty for none.
        reason: why there is no version, in a sentence.
    """

    version: str = ""
    via: str = ""
    challenger: str = ""
    reason: str = ""


def choose(listing: Listing, wanted: Reference, gateway: Gateway) -> Choice:
    """The version for a gateway.

    Args:
        listing: what the registry says.
        wanted: what the operator wrote.
        gateway: who asks.
    """
    challenger = listing.aliases.get(CHALLENGER, "")
    if challenger in listing.halted:
        challenger = ""
    if why := listing.halted.get(wanted.pinned):
        said = f"{listing.name}@{wanted.pinned} is halted: {why}"
        return Choice(challenger=challenger, reason=said)
    if wanted.pinned:
        return Choice(wanted.pinned, PINNED, challenger)
    if wanted.alias and wanted.alias != CHAMPION:
        order = [wanted.alias]
    else:
        order = _order(listing, gateway)
    for alias in order:
        version = listing.aliases.get(alias, "")
        if version and version not in listing.halted:
            return Choice(version, alias, challenger)
    if not listing.aliases and (newest := _newest(listing)):
        return Choice(newest, "newest", challenger)
    return Choice(challenger=challenger, reason=_none(listing, order))


def _order(listing: Listing, gateway: Gateway) -> list[str]:
    own = [f"gw-{alias_word(gateway.name)}"]
    if gateway.site:
        own.append(f"site-{alias_word(gateway.site)}")
    canary = [CANARY] if in_canary(listing, gateway) else []
    return [*own, *canary, CHAMPION]


def in_canary(listing: Listing, gateway: Gateway) -> bool:
    """Whether a gateway is in the canary's share: by hash, so that no list is kept."""
    try:
        percent = float(listing.tags.get(CANARY_PERCENT, "0"))
    except ValueError:
        return False
    return bucket(listing.name, gateway.name, listing.tags.get(CANARY_SALT, "")) < (
        percent
    )


def bucket(model: str, gateway: str, salt: str = "") -> int:
    """0 to 99; another salt draws another share."""
    digest = hashlib.sha256(f"{model}/{gateway}/{salt}".encode()).digest()
    return int.from_bytes(digest, "big") % 100


def alias_word(text: str) -> str:
    """A name as aliases may hold it: MLflow allows letters, digits, _ and -."""
    return _UNFIT.sub("-", text)


def _newest(listing: Listing) -> str:
    """The newest release where nothing is pointed at; a pre-release only if alone."""
    fit = [v for v in listing.versions if v not in listing.halted]
    released = [v for v in fit if "-" not in v]
    return (released or fit or [""])[-1]


def _none(listing: Listing, order: list[str]) -> str:
    there = ", ".join(sorted(listing.aliases)) or "no alias"
    halted = [a for a in order if listing.aliases.get(a) in listing.halted]
    if halted:
        why = listing.halted[listing.aliases[halted[0]]]
        return f"{listing.name}@{halted[0]} is halted: {why}"
    return f"the registry has {there} for {listing.name}, none of {', '.join(order)}"
