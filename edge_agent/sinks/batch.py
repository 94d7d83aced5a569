"""Messages of several records, given to a link in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.errors import SinkLost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_agent.sinks.sink import Frame, Link
    from edge_agent.sinks.underway import Consignment

#: Messages from which on one is sent.
_TOGETHER = 64


class Batch:
    """What goes with the next send.

    Args:
        link: to the peer.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self._frames: list[Frame] = []
        self._parts: list[tuple[Consignment, int, int]] = []
        self._expiry: int | None = None

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return bool(self._parts)

    @property
    def room(self) -> int:
        """Messages that may still go."""
        return self.link.room - len(self._frames)

    @property
    def full(self) -> bool:
        """It is worth a send."""
        return len(self._frames) >= _TOGETHER

    def fits(self, expiry: int | None) -> bool:
        """Messages that expire so may be added."""
        return not self._frames or self._expiry == expiry

    def add(
        self,
        one: Consignment,
        first: int,
        frames: Sequence[Frame],
        expiry: int | None,
    ) -> None:
        """Take messages of a record.

        Args:
            one: the record.
            first: its first part of these.
            frames: the messages.
            expiry: seconds after which the peer forgets them.
        """
        self._frames += frames
        self._parts.append((one, first, len(frames)))
        if frames:
            self._expiry = expiry

    def send(self) -> Iterator[tuple[Consignment, int, Sequence[int]]]:
        """Send; each record, its first part and tickets. It is empty then.

        Raises:
            SinkLost: the link is gone; nothing was sent.
        """
        frames, parts = self._frames, self._parts
        self._frames, self._parts = [], []
        try:
            tickets = self.link.send(frames, self._expiry) if frames else []
        except SinkLost:
            for one, first, _ in reversed(parts):
                one.next = first  # what comes behind the link goes on from here
            raise
        at = 0
        for one, first, count in parts:
            yield one, first, tickets[at : at + count]
            at += count
