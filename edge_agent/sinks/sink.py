"""The northbound seam.

A `Sink` knows how to reach a peer; `connect` makes one link to it and holds no
retry loop: the supervisor calls `Forwarder.run` again after a back-off. A `Link`
sends and tells what became of each message; it keeps nothing for later: what was
not acknowledged when it is lost is sent again on the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Frame = tuple[bytes, bytes, int, bool]
"""Topic, payload, quality of service, retained."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What a link tells; both are called on the event loop, in bulk or one by one.

    Attributes:
        taken: tickets of messages that the peer has for sure.
        refused: ticket of a message the peer will not take, MQTT's reason code (0
            if unknown) and a sentence.
    """

    taken: Callable[[Sequence[int]], None]
    refused: Callable[[int, int, str], None]


class Link(Protocol):
    """One connection."""

    @property
    def room(self) -> int:
        """Messages that may be sent now; 0 when it must wait."""
        ...

    def send(self, frames: Sequence[Frame], expiry: int | None) -> list[int]:
        """Send messages, at most `room`; returns a ticket for each.

        Args:
            frames: the messages, kept in order.
            expiry: seconds after which the peer forgets them, if it can.

        Raises:
            SinkLost: the link is gone; nothing was sent.
        """
        ...

    async def until_lost(self) -> NoReturn:
        """Wait for the end of the link.

        Raises:
            SinkLost: peer, why, what to do.
        """
        ...

    async def close(self) -> None:
        """Part in good order, so that the peer does not announce a death."""
        ...


class Sink(Protocol):
    """A configured output."""

    name: str

    async def connect(self, will: Frame, callbacks: Callbacks) -> Link:
        """Make a link.

        Args:
            will: what the peer announces should the link end without `close`.
            callbacks: told from here on.

        Raises:
            SinkLost: not reached or not let in.
        """
        ...
