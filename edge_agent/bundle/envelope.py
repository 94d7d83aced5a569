"""Signed texts: DSSE envelopes, as models and lists of revoked keys are signed.

What is signed is not the text alone but its type and itself together (PAE of the DSSE
protocol 1.0.0), so that a list can never pass for a model. The envelope is read
strictly: what could be changed without breaking the signature (an unknown key, spare
bits of base64, a second signature) is refused.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, TypeVar

import msgspec

from edge_agent.bundle.keys import signature_of
from edge_agent.bundle.reading import read_json
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from edge_agent.bundle.keys import PrivateKey

_Record = TypeVar("_Record")


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signature of an envelope.

    Attributes:
        sig: base64 of the signature in DER.
        keyid: whose it claims to be; nobody vouches for it.
    """

    sig: str
    keyid: str = ""


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A text, what kind of text it is, and its signature.

    Attributes:
        payload: base64 of the text.
        payload_type: media type.
        signatures: exactly one.
    """

    payload: str
    payload_type: str
    signatures: list[Signature]


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: ``DSSEv1 LENGTH TYPE LENGTH TEXT``."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sealed(
    payload: bytes, payload_type: str, key: PrivateKey, keyid: str = ""
) -> Envelope:
    """Sign a text."""
    made = signature_of(key, pae(payload_type, payload))
    return Envelope(_packed(payload), payload_type, [Signature(_packed(made), keyid)])


def contents(envelope: Envelope, payload_type: str, where: str) -> tuple[bytes, bytes]:
    """Text and signature of an envelope; whether they belong together is not checked.

    Args:
        envelope: as it was read.
        payload_type: the only kind of text that is taken.
        where: its file, for the error.

    Raises:
        ModelRejected: another kind, not exactly one signature, or no base64.
    """
    if envelope.payload_type != payload_type:
        raise ModelRejected(
            f"{where} signs {envelope.payload_type!r}; {payload_type} is expected"
        )
    if len(envelope.signatures) != 1:
        raise ModelRejected(
            f"{where} has {len(envelope.signatures)} signatures; exactly one is taken"
        )
    payload = _unpacked(envelope.payload, f"{where}: the payload")
    return payload, _unpacked(envelope.signatures[0].sig, f"{where}: the signature")


def read_record(text: bytes, where: str, kind: type[_Record]) -> _Record:
    """A JSON object as a typed record.

    Args:
        text: UTF-8 JSON.
        where: the file's name for the error.
        kind: a msgspec type; nothing is coerced.

    Raises:
        ModelRejected: no JSON, a key given twice, or not what the type says.
    """
    value = read_json(text, where)
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, UnicodeError) as error:
        # it may repeat what the file holds: show that without its control codes
        said = str(error).encode("unicode_escape").decode()
        raise ModelRejected(
            f"{where} is not as it must be ({said[:300]}): have it signed again"
        ) from None


def _packed(body: bytes) -> str:
    return base64.b64encode(body).decode()


def _unpacked(text: str, what: str) -> bytes:
    try:
        body = base64.b64decode(text, validate=True)
    except ValueError:
        body = None
    # also refuses spare bits that are not zero: one text, one spelling
    if body is None or _packed(body) != text:
        raise ModelRejected(f"{what} is not base64")
    return body
