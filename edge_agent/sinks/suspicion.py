"""Which message makes a peer hang up. Pure.

A broker of MQTT 3.1.1 cannot refuse a message: it ends the connection, and the same
message ends the next one, for ever. What was under way when a peer hung up is therefore
suspected, and travels alone from then on. What arrives is cleared; what was alone with
the peer when it hung up, the third time in a row, is poison.

A peer that dies, or is out of reach, proves nothing: only an end that came from its
side, on a link on which it had taken something, counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.sinks.underway import TRIES, Part

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from edge_agent.sinks.sink import Frame
    from edge_agent.sinks.underway import Consignment

#: Suspected at most, and frames of our own never said again at most.
_MOST = 2_000


#: A message of a record, or one of our own with its topic and payload.
Message = Part | tuple[bytes, bytes]


class Suspicion:
    """What one output's peer may choke on; outlasts the links."""

    def __init__(self) -> None:
        self._times: dict[Message, int] = {}
        self._poison: dict[Message, None] = {}

    def __bool__(self) -> bool:
        """Whether anything has to travel alone."""
        return bool(self._times)

    def __contains__(self, message: Message) -> bool:
        return message in self._times or message in self._poison

    def is_poison(self, message: Message) -> bool:
        """It was found out."""
        return message in self._poison

    def suspected(self, message: Message) -> bool:
        """It has to travel alone."""
        return message in self._times

    def hung_up(self, under_way: Sequence[Message]) -> Message | None:
        """A peer that had taken something ended the link; what it choked on, if known.

        Args:
            under_way: sent and not settled, the first sent first.
        """
        if len(under_way) == 1 and under_way[0] in self._times:
            (one,) = under_way
            self._times[one] += 1
            if self._times[one] >= TRIES:
                del self._times[one]
                self._remember(one)
                return one
            return None
        for message in under_way:
            self._times.setdefault(message, 1)
        while len(self._times) > _MOST:
            del self._times[next(iter(self._times))]
        return None

    def watch(self, open_: Iterable[Message]) -> bool:
        """Whether a suspect is among what is with the peer."""
        return any(message in self._times for message in open_)

    def trusted(
        self, one: Consignment, parts: int, open_: Collection[Part], *, others: bool
    ) -> int:
        """Parts of a record that may go: up to the next suspect, which goes alone.

        Args:
            one: the record.
            parts: that would go.
            open_: messages of records that are with the peer.
            others: messages of our own are.
        """
        if self.watch(open_):
            return 0
        for place in range(one.next, one.next + parts):
            if Part(one.stored.id, place) in self._times:
                free = place == one.next and not (open_ or others)
                return 1 if free else place - one.next
        return parts

    def clear(self, message: Message) -> None:
        """The peer has it, or has refused it in good order."""
        self._times.pop(message, None)

    def said(self, frames: Iterable[Frame]) -> None:
        """Of messages of our own these are what is said from now on."""
        known = {frame[:2] for frame in frames}
        for message in list(self._times):
            if not isinstance(message, Part) and message not in known:
                del self._times[message]

    def _remember(self, message: Message) -> None:
        self._poison[message] = None
        while len(self._poison) > _MOST:
            del self._poison[next(iter(self._poison))]
