"""What an output is told besides its records: that we are here, how things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.records import FindingRecord
from edge_agent.samples import NANOSECONDS
from edge_agent.sinks.flat import AgentState
from edge_agent.sinks.newest import newest_at, part_of
from edge_agent.sinks.underway import Part
from edge_agent.store.outbox import SEQ_BITS, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_agent.sinks.output import Output
    from edge_agent.sinks.sink import Frame


class Greeting:
    """Messages that no record stands behind.

    Args:
        output: who is told.
        version: of the agent.
    """

    def __init__(self, output: Output, version: str) -> None:
        self._to = output
        self._version = version
        self._started = output.clock.now()

    def status(self, state: str, reason: str) -> Frame:
        """What the agent says about itself."""
        offset = self._to.clock.wall_offset()
        return self._to.profile.status(
            AgentState(
                state,
                reason,
                self._to.clock.now(),
                offset if abs(offset) > NANOSECONDS else 0,
                self._started,
                self._to.outbox.reserve(0) >> SEQ_BITS,
                self._version,
                self._to.owing.rows,
            )
        )

    def standing(
        self, first_arrived: Callable[[], int | None] = lambda: None
    ) -> Iterator[tuple[Sequence[Frame], int | None]]:
        """What a broker that forgot no longer knows, each with its expiry.

        Rows that the peer may choke on are left out.

        Args:
            first_arrived: id from which on records will be sent anyway, and must not
                be overtaken; None for none. Asked when the newest rows are known.
        """
        now = self._to.clock.now()
        newest = list(self._to.newest.rows())
        before = first_arrived()
        for stored, rows in newest:
            if before is not None and stored.id >= before:
                continue
            expiry = self._to.profile.expiry(stored, old=False) or 0
            if now - newest_at(stored) > expiry * NANOSECONDS:
                continue  # long gone by our own rule
            stop = self._to.profile.parts(stored)
            frames = self._to.profile.frames(stored, 0, stop, old=False)
            fit = [
                row for row in rows if Part(stored.id, row) not in self._to.suspicion
            ]
            yield [frames[row] for row in fit], expiry
        if FindingRecord in self._to.told:
            yield self._to.profile.standing(), None

    def farewell(self) -> Iterator[Sequence[Frame]]:
        """States that say we are gone."""
        now = self._to.clock.now()
        for stored, rows in self._to.newest.rows():
            part = part_of(stored, rows)
            fresh = Stored(self._to.outbox.reserve(len(part)), part, stored.offset)
            yield self._to.profile.farewell(fresh, now)
