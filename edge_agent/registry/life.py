"""What a pipeline knows of the versions it has met, and how far each may go. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.registry.listing import Offer


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
        unfit: it was refused because it does not fit this plant as it is configured.
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
    unfit: bool = False

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
        limited: why limits judge although the active one could score; empty when they
            do not.
    """

    versions: tuple[Version, ...] = ()
    returned: str = ""
    held: bool = False
    limited: str = ""

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
