"""Monitors as configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.monitoring.sensors.facts import Facts
from edge_agent.monitoring.sensors.watch import EVERY
from edge_agent.monitors.sensors import SensorWatch
from edge_agent.monitors.watch import Monitors
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge_agent.config.pipelines import Pipeline
    from edge_agent.instruments import Instruments
    from edge_agent.lines import Line
    from edge_agent.samples import TagTable


def open_monitors(
    lines: Sequence[Line],
    pipelines: Mapping[str, Pipeline],
    tags: TagTable,
    by_exception: NDArray[np.bool_],
    instruments: Instruments,
    now: int,
) -> Monitors:
    """What watches the lines.

    Args:
        lines: as the turn has them.
        pipelines: as configured.
        tags: of the plant.
        by_exception: bool[sources], whether a source reports changes only.
        instruments: counters.
        now: agent time, ns.
    """
    sensors = []
    for line in lines:
        names = [post.pipeline.info.pipeline for post in line.posts]
        wanted = any(pipelines[name].monitor.sensors for name in names)
        facts = Facts.of(line.builder.window.kind, tags, by_exception)
        due = now + round(EVERY * NANOSECONDS)
        sensors.append(SensorWatch(facts, instruments, due) if wanted else None)
    return Monitors(lines, pipelines, sensors, instruments, now)
