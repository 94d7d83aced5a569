"""Heads: how the log stood, signed by the gateway."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from edge_agent.bundle.envelope import pae
from edge_agent.bundle.keys import is_signed, key_id, signature_of

if TYPE_CHECKING:
    from edge_agent.bundle.keys import PrivateKey, PublicKey

TYPE = "application/vnd.edge-agent.evidence-head+json"


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    hash: str
    date: str
    at: int
    gateway: str
    key: str


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The log ended here, at that time, says the gateway.

    Attributes:
        number: of its last line.
        hash: of that line.
        date: wall clock, ISO 8601 in UTC.
        at: agent time, ns.
        gateway: its name.
        key: id of the key that signed.
        signature: DER in base64.
    """

    number: int
    hash: str
    date: str
    at: int
    gateway: str
    key: str
    signature: str


_decode = msgspec.json.Decoder(Head).decode


def signed(
    number: int,
    hash_: str,
    when: tuple[str, int],
    gateway: str,
    key: PrivateKey,
    identity: str = "",
) -> Head:
    """Sign how the log stands.

    Args:
        number: of its last line.
        hash_: of that line.
        when: date and agent time.
        gateway: its name.
        key: signs.
        identity: of the key, where it is at hand: it takes as long as signing.
    """
    identity = identity or key_id(key.public_key())
    text = msgspec.json.encode(_Said(number, hash_, *when, gateway, identity))
    made = base64.b64encode(signature_of(key, pae(TYPE, text))).decode()
    return Head(number, hash_, *when, gateway, identity, made)


def is_by(head: Head, key: PublicKey) -> bool:
    """Whether the key's other half signed it."""
    text = msgspec.json.encode(
        _Said(head.number, head.hash, head.date, head.at, head.gateway, head.key)
    )
    try:
        signature = base64.b64decode(head.signature, validate=True)
    except ValueError:
        return False
    # one signature, one spelling
    if base64.b64encode(signature).decode() != head.signature:
        return False
    return is_signed(key, signature, pae(TYPE, text))


def read(text: bytes) -> Head:
    """A head from its JSON.

    Raises:
        ValueError: it is none.
    """
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as why:
        raise ValueError(str(why)) from why
