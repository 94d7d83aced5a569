"""``model.sig``: who vouches for a bundle, and for which bytes.

The format is OpenSSF Model Signing 1.0 with a key, read and written without its
library: a Sigstore bundle 0.3 (JSON) holds a DSSE envelope, that holds an in-toto
statement (`statement`), that lists every file with its SHA-256. Its program agrees both
ways:

    model_signing verify key FOLDER --signature FOLDER/model.sig --public_key plant.pub
    model_signing sign key FOLDER --signature FOLDER/model.sig --private_key plant.key

No ``--ignore-paths`` is needed: the program leaves out the file that ``--signature``
names, and notes it in the statement under ``ignore_paths``; so do we, for those who
call it as a library.

We are stricter in what we accept. The program leaves out ``.git``, ``.github``,
``.gitignore`` and ``.gitattributes`` unless told otherwise, and whatever else a
statement's ``ignore_paths`` names. Here *every* file but ``model.sig`` itself must be
covered and equal, whatever the statement wants ignored. Links and special files are
refused; so are shards, other hashes, certificates and the formats from before 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from edge_agent.bundle import statement, tree
from edge_agent.bundle.contents import bundle_digest
from edge_agent.bundle.envelope import Envelope, read_record, sealed
from edge_agent.bundle.folders import PASSPORT_FILE
from edge_agent.bundle.keys import key_id
from edge_agent.bundle.statement import PAYLOAD_TYPE, SIGNATURE_FILE
from edge_agent.durable import unfinished, write_whole
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_agent.bundle.contents import Bundle
    from edge_agent.bundle.keys import PrivateKey
    from edge_agent.bundle.trust import Trust

__all__ = ["SIGNATURE_FILE", "Signed", "sign", "verify"]

MAX_SIGNATURE_BYTES = 2**20

_MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_SHOWN = 3


class _KeyHint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hint: str = ""


class _Material(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"
):
    public_key: _KeyHint | UnsetType = UNSET
    tlog_entries: list[Any] = []
    # known only to be refused in a sentence
    certificate: Any = UNSET
    x509_certificate_chain: Any = UNSET


class _SigstoreBundle(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"
):
    media_type: Literal["application/vnd.dev.sigstore.bundle.v0.3+json"]
    verification_material: _Material
    dsse_envelope: Envelope


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature vouches for.

    Attributes:
        key_id: of the trusted key that signed.
        files: name -> SHA-256 of every file of the folder but ``model.sig``.
    """

    key_id: str
    files: Mapping[str, str]

    def check_same(self, bundle: Bundle) -> None:
        """Refuse a bundle that was read from other bytes than those signed.

        A folder is verified and opened one after the other; this closes the gap.

        Raises:
            ModelRejected: they differ.
        """
        names = [PASSPORT_FILE, *bundle.passport.files]
        sums = {name: self.files.get(name, "") for name in names}
        if bundle_digest(sums) != bundle.digest:
            raise ModelRejected(
                f"{bundle.path} was changed after its signature was checked: fetch the "
                "bundle again"
            )


def sign(folder: Path, private_key: PrivateKey) -> Signed:
    """Sign every file of a folder; ``model.sig`` is written or replaced.

    Args:
        folder: the bundle's; its name goes into the signature as a label.
        private_key: ECDSA, see `keys.load_private`.

    Raises:
        ModelRejected: the folder is empty, or holds what no gateway would accept.
        OSError: ``model.sig`` cannot be written.
    """
    unfinished(folder / SIGNATURE_FILE).unlink(missing_ok=True)
    files = _covered(folder)
    if not files:
        raise ModelRejected(f"{folder} holds no file: there is nothing to sign")
    identity = key_id(private_key.public_key())
    payload = statement.written(folder.resolve().name, files)
    made = _SigstoreBundle(
        _MEDIA_TYPE,
        _Material(_KeyHint(identity)),
        sealed(payload, PAYLOAD_TYPE, private_key),
    )
    text = msgspec.json.encode(made)
    if len(text) > MAX_SIGNATURE_BYTES:
        raise ModelRejected(f"{folder}: its names are too long for one signature")
    write_whole(folder / SIGNATURE_FILE, text)
    return Signed(identity, files)


def verify(folder: Path, trust: Trust) -> Signed:
    """Check that a trusted key vouches for every byte of a folder.

    Nothing in the folder is parsed but ``model.sig``, and what is in there means
    nothing before its signature holds.

    Raises:
        ModelRejected: there is no signature, it does not count, or a file was added,
            removed or changed; the text names it.
    """
    where = f"{folder}: {SIGNATURE_FILE}"
    text = tree.read_one(folder, SIGNATURE_FILE, MAX_SIGNATURE_BYTES)
    if text is None:
        raise ModelRejected(
            f"{folder} has no {SIGNATURE_FILE}: it is not signed, and only models "
            "signed by a trusted key are accepted"
        )
    found = read_record(text, where, _SigstoreBundle)
    claimed = found.verification_material.public_key
    if claimed is UNSET:
        raise ModelRejected(
            f"{where} was not made with a key, and nothing else is supported: sign "
            "with edge-agent model sign, or model_signing sign key"
        )
    identity, payload = trust.opened(
        found.dsse_envelope, PAYLOAD_TYPE, claimed.hint, where
    )
    stated = statement.read(payload, where)
    _compare(folder, stated, _covered(folder))
    return Signed(identity, stated)


def _covered(folder: Path) -> dict[str, str]:
    files = tree.listed(folder)
    files.pop(SIGNATURE_FILE, None)
    return files


def _compare(folder: Path, stated: Mapping[str, str], found: Mapping[str, str]) -> None:
    changed = [n for n in found if n in stated and stated[n] != found[n]]
    problems = [
        (changed, "was changed after signing"),
        ([n for n in stated if n not in found], "was signed and is missing"),
        ([n for n in found if n not in stated], "is not covered by the signature"),
    ]
    said = [f"{_some(names)} {what}" for names, what in problems if names]
    if said:
        raise ModelRejected(
            f"{folder} is not what was signed: {'; '.join(said)}; fetch the bundle "
            "again, or have it signed as it is"
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more
