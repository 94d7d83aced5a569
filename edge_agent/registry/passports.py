"""Passports that outlive their bundles.

A bundle leaves the gateway with its version; who made and approved the model behind
an old alarm must stay readable. One passport is a few KB:

* ``DIGEST.yaml``: passport.yaml as it was when the model was commissioned,
* ``DIGEST.json``: the SHA-256 of every file of the bundle, and who signed it.

The digest is made of those sums, so a passport changed afterwards is found out.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from edge_agent.bundle.contents import bundle_digest
from edge_agent.bundle.folders import PASSPORT_FILE
from edge_agent.bundle.passport import Passport, parse, passport_bytes
from edge_agent.durable import write_whole
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Passports kept at most; then the one that was not used for longest goes.
KEPT = 10_000
_LONGEST = 1_000_000
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{1,64}")


class _Beside(msgspec.Struct):
    """What is written beside a passport."""

    sums: dict[str, str]
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A passport that was kept, and is as it was.

    Attributes:
        digest: SHA-256 over its bundle.
        text: passport.yaml.
        signed_by: the key that signed the bundle; empty where that is not known.
    """

    digest: str
    text: bytes = field(repr=False)
    signed_by: str = ""


def keep(
    folder: Path,
    digest: str,
    passport: bytes,
    sums: Mapping[str, str],
    *,
    signed_by: str = "",
) -> None:
    """Keep the passport of a model that is commissioned; again marks it as used.

    Args:
        folder: of passports; made where missing.
        digest: SHA-256 over the bundle.
        passport: passport.yaml.
        sums: SHA-256 of each file of the bundle by name, passport included.
        signed_by: the key that signed the bundle, as people know it.

    Raises:
        ModelRejected: the digest is not that of these sums and this passport.
        OSError: the disk refused.
    """
    if not _belongs(digest, passport, sums):
        raise ModelRejected(f"{digest} is not the digest of this passport and files")
    file = folder / f"{digest}.yaml"
    if _is_kept(folder, digest, signed_by):
        os.utime(file)
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(_beside(file), msgspec.json.encode(_Beside(dict(sums), signed_by)))
    write_whole(file, passport)
    _forget_unused(folder)


def keep_from(folder: Path, bundle: Path, digest: str) -> None:
    """Keep the passport of a bundle's folder that was commissioned under a digest.

    Raises:
        ModelRejected: the folder holds another bundle by now, or none.
        OSError: the disk refused.
    """
    text = passport_bytes(bundle)
    sums = dict(parse(text, bundle).files)
    sums[PASSPORT_FILE] = hashlib.sha256(text).hexdigest()
    keep(folder, digest, text, sums)


def digests(folder: Path, prefix: str = "") -> list[str]:
    """Digests of the kept passports that begin with some digits, in order."""
    try:
        stems = [f.stem for f in folder.iterdir() if f.suffix == ".yaml"]
    except OSError:
        return []
    return sorted(s for s in stems if _DIGEST.fullmatch(s) and s.startswith(prefix))


def read(folder: Path, digest: str) -> Kept:
    """The passport of a digest.

    Raises:
        ModelRejected: none was kept, or it is not what it was.
    """
    file = folder / f"{digest}.yaml"
    text, beside = _bytes(file), _bytes(_beside(file))
    if text is None or beside is None or not _DIGEST.fullmatch(digest):
        raise ModelRejected(f"{folder} has no passport of {digest}")
    try:
        known = msgspec.json.decode(beside, type=_Beside)
    except msgspec.MsgspecError as why:
        raise ModelRejected(f"{_beside(file)} cannot be read: {why}") from why
    if not _belongs(digest, text, known.sums):
        raise ModelRejected(
            f"{file} is not the passport that was kept: it or {_beside(file).name} was"
            " changed since; take nothing it says for granted"
        )
    return Kept(digest, text, known.signed_by)


def find(folder: Path, prefix: str) -> tuple[str, Passport]:
    """The one passport whose digest begins with some digits.

    Args:
        folder: of passports.
        prefix: hexadecimal digits, as ``model_sha8`` in SCADA.

    Raises:
        ModelRejected: there is none, more than one, or it is not what it was.
    """
    wanted = prefix.lower()
    found = digests(folder, wanted) if _PREFIX.fullmatch(wanted) else []
    if not found:
        raise ModelRejected(f"{folder} has no passport of a model {prefix}")
    if len(found) > 1:
        raise ModelRejected(
            f"{prefix} begins the digests of {len(found)} models: write more of"
            f" {', '.join(found[:5])}"
        )
    kept = read(folder, found[0])
    return kept.digest, parse(kept.text, folder)


def _is_kept(folder: Path, digest: str, signed_by: str) -> bool:
    """Whether nothing would change; who does not know the key takes it from nobody."""
    try:
        kept = read(folder, digest)
    except ModelRejected:
        return False
    return signed_by in ("", kept.signed_by)


def _belongs(digest: str, passport: bytes, sums: Mapping[str, str]) -> bool:
    own = hashlib.sha256(passport).hexdigest()
    return sums.get(PASSPORT_FILE) == own and bundle_digest(dict(sums)) == digest


def _beside(file: Path) -> Path:
    return file.with_suffix(".json")


def _bytes(file: Path) -> bytes | None:
    try:
        with file.open("rb") as stream:
            body = stream.read(_LONGEST + 1)
    except OSError:
        return None
    return body if len(body) <= _LONGEST else None


def _forget_unused(folder: Path) -> None:
    files = [folder / f"{digest}.yaml" for digest in digests(folder)]
    if len(files) <= KEPT:
        return
    for file in sorted(files, key=lambda f: f.stat().st_mtime_ns)[:-KEPT]:
        file.unlink(missing_ok=True)
        _beside(file).unlink(missing_ok=True)
