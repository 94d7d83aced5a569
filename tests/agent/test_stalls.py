"""Rows that turns do not make are counted, by pipeline."""

from __future__ import annotations

import numpy as np

from edge_agent.features.rows import row_makers
from edge_agent.features.triggers import Every, OnUpdate
from edge_agent.samples import NANOSECONDS
from tests.agent.test_inference import KIND, START, Bench


def test_ticks_given_up_after_a_stall_are_counted() -> None:
    """Turns that stood still for an hour go on, and say what they left out."""
    bench = Bench()
    plan, _ = bench.line.builder.pipelines[0]
    every = Every(KIND, NANOSECONDS, START, catch_up=60 * NANOSECONDS)
    bench.line.builder.pipelines[0] = (plan, every)
    bench.second(1.0)
    bench.clock.time += 3599 * NANOSECONDS

    assert bench.second(1.0) == 60 * 2
    count = bench.instruments.counter
    assert count("ticks_skipped_total", pipeline="pump") == 3540
    assert bench.second(1.0) == 2
    assert count("ticks_skipped_total", pipeline="pump") == 3540


def test_rows_that_came_too_late_are_counted() -> None:
    """A stamp behind the asset's last row makes none: the operator can see how many."""
    bench = Bench()
    window = bench.line.builder.window
    plan, _ = bench.line.builder.pipelines[0]
    makers = row_makers(plan, window)
    bench.line.builder.pipelines[0] = (plan, OnUpdate(KIND, makers, NANOSECONDS))
    for age in (0, 2, 2, 0):
        at = bench.clock.now() - age * NANOSECONDS
        bench.push(1.0, at=int(np.int64(at)))
        bench.second()

    assert bench.instruments.counter("rows_scored_total", pipeline="pump") == 4
    assert bench.instruments.counter("rows_late_total", pipeline="pump") == 4
