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

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from edge_agent.registry.listing import Offer

if TYPE_CHECKING:
    from collections.abc import Callable


class Stage(StrEnum):
    """How far a version has come."""

    SEEN = "seen"
    """The registry wants it here."""
    FETCHED = "fetched"
    """All its files are here, not yet looked at."""
    VERIFIED = "verified"
    """They are the ones that were signed; kept under their digest."""
    VETTED = "vetted"
    """It ran here, within its limits, and gave its golden rows."""
    SHADOW = "shadow"
    """It scores the live rows beside the active one; nobody acts on it."""
    ACTIVE = "active"
    PREVIOUS = "previous"
    """Was active before; kept, one step from return."""
    RETIRED = "retired"
    REFUSED = "refused"


_S = Stage
#: Every step there is. A version that is wanted again begins anew.
FOLLOWS: dict[Stage, frozenset[Stage]] = {
    _S.SEEN: frozenset({_S.FETCHED, _S.REFUSED, _S.RETIRED}),
    _S.FETCHED: frozenset({_S.VERIFIED, _S.SEEN, _S.REFUSED, _S.RETIRED}),
    _S.VERIFIED: frozenset({_S.VETTED, _S.SEEN, _S.REFUSED, _S.RETIRED}),
    _S.VETTED: frozenset({_S.SHADOW, _S.ACTIVE, _S.SEEN, _S.REFUSED, _S.RETIRED}),
    _S.SHADOW: frozenset({_S.ACTIVE, _S.SEEN, _S.REFUSED, _S.RETIRED}),
    _S.ACTIVE: frozenset({_S.PREVIOUS, _S.SEEN, _S.REFUSED, _S.RETIRED}),
    _S.PREVIOUS: frozenset({_S.ACTIVE, _S.SEEN, _S.REFUSED, _S.RETIRED}),
    _S.RETIRED: frozenset({_S.SEEN}),
    _S.REFUSED: frozenset({_S.SEEN}),
}
ON_ITS_WAY = (_S.SEEN, _S.FETCHED, _S.VERIFIED, _S.VETTED, _S.SHADOW)
#: Stages whose files are kept under their digest.
KEPT = (_S.VERIFIED, _S.VETTED, _S.SHADOW, _S.ACTIVE, _S.PREVIOUS)
PINNED = "pinned"
#: Ended versions that are remembered.
_REMEMBERED = 20


@dataclass(frozen=True, slots=True)
class Version:
    """One version that a pipeline has met.

    Attributes:
        key: names the offer (`listing.Offer.key`).
        name, version, locator, fingerprint: the offer.
        stage: how far it has come.
        via: the alias that chose it, ``pinned``, ``newest`` or ``by hand``.
        watch: never more than watched: the challenger.
        urgent: becomes active as soon as it is vetted: a person said so.
        digest: of the bundle, once verified.
        label: the passport's version, once verified.
        release: the passport's release counter, once verified.
        signer: key id that signed it; empty where no signature was asked for.
        proven: it was active here before, so that going back to it is no downgrade.
        settled: its probation is over: the former one need not score beside it.
        reason: why it was refused, or retired.
    """

    key: str
    name: str
    version: str
    locator: str
    fingerprint: str = ""
    stage: Stage = Stage.SEEN
    via: str = ""
    watch: bool = False
    urgent: bool = False
    digest: str = ""
    label: str = ""
    release: int = 0
    signer: str = ""
    proven: bool = False
    settled: bool = False
    reason: str = ""

    @property
    def shown(self) -> str:
        """As people say it."""
        return f"{self.name} {self.label or self.version}"

    @property
    def offer(self) -> Offer:
        """As its registry offered it."""
        return Offer(self.name, self.version, self.locator, self.fingerprint)


