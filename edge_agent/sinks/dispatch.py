"""Sends through one link: what goes next, what became of it.

Made anew for every link, so nothing of a lost one is left. Runs on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, NoReturn, Protocol

from edge_agent.errors import SinkLost
from edge_agent.records import ScoreRecord
from edge_agent.sinks.underway import Underway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future
    from typing import Any

    from edge_agent.instruments import Instruments
    from edge_agent.sinks.flat import FlatProfile
    from edge_agent.sinks.sink import Frame, Link
    from edge_agent.sinks.underway import Consignment
    from edge_agent.store.outbox import Stored

#: Seconds before a refused message is sent again, times the number of refusals.
AGAIN_AFTER = 1.0
#: A send waits for this part of the window to be free, unless it needs less.
_SHARE = 4
_NOT_AUTHORIZED, _QUOTA = 0x87, 0x97


class Outbox(Protocol):
    """What an output needs of the journal."""

    def listen(
        self, sink: str, callback: Callable[[list[Stored]], None], *, live: bool = True
    ) -> None:
        """Tell of new records, from any thread."""
        ...

    def backlog(
        self, sink: str, after_id: int, limit: int, *, urgent: bool = False
    ) -> Future[list[Stored]]:
        """Records still owed."""
        ...

    def acknowledge(self, sink: str, ids: Iterable[int]) -> None:
        """The output has them."""
        ...

    def quarantine(
        self, sink: str, stored: Stored, reason: str, rows: Sequence[int] = ()
    ) -> None:
        """The output will never take these rows."""
        ...

    def reserve(self, rows: int) -> int:
        """Id of the first of some ids for messages that are not stored."""
        ...

    def status(self) -> dict[str, Any]:
        """Depth, among others under ``rows``."""
        ...


class Dispatch:
    """Everything that goes through one link.

    Args:
        name: of the output.
        outbox: told what the peer has, and what it will never take.
        profile: turns records into messages.
        instruments: counters.
    """

    def __init__(
        self,
        name: str,
        outbox: Outbox,
        profile: FlatProfile,
        instruments: Instruments,
    ) -> None:
        self.underway = Underway()
        self.moved = asyncio.Event()
        """Set whenever something was sent or settled."""
        self.just_settled: set[int] | None = None
        """Collects ids done while somebody reads the outbox."""
        self._name = name
        self._outbox = outbox
        self._profile = profile
        self._instruments = instruments
        self._link: Link | None = None
        self._own: deque[tuple[Frame, int | None]] = deque()
        self._own_open: set[int] = set()
        self._taken_any = False
        self._hopeless = asyncio.Event()
        self._why = ""

    @property
    def idle(self) -> bool:
        """Nothing of ours, no alarm and no live score is unsent or unsettled."""
        return not (
            self._own or self._own_open or self.underway.fresh or self.underway.messages
        )

    def attach(self, link: Link) -> None:
        """From here on there is a link."""
        self._link = link

    def detach(self) -> None:
        """The link is gone: nothing is sent any more."""
        self._link = None

    def add(self, stored: Stored, *, old: bool) -> bool:
        """Queue a record unless it is in hand; `pump` sends it."""
        parts = self._profile.parts(stored)
        if not parts:  # the peer is told nothing of it: it owes us nothing either
            self._settle([stored.id])
            return False
        return self.underway.add(stored, parts, old=old)

    def say(self, frames: Iterable[Frame], expiry: int | None = None) -> None:
        """Queue messages of our own, which no record stands behind."""
        self._own.extend((frame, expiry) for frame in frames)

    def pump(self) -> None:
        """Send as much as there is room for: ours, alarms, live, old."""
        link = self._link
        if link is None:
            return
        # when the link is gone, its own task says so and why
        with contextlib.suppress(SinkLost):
            while self._own and link.room > 0:
                frame, expiry = self._own[0]
                self._own_open.update(link.send([frame], expiry))
                self._own.popleft()
            while (one := self.underway.waiting()) is not None:
                parts = min(link.room, one.parts - one.next)
                if parts < min(one.parts - one.next, self._least(link)):
                    break
                self._send(link, one, parts)
        self.moved.set()

    async def until_idle(self, seconds: float) -> None:
        """Wait until nothing fresh is open, or for some seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.idle:
                    self.moved.clear()
                    await self.moved.wait()

    async def until_hopeless(self) -> NoReturn:
        """Wait until the peer refuses not one message but all.

        Raises:
            SinkLost: why.
        """
        await self._hopeless.wait()
        raise SinkLost(f"output {self._name}: every message is refused: {self._why}")

    def taken(self, tickets: Sequence[int]) -> None:
        """The peer has these messages."""
        self._taken_any = True
        if self._own_open:
            self._own_open.difference_update(tickets)
        self._settle(self.underway.taken(tickets))
        self.pump()

    def refused(self, ticket: int, code: int, reason: str) -> None:
        """The peer will not take a message: try again, then keep it aside."""
        self._instruments.count("sink_refused_total", sink=self._name)
        if code == _QUOTA or (code == _NOT_AUTHORIZED and not self._taken_any):
            # a matter of the link, not of this message: it stays owed
            self._why = reason
            self._hopeless.set()
            return
        self._own_open.discard(ticket)
        refusal = self.underway.refused(ticket)
        if refusal is None:
            return
        one, part = refusal.consignment, refusal.part
        if refusal.last:
            rows = [part] if isinstance(one.stored.record, ScoreRecord) else []
            self._outbox.quarantine(self._name, one.stored, reason, rows)
            self._settle(self.underway.given_up(one))
            self.pump()
        else:
            self._later(AGAIN_AFTER * one.refusals[part], one, part)

    def _least(self, link: Link) -> int:
        """Messages that are worth a send: a broker acknowledges them one by one."""
        window = link.room + self.underway.messages + len(self._own_open)
        return max(window // _SHARE, 1)

    def _send(self, link: Link, one: Consignment, parts: int) -> None:
        stop = one.next + parts
        frames = self._profile.frames(one.stored, one.next, stop, old=one.old)
        expiry = self._profile.expiry(one.stored, old=one.old)
        tickets = link.send(frames, expiry) if frames else []
        self._settle(self.underway.sent(one, parts, tickets))
        self._instruments.count("sink_messages_total", len(tickets), sink=self._name)

    def _settle(self, done: list[int]) -> None:
        if not done:
            return
        if self.just_settled is not None:
            self.just_settled.update(done)
        self._outbox.acknowledge(self._name, done)

    def _later(self, seconds: float, one: Consignment, part: int) -> None:
        asyncio.get_running_loop().call_later(seconds, self._again, one, part)

    def _again(self, one: Consignment, part: int) -> None:
        link = self._link
        if link is None:
            return  # on the next link it is sent anyway
        if link.room <= 0:
            self._later(AGAIN_AFTER, one, part)
            return
        frames = self._profile.frames(one.stored, part, part + 1, old=one.old)
        expiry = self._profile.expiry(one.stored, old=one.old)
        with contextlib.suppress(SinkLost):
            tickets = link.send(frames, expiry) if frames else []
            self.underway.resent(one, part, tickets)
            if not tickets:  # overtaken by a newer alarm in the meantime
                self._settle(self.underway.given_up(one))


def first_lost(group: BaseExceptionGroup[SinkLost]) -> SinkLost:
    """The innermost first error: the supervisor knows no groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, SinkLost)  # noqa: S101 - split() saw to it
    return error
