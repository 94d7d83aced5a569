"""What a model's signature says: an in-toto statement that lists files.

The predicate is that of OpenSSF Model Signing 1.0: every file with its SHA-256; the
subject is one SHA-256 over those in their order. The statement also says how its signer
listed the files (``serialization``): links followed or not, what was left out. That is
the signer's story and changes nothing in what is checked here.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from edge_agent.bundle import tree
from edge_agent.bundle.envelope import read_record
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SIGNATURE_FILE = "model.sig"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

_STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
_PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"

_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _Resource(msgspec.Struct, frozen=True):
    name: str
    algorithm: Literal["sha256"]
    digest: _Sha256


class _Serialization(msgspec.Struct, frozen=True):
    method: Literal["files"]
    hash_type: Literal["sha256"]
    allow_symlinks: bool
    ignore_paths: list[str] = []


class _Predicate(msgspec.Struct, frozen=True):
    serialization: _Serialization
    resources: Annotated[list[_Resource], msgspec.Meta(max_length=tree.MAX_FILES)]


class _Digests(msgspec.Struct, frozen=True):
    sha256: _Sha256


class _Subject(msgspec.Struct, frozen=True):
    name: str
    digest: _Digests


class _Statement(msgspec.Struct, frozen=True, rename="camel"):
    """Keys beyond the format are allowed by it, and mean nothing."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: Annotated[list[_Subject], msgspec.Meta(min_length=1, max_length=1)]
    predicate_type: Literal["https://model_signing/signature/v1.0"]
    predicate: _Predicate


def written(name: str, files: Mapping[str, str]) -> bytes:
    """The statement about some files.

    Args:
        name: of the model, a label.
        files: name -> SHA-256.
    """
    # by parts, as the reference sorts paths: "d/b" before "d.txt"
    ordered = sorted(files, key=lambda name: name.split("/"))
    resources = [_Resource(name, "sha256", files[name]) for name in ordered]
    how = _Serialization(
        method="files",
        hash_type="sha256",
        allow_symlinks=False,
        ignore_paths=[SIGNATURE_FILE],
    )
    statement = _Statement(
        _STATEMENT_TYPE,
        [_Subject(name, _Digests(_root(resources)))],
        _PREDICATE_TYPE,
        _Predicate(how, resources),
    )
    return msgspec.json.encode(statement)


def read(payload: bytes, where: str) -> dict[str, str]:
    """Name -> SHA-256 from a statement whose signature has been checked.

    Raises:
        ModelRejected: it is another kind of statement, or contradicts itself.
    """
    statement = read_record(payload, f"{where}: the statement", _Statement)
    resources = statement.predicate.resources
    files = {resource.name: resource.digest for resource in resources}
    if len(files) < len(resources):
        raise ModelRejected(f"{where} lists a file twice")
    for name in files:
        if not tree.plain(name) or name == SIGNATURE_FILE:
            raise ModelRejected(f"{where} lists {name!r}, which no bundle may hold")
    stated, found = statement.subject[0].digest.sha256, _root(resources)
    if stated != found:
        raise ModelRejected(
            f"{where} is signed for other files than those it lists: its subject is "
            f"{stated[:16]}…, they give {found[:16]}…"
        )
    return files


def _root(resources: Iterable[_Resource]) -> str:
    """SHA-256 over all digests in their order: the subject of the statement."""
    joined = b"".join(bytes.fromhex(resource.digest) for resource in resources)
    return hashlib.sha256(joined).hexdigest()
