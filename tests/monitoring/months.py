"""Months of a pipeline's monitoring, hour by hour, on series that are made up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.blocks import Blocks, Cadence
from edge_agent.monitoring.conditions import What
from edge_agent.monitoring.drift.sentences import conditions
from edge_agent.monitoring.drift.watching import watched
from edge_agent.monitoring.episodes import Episodes
from edge_agent.monitoring.tallies import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.monitoring.conditions import Condition
    from edge_agent.monitoring.drift.yardstick import Yardstick
    from edge_agent.samples import F64

HOUR = 3_600_000_000_000
DRIFT = (What.INPUT_DRIFT, What.SCORE_DRIFT)


@dataclass(slots=True)
class Told:
    """What a plant's people were told.

    Attributes:
        opened: hour and condition of each finding's beginning.
        closed: hour and condition of each end.
        unjudged: columns and looks that could not be judged.
        looks: columns and looks in all.
    """

    opened: list[tuple[int, Condition]] = field(default_factory=list)
    closed: list[tuple[int, Condition]] = field(default_factory=list)
    unjudged: int = 0
    looks: int = 0

    def drifts(self) -> list[tuple[int, Condition]]:
        """Beginnings of findings of drift."""
        return [(hour, one) for hour, one in self.opened if one.what in DRIFT]


def monitored(
    yardstick: Yardstick,
    hours: Sequence[F64],
    contexts: Sequence[str] = (),
    *,
    assets: int = 1,
    findings: float = 1.0,
    window: float = 24.0,
    persist: int = 3,
) -> Told:
    """Hand hours of rows to the monitoring as the agent does.

    Args:
        yardstick: of the model.
        hours: float[rows, columns] each; rows of all assets in turn.
        contexts: of each hour.
        assets: that make the rows.
        findings: budget, false ones a month.
        window: hours.
        persist: looks in a row.
    """
    blocks = Blocks(yardstick.grid, Cadence(3600.0, window * 3600.0), assets, 0)
    episodes, told = Episodes(), Told()
    for hour, rows in enumerate(hours):
        tallies = counted(yardstick.grid, np.asarray(rows, np.float32))
        by_asset = np.bincount(np.arange(len(rows)) % assets, minlength=assets)
        context = contexts[hour] if contexts else ""
        blocks = blocks.folded(context, tallies, by_asset)
        blocks, ran = blocks.close((hour + 1) * HOUR)
        watch = watched(blocks, yardstick, findings, ran)
        told.looks += len(yardstick.grid.names) * len(watch.sights)
        told.unjudged += sum(watch.unjudged.values())
        episodes, changes = episodes.looked(
            conditions(watch, yardstick),
            watch.judges(yardstick.grid.names),
            hour,
            persist,
        )
        for change in changes:
            into = told.opened if change.opens else told.closed
            into.append((hour, change.episode.condition))
    return told
