"""The life of a model version on a gateway, as one explicit state machine. Pure.

    seen → fetched → verified → vetted → shadow → active → previous → retired

Each pipeline has a `Life`: the versions it has met and how far each has come. A step is
a function from a life to the next; the caller makes it durable before it acts on it,
so that after a kill the stage tells where to go on. From anywhere a version can be
*refused* with a reason: it is then left alone until its files change or a person says
otherwise, and blocks nothing. At most one version is active, one previous, one on its
way, one only watched. A new version becomes active in the same step in which the former
becomes previous: there is no moment with none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_agent.registry.life import (
    FOLLOWS,
    KEPT,
    ON_ITS_WAY,
    PINNED,
    Life,
    Stage,
    Version,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.registry.listing import Offer

__all__ = [
    "FOLLOWS", "KEPT", "ON_ITS_WAY", "PINNED", "Life", "Stage", "Version",
    "activate", "advance", "confirm", "follow", "give_back", "limit", "lost",
    "recognise", "reconsider", "refuse", "see", "settle", "unsee",
]  # fmt: skip

#: Ended versions that are remembered.
_REMEMBERED = 20


def see(
    life: Life, offer: Offer, via: str, *, watch: bool = False, urgent: bool = False
) -> Life:
    """A version is wanted here: it begins, and another one on its way ends.

    One that is active, was active before, or was refused does not begin again, but
    what is on its way besides is wanted no more. A person's wish (``urgent``, or named
    by version in the configuration) begins a refused one anew; what a person asked for
    is not ended by what the registry wants.
    """
    asked = life.candidate
    if not watch and not urgent and asked is not None and asked.urgent:
        return life
    known = life.of(offer.key)
    life = _each(
        life,
        lambda v: v.stage in ON_ITS_WAY and v.watch == watch and v.key != offer.key,
        lambda v: _moved(v, Stage.RETIRED, reason="another version is wanted"),
    )
    begins = known is None or _begins_anew(known, via, urgent=urgent)
    if not begins and not _raised(known, watch=watch, urgent=urgent):
        return life
    fresh = Version(
        offer.key,
        offer.name,
        offer.version,
        offer.locator,
        offer.fingerprint,
        via=via,
        watch=watch,
        urgent=urgent,
        proven=known is not None and known.proven,
    )
    if known is not None and not begins:  # it goes on from where it is
        fresh = replace(known, via=via, watch=False, urgent=urgent)
    others = tuple(v for v in life.versions if v.key != offer.key)
    return _pruned(replace(life, versions=(*others, fresh)))


def _begins_anew(known: Version, via: str, *, urgent: bool) -> bool:
    if known.stage is not Stage.REFUSED:
        return known.stage is Stage.RETIRED
    # a person's word, in an order or in the operator's file, is worth another try
    return urgent or (via == PINNED and known.via != PINNED)


def _raised(known: Version | None, *, watch: bool, urgent: bool) -> bool:
    """The challenger is wanted, or a person wants what is on its way at once."""
    if known is None or watch or known.stage not in ON_ITS_WAY:
        return False
    return known.watch or (urgent and not known.urgent)


def unsee(life: Life, *, watch: bool) -> Life:
    """Nothing is wanted any more: what is on its way ends."""
    return _each(
        life,
        lambda v: v.stage in ON_ITS_WAY and v.watch == watch and not v.urgent,
        lambda v: _moved(v, Stage.RETIRED, reason="it is wanted no more"),
    )


def advance(life: Life, key: str, stage: Stage, **facts: str | int | bool) -> Life:
    """One version one step on, with what became known of it.

    Raises:
        ValueError: there is no such step: a bug of the caller.
    """
    return _each(
        life,
        lambda v: v.key == key,
        lambda v: replace(_moved(v, stage), **facts),  # type: ignore[arg-type]
    )


def refuse(life: Life, key: str, reason: str, *, unfit: bool = False) -> Life:
    """A version must not score; what scores goes on."""
    return _each(
        life,
        lambda v: v.key == key,
        lambda v: replace(_moved(v, Stage.REFUSED, reason=reason), unfit=unfit),
    )


def reconsider(life: Life) -> Life:
    """At a start the plant may be another: what did not fit it may be wanted again."""
    return _each(
        life,
        lambda v: v.unfit and v.stage is Stage.REFUSED,
        lambda v: replace(v, stage=Stage.RETIRED, unfit=False),
    )


def lost(life: Life, key: str, reason: str) -> Life:
    """A version's files are gone: it begins anew, if no other is on its way."""
    gone = life.of(key)
    if gone is None:
        return life
    watch = gone.watch and gone.stage is not Stage.ACTIVE
    rival = any(
        v.stage in ON_ITS_WAY and v.watch == watch and v.key != key
        for v in life.versions
    )
    ends = rival or gone.stage is Stage.PREVIOUS
    anew = _moved(gone, Stage.RETIRED if ends else Stage.SEEN, reason=reason)
    # what a person chose is active again as soon as it can be
    urgent = gone.urgent or (life.held and gone.stage is Stage.ACTIVE)
    anew = replace(anew, watch=watch, urgent=urgent)
    return _each(life, lambda v: v.key == key, lambda _: anew)


