"""What a package says it holds, and who says so. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import msgspec

from edge_agent.bundle.envelope import Envelope, contents, pae, read_record, sealed
from edge_agent.bundle.keys import is_signed, key_id, short
from edge_agent.bundle.tree import plain
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.bundle.keys import PrivateKey, PublicKey

PAYLOAD_TYPE = "application/vnd.edge-agent.package.v1+json"
#: Bytes of a manifest: half a million objects.
MAX_BYTES = 128 << 20

Kind = Literal["from-gateway", "to-gateway", "receipt"]


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a package.

    Attributes:
        name: below the package, with ``/`` between folders.
        size: bytes.
        sha256: 64 hexadecimal digits.
    """

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package's contents.

    Attributes:
        kind: see the package's docstring.
        gateway: whose data, or for whom.
        site: of the gateway; empty where that is not known.
        number: counts the packages of its kind and gateway.
        made: wall time of its maker, ISO 8601.
        files: by name.
        of: `digest` of the manifest that a receipt is for, else empty.
    """

    kind: Kind
    gateway: str
    site: str
    number: int
    made: str
    files: tuple[File, ...] = ()
    of: str = ""


def digest(payload: bytes) -> str:
    """How a manifest is named in its receipt."""
    return hashlib.sha256(payload).hexdigest()


def seal(manifest: Manifest, key: PrivateKey) -> bytes:
    """The signed text of ``manifest.json``."""
    payload = msgspec.json.encode(manifest)
    envelope = sealed(payload, PAYLOAD_TYPE, key, key_id(key.public_key()))
    return msgspec.json.encode(envelope)


def unseal(
    text: bytes, keys: Mapping[str, PublicKey], where: str
) -> tuple[Manifest, str]:
    """A manifest that one of some keys signed, and its `digest`.

    Args:
        text: of ``manifest.json``.
        keys: trusted, by key id.
        where: the file, for errors.

    Raises:
        ModelRejected: nobody trusted signed it, or it is not as it must be.
    """
    envelope = read_record(text, where, Envelope)
    payload, signature = contents(envelope, PAYLOAD_TYPE, where)
    message = pae(PAYLOAD_TYPE, payload)
    if not any(is_signed(key, signature, message) for key in keys.values()):
        claimed = short(envelope.signatures[0].keyid or "nobody")
        known = ", ".join(map(short, keys)) or "none"
        raise ModelRejected(
            f"{where} is not signed by a trusted key: it claims {claimed}, trusted "
            f"are {known}; nothing of it is taken"
        )
    manifest = read_record(payload, where, Manifest)
    wrong = [file.name for file in manifest.files if not plain(file.name)]
    if wrong or manifest.number < 1:
        raise ModelRejected(f"{where} names a file it may not: {wrong[:1]}")
    return manifest, digest(payload)
