"""Our OPC UA certificate, and which servers' certificates we trust.

    pki/own/        certificate.der (give it to the PLC), key.pem (mode 0600)
    pki/trusted/    servers' certificates, or those of the authority that signed them
    pki/rejected/   certificates met and not trusted; to trust one, move its file

Our certificate is made once, for ten years, and never by itself again: every PLC
that trusts it would have to be visited. Nothing here reads a clock; the caller says
what time it is.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_agent.durable import write_whole
from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Certificate = x509.Certificate
PrivateKey = rsa.RSAPrivateKey

VALIDITY = timedelta(days=3653)
KEY_BITS = 2048
WARNING_DAYS = (90, 30, 7)

#: No clock that shows an earlier time is right: the certificate counts from here, so
#: that a gateway first started in 1970 is not locked out for ever.
RELEASED = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are to a server."""

    certificate: Certificate
    key: PrivateKey = field(repr=False)
    path: Path


def own_identity(folder: Path, application_uri: str, now: datetime) -> Identity:
    """Our certificate and key under ``folder/own``, made at the first call.

    Raises:
        ConfigError: the files do not fit together, or cannot be written.
    """
    own = folder / "own"
    identity_files = own / "certificate.der", own / "key.pem"
    present = [path.exists() for path in identity_files]
    try:
        _folders(folder)
        if not any(present):
            _make(*identity_files, application_uri, now)
        elif not all(present):
            there, missing = sorted(identity_files, key=lambda p: not p.exists())
            raise ConfigError(
                f"{missing} is missing beside {there.name}: restore it from a backup,"
                " or remove both to have a new pair made (servers must trust it again)"
            )
        return _read(*identity_files, application_uri)
    except OSError as error:
        raise ConfigError(f"cannot use {own}: {error}") from error


def expiry_warning(days: int) -> int | None:
    """The narrowest of 90, 30, 7 days that the rest of the validity is within."""
    return min((limit for limit in WARNING_DAYS if days <= limit), default=None)


def _folders(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("own", "trusted", "rejected"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)


def _make(certificate: Path, key: Path, application_uri: str, now: datetime) -> None:
    private = rsa.generate_private_key(65537, KEY_BITS)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "edge-agent"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"edge-agent@{_host()}"[:64]),
        ]
    )
    begin = RELEASED - timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(max(now, RELEASED) + VALIDITY)
    )
    for extension, critical in _extensions(application_uri, private.public_key()):
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(private, hashes.SHA256())
    write_whole(
        key,
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        0o600,
    )
    write_whole(certificate, signed.public_bytes(serialization.Encoding.DER))


def _extensions(
    application_uri: str, public: rsa.RSAPublicKey
) -> Iterator[tuple[x509.ExtensionType, bool]]:
    """What Part 6 6.2.2 asks of an application instance certificate."""
    yield x509.BasicConstraints(ca=False, path_length=None), True
    yield (
        x509.SubjectAlternativeName(
            [
                x509.UniformResourceIdentifier(application_uri),
                x509.DNSName(_host()),
            ]
        ),
        False,
    )
    yield (
        x509.KeyUsage(
            digital_signature=True,
            content_commitment=True,
            key_encipherment=True,
            data_encipherment=True,
            key_agreement=False,
            key_cert_sign=True,  # it signs itself
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        ),
        True,
    )
    yield x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False
    yield x509.SubjectKeyIdentifier.from_public_key(public), False


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname()) or "localhost"


def _read(certificate: Path, key: Path, application_uri: str) -> Identity:
    try:
        own = x509.load_der_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{certificate.parent} is not readable: {error}") from error
    pair = isinstance(private, PrivateKey) and own.public_key() == private.public_key()
    if not isinstance(private, PrivateKey) or not pair:
        raise ConfigError(f"{key} is not the key of {certificate}")
    uris = _uris(own)
    if application_uri not in uris:
        raise ConfigError(
            f"{certificate} is for {', '.join(uris) or 'no application URI'}, but this"
            f" gateway is {application_uri}: set the gateway's name back, or move the"
            " files of own/ away to have new ones made (servers must trust them again)"
        )
    return Identity(own, private, certificate)


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)
