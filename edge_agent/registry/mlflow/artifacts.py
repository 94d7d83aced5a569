"""Where a version's files are in MLflow, and moving them.

A version's source is one of ``mlflow-artifacts:/PATH`` (the server's own proxy),
``runs:/RUN/PATH`` or ``models:/…``; all end at a path of the proxy. The bundle is the
one folder there that holds a passport: at the top, or where `log_model` put it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edge_agent.bundle.folders import PASSPORT_FILE
from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry import medium
from edge_agent.registry.landing import Landing, stays
from edge_agent.registry.mlflow import answers
from edge_agent.registry.mlflow.client import OtherPart
from edge_agent.registry.mlflow.refusals import Refused
from edge_agent.registry.registry import MAX_FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_agent.registry.mlflow.client import Client
    from edge_agent.registry.publishing import Parcel

READ = "READ on the model and its experiment"

#: What MLflow writes beside a model that it logged; no part of a bundle.
_MLFLOWS_OWN = frozenset(
    {
        "MLmodel",
        "conda.yaml",
        "python_env.yaml",
        "requirements.txt",
        "registered_model_meta",
        "metadata/",
    }
)
_MARKER = "MLmodel"
#: How deep a bundle may lie, folders looked into on the way, steps of one address.
_LEVELS, _FOLDERS, _STEPS = 3, 16, 4
_ID = re.compile(r"[\w-]{1,100}")
_LONGEST = 1000


def locate(client: Client, name: str, version: str, source: str) -> str:
    """A version's folder, as a path of the proxy.

    Args:
        client: the server.
        name: of the model.
        version: MLflow's number.
        source: of the version; `mlflow-artifacts:` needs no call.

    Raises:
        RegistryUnavailable: no answer now.
        ModelRejected: its files are not served by MLflow.
    """
    uri = source
    if not source.startswith("mlflow-artifacts:"):
        uri = _resolved(client, name, version)
    for _ in range(_STEPS):
        scheme, _, path = uri.partition(":")
        if scheme == "mlflow-artifacts":
            return _proxied(path, f"{name}@{version}")
        if scheme == "runs":
            uri = _of_run(client, path.strip("/"))
        elif scheme == "models":
            uri = _of_model(client, path.strip("/"))
        else:
            break
    raise ModelRejected(
        f"{name}@{version} lies at {uri[:200]!r}, which MLflow does not hand out: "
        "start it with --artifacts-destination, and push again"
    )


def _resolved(client: Client, name: str, version: str) -> str:
    path = "mlflow/model-versions/get-download-uri"
    kind = answers.AddressAnswer
    return client.get(path, kind, READ, name=name, version=version).artifact_uri


def _of_run(client: Client, path: str) -> str:
    run, _, below = path.partition("/")
    found = client.get("mlflow/runs/get", answers.RunAnswer, READ, run_id=run)
    return f"{found.run.info.artifact_uri.rstrip('/')}/{below}"


def _of_model(client: Client, path: str) -> str:
    name, _, version = path.partition("/")
    if version:
        return _resolved(client, name, version)
    if not _ID.fullmatch(name):
        raise ModelRejected(f"models:/{path[:100]} is no address of a model")
    found = client.get(f"mlflow/logged-models/{name}", answers.LoggedModelAnswer, READ)
    return found.model.info.artifact_uri


def _proxied(path: str, model: str) -> str:
    if path.startswith("//"):  # mlflow-artifacts://HOST/PATH: the host is our server
        path = path[2:].partition("/")[2]
    parts = path.strip("/").split("/")
    if {"", ".", ".."} & set(parts) or len(path) > _LONGEST or not path.isprintable():
        raise ModelRejected(f"{model} lies at a strange address: {path[:200]!r}")
    return "/".join(parts)


def fetch(
    client: Client,
    model: str,
    root: str,
    into: Path,
    proceed: Callable[[int, int], bool],
) -> None:
    """Copy a version's bundle; see `Registry.fetch`.

    Args:
        client: the server.
        model: what it is, for the texts.
        root: path of the version at the proxy.
        into: the folder.
        proceed: told bytes done and in all.
    """
    folder, files = _Folder(client, model).survey(root)
    ways = _Ways(client)
    with Landing(model, into, files, proceed) as landing:
        for name in files:
            if not landing.has(name):
                ways.receive(landing, name, f"{folder}/{name}")


def upload(client: Client, parcel: Parcel, root: str) -> None:
    """Put a bundle's files below a path of the proxy; each again is the same.

    Raises:
        RegistryUnavailable: no answer now.
        Refused: MLflow said no.
    """
    for name, size in parcel.sizes.items():
        pieces = medium.pieces(parcel.folder / name)
        client.upload(f"{root}/{name}", size, pieces, "EDIT on the experiment")


class _Folder:
    """Looking round in a folder of artifacts, bounded in calls and names."""

    def __init__(self, client: Client, model: str) -> None:
        self._client, self._model = client, model
        self._looked = 0

    def survey(self, root: str) -> tuple[str, dict[str, int | None]]:
        """The bundle's folder and its files with their sizes."""
        folder, entries = self._holding_passport(root)
        if any(entry.path == _MARKER for entry in entries):
            entries = [e for e in entries if _word(e) not in _MLFLOWS_OWN]
        files: dict[str, int | None] = {}
        waiting = [("", entries)]
        while waiting:
            below, entries = waiting.pop()
            for entry in entries:
                name = f"{below}{entry.path}"
                if entry.is_dir:
                    waiting.append((f"{name}/", self._list(f"{folder}/{name}")))
                else:
                    files[name] = entry.file_size
        return folder, dict(sorted(files.items()))

    def _holding_passport(self, root: str) -> tuple[str, list[answers.File]]:
        level = [root]
        for _ in range(_LEVELS):
            listed = {folder: self._list(folder) for folder in level}
            found = [f for f, entries in listed.items() if _has_passport(entries)]
            if len(found) > 1:
                raise ModelRejected(
                    f"{self._model} holds {len(found)} bundles, not one"
                )
            if found:
                return found[0], listed[found[0]]
            level = list(_below(listed))
        raise ModelRejected(
            f"{self._model} holds no bundle: no folder has a passport.yaml"
        )

    def _list(self, folder: str) -> list[answers.File]:
        self._looked += 1
        if self._looked > _FOLDERS:
            raise ModelRejected(f"{self._model} has more than {_FOLDERS} folders")
        path, kind = "mlflow-artifacts/artifacts", answers.FilesAnswer
        entries = self._client.get(path, kind, READ, path=folder).files
        if len(entries) > MAX_FILES:
            raise ModelRejected(f"{self._model} has more than {MAX_FILES} files")
        for entry in entries:
            if "/" in entry.path or not stays(entry.path):
                raise ModelRejected(
                    f"{self._model} has a file named {entry.path[:100]!r}: refused"
                )
        return entries


