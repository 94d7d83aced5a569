"""Whose signatures count here: some public keys, less those that were revoked.

Several keys may be trusted at once, so that a new one is rolled out before the old one
goes. A key that got into wrong hands is put on a signed list (`revocation`): whatever
it signed, before or after, is then refused. The list must be signed by a trusted key
that the list before it had not revoked. A key may revoke itself, as its owner would on
finding it stolen; when no key is left, everything is refused, with that reason.

A thief of a trusted key can sign a list too, and one of a revoked key could sign a
newer list without himself on it. Whoever keeps the last list that was accepted (`keep`)
and gives it back (``seen``) is safe from both: a list that is older, that takes
anything back, or whose signer was already revoked does not count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.bundle.envelope import Envelope, contents, pae, read_record
from edge_agent.bundle.keys import is_signed, key_id, load_public, short
from edge_agent.bundle.revocation import (
    MAX_LIST_BYTES,
    PAYLOAD_TYPE,
    RevokedKeys,
    read_list,
)
from edge_agent.durable import write_whole
from edge_agent.errors import ConfigError, ModelRejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from edge_agent.bundle.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Trust:
    """Trusted keys and what was revoked.

    Attributes:
        keys: key id -> public key, revoked ones too.
        revoked: the list; its ``number`` is 0 where there is none.
    """

    keys: Mapping[str, PublicKey]
    revoked: RevokedKeys = field(default_factory=RevokedKeys)
    _list: bytes = field(default=b"", repr=False)

    @classmethod
    def load(
        cls,
        paths: Iterable[Path],
        revoked: Path | None = None,
        seen: Path | None = None,
    ) -> Trust:
        """Trust from the operator's files.

        Args:
            paths: PEM files, one public key each.
            revoked: the list of revoked keys, if any.
            seen: the last list that was accepted here (`keep`); it counts as well.
                A file that does not exist is no list.

        Raises:
            ConfigError: a key or the list cannot be read or is not one.
            ModelRejected: the list is damaged, not signed by a trusted key, or takes
                back what ``seen`` says: no model may be accepted until that is mended.
        """
        trusted = cls.of(load_public(path) for path in paths)
        if seen is not None and (text := _list_text(seen)) is not None:
            trusted = cls(trusted.keys, _accepted_once(text, str(seen)), text)
        return trusted if revoked is None else trusted.with_list(revoked)

    @classmethod
    def of(cls, keys: Iterable[PublicKey]) -> Trust:
        """Trust in some keys, nothing revoked.

        Raises:
            ConfigError: there is no key.
        """
        named = {key_id(key): key for key in keys}
        if not named:
            raise ConfigError("no trusted key is given: name the signers' .pub files")
        return cls(named)

    def with_list(self, path: Path) -> Trust:
        """The same keys, and a list that must follow the one there is.

        Raises:
            ConfigError: the file cannot be read.
            ModelRejected: it does not count; the text says why.
        """
        text = _list_text(path)
        if text is None:
            raise ConfigError(
                f"there is no list of revoked keys at {path}: correct the path, or "
                "make one with edge-agent model revoke"
            )
        if text and text == self._list:
            return self  # accepted before: its own signer may be on it by now
        envelope = read_record(text, str(path), Envelope)
        _, payload = self.opened(envelope, PAYLOAD_TYPE, _claimed(envelope), str(path))
        found = read_list(payload, str(path))
        found.check_follows(self.revoked, str(path))
        return Trust(self.keys, found, text)

    def keep(self, path: Path) -> None:
        """Keep the list that was accepted, to be given back as ``seen``.

        Raises:
            OSError: the disk or its permissions.
        """
        if self._list and _list_text(path) != self._list:
            write_whole(path, self._list)

    def opened(
        self, envelope: Envelope, payload_type: str, claimed: str, where: str
    ) -> tuple[str, bytes]:
        """Who signed an envelope, and its text.

        Args:
            envelope: as it was read.
            payload_type: the only kind of text that is taken.
            claimed: id of the key it says it is signed with; empty to try all.
            where: its file, for the error.

        Returns:
            The id of a trusted, not revoked key, and the text it signed.

        Raises:
            ModelRejected: the signature does not count; the text says why.
        """
        payload, signature = contents(envelope, payload_type, where)
        self._check_usable(where)
        if claimed and claimed not in self.keys:
            raise ModelRejected(
                f"{where} is signed by key {_shown(claimed)}, which is not trusted "
                f"here; trusted: {self._names()}"
            )
        signed = pae(payload_type, payload)
        for identity in [claimed] if claimed else self.keys:
            if is_signed(self.keys[identity], signature, signed):
                self._check_current(identity, where)
                return identity, payload
        raise ModelRejected(
            f"the signature in {where} is not one of key {self._names(claimed)}: what "
            "was signed has been changed, or another key has signed it"
        )

    def _check_current(self, identity: str, where: str) -> None:
        if identity in self.revoked.keys:
            raise ModelRejected(
                f"{where} is signed by {self.revoked.keys[identity].sentence}; have it "
                "signed again with another key"
            )

    def _check_usable(self, where: str) -> None:
        if not self.keys.keys() - self.revoked.keys.keys():
            gone = "; ".join(self.revoked.keys[i].sentence for i in sorted(self.keys))
            raise ModelRejected(
                f"{where} cannot be accepted, nor can anything else: every trusted key "
                f"is revoked ({gone}); add a new public key to the trusted keys"
            )

    def _names(self, only: str = "") -> str:
        return ", ".join(short(i) for i in ([only] if only else sorted(self.keys)))


def _claimed(envelope: Envelope) -> str:
    return envelope.signatures[0].keyid if envelope.signatures else ""


def _shown(claimed: str) -> str:
    """An id that anybody may have written, fit for a log."""
    return short(claimed) if claimed.isprintable() else repr(claimed[:16])


def _accepted_once(text: bytes, where: str) -> RevokedKeys:
    """Our own copy: its signature was checked, and its key may be retired by now."""
    envelope = read_record(text, where, Envelope)
    payload, _ = contents(envelope, PAYLOAD_TYPE, where)
    return read_list(payload, where)


def _list_text(path: Path) -> bytes | None:
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_LIST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"the list of revoked keys {path} cannot be read: "
            f"{(error.strerror or str(error)).lower()}; correct the path or its "
            "permissions"
        ) from None
    if len(text) > MAX_LIST_BYTES:
        raise ModelRejected(f"{path} is larger than {MAX_LIST_BYTES} bytes")
    return text
