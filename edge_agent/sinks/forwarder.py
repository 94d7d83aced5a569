"""Outbox to output: what is sent when, and when a record may be forgotten.

Alarms first, then live scores, then old ones in the room that is left, at their
own pace. A record is acknowledged to the journal when the peer has every message
of it; whatever is open when a link is lost is owed as before, under the same id,
so a consumer sees it at least once and can tell a repetition.

Old scores go to a topic of their own: the newest value is never overwritten by an
older one. When live scores come faster than the peer takes them, the oldest that
wait are left to the outbox and follow as old ones; none is dropped here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

from edge_agent.errors import SinkLost
from edge_agent.records import RecordClass
from edge_agent.samples import NANOSECONDS
from edge_agent.sinks.dispatch import Dispatch, first_lost
from edge_agent.sinks.flat import AgentState
from edge_agent.sinks.newest import Newest, newest_at, part_of
from edge_agent.sinks.replay import CHUNK, Pace, Replay
from edge_agent.sinks.sink import Callbacks
from edge_agent.store.outbox import SEQ_BITS, Stored

if TYPE_CHECKING:
    from edge_agent.clock import Clock
    from edge_agent.config.schema import MqttOutput
    from edge_agent.instruments import Instruments
    from edge_agent.sinks.dispatch import Outbox
    from edge_agent.sinks.flat import FlatProfile
    from edge_agent.sinks.sink import Frame, Sink

#: Live rows that wait at most for the peer before the oldest are left to the outbox.
LIVE_ROWS = 5_000
#: Rows of old records that wait at most to be sent.
OLD_ROWS = 1_000
#: Seconds between two statements of being alive.
STATUS_EVERY = 60.0
#: Seconds that a goodbye may take after what waits had its time.
GOODBYE = 1.0


class Forwarder:
    """Keeps one output supplied.

    Args:
        sink: the output.
        outbox: the journal.
        profile: turns records into messages.
        settings: pace of old records, live or committed.
        clock: agent time.
        instruments: counters.
        version: of the agent, for its status.
    """

    def __init__(
        self,
        sink: Sink,
        outbox: Outbox,
        profile: FlatProfile,
        settings: MqttOutput,
        *,
        clock: Clock,
        instruments: Instruments,
        version: str,
    ) -> None:
        self.name = sink.name
        self._sink = sink
        self._outbox = outbox
        self._profile = profile
        self._pace = Pace(settings.backlog_rate)
        self._clock = clock
        self._instruments = instruments
        self._version = version
        self._started = clock.now()
        self._newest = Newest()
        self._arrived: deque[list[Stored]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dispatch: Dispatch | None = None
        self._replay: Replay | None = None
        self._woken = False
        self._until = -1
        self._leave = asyncio.Event()
        self._leave_within = 0.0
        self._last_error = ""
        outbox.listen(self.name, self._arrive, live=settings.publish == "live")

    async def run(self) -> None:
        """Connect and forward until the link is lost or `finish` is done.

        Raises:
            SinkLost: the link could not be made, or is gone; call again later.
        """
        try:
            await self._forward()
        except SinkLost as lost:
            self._last_error = str(lost)
            raise

    def finish(self, within: float) -> None:
        """Send what waits, say goodbye and let `run` return.

        Args:
            within: seconds to get what waits acknowledged; the goodbye comes after.
        """
        self._leave_within = within
        self._leave.set()

    def status(self) -> dict[str, Any]:
        """Depth and state of the link, for a technician."""
        dispatch = self._dispatch
        underway = dispatch.underway if dispatch else None
        count = self._instruments.counter
        return {
            "state": "connected" if dispatch else "disconnected",
            "last_error": self._last_error,
            "unacknowledged": underway.messages if underway else 0,
            "live_rows_waiting": underway.live_rows if underway else 0,
            "old_rows_waiting": underway.old_rows if underway else 0,
            "messages": count("sink_messages_total", sink=self.name),
            "refused": count("sink_refused_total", sink=self.name),
            "live_overflows": count("sink_live_overflows_total", sink=self.name),
        }

    # --- one link --------------------------------------------------------------

    async def _forward(self) -> None:
        self._loop = asyncio.get_running_loop()
        dispatch = Dispatch(self.name, self._outbox, self._profile, self._instruments)
        callbacks = Callbacks(dispatch.taken, dispatch.refused)
        link = await self._sink.connect(self._said("offline", "lost"), callbacks)
        dispatch.attach(link)
        replay = self._replay = Replay(self._owed, self._offer)
        # set before the last id is asked for: what is numbered later is told to us
        self._dispatch = dispatch
        self._until = self._outbox.reserve(0) - 1
        try:
            self._announce(dispatch)
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(work)
                    for work in (
                        link.until_lost(),
                        dispatch.until_hopeless(),
                        replay.run(),
                        self._beat(dispatch),
                    )
                ]
                await self._leave.wait()
                await self._part(dispatch)
                for task in running:
                    task.cancel()
        except BaseExceptionGroup as group:
            lost, other = group.split(SinkLost)
            if lost is None or other is not None:
                raise
            raise first_lost(lost) from None
        finally:
            self._dispatch = self._replay = None
            dispatch.detach()
            self._arrived.clear()
            await link.close()

    def _announce(self, dispatch: Dispatch) -> None:
        """Tell that we are here, and what a broker that forgot no longer knows."""
        dispatch.say([self._said("online", "")])
        now = self._clock.now()
        # told first, the newest of what has just arrived would overtake the rest of it
        arrived = [s.id for batch in list(self._arrived) for s in batch]
        for stored, rows in self._newest.rows():
            if arrived and stored.id >= arrived[0]:
                continue
            expiry = self._profile.expiry(stored, old=False) or 0
            if now - newest_at(stored) > expiry * NANOSECONDS:
                continue  # long gone by our own rule
            frames = self._profile.frames(
                stored, 0, self._profile.parts(stored), old=False
            )
            dispatch.say([frames[row] for row in rows], expiry)
        dispatch.say(self._profile.standing())
        dispatch.pump()

    async def _beat(self, dispatch: Dispatch) -> None:
        while True:
            await asyncio.sleep(STATUS_EVERY)
            dispatch.say([self._said("online", "")])
            dispatch.pump()

    async def _part(self, dispatch: Dispatch) -> None:
        """Send what is fresh, then leave values that say we are gone."""
        self._take_arrivals()
        dispatch.pump()
        await dispatch.until_idle(self._leave_within)
        now = self._clock.now()
        for stored, rows in self._newest.rows():
            part = part_of(stored, rows)
            fresh = Stored(self._outbox.reserve(len(part)), part, stored.offset)
            dispatch.say(self._profile.farewell(fresh, now))
        dispatch.say([self._said("offline", "stopped")])
        dispatch.pump()
        await dispatch.until_idle(GOODBYE)

    def _said(self, state: str, reason: str) -> Frame:
        offset = self._clock.wall_offset()
        return self._profile.status(
            AgentState(
                state,
                reason,
                self._clock.now(),
                offset if abs(offset) > NANOSECONDS else 0,
                self._started,
                self._outbox.reserve(0) >> SEQ_BITS,
                self._version,
                int(self._outbox.status()["rows"]),
            )
        )

    # --- new records -------------------------------------------------------------

    def _arrive(self, records: list[Stored]) -> None:
        """New records; called in the submitting or in the journal's thread."""
        for stored in records:
            self._newest.note(stored)
            self._profile.note(stored)
        loop = self._loop
        if loop is None or self._dispatch is None:
            return  # they are in the outbox, where the next link finds them
        self._arrived.append(records)
        if not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: we stop
                loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._woken = False
        self._take_arrivals()
        if self._dispatch is not None:
            self._dispatch.pump()

    def _take_arrivals(self) -> None:
        dispatch = self._dispatch
        if dispatch is None:
            return
        while self._arrived:
            for stored in self._arrived.popleft():
                dispatch.add(stored, old=False)
                if stored.record.kind is RecordClass.SCORE:
                    self._pace.live(self._clock.now())
        if dispatch.underway.live_rows > LIVE_ROWS:
            self._shed(dispatch)

    def _shed(self, dispatch: Dispatch) -> None:
        """The peer is slower than the plant: leave the oldest to the outbox."""
        dispatch.pump()
        highest = dispatch.underway.shed(LIVE_ROWS // 2)
        if highest >= 0 and self._replay is not None:
            self._until = max(self._until, highest)
            self._instruments.count("sink_live_overflows_total", sink=self.name)
            self._replay.look_again()

    # --- old records -------------------------------------------------------------

    async def _owed(self, after: int, urgent: bool) -> tuple[list[Stored], int]:
        """Old records above an id that are not in hand, and how far was looked."""
        dispatch = self._dispatch
        if dispatch is None:
            return [], after
        settled = dispatch.just_settled = set()
        asked = self._outbox.backlog(self.name, after, CHUNK, urgent=urgent)
        found = await asyncio.wrap_future(asked)
        self._take_arrivals()
        dispatch.just_settled = None
        last = found[-1].id if found else after
        in_hand = dispatch.underway
        return [
            stored
            for stored in found
            if stored.id <= self._until
            and stored.id not in in_hand
            and stored.id not in settled
        ], last

    async def _offer(self, stored: Stored) -> None:
        """Take an old record when there is room for it, at the configured pace."""
        dispatch = self._dispatch
        if dispatch is None or self._leave.is_set():
            return
        while dispatch.underway.old_rows >= OLD_ROWS:
            dispatch.moved.clear()
            await dispatch.moved.wait()
        dispatch.add(stored, old=True)
        dispatch.pump()
        if stored.record.kind is RecordClass.SCORE:
            parts = self._profile.parts(stored)
            await asyncio.sleep(self._pace.pause(parts, self._clock.now()))
