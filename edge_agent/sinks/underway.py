"""What a link has been given and has not settled: messages, and their records.

Plain bookkeeping on the event loop. A record is done when every one of its
messages is; a refused message is tried again some times, then given up.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.records import RecordClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.store.outbox import Stored

#: Times a message is sent before it is given up for good.
TRIES = 3


@dataclass(slots=True)
class Consignment:
    """A record on its way through one link.

    Attributes:
        stored: the record.
        old: was not sent when it was made.
        parts: messages at most: rows of a score record, else see `FlatProfile`.
        next: first part that was not sent yet.
        open: messages sent and not settled.
        refusals: how often a part was refused.
    """

    stored: Stored
    old: bool
    parts: int
    next: int = 0
    open: int = 0
    refusals: dict[int, int] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Everything sent and settled."""
        return self.open == 0 and self.next >= self.parts


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that came back."""

    consignment: Consignment
    part: int
    last: bool
    """It was tried often enough."""


class Underway:
    """Records in the hands of one link, and in which order they go.

    Alarms, events and losses first, live scores next, old ones when there is room.
    """

    def __init__(self) -> None:
        self._known: dict[int, Consignment] = {}
        self._tickets: dict[int, tuple[Consignment, int]] = {}
        self._queues: tuple[deque[Consignment], ...] = (deque(), deque(), deque())
        self.live_rows = 0
        """Rows of live scores that wait to be sent."""
        self.old_rows = 0
        """Rows of old records that wait to be sent."""

    def __contains__(self, id_: int) -> bool:
        return id_ in self._known

    def __len__(self) -> int:
        """Records in hand."""
        return len(self._known)

    @property
    def messages(self) -> int:
        """Messages sent and not settled."""
        return len(self._tickets)

    @property
    def fresh(self) -> bool:
        """Alarms or live scores wait to be sent."""
        return bool(self._queues[0] or self._queues[1])

    def add(self, stored: Stored, parts: int, *, old: bool) -> bool:
        """Queue a record unless it is in hand already."""
        if stored.id in self._known:
            return False
        one = Consignment(stored, old, parts)
        self._known[stored.id] = one
        self._queues[_queue_of(one)].append(one)
        self._count(one, one.parts)
        return True

    def waiting(self) -> Consignment | None:
        """The record to send from next."""
        for queue in self._queues:
            if queue:
                return queue[0]
        return None

    def sent(self, one: Consignment, parts: int, tickets: Sequence[int]) -> list[int]:
        """Parts of the waiting record were sent; ids of records done with it.

        Args:
            one: what `waiting` gave.
            parts: how many, from ``one.next`` on.
            tickets: of the messages, fewer than parts when some were not needed.
        """
        first = one.next
        one.next += parts
        one.open += len(tickets)
        for part, ticket in enumerate(tickets, first):
            self._tickets[ticket] = (one, part)
        self._count(one, -parts)
        if one.next >= one.parts:
            self._queues[_queue_of(one)].popleft()
        return self._finished(one)

    def resent(self, one: Consignment, part: int, tickets: Sequence[int]) -> None:
        """A refused part was sent again."""
        for ticket in tickets:
            self._tickets[ticket] = (one, part)

    def taken(self, tickets: Iterable[int]) -> list[int]:
        """Settle messages; returns ids of records that are done with it."""
        known, mine, done = self._known, self._tickets, []
        for ticket in tickets:
            found = mine.pop(ticket, None)
            if found is None:
                continue
            one = found[0]
            one.open -= 1
            if one.open == 0 and one.next >= one.parts:
                done.append(one.stored.id)
                del known[one.stored.id]
        return done

    def refused(self, ticket: int) -> Refusal | None:
        """A message came back; it counts as open until `given_up` or sent again."""
        found = self._tickets.pop(ticket, None)
        if found is None:
            return None
        one, part = found
        one.refusals[part] = one.refusals.get(part, 0) + 1
        return Refusal(one, part, one.refusals[part] >= TRIES)

    def given_up(self, one: Consignment) -> list[int]:
        """A message will not be sent again; ids of records done with it."""
        one.open -= 1
        return self._finished(one)

    def shed(self, rows: int) -> int:
        """Forget the oldest live scores not begun, down to some waiting rows.

        Returns:
            Highest id forgotten, -1 if none: up to it the outbox must be asked.
        """
        highest, queue = -1, self._queues[1]
        begun = [queue.popleft()] if queue and queue[0].next else []
        while queue and self.live_rows > rows:
            one = queue.popleft()
            del self._known[one.stored.id]
            self._count(one, -one.parts)
            highest = max(highest, one.stored.id)
        queue.extendleft(begun)
        return highest

    def _finished(self, one: Consignment) -> list[int]:
        if not one.done:
            return []
        del self._known[one.stored.id]
        return [one.stored.id]

    def _count(self, one: Consignment, rows: int) -> None:
        if one.old:
            self.old_rows += rows
        elif _queue_of(one) == 1:
            self.live_rows += rows


def _queue_of(one: Consignment) -> int:
    if one.stored.record.kind < RecordClass.SCORE:
        return 0
    return 2 if one.old else 1
