"""Signs for the gateway: heads, anchors, and what a segment begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.dates import instant_of
from edge_agent.evidence import opening, signing
from edge_agent.evidence.heads import BYTES, Heads
from edge_agent.evidence.keyring import open_keys, pem

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.evidence.keyring import Keys
    from edge_agent.evidence.line import Facts
    from edge_agent.evidence.opening import Broken
    from edge_agent.evidence.signing import Head


class Notary:
    """The key at work.

    Args:
        folder: of the log.
        gateway: its name.
        clock: agent time.
    """

    def __init__(self, folder: Path, gateway: str, clock: Clock) -> None:
        self.gateway = gateway
        self._folder, self._clock = folder, clock
        self._heads = Heads(folder)
        self._keys: Keys | None = None
        self.written = 0
        """Bytes of heads given to the disk so far."""

    @property
    def keys(self) -> Keys:
        """The key; made or read the first time.

        Raises:
            OSError: the disk refused.
        """
        if self._keys is None:
            self._keys = open_keys(self._folder)
        return self._keys

    @property
    def newest(self) -> Head | None:
        """The head that was written last."""
        return self._heads.newest

    def date(self) -> str:
        """Of now."""
        return instant_of(self._clock.now() + self._clock.wall_offset())

    def signed(self, number: int, hash_: str) -> Head:
        """How the log stands now."""
        when, keys = (self.date(), self._clock.now()), self.keys
        return signing.signed(number, hash_, when, self.gateway, keys.private, keys.id)

    def note(self, number: int, hash_: str, *, begin: bool = False) -> None:
        """Write a head; on disk when this returns.

        Args:
            number: of the log's last line.
            hash_: of that line.
            begin: nothing that lies there counts any more.

        Raises:
            OSError: the disk refused; the head before holds.
        """
        head = self.signed(number, hash_)
        if begin or self._heads.newest is None:
            self._heads.begin(head)
        else:
            self._heads.note(head)
        self.written += BYTES

    def anchor(self, number: int, hash_: str) -> Facts:
        """An anchor of all lines up to this one."""
        return opening.anchors(self.signed(number, hash_))

    def opens(
        self, why: str, segment: int, head: Head | None, broken: Broken | None
    ) -> Facts:
        """The first line of a segment.

        Args:
            why: it begins.
            segment: its number.
            head: of all before, None where nothing is vouched for.
            broken: what was found, where the chain begins anew.
        """
        keys, changed = self.keys, why == opening.CHANGED
        said = opening.Opening(
            opening.FORMAT,
            segment,
            self.gateway,
            keys.id,
            pem(keys.private.public_key()),
            head,
            broken,
            keys.former if changed else "",
            keys.why if changed else "",
        )
        return opening.opens(why, said, self._clock.now(), self.date())
