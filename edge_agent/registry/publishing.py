"""A bundle's folder before it is published: checked, and what is said of it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.bundle.contents import open_bundle
from edge_agent.errors import ModelRejected
from edge_agent.registry import medium
from edge_agent.registry.listing import DIGEST, FILES, RELEASE, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is published.

    Attributes:
        folder: where the files are.
        name: of the model.
        version: semantic version of its passport.
        release: its release counter.
        digest: of the bundle, as a gateway computes it.
        sizes: bytes by name, the signature's file included.
        files: one SHA-256 over all files; another signature makes another.
    """

    folder: Path
    name: str
    version: str
    release: int
    digest: str
    sizes: Mapping[str, int]
    files: str

    @property
    def tags(self) -> dict[str, str]:
        """What every registry is told of the version."""
        return {
            VERSION: self.version,
            RELEASE: str(self.release),
            DIGEST: self.digest,
            FILES: self.files,
        }


def wrap(folder: Path) -> Parcel:
    """Check a bundle's folder and say what it is.

    Raises:
        ModelRejected: it is no valid bundle; the text says which rule it breaks.
        RegistryUnavailable: it cannot be read.
    """
    bundle = open_bundle(folder)
    with medium.reading(folder):
        found = medium.survey(folder, bundle.passport.name)
    return Parcel(
        folder,
        bundle.passport.name,
        bundle.passport.version,
        bundle.passport.release,
        bundle.digest,
        {name: one.size for name, one in found.items()},
        all_of(folder, found),
    )


def all_of(folder: Path, names: Mapping[str, object]) -> str:
    """One SHA-256 over files: of ``<sha256>  <name>`` lines by name.

    Raises:
        RegistryUnavailable: one cannot be read.
    """
    lines = "".join(f"{medium.digest(folder / n)}  {n}\n" for n in sorted(names))
    return hashlib.sha256(lines.encode()).hexdigest()


def refuse_other(parcel: Parcel, where: str, digest: str) -> None:
    """A version is one bundle for ever.

    Args:
        parcel: what is to be published.
        where: which registry has that version already.
        digest: of the bundle it has.

    Raises:
        ModelRejected: it is another one.
    """
    if digest != parcel.digest:
        raise ModelRejected(
            f"{where} already has another {parcel.name} {parcel.version} (digest "
            f"{digest[:8] or 'unknown'}, this one is {parcel.digest[:8]}): give this "
            "one a new version in its passport"
        )


def check_alias(alias: str) -> None:
    """Refuse what MLflow would not take, in every registry: plants change theirs.

    Raises:
        ModelRejected: with the rule.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", alias) or re.fullmatch(
        r"latest|v\d+", alias, re.IGNORECASE
    ):
        raise ModelRejected(
            f"{alias!r} cannot be an alias: letters, digits, _ and -, and neither "
            "latest nor v1, v2, …"
        )
