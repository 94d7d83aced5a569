"""What a link has been given and has not settled: messages, and their records.

Plain bookkeeping on the event loop. A record is done when every one of its
messages is; a refused message is tried again some times, then given up.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from edge_agent.records import RecordClass
from edge_agent.store.codec import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.sinks.sink import Frame
    from edge_agent.store.outbox import Stored

#: Times a message is sent before it is given up for good.
TRIES = 3
_URGENT, _LIVE, _OLD = range(3)


class Part(NamedTuple):
    """A message of a record."""

    id: int
    part: int


@dataclass(slots=True)
class Consignment:
    """A record on its way through one link.

    Attributes:
        stored: the record.
        old: was not sent when it was made.
        parts: messages at most: rows of a score record, else see `FlatProfile`.
        next: first part that was not sent yet.
        since: agent time it was handed over.
        alone: no old message was under way then.
        open: messages sent and not settled.
        refusals: how often a part was refused.
        ahead: messages written before they are sent, and the part of the first.
    """

    stored: Stored
    old: bool
    parts: int
    next: int = 0
    since: int = 0
    alone: bool = False
    open: int = 0
    refusals: dict[int, int] = field(default_factory=dict)
    ahead: tuple[int, Sequence[Frame]] = (0, ())

    @property
    def done(self) -> bool:
        """Everything sent and settled."""
        return self.open == 0 and self.next >= self.parts

    @property
    def paced(self) -> bool:
        """An old score: it goes when there is room beside the live ones."""
        return self.old and not self.urgent

    @property
    def urgent(self) -> bool:
        """No score."""
        return self.stored.record.kind < RecordClass.SCORE


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
        """Rows of old records that wait to be sent, and messages of alarms and events
        among them."""
        self.old_open = 0
        """Messages of old scores sent and not settled."""

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
        return bool(self._queues[_URGENT] or self._queues[_LIVE])

    @property
    def rows(self) -> int:
        """Of all records in hand."""
        return sum(rows_of(one.stored.record) for one in self._known.values())

    @property
    def oldest(self) -> Stored | None:
        """Of the records in hand."""
        known = (one.stored for one in list(self._known.values()))
        return min(known, key=lambda stored: stored.id, default=None)

    def add(self, one: Consignment) -> bool:
        """Queue a record unless it is in hand already."""
        if one.stored.id in self._known:
            return False
        one.alone = not self.old_open
        self._known[one.stored.id] = one
        queue = self._queues[_queue_of(one)]
        queue.append(one)
        # two threads of the journal tell of alarms, and one may overtake the other
        place = len(queue) - 1
        while place > 0 and _may_follow(queue[place - 1], one):
            queue[place], queue[place - 1] = queue[place - 1], one
            place -= 1
        self._count(one, one.parts - one.next)
        return True

    def waiting(self) -> Consignment | None:
        """The record to send from next."""
        for queue in self._queues:
            if queue:
                return queue[0]
        return None

    def begin(self, one: Consignment, parts: int) -> None:
        """The next parts of the waiting record are about to be sent."""
        one.next += parts
        if one.paced:
            self.old_open += parts
        self._count(one, -parts)
        if one.next >= one.parts:
            self._queues[_queue_of(one)].popleft()

    def sent(
        self, one: Consignment, first: int, tickets: Sequence[int]
    ) -> list[Consignment]:
        """Parts of a record were sent; the record if it is done with.

        Args:
            one: the record.
            first: of the parts.
            tickets: of the messages, fewer than parts when some were not needed.
        """
        for part, ticket in enumerate(tickets, first):
            self._tickets[ticket] = (one, part)
        one.open += len(tickets)
        return [] if tickets else self._finished(one)

    def resent(self, one: Consignment, part: int, tickets: Sequence[int]) -> None:
        """A refused part was sent again."""
        for ticket in tickets:
            self._tickets[ticket] = (one, part)
            self.old_open += one.paced

    def parts_of(self, tickets: Iterable[int]) -> list[Part]:
        """Which messages these are, of those not settled."""
        found = (self._tickets.get(ticket) for ticket in tickets)
        return [Part(one[0].stored.id, one[1]) for one in found if one is not None]

    def taken(self, tickets: Iterable[int]) -> list[Consignment]:
        """Settle messages; returns records that are done with it."""
        known, mine, done = self._known, self._tickets, []
        for ticket in tickets:
            found = mine.pop(ticket, None)
            if found is None:
                continue
            one = found[0]
            one.open -= 1
            if one.old:
                self.old_open -= one.paced
            if one.open == 0 and one.next >= one.parts:
                done.append(one)
                del known[one.stored.id]
        return done

    def refused(self, ticket: int) -> Refusal | None:
        """A message came back; it counts as open until `given_up` or sent again."""
        found = self._tickets.pop(ticket, None)
        if found is None:
            return None
        one, part = found
        self.old_open -= one.paced
        one.refusals[part] = one.refusals.get(part, 0) + 1
        return Refusal(one, part, one.refusals[part] >= TRIES)

    def given_up(self, one: Consignment) -> list[Consignment]:
        """A message will not be sent again; the record if it is done with."""
        one.open -= 1
        return self._finished(one)

    def shed(self, rows: int) -> int:
        """Forget the oldest live scores not begun, down to some waiting rows.

        Returns:
            Highest id forgotten, -1 if none: up to it the outbox must be asked.
        """
        highest, queue = -1, self._queues[_LIVE]
        begun = [queue.popleft()] if queue and queue[0].next else []
        while queue and self.live_rows > rows:
            one = queue.popleft()
            del self._known[one.stored.id]
            self._count(one, -one.parts)
            highest = max(highest, one.stored.id)
        queue.extendleft(begun)
        return highest

    def open_parts(self) -> dict[Part, Stored]:
        """Messages sent and not settled, the first sent first."""
        return {
            Part(one.stored.id, part): one.stored
            for one, part in self._tickets.values()
        }

    def begun(self) -> dict[int, int]:
        """First part that is not settled, of records of which some are."""
        first = {id_: one.next for id_, one in self._known.items() if one.next}
        for one, part in self._tickets.values():
            first[one.stored.id] = min(first[one.stored.id], part)
        for id_, one in self._known.items():
            again = [part for part, times in one.refusals.items() if times < TRIES]
            if again:
                first[id_] = min(first[id_], *again)
        return {id_: part for id_, part in first.items() if part}

    def _finished(self, one: Consignment) -> list[Consignment]:
        if not one.done:
            return []
        del self._known[one.stored.id]
        return [one]

    def _count(self, one: Consignment, rows: int) -> None:
        if one.old:
            self.old_rows += rows
        elif not one.urgent:
            self.live_rows += rows


def _queue_of(one: Consignment) -> int:
    if one.urgent:
        return _URGENT
    return _OLD if one.old else _LIVE


def _may_follow(waiting: Consignment, one: Consignment) -> bool:
    return waiting.stored.id > one.stored.id and not waiting.next
