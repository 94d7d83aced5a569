"""What people are told of drift, and which contexts are looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.monitoring.conditions import Condition, What
from tests.monitoring import plants
from tests.monitoring.months import monitored

MINUTE = 60.0
FLOW = 80.9
TRAINED = plants.ar1(np.random.default_rng(0), 30_000, 2, 0.9) * 4.0 + FLOW
REFERENCE = plants.reference_of(TRAINED, MINUTE)
STICK = replace(
    plants.yardstick(REFERENCE), labels=("flow", "pressure"), units=("m3/h", "bar")
)


def hours(count: int, seed: int = 1) -> np.ndarray:
    """float64[hours, 60, 2], healthy."""
    table = plants.ar1(np.random.default_rng(seed), count * 60, 2, 0.9) * 4.0 + FLOW
    return table.reshape(count, 60, 2)


def only(found: list[tuple[int, Condition]]) -> Condition:
    """The one condition that was told."""
    assert len(found) == 1
    return found[0][1]


def test_a_lower_flow_is_said_with_its_numbers() -> None:
    """The sentence has the tag, by how much, both means, the unit and the share."""
    live = hours(72)
    live[30:, :, 0] -= 9.7

    found = only(monitored(STICK, list(live)).opened)

    assert found.what is What.INPUT_DRIFT
    assert (found.tag, found.asset, found.context) == ("x0", "", "")
    assert found.sentence.startswith("Flow of all pumps is ")
    assert "% lower than when the model was trained, over the last " in found.sentence
    assert "mean 7" in found.sentence
    assert "instead of 81.0" in found.sentence
    assert "m3/h, " in found.sentence
    assert "% of values outside the usual range" in found.sentence
    assert found.strength > 1
    assert found.evidence["mean_then"] == pytest.approx(FLOW, abs=0.5)
    assert float(found.evidence["n_eff"]) > 5


def test_a_wider_flow_is_said_to_vary() -> None:
    """A change of spread is not told as a change of level."""
    live = hours(72)
    live[30:, :, 0] = (live[30:, :, 0] - FLOW) * 3.0 + FLOW

    found = only(monitored(STICK, list(live)).opened)

    assert "varies" in found.sentence
    assert "times as much as when the model was trained" in found.sentence
    assert "standard deviation " in found.sentence


def test_a_score_that_drifts_is_another_finding() -> None:
    """Behind the features come outputs: they ask for a look at the model."""
    live = hours(48)
    live[..., 1] += 9.0

    found = only(monitored(replace(STICK, features=1), list(live)).opened)

    assert found.what is What.SCORE_DRIFT
    assert "alarms" in found.action


def test_what_is_mended_is_over() -> None:
    """A finding closes when the newest window is healthy again."""
    live = hours(240)
    live[20:120, :, 0] += 12.0

    told = monitored(STICK, list(live))

    assert only(told.opened).tag == "x0"
    assert only(told.closed).tag == "x0"
    assert 120 < told.closed[0][0] < 120 + 24 + 6


def test_a_slow_change_is_found_by_a_longer_window() -> None:
    """What a day cannot tell from its own wander, a week can."""
    rng = np.random.default_rng(3)
    slow = plants.ar1(rng, 60 * 24 * 4, 2, 0.975)
    stick = plants.yardstick(plants.reference_of(slow, 900.0))
    live = plants.ar1(rng, 12 * 24 * 4, 2, 0.975).reshape(-1, 4, 2)
    live[:, :, 0] += 2.0

    found = only(monitored(stick, list(live)).opened)

    assert found.tag == "x0"
    assert float(found.evidence["hours"]) > 24


def test_missing_inputs_are_told() -> None:
    """A tag that is missing in a third of rows is a finding of its own."""
    live = hours(48)
    live[:, ::3, 1] = np.nan

    found = only(monitored(STICK, list(live)).opened)

    assert found.what is What.TOO_MUCH_MISSING
    assert found.tag == "x1"
    assert "missing in 33% of rows" in found.sentence


def recipes(live: list[str], *, shift: float = 0.0) -> list[Condition]:
    """What is told where A and B were trained and these run."""
    trained = np.repeat(["A", "B"], 240 * 4)
    trained = np.tile(trained, 20)
    rng = np.random.default_rng(4)
    place = {"A": 0.0, "B": 8.0, "C": 4.0}
    lift = np.array([place[name] for name in trained])[:, None]
    table = plants.ar1(rng, len(trained), 2, 0.9) + lift
    reference = plants.reference_of(table, MINUTE, contexts=trained.tolist())
    rows = plants.ar1(rng, len(live) * 60, 2, 0.9).reshape(len(live), 60, 2)
    rows += np.array([place[name] for name in live])[:, None, None]
    rows[np.array(live) == "B"] += shift
    told = monitored(plants.yardstick(reference), list(rows), live)
    return [condition for _, condition in told.opened]


def test_another_mix_of_recipes_is_no_drift() -> None:
    """Only recipe B for days: the whole has moved, the context explains it."""
    assert recipes(["B"] * 60) == []


def test_drift_is_told_of_the_recipe_it_is_in() -> None:
    """B has moved and A has not."""
    found = recipes((["A"] * 4 + ["B"] * 4) * 12, shift=1.5)

    assert {one.context for one in found} == {"B"}
    assert " in B is " in found[0].sentence


def test_a_recipe_that_was_never_trained_is_told() -> None:
    """One finding for the context, none for each of its columns."""
    found = recipes((["A"] * 4 + ["C"] * 2) * 10)

    assert [(one.what, one.context) for one in found] == [(What.UNSEEN_CONTEXT, "C")]
    assert "which the model was not trained on" in found[0].sentence


def test_contexts_the_model_was_not_told_of_are_put_together() -> None:
    """Where the reference has no contexts all rows are held against its whole."""
    live = hours(48)
    live[..., 0] -= 9.7

    found = only(monitored(STICK, list(live), ["A", "B"] * 24).opened)

    assert (found.what, found.context) == (What.INPUT_DRIFT, "")
