"""Which findings are open, for the status: told by every record that leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.instruments import FINDINGS, FINDINGS_OPEN
from edge_agent.monitoring import orphans
from edge_agent.records import FindingRecord, FindingState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from edge_agent.instruments import Instruments
    from edge_agent.records import Record

#: Findings remembered as open at most.
MOST = 1000


class OpenFindings:
    """Findings by id, while they are open; `see` is one thread's, reading is any's.

    Args:
        instruments: counters of those that open, and how many are.
    """

    def __init__(self, instruments: Instruments) -> None:
        self._open: Mapping[str, FindingRecord] = {}
        self._instruments = instruments

    def recall(self, known: Iterable[FindingRecord]) -> None:
        """Take note of those that were open when the agent stopped."""
        self._open = {one.id: one for one in known}
        self._gauge({one.pipeline for one in self._open.values()})

    def see(self, records: Iterable[Record]) -> None:
        """Take note of records that leave."""
        found = [one for one in records if isinstance(one, FindingRecord)]
        if not found:
            return
        after = dict(self._open)
        for one in found:
            after.pop(one.id, None)
            if one.state == FindingState.OPEN:
                self._instruments.count(FINDINGS, what=one.what, pipeline=one.pipeline)
                if len(after) < MOST:
                    after[one.id] = one
        self._open = after  # whoever reads has the old one or the new
        self._gauge({one.pipeline for one in found})

    def unwatched(self, going_on: Collection[str], now: int) -> list[FindingRecord]:
        """Ends of those that nobody watches any more, as of a pipeline that went.

        Args:
            going_on: ids of those that are watched.
            now: agent time, ns.
        """
        why = "nothing watches it since the agent was started again"
        return orphans.closed(self.now(), going_on, now, why)

    def _gauge(self, pipelines: Iterable[str]) -> None:
        for name in pipelines:
            count = sum(one.pipeline == name for one in self._open.values())
            self._instruments.gauge(FINDINGS_OPEN, count, pipeline=name)

    def now(self) -> list[FindingRecord]:
        """Those that are open."""
        return list(self._open.values())
