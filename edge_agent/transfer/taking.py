"""Packages of gateways put into the centre's archive, each with a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.centre.names import named, sha_of
from edge_agent.errors import ModelRejected
from edge_agent.transfer import package
from edge_agent.transfer.manifest import Manifest, seal
from edge_agent.transfer.outgoing import OBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge_agent.bundle.keys import PrivateKey, PublicKey
    from edge_agent.transfer.manifest import File
    from edge_agent.transfer.package import Progress

    #: Puts an object; the same again changes nothing. True where it was not there.
    Put = Callable[[str, bytes], bool]


def take(
    folder: Path,
    keys: Mapping[str, PublicKey],
    put: Put,
    progress: Progress = package.quiet,
) -> tuple[Manifest, str, int]:
    """Put a package's objects; gives its manifest, its digest and how many were new.

    The whole package is looked at first: of one that is damaged nothing is taken.

    Args:
        folder: of the package.
        keys: of gateways that are trusted, by id.
        put: into the archive.
        progress: told of each file that was put.

    Raises:
        ModelRejected: it is not from a gateway, or not as it was signed, or holds
            objects of another gateway.
        OSError: the stick refused.
    """
    manifest, digest = package.read(folder, keys)
    if manifest.kind != "from-gateway":
        raise ModelRejected(f"{folder} is a package {manifest.kind}, not from one")
    for file in manifest.files:
        _check_name(manifest, file)
    package.check(folder, manifest)
    new = 0
    for done, file in enumerate(manifest.files):
        text = package.body(folder, file)
        name = file.name.partition("/")[2]
        found = named(name)
        if found is None or found.sha != sha_of(text):
            raise ModelRejected(f"{folder}: {file.name} is not the object it is named")
        new += put(name, text)
        progress(done + 1, len(manifest.files))
    return manifest, digest, new


def receipt(manifest: Manifest, digest: str, made: str, key: PrivateKey) -> bytes:
    """The signed text of a receipt.

    Args:
        manifest: of the package.
        digest: of it.
        made: wall time now, ISO 8601.
        key: the centre's.
    """
    said = Manifest(
        "receipt", manifest.gateway, manifest.site, manifest.number, made, (), digest
    )
    return seal(said, key)


def _check_name(manifest: Manifest, file: File) -> None:
    """A gateway speaks for itself alone."""
    above, _, name = file.name.partition("/")
    found = named(name)
    if above != OBJECTS or found is None or found.gateway != manifest.gateway:
        raise ModelRejected(
            f"the package of {manifest.gateway} holds {file.name}: a gateway may bring "
            "its own objects only; nothing of it is taken"
        )
