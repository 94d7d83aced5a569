"""Messages of our own, which no record stands behind: status, standing values.

They are said once a link; what of them is lost with it is said anew on the next.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.sinks.sink import Frame, Link
    from edge_agent.sinks.suspicion import Suspicion

#: Messages handed to a link in one go.
_TOGETHER = 64


class Own:
    """Waiting and under way through one link.

    Args:
        suspicion: what has to travel alone, or is not said at all.
    """

    def __init__(self, suspicion: Suspicion) -> None:
        self._suspicion = suspicion
        self._waiting: deque[tuple[Frame, int | None]] = deque()
        self.open: dict[int, tuple[bytes, bytes]] = {}
        """Topic and payload by ticket."""

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not (self._waiting or self.open)

    @property
    def waits(self) -> bool:
        """Something waits to be sent."""
        return bool(self._waiting)

    @property
    def frames(self) -> list[Frame]:
        """What waits."""
        return [frame for frame, _ in self._waiting]

    def say(self, frames: Iterable[Frame], expiry: int | None) -> None:
        """Queue messages; poison is left out."""
        for frame in frames:
            if not self._suspicion.is_poison(frame[:2]):
                self._waiting.append((frame, expiry))

    def pump(self, link: Link, others: int) -> None:
        """Send what there is room for.

        Args:
            link: to the peer.
            others: messages of records under way.

        Raises:
            SinkLost: the link is gone.
        """
        while self._waiting and link.room > 0:
            frames, expiry = self._next(link.room, others)
            if not frames:
                return
            tickets = link.send(frames, expiry)
            self.open.update(zip(tickets, (frame[:2] for frame in frames), strict=True))
            for _ in frames:
                self._waiting.popleft()

    def settle(self, tickets: Iterable[int]) -> None:
        """The peer has them, or will not take them."""
        for ticket in tickets:
            known = self.open.pop(ticket, None)
            if known is not None and self._suspicion:
                self._suspicion.clear(known)

    def _next(self, room: int, others: int) -> tuple[Sequence[Frame], int | None]:
        """Messages of one expiry; a suspected one alone, when nothing is under way."""
        first, expiry = self._waiting[0]
        if not self._suspicion:
            found: list[Frame] = []
            for frame, other in self._waiting:
                if other != expiry or len(found) == min(room, _TOGETHER):
                    break
                found.append(frame)
            return found, expiry
        watched = any(map(self._suspicion.suspected, self.open.values()))
        alone = self._suspicion.suspected(first[:2])
        if watched or (alone and (self.open or others)):
            return (), expiry
        return [first], expiry
