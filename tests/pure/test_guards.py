"""When a model is taken off, and above all when it is not."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.comparison import Comparison, Verdicts
from edge_agent.guards import COMPARED_ROWS, FAILURES, Health, broken, watched

NAN = float("nan")


def run(*turns: tuple[list[float], str], varied: bool = True) -> list[str]:
    """Reasons of a series of turns."""
    health, said = Health(), []
    for score, error in turns:
        health, reason = watched(health, np.array(score), error, varied=varied)
        said.append(reason)
    return said


def test_three_failed_calls_in_a_row_are_enough() -> None:
    """Two are not, and a good one between begins anew."""
    boom, fine = ([NAN], "Boom"), ([1.0], "")

    assert run(boom, boom, fine, boom, boom) == [""] * 5
    said = run(boom, boom, boom)
    assert said[:2] == ["", ""]
    assert said[2] == "failed 3 times in a row: Boom"


def test_half_of_the_rows_without_a_number_is_too_much() -> None:
    """A single asset out of many that gives NaN is not the model's end."""
    mostly = [NAN] * 6 + [1.0, 2.0, 3.0, 4.0]
    seldom = [NAN, *map(float, range(9))]

    assert "gave no number for 60 %" in run(*[(mostly, "")] * 6)[-1]
    assert run(*[(seldom, "")] * 200) == [""] * 200


def test_a_frozen_score_is_noticed_only_where_the_input_moves() -> None:
    """A hall that stands still gives the same score for ever, rightly."""
    still = [([7.0], "")] * 600

    assert "same score 7" in run(*still)[-1]
    assert run(*still, varied=False) == [""] * 600


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.integers(0, 9))
@settings(max_examples=100)
def test_no_sound_model_is_ever_taken_off(scores: list[float], seed: int) -> None:
    """Any finite scores that differ now and then, for a long time."""
    random = np.random.default_rng(seed)
    turns = [(random.permutation([*scores, float(i)]).tolist(), "") for i in range(99)]

    assert run(*turns) == [""] * 99


def test_memory_is_bounded() -> None:
    """Old rows fade: a million good ones do not hide a model that breaks now."""
    health, reason = Health(), ""
    for _ in range(10_000):
        health, _ = watched(
            health, np.random.default_rng(1).normal(size=100), "", varied=True
        )
    turns = 0
    while not reason:
        health, reason = watched(health, np.full(100, NAN), "", varied=True)
        turns += 1

    assert turns <= FAILURES


def compared(new: np.ndarray, old: np.ndarray) -> Comparison:
    """Both against a threshold of 1."""
    return Comparison().plus(Verdicts(new, 1.0, 1), Verdicts(old, 1.0, 1), 0)


def test_a_plant_in_trouble_does_not_take_a_model_off() -> None:
    """Both cry: it is the plant. One alone cries: it is the model."""
    loud, calm = np.linspace(2, 3, COMPARED_ROWS), np.linspace(0, 0.9, COMPARED_ROWS)

    assert broken(compared(loud, loud), 1.0) == ""
    assert broken(compared(calm, calm), 1.0) == ""
    assert broken(compared(calm, loud), 1.0) == ""
    assert "above its limit 1 in 100%" in broken(compared(loud, calm), 1.0)
    assert broken(compared(loud[:-1], calm[:-1]), 1.0) == ""


def test_a_model_that_falls_silent_alone_is_broken() -> None:
    """One constant score, or none at all, beside a former one that lives."""
    calm = np.linspace(0, 0.9, COMPARED_ROWS)
    mute = np.r_[calm, np.full(COMPARED_ROWS + 1, NAN)]

    assert "one and the same score" in broken(compared(calm * 0, calm), 1.0)
    assert "gave no score" in broken(compared(mute, np.r_[calm, calm, 0.5]), 1.0)
