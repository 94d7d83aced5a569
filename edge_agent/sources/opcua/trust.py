"""Which servers' certificates we trust: ``trusted`` and ``rejected``, see `pki`.

Nothing here reads a clock; the caller says what time it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from edge_agent.durable import write_whole
from edge_agent.errors import SourceLost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from edge_agent.sources.opcua.pki import Certificate

#: Rejected certificates kept at most: anyone on the network can present new ones.
REJECTED_LIMIT = 50


class Untrusted(SourceLost):
    """The server showed a certificate that nobody here has approved."""


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 of the certificate, as OPC UA tools show it."""
    # not for security: the name under which every OPC UA tool lists it
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303


def check_server(
    folder: Path, chain: bytes, now: datetime
) -> tuple[Certificate, list[str]]:
    """Accept a server's certificate, or put it into ``rejected`` and raise.

    Args:
        folder: the pki folder.
        chain: the server's certificate in DER, its authorities behind it.
        now: the time.

    Returns:
        The server's certificate, and what the operator should know about it.

    Raises:
        Untrusted: nobody has approved it, or its authority's approval has ended.
    """
    certificates = list(_certificates(chain))
    if not certificates:
        raise Untrusted("the server sent no readable certificate")
    shown, trusted = certificates[0], list(_trusted(folder / "trusted"))
    outdated = _outdated(shown, now)
    if shown in trusted:
        # approved by name: a PLC must not go dark at midnight for a forgotten date
        return shown, [outdated] if outdated else []
    if not _issued(certificates, trusted):
        raise Untrusted(_refusal(folder, shown))
    if outdated:
        raise Untrusted(outdated)
    return shown, []


def _certificates(chain: bytes) -> Iterator[x509.Certificate]:
    """Certificates of a chain: DER sequences, one behind the other."""
    while len(chain) > 4:  # noqa: PLR2004  tag, form and two bytes of length
        size = 4 + int.from_bytes(chain[2:4], "big")
        try:
            yield x509.load_der_x509_certificate(chain[:size])
        except ValueError:
            return
        chain = chain[size:]


def _trusted(folder: Path) -> Iterator[x509.Certificate]:
    for path in sorted(folder.glob("*")):
        content = path.read_bytes() if path.is_file() else b""
        try:
            if content.lstrip().startswith(b"-----BEGIN"):
                yield from x509.load_pem_x509_certificates(content)
            elif content:
                yield x509.load_der_x509_certificate(content)
        except ValueError:
            continue  # a stray file is no certificate, hence trusts nobody


def _issued(chain: list[x509.Certificate], trusted: list[x509.Certificate]) -> bool:
    """True when a trusted authority signed the first, maybe by way of the others."""
    shown = chain[0]
    for _ in range(len(chain)):
        for authority in trusted:
            if _is_authority(authority) and _signed_by(shown, authority):
                return True
        above = [c for c in chain[1:] if _is_authority(c) and _signed_by(shown, c)]
        if not above:
            return False
        shown = above[0]
    return False


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return found.value.ca


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _outdated(certificate: x509.Certificate, now: datetime) -> str:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        return (
            f"the server's certificate begins {begin:%Y-%m-%d} but this gateway's clock"
            f" says {now:%Y-%m-%d}: set the clock"
        )
    if now > end:
        return f"the server's certificate ended {end:%Y-%m-%d}: renew it on the server"
    return ""


def _refusal(folder: Path, certificate: x509.Certificate) -> str:
    """Keep the certificate for approval and say how to approve it."""
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(common[0].value) if common else "server"
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:40]
    path = folder / "rejected" / f"{safe}_{thumbprint(certificate)[:16]}.der"
    try:
        held = sorted(path.parent.glob("*.der"), key=lambda p: p.stat().st_mtime)
        for oldest in held[: max(0, len(held) - REJECTED_LIMIT + 1)]:
            if oldest != path:
                oldest.unlink(missing_ok=True)
        if not path.exists():
            write_whole(path, certificate.public_bytes(serialization.Encoding.DER))
    except OSError as error:
        return f"the server's certificate {name} is not trusted (and {error})"
    return (
        f"the server's certificate {name!r} (thumbprint {thumbprint(certificate)}) is"
        f" not trusted: if it is the right one, move {path} to {folder / 'trusted'}/"
    )
