"""The gateway's key: made once, kept in the log's folder."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from edge_agent.bundle.keys import (
    PublicKey,
    key_id,
    load_private,
    load_public,
    made,
    write_pair,
)
from edge_agent.durable import sync_folder, write_whole
from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.bundle.keys import PrivateKey

PRIVATE, PUBLIC = "gateway.key", "gateway.pub"


class Keys(NamedTuple):
    """The key that signs now.

    Attributes:
        private: signs.
        id: names it.
        former: id of the one that is lost; empty where none is.
        why: what was wrong with that.
    """

    private: PrivateKey
    id: str
    former: str = ""
    why: str = ""


def pem(key: PublicKey) -> str:
    """The public file's text."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def of_pem(text: str) -> PublicKey | None:
    """The key in a text; None where there is none on P-256 or P-384."""
    try:
        key = serialization.load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, PublicKey) and key.curve.name in {"secp256r1", "secp384r1"}:
        return key
    return None


def open_keys(folder: Path) -> Keys:
    """The gateway's key; made when there is none, replaced when it is lost.

    Raises:
        OSError: the disk refused.
    """
    private, public = folder / PRIVATE, folder / PUBLIC
    try:
        if not private.exists() and not public.exists():
            return _made(folder)
        key = load_private(private)
        return Keys(key, _beside(folder, key))
    except ConfigError as why:
        failed = why.__context__
        if isinstance(failed, OSError) and not isinstance(failed, FileNotFoundError):
            raise failed from None  # the disk's trouble, not the key's
        former = _put_aside(folder)
        fresh = _made(folder)
        return Keys(fresh.private, fresh.id, former, str(why))


def _beside(folder: Path, key: PrivateKey) -> str:
    """The public half always belongs to the private one; returns its id."""
    identity = key_id(key.public_key())
    with contextlib.suppress(ConfigError):
        if key_id(load_public(folder / PUBLIC)) == identity:
            return identity
    write_whole(folder / PUBLIC, pem(key.public_key()).encode())
    return identity


def _made(folder: Path) -> Keys:
    key = made()
    try:
        write_pair(folder / PRIVATE, folder / PUBLIC, key)
    except ConfigError as why:
        if isinstance(why.__context__, OSError):
            raise why.__context__ from None  # with its number: full, or read-only
        raise OSError(str(why)) from why
    return Keys(key, key_id(key.public_key()))


def _put_aside(folder: Path) -> str:
    """Keep the public half of a lost key under its id, for those who check."""
    former = ""
    with contextlib.suppress(ConfigError):
        former = key_id(load_public(folder / PUBLIC))
    if former:
        (folder / PUBLIC).replace(folder / f"gateway-{former[:16]}.pub")
    (folder / PUBLIC).unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        (folder / PRIVATE).replace(folder / "gateway.key.damaged")
    sync_folder(folder)
    return former
