"""Rows on their way into blocks: room that grows, contexts by number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.features.feature_rows import FeatureRows
from edge_agent.monitoring.blocks import Cadence
from edge_agent.monitors.counting import AT_ONCE, GATED, Counting
from edge_agent.records import PipelineInfo
from edge_agent.scores import Scores
from tests.monitoring.plants import reference_of, yardstick

if TYPE_CHECKING:
    from edge_agent.pipeline import Pipeline

ASSETS = ("A", "B", "C")
HOUR = 3_600_000_000_000


class Scored:
    """Stands in for the pipeline: only its rung is asked for."""

    fallback = 0


SCORED: Pipeline = Scored()  # type: ignore[assignment]


@pytest.fixture
def counting() -> Counting:
    """Of a model with two features."""
    table = np.random.default_rng(1).normal(size=(500, 2))
    made = yardstick(reference_of(table, 1.0, calibrate=False), ASSETS)
    names = ("x0", "x1")
    info = PipelineInfo("p", "pump", ASSETS, names, ("", ""), "m", "1", "0" * 8)
    return Counting(made, info, Cadence(3600.0, 86_400.0), 0)


def rows(count: int, context: list[int] | None = None) -> FeatureRows:
    """Good rows of all assets."""
    return FeatureRows(
        asset=np.arange(count, dtype=np.int32) % 3,
        at=np.zeros(count, np.int64),
        values=np.ones((count, 2), np.float32),
        valid=np.ones(count, bool),
        missing=np.zeros((count, 2), np.uint8),
        quality=np.zeros(count, np.uint8),
        completeness=np.ones(count),
        age=np.zeros(count),
        inputs_good=np.full(count, 2, np.int16),
        cut_short=np.zeros(count, bool),
        context=None if context is None else np.array(context, np.int32),
    )


def scores(count: int) -> Scores:
    """Of as many rows."""
    return Scores(np.zeros(count), np.zeros(count, np.uint8))


def test_memory_is_held_for_the_rows_that_come(counting: Counting) -> None:
    """Hundreds of small pipelines do not hold room for eight thousand rows each."""
    assert counting.room < 100
    taken = 0
    while not counting.crowded:
        counting.take(SCORED, rows(250), scores(250))
        taken += 250

    assert counting.room <= AT_ONCE + 1024
    assert counting.fold(()) == (taken, 0)
    counting.take(SCORED, rows(20_000), scores(20_000))
    assert counting.fold(()) == (20_000, 0)
    closed = counting.close(HOUR)
    assert closed[""].tallies.rows == taken + 20_000
    assert closed[""].tallies.n.tolist() == [taken + 20_000] * 2


def test_a_machine_that_has_not_run_yet_is_not_counted(counting: Counting) -> None:
    """Before the first context has a name, idle rows are gated like later ones."""
    counting.take(SCORED, rows(6, [GATED] * 6), scores(6))

    assert counting.fold(()) == (0, 6)
    (piece,) = counting.close(HOUR).values()
    assert (piece.tallies.rows, piece.gated) == (0, 6)


def test_rows_go_to_the_contexts_they_were_made_in(counting: Counting) -> None:
    """Also where names were given out while the rows waited."""
    names: list[str] = ["one"]
    counting.take(SCORED, rows(3, [0, 0, GATED]), scores(3))
    names.append("two")
    counting.take(SCORED, rows(4, [1, 0, 1, 1]), scores(4))

    assert counting.fold(names) == (6, 1)
    closed = counting.close(HOUR)
    assert {c: p.tallies.rows for c, p in closed.items()} == {"one": 3, "two": 3, "": 0}
    assert closed[""].gated == 1
