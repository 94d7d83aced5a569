"""Outbox to output: what is sent when, and when a record may be forgotten.

Alarms first, then live scores, then old ones in the room that `pace` leaves them. A
record is acknowledged to the journal when the peer has every message of it; whatever is
open when a link is lost is owed as before, under the same id, so a consumer sees it at
least once and can tell a repetition. What the peer has of a record is not sent again.

Old scores go to a topic of their own: the newest value is never overwritten by an
older one. When live scores come faster than the peer takes them, the oldest that
wait are left to the outbox and follow as old ones; none is dropped here. Events keep
their order too: while those of an outage are sent, new ones wait behind them, and only
the retained state of a new alarm goes ahead.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from edge_agent.errors import SinkLost
from edge_agent.sinks.dispatch import Dispatch
from edge_agent.sinks.feed import Feed
from edge_agent.sinks.greeting import Greeting
from edge_agent.sinks.output import Output
from edge_agent.sinks.sink import Callbacks

if TYPE_CHECKING:
    from edge_agent.clock import Clock
    from edge_agent.config.schema import MqttOutput
    from edge_agent.instruments import Instruments
    from edge_agent.sinks.flat import FlatProfile
    from edge_agent.sinks.sink import Sink
    from edge_agent.store.journal import Journal

#: Seconds between two statements of being alive.
STATUS_EVERY = 60.0
#: Seconds that a goodbye may take after what waits had its time.
GOODBYE = 1.0
#: Seconds a failed link is held up for the count of what is owed.
_COUNTING = 2.0
#: Records of which part is with the peer, remembered at most.
_BEGUN = 10_000


class Forwarder:
    """Keeps one output supplied.

    Args:
        sink: the output.
        outbox: the journal; it must be told what the output is owed, see
            `appetite.owed`.
        profile: turns records into messages.
        settings: what it takes, pace of old records, live or committed.
        clock: agent time.
        instruments: counters.
        version: of the agent, for its status.
    """

    def __init__(
        self,
        sink: Sink,
        outbox: Journal,
        profile: FlatProfile,
        settings: MqttOutput,
        *,
        clock: Clock,
        instruments: Instruments,
        version: str,
    ) -> None:
        self.name = sink.name
        self._sink = sink
        self._to = Output.of(sink.name, outbox, profile, settings, clock, instruments)
        self._greeting = Greeting(self._to, version)
        self._feed = Feed(self._to)
        self._dispatch: Dispatch | None = None
        self._leave = asyncio.Event()
        self._leave_within = 0.0
        self._last_error = ""
        outbox.listen(self.name, self._feed.arrive, live=settings.publish == "live")

    async def run(self) -> None:
        """Connect and forward until the link is lost or `finish` is done.

        Raises:
            SinkLost: the link could not be made, or is gone; call again later.
        """
        lost: SinkLost | None = None
        async with asyncio.TaskGroup() as tasks:
            counting = tasks.create_task(self._to.owing.count(self._to.clock.now()))
            try:
                await self._forward()
            except SinkLost as error:
                lost, self._last_error = error, str(error)
                await asyncio.wait([counting], timeout=_COUNTING)
            counting.cancel()
        if lost is not None:
            raise lost

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
        count = self._to.instruments.counter
        return {
            "state": "connected" if dispatch else "disconnected",
            "last_error": self._last_error,
            "unacknowledged": underway.messages if underway else 0,
            "live_rows_waiting": underway.live_rows if underway else 0,
            "old_rows_waiting": underway.old_rows if underway else 0,
            **self._to.owing.told(
                self._to.clock.now(), underway.oldest if underway else None
            ),
            **self._to.pace.told(),
            "messages": count("sink_messages_total", sink=self.name),
            "refused": count("sink_refused_total", sink=self.name),
            "live_overflows": count("sink_live_overflows_total", sink=self.name),
            "states_superseded": self._to.current.superseded,
        }

    # --- one link --------------------------------------------------------------

    async def _forward(self) -> None:
        dispatch = Dispatch(self._to)
        callbacks = Callbacks(dispatch.taken, dispatch.refused)
        will = self._greeting.status("offline", "lost")
        link = await self._sink.connect(will, callbacks)
        dispatch.attach(link)
        # taken before the last id is asked for: what is numbered later is told to us
        self._dispatch, hung_up = dispatch, False
        replay = self._feed.begin(dispatch)
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
            first = _first(lost)
            hung_up = first.hung_up
            raise first from None
        finally:
            self._dispatch = None
            self._feed.end()
            dispatch.detach(hung_up=hung_up)
            for id_ in list(self._to.begun)[:-_BEGUN]:
                del self._to.begun[id_]
            await link.close()

    def _announce(self, dispatch: Dispatch) -> None:
        """Tell that we are here, and what a broker that forgot no longer knows."""
        dispatch.own.say([self._greeting.status("online", "")], None)
        # what has arrived by now goes out in its order: told first, a newest row would
        # overtake those before it
        for frames, expiry in self._greeting.standing(self._feed.first_arrived):
            dispatch.own.say(frames, expiry)
        self._to.suspicion.said(dispatch.own.frames)
        dispatch.pump()

    async def _beat(self, dispatch: Dispatch) -> None:
        while True:
            await asyncio.sleep(STATUS_EVERY)
            dispatch.own.say([self._greeting.status("online", "")], None)
            dispatch.pump()

    async def _part(self, dispatch: Dispatch) -> None:
        """Send what is fresh, then leave values that say we are gone."""
        # an event of the stop may wait for its commit: SCADA would see a gap there
        self._to.outbox.tell()
        self._feed.leave()
        await dispatch.until_idle(self._leave_within)
        for frames in self._greeting.farewell():
            dispatch.own.say(frames, None)
        dispatch.own.say([self._greeting.status("offline", "stopped")], None)
        dispatch.pump()
        await dispatch.until_idle(GOODBYE)


def _first(group: BaseExceptionGroup[SinkLost]) -> SinkLost:
    """The innermost first error: the supervisor knows no groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, SinkLost)  # noqa: S101 - split() saw to it
    return error
