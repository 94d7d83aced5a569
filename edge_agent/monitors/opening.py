"""Monitors as configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.config.schema import reports_changes
from edge_agent.monitoring.sensors.facts import Facts
from edge_agent.monitoring.sensors.watch import EVERY
from edge_agent.monitors.sensors import SensorWatch
from edge_agent.monitors.watch import Monitors
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.config.schema import AgentConfig
    from edge_agent.instruments import Instruments
    from edge_agent.lines import Line
    from edge_agent.samples import TagTable


def open_monitors(
    lines: Sequence[Line],
    config: AgentConfig,
    tags: TagTable,
    instruments: Instruments,
    now: int,
) -> Monitors:
    """What watches the lines.

    Args:
        lines: as the turn has them.
        config: the whole of it.
        tags: of the plant.
        instruments: counters.
        now: agent time, ns.
    """
    pipelines, sensors = config.pipelines, []
    by_exception = np.array(
        [reports_changes(config.sources[name]) for name in tags.sources]
    )
    for line in lines:
        names = [post.pipeline.info.pipeline for post in line.posts]
        wanted = any(pipelines[name].monitor.sensors for name in names)
        facts = Facts.of(line.builder.window.kind, tags, by_exception)
        due = now + round(EVERY * NANOSECONDS)
        sensors.append(SensorWatch(facts, instruments, due) if wanted else None)
    return Monitors(lines, pipelines, sensors, instruments, now)
