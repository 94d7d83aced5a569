"""Keys that sign models: ECDSA on P-256 or P-384, in PEM files.

A key's id is the SHA-256 of its public PEM file as written here, the same that OpenSSF
Model Signing puts into a signature: ``sha256sum plant.pub`` shows it. Files are the
operator's, so what is wrong with one is a `ConfigError`.
"""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge_agent.durable import write_new
from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

PublicKey = ec.EllipticCurvePublicKey
PrivateKey = ec.EllipticCurvePrivateKey

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
}
_MAX_BYTES = 65_536
_BEGIN = b"-----BEGIN "
_ADVICE = "make a pair with: edge-agent model key --out NAME"


def key_id(key: PublicKey) -> str:
    """64 hex digits that name a key."""
    return hashlib.sha256(_public_pem(key)).hexdigest()


def short(identity: str) -> str:
    """A key's id as sentences show it."""
    return f"{identity[:16]}…"


def made() -> PrivateKey:
    """A new P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def signature_of(key: PrivateKey, message: bytes) -> bytes:
    """ECDSA over the hash that belongs to the key's curve, in DER."""
    return key.sign(message, ec.ECDSA(_HASHES[key.curve.name]))


def is_signed(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """True when the key's other half made this signature of this message."""
    try:
        key.verify(signature, message, ec.ECDSA(_HASHES[key.curve.name]))
    except InvalidSignature:
        return False
    return True


def load_public(path: Path) -> PublicKey:
    """The public key in a file.

    Raises:
        ConfigError: the file is not one ECDSA public key; the text says what it is.
    """
    text = _read(path)
    if b"PRIVATE KEY-----" in text:
        raise ConfigError(
            f"{path} is a private key: it must stay with whoever signs; name the "
            "public key beside it (.pub)"
        )
    if _BEGIN + b"CERTIFICATE-----" in text:
        raise ConfigError(
            f"{path} is a certificate; take the public key out of it: openssl x509 "
            f"-pubkey -noout -in {path}"
        )
    if text.count(_BEGIN) > 1:
        raise ConfigError(f"{path} holds several keys: put each into its own file")
    try:
        key = serialization.load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{path} is not a public key in PEM; {_ADVICE}") from None
    if not isinstance(key, PublicKey) or key.curve.name not in _HASHES:
        raise ConfigError(_unfit(path, key))
    return key


def load_private(path: Path, passphrase: str | None = None) -> PrivateKey:
    """The private key in a file.

    Args:
        path: PEM.
        passphrase: where the file is encrypted.

    Raises:
        ConfigError: it is not one ECDSA private key, is open to everyone, or the
            passphrase is missing or wrong.
    """
    text = _read(path)
    if b"PRIVATE KEY-----" not in text:
        raise ConfigError(f"{path} is not a private key in PEM; {_ADVICE}")
    try:
        if path.stat().st_mode & stat.S_IRWXO:
            raise ConfigError(
                f"everyone on this computer can read or change the private key {path}; "
                f"run: chmod o-rwx {path}, and think of it as lost if others were here"
            )
        secret = passphrase.encode() if passphrase is not None else None
        key = serialization.load_pem_private_key(text, secret)
    except OSError as error:
        raise _unreadable(path, error) from None
    except TypeError:  # the library's way to say that one has a passphrase too many
        said = "has no passphrase" if passphrase else "needs its --passphrase-file"
        raise ConfigError(f"the private key {path} {said}") from None
    except (ValueError, UnsupportedAlgorithm):
        said = "or the passphrase is wrong" if passphrase else "make a new pair"
        raise ConfigError(
            f"the private key {path} cannot be read: damaged, {said}"
        ) from None
    if not isinstance(key, PrivateKey) or key.curve.name not in _HASHES:
        raise ConfigError(_unfit(path, key))
    return key


def write_pair(
    private: Path, public: Path, key: PrivateKey, passphrase: str | None = None
) -> None:
    """Write both halves; what is there already stays.

    Args:
        private: PEM file to make, readable by its owner alone.
        public: PEM file to make.
        key: what to write.
        passphrase: encrypts the private file.

    Raises:
        ConfigError: one of them exists, or cannot be written; neither is then made.
    """
    cipher: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        cipher = serialization.BestAvailableEncryption(passphrase.encode())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher
    )
    made: list[Path] = []
    try:
        for path, text, mode in (
            (public, _public_pem(key.public_key()), 0o644),
            (private, secret, 0o600),
        ):
            write_new(path, text, mode)
            made.append(path)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise ConfigError(
                f"{error.filename} exists and is not replaced: models signed with it "
                "would be trusted no more; choose another name"
            ) from None
        where = error.filename or private  # a write that fails names no file
        raise ConfigError(f"cannot write {where}: {error.strerror}") from None


def _public_pem(key: PublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(text) > _MAX_BYTES:
        raise ConfigError(f"{path} is no key: it is larger than {_MAX_BYTES} bytes")
    return text


def _unreadable(path: Path, error: OSError) -> ConfigError:
    reason = (error.strerror or str(error)).lower()
    return ConfigError(
        f"the key {path} cannot be read: {reason}; correct the path or its permissions"
    )


def _unfit(path: Path, key: object) -> str:
    if isinstance(key, PublicKey | PrivateKey):
        kind = f"an ECDSA key on {key.curve.name}"
    else:
        kind = f"an {type(key).__name__.removeprefix('_').split('P')[0]} key"
    return f"{path} is {kind}; model signatures take ECDSA on P-256 or P-384; {_ADVICE}"