@dataclass(frozen=True, slots=True)
class Life:
    """Every version a pipeline has met, oldest first.

    Attributes:
        versions: them.
        returned: why the active one is the former one again; empty when it is not.
        held: a person chose the active one: the registry's wish waits.
    """

    versions: tuple[Version, ...] = ()
    returned: str = ""
    held: bool = False

    def of(self, key: str) -> Version | None:
        """A version by its offer."""
        return next((v for v in self.versions if v.key == key), None)

    def _at(self, *stages: Stage, watch: bool | None = None) -> Version | None:
        found = (
            v
            for v in reversed(self.versions)
            if v.stage in stages and watch in (None, v.watch)
        )
        return next(found, None)

    @property
    def active(self) -> Version | None:
        """The version that scores."""
        return self._at(Stage.ACTIVE)

    @property
    def previous(self) -> Version | None:
        """The version to return to."""
        return self._at(Stage.PREVIOUS)

    @property
    def candidate(self) -> Version | None:
        """The version on its way to become active."""
        return self._at(*ON_ITS_WAY, watch=False)

    @property
    def challenger(self) -> Version | None:
        """The version that is, or will be, watched only."""
        return self._at(*ON_ITS_WAY, watch=True)

    @property
    def refused(self) -> Version | None:
        """The newest version that was refused."""
        return self._at(Stage.REFUSED)


def see(
    life: Life, offer: Offer, via: str, *, watch: bool = False, urgent: bool = False
) -> Life:
    """A version is wanted here: it begins, and one on its way before it ends.

    Nothing changes for a version that is on its way, active or refused (but what was on
    its way instead ends); a person's wish (``urgent``, or named by version in the
    configuration) begins a refused one anew.
    """
    known = life.of(offer.key)
    begins = known is None or _begins_anew(known, via, urgent=urgent)
    promoted = known is not None and known.stage in ON_ITS_WAY and known.watch
    if not begins and not (promoted and not watch):
        ended = known is not None and known.stage not in ON_ITS_WAY
        return unsee(life, watch=watch) if ended else life
    life = _each(
        life,
        lambda v: v.stage in ON_ITS_WAY and v.watch == watch and v.key != offer.key,
        lambda v: _moved(v, Stage.RETIRED, reason="another version is wanted"),
    )
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
    if known is not None and not begins:  # the challenger is wanted: it goes on
        fresh = replace(known, via=via, watch=False, urgent=urgent)
    others = tuple(v for v in life.versions if v.key != offer.key)
    return _pruned(replace(life, versions=(*others, fresh)))


def _begins_anew(known: Version, via: str, *, urgent: bool) -> bool:
    if known.stage is not Stage.REFUSED:
        return known.stage is Stage.RETIRED
    # a person's word, in an order or in the operator's file, is worth another try
    return urgent or (via == PINNED and known.via != PINNED)


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


def refuse(life: Life, key: str, reason: str) -> Life:
    """A version must not score; what scores goes on."""
    return _each(
        life,
        lambda v: v.key == key,
        lambda v: _moved(v, Stage.REFUSED, reason=reason),
    )


def activate(life: Life, key: str, *, held: bool = False) -> Life:
    """A version takes over; the former is kept as previous, the one before ends."""
    was = life.active
    if was is not None and was.key == key:
        return replace(life, held=held, returned="")
    life = _each(
        life,
        lambda v: v.stage is Stage.PREVIOUS and v.key != key,
        lambda v: _moved(v, Stage.RETIRED, reason="two newer versions were active"),
    )
    life = _each(
        life,
        lambda v: v.stage is Stage.ACTIVE,
        lambda v: _moved(v, Stage.PREVIOUS),
    )
    life = _each(
        life,
        lambda v: v.key == key,
        lambda v: replace(
            _moved(v, Stage.ACTIVE), proven=True, watch=False, settled=False, reason=""
        ),
    )
    return replace(life, held=held, returned="")


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
    life = refuse(life, bad.key, reason)
    former = life.previous
    if former is not None:
        life = advance(life, former.key, Stage.ACTIVE, settled=True)
    return replace(life, returned="" if by_hand else reason, held=by_hand)


def settle(life: Life) -> Life:
    """The active version's probation is over."""
    return _each(
        life, lambda v: v.stage is Stage.ACTIVE, lambda v: replace(v, settled=True)
    )


def follow(life: Life) -> Life:
    """The registry's wish counts again."""
    return replace(life, held=False)


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
