"""A pipeline's drift while its models come and go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.config.monitoring import Monitor
from edge_agent.instruments import Instruments
from edge_agent.monitors.drift import Beside, DriftWatch
from edge_agent.records import (
    DriftRecord,
    FindingRecord,
    FindingState,
    PipelineInfo,
    SnapshotRecord,
)
from tests.agent.test_counting import rows, scores
from tests.monitoring.plants import reference_of, yardstick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.monitoring.drift.yardstick import Yardstick
    from edge_agent.pipeline import Pipeline

MINUTE = 60_000_000_000
INFO = PipelineInfo("p", "pump", ("A", "B", "C"), ("x0", "x1"), ("", ""), "m", "1", "0")


class Scored:
    """Stands in for a pipeline: what of it the watch looks at."""

    fallback = 0

    def __init__(self, version: str, level: float) -> None:
        table = np.random.default_rng(1).normal(level, 1.0, (2000, 2))
        made = reference_of(table, 1.0, calibrate=False)
        self.yardstick: Yardstick | None = yardstick(made)
        self.info = replace(INFO, model_version=version, model_digest=version * 64)


OLD: Pipeline = Scored("1", 9.0)  # type: ignore[assignment]
NEW: Pipeline = Scored("2", 1.0)  # type: ignore[assignment]
NONE: Pipeline = Scored("3", 1.0)  # type: ignore[assignment]
NONE.yardstick = None  # type: ignore[misc]


def fresh() -> DriftWatch:
    """A watch that looks every minute."""
    settings = Monitor(every=60.0, window=600.0, persist=2)
    return DriftWatch("p", settings, 0, Instruments())


def run(watch: DriftWatch, made: Pipeline, since: int, until: int) -> list[str]:
    """Let minutes pass; findings as ``+column version`` when they open."""
    found: list[str] = []
    for minute in range(since, until):
        now = minute * MINUTE
        values = np.random.default_rng(minute).normal(1.0, 1.0, (60, 2))
        some = replace(rows(60), values=values.astype(np.float32))
        watch.take(made, some, scores(60), (), now)
        found += shown(watch.look((), now + MINUTE, Beside()))
    return found


def shown(records: Sequence[object]) -> list[str]:
    """Findings of records."""
    return [
        f"{'+' if one.state == FindingState.OPEN else '-'}{one.tag} {one.model_version}"
        for one in records
        if isinstance(one, FindingRecord)
    ]


def test_findings_of_a_model_end_with_it() -> None:
    """What scores next has another reference, or none that would ever close them."""
    for after in (NEW, NONE):
        watch = fresh()

        assert run(watch, OLD, 0, 30) == ["+x0 1", "+x1 1"]
        assert run(watch, after, 30, 60) == ["-x0 1", "-x1 1"]
        assert watch.episodes.told() == []
        assert not watch.conditions


def test_a_model_changed_while_the_agent_was_down_ends_findings_too() -> None:
    """And the same model goes on with them, told once."""
    before = fresh()
    run(before, OLD, 0, 30)
    kept = before.saved(())

    again, other = fresh(), fresh()
    again.restore(kept)
    other.restore(kept)
    assert run(again, OLD, 30, 40) == []
    assert len(again.episodes.told()) == 2
    assert run(other, NEW, 30, 40) == ["-x0 2", "-x1 2"]


def test_a_new_model_goes_on_after_a_restart_before_its_first_look() -> None:
    """Nothing of the old one is left in the checkpoint to make it start fresh."""
    watch = fresh()
    run(watch, OLD, 0, 30)
    kept = watch.saved(())
    watch.take(NEW, rows(60), scores(60), (), 30 * MINUTE)
    kept |= watch.saved(())

    after = fresh()
    after.restore(kept)
    after.take(NEW, rows(60), scores(60), (), 31 * MINUTE)
    (record,) = (
        one
        for one in after.look((), 32 * MINUTE, Beside())
        if isinstance(one, DriftRecord)
    )
    assert record.rows == 120


def test_the_reference_goes_to_the_centre_with_each_model() -> None:
    """Drift rows can be judged there: bins and counts are those they are held to."""
    watch = fresh()
    watch.take(OLD, rows(60), scores(60), (), 0)
    left = watch.look((), MINUTE, Beside())
    watch.take(OLD, rows(60), scores(60), (), MINUTE)
    again = watch.look((), 2 * MINUTE, Beside())

    (told,) = (one for one in left if isinstance(one, SnapshotRecord))
    (drift,) = (one for one in left if isinstance(one, DriftRecord))
    reference = OLD.yardstick
    assert reference is not None
    assert told.body["baseline_id"] == drift.baseline_id
    assert told.body["feature"] == list(drift.columns)
    for place, counts in enumerate(told.body["counts"]):
        assert len(counts) == len(told.body["edges"][place]) + 1 == drift.bins[place]
        wanted = reference.whole.tallies.counts[place, : drift.bins[place]]
        assert counts == list(wanted)
    assert not any(isinstance(one, SnapshotRecord) for one in again)
