"""The list of keys that are trusted no more.

    {"number": 2, "revoked": [{"key": "9f2c…", "on": "2026-05-01", "reason": "lost"}]}

in a DSSE envelope, signed like a model. The number counts up with every list; a key
once on it stays on it. Whose signature counts is for `trust` to say.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003  (msgspec reads annotations)
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import msgspec

from edge_agent.bundle.envelope import read_record, sealed
from edge_agent.bundle.keys import key_id, short
from edge_agent.errors import ConfigError, ModelRejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.bundle.keys import PrivateKey

PAYLOAD_TYPE = "application/vnd.edge-agent.revoked-keys+json"
MAX_LIST_BYTES = 2**20

_MAX_KEYS, _MAX_REASON = 1000, 200


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a key is trusted no more.

    Attributes:
        key: its id.
        on: the day it was revoked, as the signer's clock had it: a label.
        reason: in words.
    """

    key: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    on: dt.date
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=_MAX_REASON)]

    @property
    def sentence(self) -> str:
        """``key 9f2c…, revoked on 2026-05-01: lost``."""
        return f"key {short(self.key)}, revoked on {self.on}: {self.reason}"


class _Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    revoked: Annotated[list[Revocation], msgspec.Meta(max_length=_MAX_KEYS)]


@dataclass(frozen=True, slots=True)
class RevokedKeys:
    """A list of revoked keys.

    Attributes:
        number: counts up; 0 where there is no list.
        keys: key id -> why.
    """

    number: int = 0
    keys: Mapping[str, Revocation] = field(default_factory=dict)

    def with_one(self, entry: Revocation) -> RevokedKeys:
        """The next list; a key that is on this one already keeps its entry."""
        return RevokedKeys(self.number + 1, {entry.key: entry} | dict(self.keys))

    def check_follows(self, earlier: RevokedKeys, where: str) -> None:
        """Refuse a list that takes back what an earlier one said.

        Raises:
            ModelRejected: it is older, or a key is no longer on it.
        """
        if self.number < earlier.number:
            raise ModelRejected(
                f"{where} is list {self.number}, older than list {earlier.number} that "
                "was seen before: put the newest list there"
            )
        if back := sorted(set(earlier.keys) - set(self.keys)):
            raise ModelRejected(
                f"{where} no longer revokes key {short(back[0])}, which list "
                f"{earlier.number} did; a key is revoked for good"
            )
        if self.number == earlier.number and self.keys != earlier.keys:
            raise ModelRejected(
                f"{where} differs from a list seen before and has the same number "
                f"{self.number}: extend the newest list with edge-agent model revoke"
            )


def revocation(key: str, on: dt.date, reason: str) -> Revocation:
    """An entry for the list.

    Raises:
        ConfigError: the reason is empty, too long, or has characters that do not print.
    """
    reason = reason.strip()
    if not 1 <= len(reason) <= _MAX_REASON or not reason.isprintable():
        raise ConfigError(
            f"the reason must be one line of 1 to {_MAX_REASON} characters: gateways "
            "show it"
        )
    return Revocation(key, on, reason)


def read_list(payload: bytes, where: str) -> RevokedKeys:
    """The list from a payload whose signature has been checked.

    Raises:
        ModelRejected: it is no such list.
    """
    found = read_record(payload, where, _Listed)
    keys = {entry.key: entry for entry in found.revoked}
    if len(keys) < len(found.revoked):
        raise ModelRejected(f"{where} lists a key twice")
    for entry in found.revoked:
        if not entry.reason.isprintable():
            raise ModelRejected(
                f"{where}: the reason for {short(entry.key)} has characters that do "
                "not print"
            )
    return RevokedKeys(found.number, keys)


def signed_list(revoked: RevokedKeys, key: PrivateKey) -> bytes:
    """The list's file."""
    listed = _Listed(revoked.number, list(revoked.keys.values()))
    payload = msgspec.json.encode(listed)
    envelope = sealed(payload, PAYLOAD_TYPE, key, key_id(key.public_key()))
    return msgspec.json.encode(envelope) + b"\n"
