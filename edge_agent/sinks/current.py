"""States for an output that is not owed them: the newest of each asset, no other.

A state that was not sent before the next one came is superseded: it waits nowhere, and
none is kept while there is no link. Plain bookkeeping on the event loop.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from edge_agent.records import ScoreRecord
from edge_agent.sinks.bucket import Bucket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.sinks.flat import FlatProfile
    from edge_agent.sinks.sink import Link
    from edge_agent.sinks.suspicion import Suspicion
    from edge_agent.store.outbox import Stored

#: Messages handed to a link in one go.
_TOGETHER = 64


class Current:
    """What waits to be shown, and what of it is under way through one link.

    Args:
        profile: turns rows into messages.
        suspicion: poison is left out.
        rate: messages a second at most over all assets; None for any number.
    """

    def __init__(
        self, profile: FlatProfile, suspicion: Suspicion, rate: float | None
    ) -> None:
        self._profile = profile
        self._suspicion = suspicion
        self._bucket = None if rate is None else Bucket(rate)
        # a key keeps its place when its value is replaced: the longest waiting is next
        self._waiting: dict[tuple[str, int], tuple[Stored, int]] = {}
        self.open: dict[int, tuple[bytes, bytes]] = {}
        """Topic and payload by ticket."""
        self.superseded = 0
        """Rows of which a newer one came first."""

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not (self._waiting or self.open)

    @property
    def waits(self) -> bool:
        """Something waits to be sent."""
        return bool(self._waiting)

    def note(self, stored: Stored) -> None:
        """Rows of a score record are the newest of their assets."""
        record = stored.record
        if not isinstance(record, ScoreRecord):
            return
        before, name = len(self._waiting), record.info.pipeline
        self._waiting.update(
            ((name, asset), (stored, row))
            for row, asset in enumerate(record.asset.tolist())
        )
        self.superseded += before + len(record) - len(self._waiting)

    def pump(self, link: Link, now: int) -> int:
        """Send what there is room for; how many messages.

        Args:
            link: to the peer.
            now: agent time in ns.

        Raises:
            SinkLost: the link is gone.
        """
        sent = 0
        while self._waiting and (room := self._room(link, now)) > 0:
            taken = list(islice(self._waiting.items(), min(room, _TOGETHER)))
            stored, first = taken[0][1]
            rows = _run(stored, first, [place for _, place in taken])
            frames = self._profile.frames(stored, first, first + rows, old=False)
            expiry = self._profile.expiry(stored, old=False)
            frames = [f for f in frames if f[:2] not in self._suspicion]
            tickets = link.send(frames, expiry) if frames else []
            self.open.update(zip(tickets, (frame[:2] for frame in frames), strict=True))
            for key, _ in taken[:rows]:
                del self._waiting[key]
            sent += len(tickets)
            if self._bucket is not None:
                self._bucket.spend(len(tickets))
        return sent

    def wait(self) -> float | None:
        """Seconds until the rate has room again; None where it is not the rate."""
        return self._bucket.wait() if self._bucket and self._waiting else None

    def settle(self, tickets: Iterable[int]) -> None:
        """The peer has them, or will not take them."""
        for ticket in tickets:
            self.open.pop(ticket, None)

    def _room(self, link: Link, now: int) -> int:
        room = link.room
        return room if self._bucket is None else min(room, self._bucket.room(now))


def _run(stored: Stored, first: int, places: list[tuple[Stored, int]]) -> int:
    """How many places follow each other in one record."""
    count = 0
    for one, row in places:
        if one is not stored or row != first + count:
            break
        count += 1
    return count