def recognise(life: Life, key: str) -> Life:
    """A version just verified may be one that is here, under another offer.

    The same files on another stick have other times: what scores, or did before, goes
    on under the new offer; what was taken off here is not tried again, unless a person
    wants it.
    """
    new = life.of(key)
    if new is None or new.stage is not Stage.VERIFIED:
        return life
    for old in life.versions:
        if old.key == key or (old.name, old.digest) != (new.name, new.digest):
            continue
        if old.stage in (Stage.ACTIVE, Stage.PREVIOUS):
            if new.watch:
                return refuse(life, key, "the same files score, or did before")
            return _under_another_offer(life, old, new)
        failed = old.stage is Stage.REFUSED and old.proven
        if failed and not _begins_anew(old, new.via, urgent=new.urgent):
            return refuse(life, key, f"the same files were taken off: {old.reason}")
    return life


def _under_another_offer(life: Life, old: Version, new: Version) -> Life:
    known = replace(
        new,
        stage=old.stage,
        urgent=False,
        proven=old.proven,
        settled=old.settled,
        reason=old.reason,
    )
    versions = tuple(v for v in life.versions if v.key != new.key)
    return replace(life, versions=tuple(known if v is old else v for v in versions))


def activate(life: Life, key: str, *, held: bool = False) -> Life:
    """A version takes over; the former is kept as previous, the one before ends."""
    was = life.active
    if held:  # the newest word of a person counts
        life = _calmed(life)
    if was is not None and was.key == key:
        return replace(life, held=held, returned="", limited="")
    life = _make_room(life, key)
    life = _each(
        life,
        lambda v: v.key == key,
        lambda v: replace(
            _moved(v, Stage.ACTIVE), proven=True, watch=False, settled=False, reason=""
        ),
    )
    return replace(life, held=held, returned="", limited="")


def _make_room(life: Life, key: str) -> Life:
    """The active version makes room for another one."""
    was, coming = life.active, life.of(key)
    if was is None:
        return life
    if coming is not None and was.digest == coming.digest != "":
        # the same bundle, signed anew: the one to return to is still the former
        return _each(
            life,
            lambda v: v.key == was.key,
            lambda v: _moved(v, Stage.RETIRED, reason="it was signed anew"),
        )
    life = _each(
        life,
        lambda v: v.stage is Stage.PREVIOUS and v.key != key,
        lambda v: _moved(v, Stage.RETIRED, reason="two newer versions were active"),
    )
    return _each(
        life,
        lambda v: v.stage is Stage.ACTIVE,
        lambda v: _moved(v, Stage.PREVIOUS),
    )


def give_back(life: Life, reason: str, *, by_hand: bool = False) -> Life:
    """The active version is taken off for good, the previous one scores again.

    Args:
        life: before.
        reason: why, in a sentence.
        by_hand: a person did it: the registry's wish waits from now on.
    """
    bad = life.active
    if bad is None:
        return life
    if by_hand:
        life = _calmed(life)
    life = refuse(life, bad.key, reason)
    former = life.previous
    if former is not None:
        life = advance(life, former.key, Stage.ACTIVE, settled=True)
    returned = "" if by_hand else reason
    return replace(life, returned=returned, held=by_hand, limited="")


def limit(life: Life, reason: str) -> Life:
    """Limits judge from now on; any version that becomes active ends it."""
    return replace(life, limited=reason)


def confirm(life: Life) -> Life:
    """What scores is what the registry wants: nobody has fallen back any more."""
    return replace(life, returned="")


def _calmed(life: Life) -> Life:
    """What a person asked for before is not urgent any more."""
    return _each(life, lambda v: v.urgent, lambda v: replace(v, urgent=False))


def settle(life: Life) -> Life:
    """The active version's probation is over."""
    return _each(
        life, lambda v: v.stage is Stage.ACTIVE, lambda v: replace(v, settled=True)
    )


def follow(life: Life) -> Life:
    """The registry's wish counts again, and no order that was given before."""
    return replace(_calmed(life), held=False)


def _moved(version: Version, stage: Stage, reason: str = "") -> Version:
    if stage not in FOLLOWS[version.stage]:
        raise ValueError(f"{version.shown}: {version.stage} → {stage} is no step")
    return replace(version, stage=stage, reason=reason)


def _each(
    life: Life,
    which: Callable[[Version], bool],
    change: Callable[[Version], Version],
) -> Life:
    return replace(
        life, versions=tuple(change(v) if which(v) else v for v in life.versions)
    )


def _pruned(life: Life) -> Life:
    ended = [v for v in life.versions if v.stage in (Stage.RETIRED, Stage.REFUSED)]
    gone = {v.key for v in ended[:-_REMEMBERED]}
    return replace(life, versions=tuple(v for v in life.versions if v.key not in gone))
