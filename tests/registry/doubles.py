"""A registry in memory that can fail and then succeed: typed against the seam."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry.documents import Desired
from edge_agent.registry.landing import PIECE, Landing
from edge_agent.registry.listing import VERSION, Listing, Offer
from edge_agent.registry.publishing import check_alias, refuse_other, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge_agent.registry.listing import Report
    from edge_agent.registry.publishing import Parcel
    from edge_agent.registry.registry import Desk


@dataclass
class Shelved:
    """One version in memory."""

    parcel: Parcel
    files: dict[str, bytes]


@dataclass
class MemoryRegistry:
    """Keeps what a registry keeps.

    Attributes:
        fail: calls from now on that raise `RegistryUnavailable`.
        calls: names of the methods called, in order, failed ones too.
        damage: changes a file's bytes before they are handed out.
    """

    fail: int = 0
    calls: list[str] = field(default_factory=list)
    damage: Callable[[str, bytes], bytes] = lambda _name, body: body
    told: dict[str, Report] = field(default_factory=dict)
    _models: dict[str, dict[str, Shelved]] = field(default_factory=dict)
    _desired: dict[str, Desired] = field(default_factory=dict)

    def listing(self, name: str) -> Listing:
        """See `Registry`."""
        self._called("listing")
        there = self._versions(name)
        desired = self._desired[name]
        aliases, tags = dict(desired.aliases), dict(desired.tags)
        return Listing(name, aliases, tags, tuple(there))

    def offer(self, name: str, version: str) -> Offer:
        """See `Registry`."""
        self._called("offer")
        return self._offer(name, version)

    def fetch(
        self, offer: Offer, into: Path, proceed: Callable[[int, int], bool]
    ) -> None:
        """See `Registry`."""
        self._called("fetch")
        files = {
            name: self.damage(name, body)
            for name, body in self._version(offer.name, offer.version).files.items()
        }
        sizes = {name: len(body) for name, body in files.items()}
        with Landing(offer.name, into, sizes, proceed) as landing:
            for name, body in files.items():
                if not landing.has(name):
                    landing.receive(name, _pieces(body))

    def report(self, report: Report) -> None:
        """See `Registry`."""
        self._called("report")
        self.told[report.gateway.name] = report

    def status(self) -> dict[str, object]:
        """See `Registry`."""
        return {"type": "memory", "where": "memory"}

    def models(self) -> Sequence[str]:
        """See `Desk`."""
        self._called("models")
        return sorted(self._models)

    def history(self, name: str) -> Sequence[Mapping[str, str]]:
        """See `Desk`."""
        self._called("history")
        tags = self._desired[name].versions
        return [
            {**tags.get(v, {}), VERSION: v, "version": v, "created": ""}
            for v in self._versions(name)
        ]

    def push(self, bundle: Path, tags: Mapping[str, str]) -> Offer:
        """See `Desk`."""
        self._called("push")
        parcel = wrap(bundle)
        files = {name: (bundle / name).read_bytes() for name in parcel.sizes}
        there = self._models.setdefault(parcel.name, {})
        desired = self._desired.setdefault(parcel.name, Desired())
        if parcel.version in there:
            refuse_other(parcel, "memory", there[parcel.version].parcel.digest)
        there[parcel.version] = Shelved(parcel, files)
        said = desired.versions.setdefault(parcel.version, {})
        said.update({**tags, **parcel.tags})
        return self._offer(parcel.name, parcel.version)

    def point(self, name: str, alias: str, version: str | None) -> None:
        """See `Desk`."""
        self._called("point")
        check_alias(alias)
        if version is not None:
            self._version(name, version)
        self._desired[name].point(alias, version)

    def set_tag(self, name: str, key: str, value: str | None) -> None:
        """See `Desk`."""
        self._called("set_tag")
        self._versions(name)
        self._desired[name].tag(key, value)

    def reports(self, model: str = "") -> Iterator[Report]:
        """See `Desk`."""
        self._called("reports")
        for report in list(self.told.values()):
            if not model or model in {m.model for m in report.models}:
                yield report

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.fail > 0:
            self.fail -= 1
            raise RegistryUnavailable(f"{name}: the registry does not answer")

    def _versions(self, name: str) -> dict[str, Shelved]:
        if name not in self._models:
            has = ", ".join(sorted(self._models)) or "no model"
            raise ModelRejected(f"memory has no model {name!r}; it has {has}")
        return self._models[name]

    def _version(self, name: str, version: str) -> Shelved:
        there = self._versions(name)
        if version not in there:
            raise ModelRejected(f"memory has no {name}@{version}")
        return there[version]

    def _offer(self, name: str, version: str) -> Offer:
        files = self._version(name, version).parcel.files
        return Offer(name, version, f"{name}/{version}", files[:16])


def _pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]


def _keeps_to_the_seam(double: MemoryRegistry) -> Desk:
    return double