def _has_passport(entries: list[answers.File]) -> bool:
    return any(e.path == PASSPORT_FILE and not e.is_dir for e in entries)


def _below(listed: dict[str, list[answers.File]]) -> Iterator[str]:
    for folder, entries in listed.items():
        for entry in entries:
            if entry.is_dir:
                yield f"{folder}/{entry.path}"


def _word(entry: answers.File) -> str:
    return f"{entry.path}/" if entry.is_dir else entry.path


class _Ways:
    """How one version's files come: straight from the object store, or by the proxy.

    The proxy before an object store cannot go on with a file; a presigned address can.
    Where the server has none, or its store is not to be reached, the proxy does it.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._presigned = True

    def receive(self, landing: Landing, name: str, path: str) -> None:
        """One file."""
        offset, mark = landing.held(name)
        if self._presigned and self._straight(landing, name, path):
            return
        self._come(landing, name, self._client.artifact(path), offset, mark)

    def _straight(self, landing: Landing, name: str, path: str) -> bool:
        offset, mark = landing.held(name)
        begun = False
        try:
            given = self._address(path)
            with self._client.download(given.url, offset, mark, given.headers) as came:
                begun = True
                landing.receive(name, came.pieces, offset=came.start, mark=came.mark)
        except (RegistryUnavailable, Refused):
            if begun:
                raise
            self._presigned = False
        return begun

    def _come(
        self, landing: Landing, name: str, url: str, offset: int, mark: str
    ) -> None:
        try:
            with self._client.download(url, offset, mark) as came:
                landing.receive(name, came.pieces, offset=came.start, mark=came.mark)
        except OtherPart:
            landing.forget(name)  # asked for in the same way it would never fit
            raise
        except Refused as error:  # listed a moment ago: not gone for good
            raise RegistryUnavailable(str(error)) from error

    def _address(self, path: str) -> answers.PresignedAnswer:
        where, kind = f"mlflow-artifacts/presigned/{path}", answers.PresignedAnswer
        given = self._client.get(where, kind, READ)
        if self._client.url.startswith("https:") and not given.url.startswith("https:"):
            raise RegistryUnavailable(f"{self._client.url} sends to one without TLS")
        kept = {k: v for k, v in given.headers.items() if k.lower().startswith("x-")}
        return answers.PresignedAnswer(given.url, kept)
