"""Which keys signed a log, and who vouches for them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.bundle.keys import key_id, short
from edge_agent.evidence import opening, signing
from edge_agent.evidence.keyring import of_pem

if TYPE_CHECKING:
    from edge_agent.bundle.keys import PublicKey
    from edge_agent.evidence.line import Parsed
    from edge_agent.evidence.opening import Opening
    from edge_agent.evidence.signing import Head


@dataclass(slots=True)
class Vouching:
    """Signatures of one log.

    A key that the log itself brings counts only when a trusted one signed later on: its
    chain then covers all before.

    Args:
        trusted: keys given by who checks.
    """

    trusted: dict[str, PublicKey]
    brought: dict[str, PublicKey] = field(default_factory=dict)
    signers: dict[str, int] = field(default_factory=dict)
    """Heads by the id of their key, in order."""
    anchors: int = 0
    newest: int = -1
    """Number up to which a good signature reaches."""
    _newest_trusted: int = -1
    _key: str = ""
    """That the openings name so far."""

    def outside(self, head: Head) -> str:
        """What is wrong with a head that was kept beside the log."""
        return self._wrong(head)

    def opened(self, said: Parsed, body: Opening) -> str:
        """What is wrong with an opening's key and head."""
        key = of_pem(body.public)
        if key is None or key_id(key) != body.key:
            return "the opening's key is not the one it names"
        former, self._key = self._key, body.key
        if former and body.key != former and not _may_change(said.what):
            return f"the key {short(body.key)} came without a word"
        self.brought.setdefault(body.key, key)
        head = body.head
        if head is None:
            return ""
        if (head.number, head.hash) != (said.number - 1, said.previous):
            return "the opening's head is of another place"
        return self._wrong(head)

    def anchor(self, said: Parsed) -> tuple[Head | None, str]:
        """The head in an anchor, and what is wrong with it."""
        try:
            head = signing.read(bytes(said.body))
        except ValueError:
            return None, "the anchor cannot be read"
        self.anchors += 1
        if (head.number, head.hash) != (said.number - 1, said.previous):
            return None, "the anchor is of another place"
        wrong = self._wrong(head)
        return (None, wrong) if wrong else (head, "")

    def covers(self, head: Head) -> None:
        """An anchor follows from its head to the last byte: it needs no other one."""
        self._reach(head.key, head.number + 1)

    def complaint(self) -> str:
        """What is wrong with the key that the log ends under."""
        if not self.signers or self._newest_trusted >= self.newest:
            return ""
        known = ", ".join(map(short, self.trusted)) or "none"
        return (
            f"the log ends under the key {short(list(self.signers)[-1])}, which is not "
            f"trusted (trusted: {known}); compare its id with a note of your own and "
            "name its file with --key"
        )

    def _wrong(self, head: Head) -> str:
        key = self.trusted.get(head.key) or self.brought.get(head.key)
        if key is None:
            return f"it is signed by a foreign key, {short(head.key)}"
        if not signing.is_by(head, key):
            return "its signature is not of this text"
        self._counts(head)
        return ""

    def _counts(self, head: Head) -> None:
        self.signers[head.key] = self.signers.pop(head.key, 0) + 1
        self._reach(head.key, head.number)

    def _reach(self, key: str, number: int) -> None:
        self.newest = max(self.newest, number)
        if key in self.trusted:
            self._newest_trusted = max(self._newest_trusted, number)


def _may_change(what: str) -> bool:
    return what in {opening.CHANGED, opening.BROKEN}
