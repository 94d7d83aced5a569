"""Keys of throw-away signers, and files signed with them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

from edge_agent.bundle import keys
from edge_agent.bundle.revocation import RevokedKeys, revocation, signed_list

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.date(2026, 5, 1)


@dataclass(frozen=True, slots=True)
class Signer:
    """A pair of keys.

    Attributes:
        private: PEM file.
        public: PEM file.
        key: the private half.
        id: of the key.
    """

    private: Path
    public: Path
    key: keys.PrivateKey
    id: str


def signer(folder: Path, name: str, curve: ec.EllipticCurve | None = None) -> Signer:
    """A new pair in files ``NAME.key`` and ``NAME.pub``."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    keys.write_pair(private, public, key)
    return Signer(private, public, key, keys.key_id(key.public_key()))


def write_list(path: Path, number: int, by: Signer, *gone: Signer | str) -> Path:
    """A signed list of revoked keys."""
    ids = [one if isinstance(one, str) else one.id for one in gone]
    entries = {one: revocation(one, DAY, "laptop stolen") for one in ids}
    path.write_bytes(signed_list(RevokedKeys(number, entries), by.key))
    return path
