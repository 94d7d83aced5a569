"""Sends through one link: what goes next, what became of it.

Made anew for every link, so nothing of a lost one is left but what it returns when it
is detached. Runs on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NoReturn

from edge_agent.errors import SinkLost
from edge_agent.records import ScoreRecord
from edge_agent.sinks.ahead import frames_of
from edge_agent.sinks.batch import Batch
from edge_agent.sinks.own import Own
from edge_agent.sinks.underway import Consignment, Part, Underway

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.sinks.output import Output
    from edge_agent.sinks.sink import Link
    from edge_agent.store.outbox import Stored

#: Seconds before a refused message is sent again, times the number of refusals.
AGAIN_AFTER = 1.0
#: Rows of old records that wait to be sent, below which more are wanted.
WANTED_ROWS = 500
#: A send waits for this part of the window to be free, unless it needs less; one of
#: old records for this part of theirs: nobody waits for them.
_SHARE, _OLD_SHARE = 4, 2
_NOT_AUTHORIZED, _QUOTA = 0x87, 0x97
_HUNG_UP = "the peer ends the connection whenever it gets this"


class Dispatch:
    """Everything that goes through one link.

    Args:
        output: what it goes to.
    """

    def __init__(self, output: Output) -> None:
        self.underway = Underway()
        self.own = Own(output.suspicion)
        self.moved = asyncio.Event()
        """Set whenever something was sent or settled."""
        self.wanting = asyncio.Event()
        """Set when few old rows are left to be sent."""
        self.just_settled: set[int] | None = None
        """Collects ids done while somebody reads the outbox."""
        self._to = output
        self._suspicion, self._current = output.suspicion, output.current
        self._link: Link | None = None
        self._later: asyncio.TimerHandle | None = None
        self._taken_any = False
        self._hopeless = asyncio.Event()
        self._why = ""

    @property
    def idle(self) -> bool:
        """Nothing of ours, no alarm and no live score is unsent or unsettled."""
        sent = self.underway.fresh or self.underway.messages
        return self.own.idle and self._current.idle and not sent

    def attach(self, link: Link) -> None:
        """From here on there is a link."""
        self._link = link
        self._to.pace.begin(link.room)

    def detach(self, *, hung_up: bool) -> None:
        """The link is gone: nothing is sent any more.

        Args:
            hung_up: the peer itself ended it.
        """
        self._link = None
        if self._later is not None:
            self._later.cancel()
        self._to.begun.update(self.underway.begun())
        if hung_up and self._taken_any:
            self._suspect()
        self.own.open.clear()
        self._current.open.clear()

    def add(self, stored: Stored, *, old: bool, parts: int | None = None) -> bool:
        """Queue a record unless it is in hand; `pump` sends it.

        Args:
            stored: the record.
            old: it could not be sent when it was made.
            parts: fewer than it has, where the last ones are not needed.
        """
        parts = self._to.profile.parts(stored) if parts is None else parts
        first = self._to.begun.pop(stored.id, 0) if self._to.begun else 0
        now = self._to.clock.now()
        one = Consignment(stored, old, parts, first, now)
        if first >= parts:  # nothing to tell: the peer owes us nothing either
            self._settle([one])
            return False
        if not (old or one.urgent):
            self._to.pace.live(now)
        return self.underway.add(one)

    def pump(self) -> None:
        """Send as much as there is room for: ours, alarms, live, old."""
        link = self._link
        if link is None:
            return
        # when the link is gone, its own task says so and why
        with contextlib.suppress(SinkLost):
            if self.own.waits and not self._watched():
                self.own.pump(link, self.underway.messages + len(self._current.open))
            batch = Batch(link)
            while (one := self.underway.waiting()) is not None:
                if self._current.waits and not one.urgent:
                    self._show(batch)
                parts = self._parts(batch, one)
                if parts < 1:
                    break
                self._pack(batch, one, parts)
            self._send(batch)
            if self._current.waits:
                self._show(batch)
        self.moved.set()
        if self.underway.old_rows < WANTED_ROWS:
            self.wanting.set()

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
        raise SinkLost(f"output {self._to.name}: every message is refused: {self._why}")

    def taken(self, tickets: Sequence[int]) -> None:
        """The peer has these messages."""
        self._taken_any = True
        if self.own.open:
            self.own.settle(tickets)
        if self._current.open:
            self._current.settle(tickets)
        if self._suspicion:
            for part in self.underway.parts_of(tickets):
                self._suspicion.clear(part)
        self._settle(self.underway.taken(tickets))
        self.pump()

    def refused(self, ticket: int, code: int, reason: str) -> None:
        """The peer will not take a message: try again, then keep it aside."""
        self._to.count("sink_refused_total")
        if code == _QUOTA or (code == _NOT_AUTHORIZED and not self._taken_any):
            # a matter of the link, not of this message: it stays owed
            self._why = reason
            self._hopeless.set()
            return
        self.own.settle([ticket])
        self._current.settle([ticket])
        refusal = self.underway.refused(ticket)
        if refusal is None:
            return
        one, part = refusal.consignment, refusal.part
        self._suspicion.clear(Part(one.stored.id, part))
        if refusal.last:
            self._keep_aside(one.stored, part, reason)
            self._settle(self.underway.given_up(one))
            self.pump()
        else:
            self._call(AGAIN_AFTER * one.refusals[part], one, part)

    # --- sending -----------------------------------------------------------------

    def _parts(self, batch: Batch, one: Consignment) -> int:
        """How many parts of a record to send now; 0: not yet."""
        room, want = batch.room, one.parts - one.next
        open_ = self.underway.messages + len(self.own.open)
        waiting = want if one.urgent else self.underway.live_rows
        share = _OLD_SHARE if one.paced else _SHARE
        if one.paced:
            now = self._to.clock.now()
            room = min(room, self._to.pace.room(self.underway.old_open, now))
            open_, waiting = self.underway.old_open, self.underway.old_rows
            if not (room or self.underway.messages or batch):
                self._look_later(self._to.pace.wait(now))  # nobody else wakes us
        # a broker acknowledges one by one: what is too little is not worth a send
        if not batch and room < min(waiting, max((room + open_) // share, 1)):
            return 0
        parts = min(room, want)
        if not self._suspicion:
            return parts
        self._send(batch)
        others = bool(self.own.open or self._current.open)
        with_peer = self.underway.open_parts()
        return self._suspicion.trusted(one, parts, with_peer, others=others)

    def _watched(self) -> bool:
        """A suspect is with the peer: nothing else goes until it is settled."""
        return bool(self._suspicion) and self._suspicion.watch(
            self.underway.open_parts()
        )

    def _pack(self, batch: Batch, one: Consignment, parts: int) -> None:
        """Parts of a record go with the next send."""
        first, frames = one.next, frames_of(self._to.profile, one, parts)
        expiry = self._to.profile.expiry(one.stored, old=one.old)
        if batch.full or not batch.fits(expiry):
            self._send(batch)
        batch.add(one, first, frames, expiry)
        self.underway.begin(one, parts)
        if one.paced:
            self._to.pace.sent(parts)

    def _send(self, batch: Batch) -> None:
        sent = 0
        for one, first, tickets in batch.send():
            sent += len(tickets)
            self._settle(self.underway.sent(one, first, tickets))
        if sent:
            self._to.count("sink_messages_total", sent)

    def _show(self, batch: Batch) -> None:
        """The newest states, where nobody is owed them."""
        self._send(batch)
        if self._watched():
            return
        now = self._to.clock.now()
        sent = self._current.pump(batch.link, now)
        if sent:
            self._to.pace.live(now)
            self._to.count("sink_messages_total", sent)
        if (wait := self._current.wait()) is not None:
            self._look_later(wait)

    def _settle(self, done: Sequence[Consignment]) -> None:
        if not done:
            return
        now, ids = self._to.clock.now(), [one.stored.id for one in done]
        if self.just_settled is not None:
            self.just_settled.update(ids)
        self._to.outbox.acknowledge(self._to.name, ids)
        for one in done:
            self._to.settled(one, now)

    # --- trouble -----------------------------------------------------------------

    def _suspect(self) -> None:
        """One of what was under way made the peer hang up."""
        records = self.underway.open_parts()
        others = [*self.own.open.values(), *self._current.open.values()]
        found = self._suspicion.hung_up([*records, *others])
        if isinstance(found, Part):
            self._keep_aside(records[found], found.part, _HUNG_UP)
            # the next link goes on behind it, if there is anything
            self._to.begun[found.id] = found.part + 1

    def _keep_aside(self, stored: Stored, part: int, reason: str) -> None:
        rows = [part] if isinstance(stored.record, ScoreRecord) else []
        self._to.outbox.quarantine(self._to.name, stored, reason, rows)

    def _look_later(self, seconds: float) -> None:
        if self._later is None:
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(seconds, self._look_now)

    def _look_now(self) -> None:
        self._later = None
        self.pump()

    def _call(self, seconds: float, one: Consignment, part: int) -> None:
        asyncio.get_running_loop().call_later(seconds, self._again, one, part)

    def _again(self, one: Consignment, part: int) -> None:
        """Send a refused message once more; as history if a newer state was sent."""
        link = self._link
        if link is None:
            return  # on the next link it is sent anyway
        if link.room <= 0 or self._watched():
            self._call(AGAIN_AFTER, one, part)
            return
        old = one.old or not self._to.newest.is_newest(one.stored, part)
        frames = self._to.profile.frames(one.stored, part, part + 1, old=old)
        expiry = self._to.profile.expiry(one.stored, old=old)
        with contextlib.suppress(SinkLost):
            tickets = link.send(frames, expiry) if frames else []
            self.underway.resent(one, part, tickets)
            if not tickets:  # overtaken by a newer alarm in the meantime
                self._settle(self.underway.given_up(one))
