"""A tag's own limit of silence, beside what its features hold."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.features.depth import depth_for
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.spec import FeatureSpec
from edge_agent.features.window import Window
from edge_agent.records import NoScore
from edge_agent.samples import AssetType, SampleBatch, Tag

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
KIND = AssetType("pump", ("P1",), (Tag("a", max_age=5.0), Tag("b")), 0)
SPECS = [
    FeatureSpec("a last", "a", "last", hold=30.0),
    FeatureSpec("a mean", "a", "mean", window=60.0, min_completeness=0.1),
    FeatureSpec("a age", "a", "age", hold=30.0),
    FeatureSpec("b last", "b", "last", hold=30.0),
    FeatureSpec("b mean", "b", "mean", window=60.0, min_completeness=0.1),
]


def missing(silence: float, *, held: bool, hold: float = 30.0) -> list[int]:
    """Why each feature is missing after both tags were silent for so long."""
    specs = [FeatureSpec("a last", "a", "last", hold=hold), *SPECS[1:]]
    window = Window(KIND, depth_for(specs), np.full(2, held))
    times = [T0 + k * SECOND for k in range(60) for _ in "ab"]
    window.ingest(SampleBatch.of([0, 1] * 60, times, [1.0] * 120))
    at = np.array([times[-1] + round(silence * SECOND)])
    alive = np.full(window.columns, times[-1])
    plan = FeaturePlan(specs, KIND)
    rows = plan.compute(window, np.zeros(1, np.int32), at, alive=alive)
    found: list[int] = rows.missing[0].tolist()
    return found


@pytest.mark.parametrize("held", [False, True])
def test_a_silent_tag_is_stale_after_its_max_age(held: bool) -> None:
    """The shorter limit counts, for windows too; an age is right however old."""
    stale = int(NoScore.INPUT_STALE)

    assert missing(5.0, held=held) == [0, 0, 0, 0, 0]
    assert missing(5.1, held=held) == [stale, stale, 0, 0, 0]


@pytest.mark.parametrize("held", [False, True])
def test_a_shorter_hold_still_counts(held: bool) -> None:
    """What a model holds for two seconds is not held for the tag's five."""
    stale = int(NoScore.INPUT_STALE)

    assert missing(2.0, held=held, hold=2.0) == [0, 0, 0, 0, 0]
    assert missing(2.1, held=held, hold=2.0)[0] == stale
