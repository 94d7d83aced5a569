"""What is said between a registry and its gateways, as plain values. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Tags by which the centre steers a rollout; the same words in every registry.
CANARY_PERCENT, CANARY_SALT = "edge.canary.percent", "edge.canary.salt"
PAUSED = "edge.paused"
#: A tag of the *model*, with the version behind it: one call then tells everything.
#: MLflow shows the version's own ``edge.halted`` beside it; `set_tag` writes both.
HALTED = "edge.halted."
#: Tags of a version, set when it is published: its passport's version and release
#: counter, the bundle's digest, and one SHA-256 over all files with the signature.
VERSION, RELEASE, DIGEST = "edge.version", "edge.release", "edge.digest"
FILES = "edge.files"
#: A tag of the *model* that changes when the files of a version there is do: where
#: gateways look at nothing else they would not notice that one was signed anew.
CHANGED = "edge.changed"
#: A tag of a version: who approved it.
APPROVED = "edge.approved_by"


@dataclass(frozen=True, slots=True)
class Gateway:
    """Who asks."""

    name: str
    site: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything a registry says of one model, from one call.

    Attributes:
        name: the model.
        aliases: alias -> the registry's own version id.
        tags: of the model.
        versions: ids there are, oldest first, where the registry lists them at no
            cost (a folder does); else empty.
    """

    name: str
    aliases: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Equal as long as nothing has changed: MLflow moves no time stamp then."""
        said = (sorted(self.aliases.items()), sorted(self.tags.items()), self.versions)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:16]

    @property
    def paused(self) -> bool:
        """Adopt nothing new of this model."""
        return self.tags.get(PAUSED, "").lower() == "true"

    @property
    def halted(self) -> dict[str, str]:
        """Versions nobody may run any more, with the reason."""
        return {
            key.removeprefix(HALTED): why
            for key, why in self.tags.items()
            if key.startswith(HALTED)
        }


@dataclass(frozen=True, slots=True)
class Offer:
    """One version as a registry offers it.

    Attributes:
        name: the model.
        version: the registry's own id: ``1.2.0`` in a folder, ``7`` in MLflow.
        locator: where its files are; only the registry that made it reads it.
        fingerprint: changes when the files behind the same id do; a version that was
            refused is looked at again then.
    """

    name: str
    version: str
    locator: str
    fingerprint: str = ""

    @property
    def key(self) -> str:
        """Names this offer among all of its model, as a file name."""
        said = f"{self.version}\n{self.locator}\n{self.fingerprint}"
        return hashlib.sha256(said.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Observed:
    """What monitoring says of a model on one gateway; empty where nothing is known.

    Attributes:
        accuracy: ``met``, ``breached``, ``waiting`` (too few labels so far) or
            ``estimated``.
        measure: what is measured: f1, mae.
        value: of the measure.
        low, high: its interval.
        labels: behind it.
        drift: what moved most, in a few words.
        strength: of that, over its limit.
        findings: that are open.
    """

    accuracy: str = ""
    measure: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    labels: int = 0
    drift: str = ""
    strength: float = 0.0
    findings: int = 0

    @property
    def news(self) -> tuple[str, int]:
        """The part whose change is worth a report at once."""
        return self.accuracy, self.findings


UNOBSERVED = Observed()


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What a gateway does with one model, as the centre shall see it.

    Attributes:
        model: its name.
        version: id (the registry's) of the version that scores, empty for none.
        digest: of that bundle, empty for none.
        release: its release counter.
        state: ``active``, ``shadow`` (a newer one is being watched), ``returned`` (a
            newer one failed, this is the one before), ``limits`` or ``none`` (which
            rung of the ladder scores instead of a model).
        candidate: id of the version on its way, empty for none.
        stage: how far it has come, or ``refused`` / ``failed``.
        reason: why, in a sentence; empty when all is well.
        observed: what monitoring says.
    """

    model: str
    version: str = ""
    digest: str = ""
    release: int = 0
    state: str = "none"
    candidate: str = ""
    stage: str = ""
    reason: str = ""
    observed: Observed = UNOBSERVED


@dataclass(frozen=True, slots=True)
class Report:
    """One gateway's reported state.

    Attributes:
        gateway: who reports.
        agent: version of the agent.
        at: ns UTC by the gateway's wall clock: a label, never an order.
        models: one entry a model.
    """

    gateway: Gateway
    agent: str
    at: int
    models: tuple[ModelReport, ...]

    @property
    def news(self) -> object:
        """Equal as long as a report can wait for its hour: numbers alone can."""
        return [
            (replace(one, observed=UNOBSERVED), one.observed.news)
            for one in self.models
        ]
