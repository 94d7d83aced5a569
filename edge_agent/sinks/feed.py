"""Records to one output's link: new ones as they come, old ones as there is room.

New records are told by the journal's threads; everything else is on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from edge_agent.records import AlarmRecord, FindingRecord, RecordClass, ScoreRecord
from edge_agent.sinks.replay import CHUNK, Replay
from edge_agent.store.codec import rows_of

if TYPE_CHECKING:
    from edge_agent.sinks.dispatch import Dispatch
    from edge_agent.sinks.output import Output
    from edge_agent.store.outbox import Stored

#: Live rows that wait at most for the peer before the oldest are left to the outbox.
LIVE_ROWS = 5_000
#: Rows of old records that wait at most to be sent.
OLD_ROWS = 1_000


class Feed:
    """What one output is told and owed.

    Args:
        output: what it goes to.
    """

    def __init__(self, output: Output) -> None:
        self._to = output
        self._arrived: deque[list[Stored]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dispatch: Dispatch | None = None
        self._replay: Replay | None = None
        self._woken = False
        self._leaving = False
        self._until = self._made_before = self._left = -1
        self._catching_up = False
        self._ahead: set[int] = set()

    def begin(self, dispatch: Dispatch) -> Replay:
        """Records go through a link from here on; what reads the old ones."""
        self._loop = asyncio.get_running_loop()
        self._replay = Replay(self._owed, self._offer, self._looked_through)
        self._catching_up, self._left = True, -1
        self._ahead.clear()
        # set before the last id is asked for: what is numbered later is told to us
        self._dispatch = dispatch
        self._to.owing.connected()
        self._until = self._made_before = self._to.outbox.reserve(0) - 1
        return self._replay

    def first_arrived(self) -> int | None:
        """Id of the first new record that nobody has taken yet; None where none is."""
        arrived = [stored.id for batch in list(self._arrived) for stored in batch]
        return min(arrived, default=None)

    def end(self) -> None:
        """The link is gone."""
        if self._dispatch is not None:
            self._to.owing.cut(self._dispatch.underway.oldest)
        self._dispatch = self._replay = None
        self._arrived.clear()

    def leave(self) -> None:
        """Hand over what has come, and nothing old any more."""
        self._leaving = True
        self._wake()

    # --- new records -------------------------------------------------------------

    def arrive(self, records: list[Stored]) -> None:
        """New records; called in the submitting or in the journal's thread."""
        # of scores everybody is told, of other records only who is owed them
        told = self._to.told
        mine = [
            one
            for one in records
            if type(one.record) in told or not isinstance(one.record, ScoreRecord)
        ]
        if not mine:
            return
        for stored in mine:
            self._to.profile.note(stored)
            if type(stored.record) in self._to.kept:
                self._to.owing.arrived(stored, rows_of(stored.record))
        loop, linked = self._loop, self._dispatch is not None
        if linked:  # else they are in the outbox, where the next link finds them
            self._arrived.append(mine)
        # only now: a link that is made in between must not greet with the last rows of
        # a record whose first ones it will send behind them
        for stored in mine:
            self._to.newest.note(stored)
        if linked and loop is not None and not self._woken:
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
                self._take(dispatch, stored)
        if dispatch.underway.live_rows > LIVE_ROWS:
            self._shed(dispatch)

    def _take(self, dispatch: Dispatch, stored: Stored) -> None:
        """A new record: to be sent, shown, or left to those before it."""
        record = stored.record
        if isinstance(record, ScoreRecord) and ScoreRecord not in self._to.kept:
            self._to.current.note(stored)
        elif type(record) not in self._to.kept:
            dispatch.add(stored, old=False, parts=0)
        elif record.kind < RecordClass.SCORE and self._catching_up:
            # its events wait behind those of the outage; how things stand does not
            self._left = max(self._left, stored.id)
            if isinstance(record, AlarmRecord | FindingRecord):
                self._ahead.add(stored.id)
                dispatch.own.say(self._to.profile.frames(stored, 1, 2, old=False), None)
        else:
            dispatch.add(stored, old=False)

    def _shed(self, dispatch: Dispatch) -> None:
        """The peer is slower than the plant: leave the oldest to the outbox."""
        dispatch.pump()
        highest = dispatch.underway.shed(LIVE_ROWS // 2)
        if highest >= 0 and self._replay is not None:
            self._until = max(self._until, highest)
            self._to.count("sink_live_overflows_total")
            self._replay.look_again()

    # --- old records -------------------------------------------------------------

    async def _owed(self, after: int, urgent: bool) -> tuple[list[Stored], int]:
        """Old records above an id that are not in hand, and how far was looked."""
        while True:
            dispatch, left = self._dispatch, self._left
            if dispatch is None:
                return [], after
            settled = dispatch.just_settled = set()
            asked = self._to.outbox.backlog(self._to.name, after, CHUNK, urgent=urgent)
            found = await asyncio.wrap_future(asked)
            self._take_arrivals()
            dispatch.just_settled = None
            if found or not urgent or left == self._left:
                break  # else some came while nothing was found: look once more
        if urgent and not found:
            self._catching_up = False
        until = max(self._until, self._left) if urgent else self._until
        if not urgent:
            # no further: live ones behind may be left yet, and come in their order
            found = [stored for stored in found if stored.id <= until]
        last = found[-1].id if found else after
        in_hand = dispatch.underway
        return [
            stored
            for stored in found
            if stored.id <= until
            and stored.id not in in_hand
            and stored.id not in settled
        ], last

    async def _offer(self, found: list[Stored]) -> None:
        """Take old records when there is room for them."""
        for stored in found:
            dispatch = self._dispatch
            if dispatch is None or self._leaving:
                return
            if dispatch.underway.old_rows >= OLD_ROWS:
                dispatch.wanting.clear()
                dispatch.pump()
                await dispatch.wanting.wait()
            self._take_old(dispatch, stored)
        if self._dispatch is not None:
            self._dispatch.pump()
        await asyncio.sleep(0)  # what is new goes first

    def _take_old(self, dispatch: Dispatch, stored: Stored) -> None:
        parts = 1 if stored.id in self._ahead else None
        if type(stored.record) not in self._to.kept:
            parts = 0  # from when the output was configured to take it
        old = stored.id <= self._made_before or stored.record.kind >= RecordClass.SCORE
        dispatch.add(stored, old=old, parts=parts)

    def _looked_through(self) -> None:
        """Nothing is owed but what is in hand."""
        dispatch = self._dispatch
        if dispatch is not None and not dispatch.underway.old_rows:
            self._to.owing.nothing_but(dispatch.underway.rows)
