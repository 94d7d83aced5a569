"""MLflow behind the registry's seam.

A version's id is MLflow's number; a semantic version is the one tagged
``edge.version``, as `push` tags it. A poll is one call for each model.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge_agent.bundle.folders import version_order
from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry.listing import (
    CHANGED,
    DIGEST,
    FILES,
    HALTED,
    VERSION,
    Listing,
    Offer,
)
from edge_agent.registry.mlflow import answers, artifacts, twin
from edge_agent.registry.mlflow.answers import words
from edge_agent.registry.mlflow.metrics import Metrics
from edge_agent.registry.mlflow.refusals import ABSENT, EXISTS, Refused
from edge_agent.registry.publishing import check_alias, refuse_other, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge_agent.registry.listing import Report
    from edge_agent.registry.mlflow.client import Client
    from edge_agent.registry.publishing import Parcel

#: Where pushed bundles lie.
EXPERIMENT = "edge-models"
READ, EDIT = "READ on the model", "EDIT on the model"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_DIGITS = re.compile(r"[0-9]{1,9}")
_PAGE, _PAGES = 200, 1000


class MlflowRegistry:
    """A registry at an MLflow server, and the desk that fills it.

    Args:
        client: the server.
        experiment: where this gateway reports.
        fleet: where all report: ``experiment`` itself, or what its name begins with.
    """

    def __init__(self, client: Client, experiment: str, fleet: str) -> None:
        self._client = client
        self._fleet = fleet
        self._twin = twin.Twin(client, experiment)
        self._metrics = Metrics(client)

    @property
    def calls(self) -> int:
        """Requests sent so far."""
        return self._client.calls

    def listing(self, name: str) -> Listing:
        """See `Registry`: one GET, aliases and tags together."""
        path, kind = "mlflow/registered-models/get", answers.ModelAnswer
        try:
            model = self._client.get(path, kind, READ, name=_named(name))
        except Refused as error:
            if error.code != ABSENT:
                raise
            has = ", ".join(self.models()) or "no model"
            raise ModelRejected(
                f"{self._client.url} has no model {name!r}; it has {has[:500]}"
            ) from error
        found = model.registered_model
        aliases = {alias.alias: alias.version for alias in found.aliases}
        return Listing(name, aliases, words(found.tags))

    def offer(self, name: str, version: str) -> Offer:
        """See `Registry`; the fingerprint is of source, status and signed files."""
        return _offer(self._version(_named(name), version))

    def fetch(
        self, offer: Offer, into: Path, proceed: Callable[[int, int], bool]
    ) -> None:
        """See `Registry`."""
        model = f"{offer.name}@{offer.version}"
        root = artifacts.locate(self._client, offer.name, offer.version, offer.locator)
        artifacts.fetch(self._client, model, root, into, proceed)

    def report(self, report: Report) -> None:
        """See `Registry`; only tags that changed are sent, and metrics once an hour."""
        self._metrics.write(report, self._twin.write(report))

    def status(self) -> dict[str, object]:
        """See `Registry`."""
        client = self._client
        return {"type": "mlflow", "where": client.url, "calls": client.calls}

    def models(self) -> Sequence[str]:
        """See `Desk`."""
        found, token = [], ""
        for _ in range(_PAGES):
            page = self._client.get(
                "mlflow/registered-models/search",
                answers.ModelsAnswer,
                READ,
                max_results=_PAGE,
                page_token=token,
            )
            found += [model.name for model in page.registered_models]
            token = page.next_page_token
            if not token:
                break
        return sorted(found)

    def history(self, name: str) -> Sequence[Mapping[str, str]]:
        """See `Desk`."""
        self.listing(name)
        return [
            {
                **words(one.tags),
                "version": one.version,
                "created": _date(one.creation_timestamp),
            }
            for one in self._search(f"name = '{_named(name)}'")
        ]

    def push(self, bundle: Path, tags: Mapping[str, str]) -> Offer:
        """See `Desk`; a bundle that was signed anew replaces only its signature."""
        parcel = wrap(bundle)
        there = self._search(_tagged(_named(parcel.name), parcel.version))
        if not there:
            return _offer(self._publish(parcel, {**tags, **parcel.tags}))
        found = there[-1]
        known = words(found.tags)
        refuse_other(parcel, self._client.url, known.get(DIGEST, ""))
        changed = known.get(FILES) != parcel.files
        if changed:
            root = artifacts.locate(
                self._client, parcel.name, found.version, found.source
            )
            artifacts.upload(self._client, parcel, root)
        for key, value in {**tags, **parcel.tags}.items():
            if known.get(key) != value:
                self._tag_version(parcel.name, found.version, key, value)
        if changed:
            what = f"{found.version} {parcel.files[:16]}"
            self.set_tag(parcel.name, CHANGED, what)
        return self.offer(parcel.name, found.version)

    def point(self, name: str, alias: str, version: str | None) -> None:
        """See `Desk`."""
        check_alias(alias)
        path = "mlflow/registered-models/alias"
        body = {"name": _named(name), "alias": alias}
        if version is None:
            self._client.send("DELETE", path, body, answers.Nothing, EDIT)
            return
        body["version"] = self._version(name, version).version
        self._client.send("POST", path, body, answers.Nothing, EDIT)

    def set_tag(self, name: str, key: str, value: str | None) -> None:
        """See `Desk`; the model's tag first: it is what gateways look at."""
        body = {"name": _named(name), "key": key}
        self._put_tag("registered-models", body, value)
        if key.startswith(HALTED):
            version = key.removeprefix(HALTED)
            try:
                self._tag_version(name, version, HALTED.removesuffix("."), value)
            except Refused:
                return  # no such version: nobody can run it

    def reports(self, model: str = "") -> Iterator[Report]:
        """See `Desk`."""
        return twin.reports(self._client, self._fleet, model)

    def _version(self, name: str, wanted: str) -> answers.Version:
        """A version by MLflow's number or by its passport's version."""
        text = wanted.removeprefix("v")
        if _DIGITS.fullmatch(text):
            path, kind = "mlflow/model-versions/get", answers.VersionAnswer
            found = self._client.get(path, kind, READ, name=name, version=text)
            return found.model_version
        if version_order(text) is None:
            raise ModelRejected(f"{wanted!r} is no version: write 7 or 1.2.0")
        there = self._search(_tagged(name, text))
        if not there:
            raise ModelRejected(
                f"{self._client.url} has no {name} with the tag {VERSION}={text}"
            )
        return there[-1]

    def _search(self, wanted: str) -> list[answers.Version]:
        """Versions, oldest first."""
        found: list[answers.Version] = []
        token = ""
        for _ in range(_PAGES):
            page = self._client.get(
                "mlflow/model-versions/search",
                answers.VersionsAnswer,
                READ,
                filter=wanted,
                max_results=_PAGE,
                page_token=token,
            )
            found += page.model_versions
            token = page.next_page_token
            if not token:
                break
        return sorted(found, key=lambda one: (len(one.version), one.version))

    def _publish(self, parcel: Parcel, tags: Mapping[str, str]) -> answers.Version:
        """A run owns the files; a model's version points at them."""
        self._make_model(parcel.name)
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        body: dict[str, object] = {
            "experiment_id": twin.experiment_named(self._client, EXPERIMENT),
            "run_name": f"{parcel.name} {parcel.version}",
            "tags": listed,
        }
        path = "mlflow/runs/create"
        run = self._client.send("POST", path, body, answers.RunAnswer, EDIT).run.info
        source = f"{run.artifact_uri}/bundle"
        root = artifacts.locate(self._client, parcel.name, "", source)
        artifacts.upload(self._client, parcel, root)
        body = {"run_id": run.run_id, "status": "FINISHED"}
        self._client.send("POST", "mlflow/runs/update", body, answers.Nothing, EDIT)
        body = {
            "name": parcel.name,
            "source": source,
            "run_id": run.run_id,
            "tags": listed,
        }
        path, kind = "mlflow/model-versions/create", answers.VersionAnswer
        return self._client.send("POST", path, body, kind, EDIT).model_version

    def _make_model(self, name: str) -> None:
        path = "mlflow/registered-models/create"
        needs = "the right to make models"
        try:
            self._client.send("POST", path, {"name": name}, answers.Nothing, needs)
        except Refused as error:
            if error.code != EXISTS:
                raise

    def _tag_version(
        self, name: str, version: str, key: str, value: str | None
    ) -> None:
        body = {"name": name, "version": version, "key": key}
        self._put_tag("model-versions", body, value)

    def _put_tag(self, of: str, body: dict[str, str], value: str | None) -> None:
        if value is None:
            method, path = "DELETE", f"mlflow/{of}/delete-tag"
        else:
            method, path = "POST", f"mlflow/{of}/set-tag"
            body["value"] = value
        self._client.send(method, path, body, answers.Nothing, EDIT)


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ModelRejected(f"{name!r} is not the name of a model")
    return name


def _tagged(name: str, version: str) -> str:
    return f"name = '{name}' AND tags.`{VERSION}` = '{version}'"


def _offer(found: answers.Version) -> Offer:
    if found.status == "PENDING_REGISTRATION":
        raise RegistryUnavailable(f"{found.name}@{found.version} is being registered")
    said = [found.source, found.status, words(found.tags).get(FILES, "")]
    fingerprint = hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]
    return Offer(found.name, found.version, found.source, fingerprint)


def _date(stamp: int) -> str:
    try:
        return datetime.fromtimestamp(stamp / 1000, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return ""
