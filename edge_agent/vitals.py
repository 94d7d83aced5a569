"""How each pipeline stands, told to the centre: from time to time, and at a change."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.records import SnapshotRecord
from edge_agent.records.monitored import HEALTH
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge_agent.clock import Clock

#: Seconds between two reports of a pipeline that stays as it is, and between two looks.
EVERY, LOOK = 900.0, 5.0
#: What of a row is a change that the centre should know of at once.
_NEWS = ("model_digest", "state", "because")

Row = dict[str, Any]


@dataclass(slots=True)
class Vitals:
    """Makes health rows.

    Attributes:
        rows: how each pipeline stands now, see `centre.tables`.
        note: takes a record; any thread.
        clock: agent time.
    """

    rows: Callable[[], Sequence[Row]]
    note: Callable[[SnapshotRecord], object]
    clock: Clock
    _told: dict[str, tuple[int, list[Any]]] = field(default_factory=dict)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK)

    def look(self) -> None:
        """Tell what is due."""
        now = self.clock.now()
        for row in self.rows():
            name, news = str(row["pipeline"]), _news(row)
            at, before = self._told.get(name, (-(2**62), None))
            if news != before or now - at >= EVERY * NANOSECONDS:
                self._told[name] = now, news
                body = {key: value for key, value in row.items() if key != "pipeline"}
                version = str(row["model_version"])
                self.note(SnapshotRecord(now, HEALTH, name, version, body))


def _news(row: Mapping[str, Any]) -> list[Any]:
    return [row[name] for name in _NEWS]
