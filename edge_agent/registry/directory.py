"""A folder as a registry: on this disk, a share, or a stick that is carried round.

A stick may be pulled at any moment: then it is not available, and the next call goes
on. A folder that cannot be written serves models all the same.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from edge_agent.bundle.folders import PASSPORT_FILE
from edge_agent.durable import sync_folder
from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry import documents, medium
from edge_agent.registry.documents import MAX_DOCUMENT, Unreadable
from edge_agent.registry.landing import Landing, stays
from edge_agent.registry.listing import VERSION, Listing, Offer
from edge_agent.registry.publishing import check_alias, refuse_other, wrap
from edge_agent.registry.shelf import RECEIVED, REPORTED, Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge_agent.registry.listing import Report
    from edge_agent.registry.medium import Found
    from edge_agent.registry.publishing import Parcel

log = structlog.get_logger()


class DirectoryRegistry:
    """A registry in a folder, and the desk that fills it; `shelf` has the layout.

    Args:
        path: the folder.
        gateway: whose things `leave` brings.
    """

    def __init__(self, path: Path, gateway: str = "") -> None:
        self._shelf = Shelf(path)
        self._gateway = gateway

    def listing(self, name: str) -> Listing:
        """See `Registry`: one look at the model's folder and its desired.json."""
        self._shelf.home(name)
        desired = self._shelf.desired(name)
        versions = self._shelf.versions(name)
        return Listing(name, desired.aliases, desired.tags, versions)

    def offer(self, name: str, version: str) -> Offer:
        """See `Registry`; the fingerprint is of sizes and times of the files."""
        folder = self._shelf.version(name, version)
        found = _survey(folder, f"{name}@{version}")
        said = repr([(file, one.size, one.changed) for file, one in found.items()])
        fingerprint = hashlib.sha256(said.encode()).hexdigest()[:16]
        return Offer(name, version, f"{name}/{version}", fingerprint)

    def fetch(
        self, offer: Offer, into: Path, proceed: Callable[[int, int], bool]
    ) -> None:
        """See `Registry`; a file that is there with the same content is kept."""
        source = self._shelf.version(offer.name, offer.version)
        _copy(f"{offer.name}@{offer.version}", source, into, proceed)

    def report(self, report: Report) -> None:
        """See `Registry`: the receipt ``reported/GATEWAY.json``."""
        file = f"{_plain(report.gateway.name)}.json"
        body = documents.write_report(report)
        if medium.read_small(self._shelf.path / REPORTED / file, MAX_DOCUMENT) != body:
            self._shelf.write([REPORTED, file], body)

    def leave(self, name: str, body: bytes) -> None:
        """Put a file where the centre finds it: ``from-gateways/GATEWAY/NAME``.

        Args:
            name: of the file, with ``/`` between folders.
            body: all of it.

        Raises:
            RegistryUnavailable: it could not be written now.
            ModelRejected: the name would leave the folder.
        """
        if not stays(name):
            raise ModelRejected(f"{name!r} is not the name of a file")
        self._shelf.write([RECEIVED, _plain(self._gateway), *name.split("/")], body)

    def status(self) -> dict[str, object]:
        """See `Registry`."""
        return {"type": "directory", "where": str(self._shelf.path)}

    def models(self) -> Sequence[str]:
        """See `Desk`."""
        return self._shelf.models()

    def history(self, name: str) -> Sequence[Mapping[str, str]]:
        """See `Desk`; ``created`` is the time of the passport's file."""
        home = self._shelf.home(name)
        tags = self._shelf.desired(name).versions
        return [
            {
                VERSION: version,
                **tags.get(version, {}),
                "version": version,
                "created": _changed(home / version / PASSPORT_FILE),
            }
            for version in self._shelf.versions(name)
        ]

    def push(self, bundle: Path, tags: Mapping[str, str]) -> Offer:
        """See `Desk`; a bundle that was signed anew replaces only its signature."""
        parcel = wrap(bundle)
        self._shelf.make(parcel.name)
        with self._shelf.changing(parcel.name) as desired:
            if parcel.version in self._shelf.versions(parcel.name):
                self._renew(parcel)
            else:
                self._bring(parcel)
            said = {**tags, **parcel.tags}
            desired.versions.setdefault(parcel.version, {}).update(said)
        return self.offer(parcel.name, parcel.version)

    def point(self, name: str, alias: str, version: str | None) -> None:
        """See `Desk`."""
        check_alias(alias)
        self._shelf.home(name)
        if version is not None:
            self._shelf.version(name, version)
        with self._shelf.changing(name) as desired:
            desired.point(alias, version)

    def set_tag(self, name: str, key: str, value: str | None) -> None:
        """See `Desk`."""
        self._shelf.home(name)
        with self._shelf.changing(name) as desired:
            desired.tag(key, value)

    def reports(self, model: str = "") -> Iterator[Report]:
        """See `Desk`; a receipt that cannot be read is told of and left out."""
        folder = self._shelf.path / REPORTED
        with medium.reading(self._shelf.path):
            there = folder.is_dir()
        if not there:
            return
        with medium.reading(folder):
            files = sorted(p for p in folder.iterdir() if p.suffix == ".json")
        for path in files:
            report = _receipt(path)
            if report and (not model or model in {m.model for m in report.models}):
                yield report

    def _bring(self, parcel: Parcel) -> None:
        home = self._shelf.path / parcel.name
        incoming = home / f".incoming-{parcel.version}"
        _copy(parcel.name, parcel.folder, incoming, lambda _done, _all: True)
        with self._shelf.writing():
            incoming.rename(home / parcel.version)
            sync_folder(home)

    def _renew(self, parcel: Parcel) -> None:
        there = self._shelf.path / parcel.name / parcel.version
        try:
            held = wrap(there)
        except ModelRejected as error:
            raise ModelRejected(f"{error}; remove that folder, then push") from error
        refuse_other(parcel, str(self._shelf.path), held.digest)
        if held.files == parcel.files:
            return
        for name in parcel.sizes:
            body = b"".join(medium.pieces(parcel.folder / name))
            self._shelf.write([parcel.name, parcel.version, *name.split("/")], body)
        with self._shelf.writing():
            for name in set(held.sizes) - set(parcel.sizes):
                (there / name).unlink()


def _survey(folder: Path, model: str) -> dict[str, Found]:
    with medium.reading(folder):
        return medium.survey(folder, model)


def _copy(
    model: str, source: Path, into: Path, proceed: Callable[[int, int], bool]
) -> None:
    sizes = {name: one.size for name, one in _survey(source, model).items()}
    with Landing(model, into, sizes, proceed) as landing:
        for name in sizes:
            if not landing.has(name, _like(source / name)):
                landing.receive(name, medium.pieces(source / name))


def _like(original: Path) -> Callable[[Path], bool]:
    return lambda copy: medium.digest(copy) == medium.digest(original)


def _plain(gateway: str) -> str:
    if "/" in gateway or not stays(gateway):
        raise ModelRejected(f"{gateway!r} cannot be the name of a gateway's file")
    return gateway


def _changed(path: Path) -> str:
    with medium.reading(path):
        changed = path.lstat().st_mtime
    return datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds")


def _receipt(path: Path) -> Report | None:
    try:
        body = medium.read_small(path, MAX_DOCUMENT)
        return documents.read_report(body or b"", path)
    except (Unreadable, RegistryUnavailable) as error:
        log.warning("a gateway's report cannot be read", path=str(path), why=str(error))
        return None
