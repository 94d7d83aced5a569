"""A threshold keeps its false-alarm budget, and says what the data could not show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from edge_agent.alarms import AlarmStates, Limits, Rows, advance
from edge_agent.publish.false_alarms import asset_hours, poisson_upper
from edge_agent.publish.thresholds import choose, count
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMITS = Limits(
    0.0, on_delay=30 * NANOSECONDS, off_delay=60 * NANOSECONDS, max_gap=10**15
)


def stream(
    seed: int, hours: float, assets: int = 4, *, shares: bool = False, period: int = 10
) -> Rows:
    """Scores that wander, as those of a plant do: a row every ``period`` seconds."""
    random = np.random.default_rng(seed)
    steps = int(hours * 3600 / period)
    noise = random.normal(size=(steps, assets))
    score = np.empty_like(noise)
    score[0] = noise[0]
    for i in range(1, steps):
        score[i] = 0.9 * score[i - 1] + np.sqrt(1 - 0.81) * noise[i]
    score = 1 / (1 + np.exp(-(score - 2))) if shares else np.exp(score / 2)
    return Rows(
        np.tile(np.arange(assets, dtype=np.int32), steps),
        np.repeat(np.arange(steps, dtype=np.int64), assets) * period * NANOSECONDS,
        score.ravel(),
        np.ones(steps * assets, bool),
    )


@pytest.mark.parametrize("shares", [False, True], ids=["any score", "shares"])
@pytest.mark.parametrize("budget", [2.0, 20.0])
def test_fresh_data_keeps_to_the_budget(budget: float, shares: bool) -> None:
    """Chosen on 336 asset hours, the threshold holds on 672 others, about."""
    found = choose(stream(1, 84, shares=shares), LIMITS, budget)

    fresh = count(
        stream(2, 168, shares=shares), replace(LIMITS, threshold=found.threshold), 1.0
    )

    assert found.seen <= budget
    assert fresh.seen <= 1.6 * budget
    assert fresh.seen >= 0.2 * budget


def test_alarms_are_counted_not_rows() -> None:
    """A long episode above the threshold is one false alarm."""
    rows = stream(3, 24, assets=1)
    score = np.ones(len(rows))
    score[1000:1500] = 5.0
    rows = replace(rows, score=score)

    found = count(rows, replace(LIMITS, threshold=2.0), 1.0)

    assert found.episodes == 1
    assert found.asset_hours == pytest.approx(24.0)


def test_a_spike_shorter_than_the_on_delay_costs_nothing() -> None:
    """Single rows far above normal raise no alarm, so they raise no threshold."""
    rows = stream(4, 48, assets=1)
    spiked = rows.score.copy()
    spiked[::997] = 1e6

    calm = choose(rows, LIMITS, 5.0)
    found = choose(replace(rows, score=spiked), LIMITS, 5.0)

    assert found.threshold < 2 * calm.threshold


def test_too_little_data_is_said_to_be_too_little() -> None:
    """One quiet day cannot show one alarm a week; the note says how long would."""
    found = choose(stream(5, 24, assets=1), LIMITS, 1.0)

    note = found.note(LIMITS)

    assert found.episodes == 0
    assert found.at_most == pytest.approx(3.0 * 7, rel=0.01)
    assert "24 asset hours are too short to show 1 a week" in note
    assert "504 hours without an alarm would" in note
    assert found.extrapolated
    assert "extrapolated" in note


def test_enough_data_needs_no_excuse() -> None:
    """Where the data is long enough the note is only how it was counted."""
    found = choose(stream(6, 168), LIMITS, 10.0)

    assert found.note(LIMITS) == "Counted as alarms with an on-delay of 30 s."
    assert not found.extrapolated


def test_a_share_is_never_asked_to_exceed_one() -> None:
    """A probability's threshold stays where the model can still reach it."""
    found = choose(stream(7, 12, assets=1, shares=True), LIMITS, 0.01)

    assert 0 < found.threshold < 1


@settings(max_examples=150)
@given(
    scores=st.lists(st.integers(0, 5), min_size=1, max_size=80),
    steps=st.lists(st.integers(1, 4), min_size=80, max_size=80),
    on_delay=st.integers(0, 60),
    off_delay=st.integers(0, 60),
    level=st.integers(0, 4),
    gap=st.sampled_from([0, 25]),
    assets=st.integers(1, 3),
)
def test_alarms_are_those_of_the_gateway(
    scores: list[int],
    steps: list[int],
    on_delay: int,
    off_delay: int,
    level: int,
    gap: int,
    assets: int,
) -> None:
    """For any scores, times and delays, as many alarms as the gateway would raise."""
    count_of = len(scores)
    rows = Rows(
        (np.arange(count_of) % assets).astype(np.int32),
        np.cumsum(steps[:count_of]) * 10 * NANOSECONDS,
        np.array(scores, float),
        np.ones(count_of, bool),
    )
    limits = Limits(
        float(level),
        on_delay=on_delay * NANOSECONDS,
        off_delay=off_delay * NANOSECONDS,
        max_gap=gap * NANOSECONDS,
        chatter_count=0,
    )

    found = count(rows, limits, 1.0)

    states, _, _ = advance(AlarmStates.fresh(assets), rows, limits)
    assert found.episodes == int(states.number.sum())


@pytest.mark.parametrize("events", [0, 1, 5, 40, 300, 3000])
def test_the_upper_limit_is_the_poisson_one(events: int) -> None:
    """Three for none seen, and as the chi-squared tables have it."""
    expected = stats.chi2.ppf(0.95, 2 * (events + 1)) / 2

    assert poisson_upper(events) == pytest.approx(expected, rel=1e-4)


def test_a_night_without_rows_is_no_time_looked_at() -> None:
    """Gaps count for five periods, not for the hours they last."""
    day = np.arange(0, 8 * 3600, 10)
    at = np.concatenate([day, day + 86_400]) * NANOSECONDS

    hours = asset_hours(np.zeros(len(at), np.int32), at)

    assert hours == pytest.approx(16.0, abs=0.1)


def test_thresholds_by_context_keep_the_budget_together() -> None:
    """Judged row by row with its own limit, fresh data gives about the budget."""
    half = 84 * 3600 * NANOSECONDS // 2

    def mixed(seed: int, hours: float) -> tuple[Rows, NDArray[np.bool_]]:
        rows = stream(seed, hours)
        loud = rows.at % (2 * half // 100) < half // 100
        return replace(rows, score=np.where(loud, 4 * rows.score, rows.score)), loud

    rows, loud = mixed(5, 84)
    own = {
        name: choose(rows.take(np.flatnonzero(mine)), LIMITS, 20.0).threshold
        for name, mine in (("loud", loud), ("calm", ~loud))
    }
    fresh, loud = mixed(6, 50)
    limit = np.where(loud, own["loud"], own["calm"])
    _, _, moves = advance(AlarmStates.fresh(4), replace(fresh, threshold=limit), LIMITS)
    weeks = asset_hours(fresh.asset, fresh.at) / 168

    assert own["calm"] < own["loud"]
    assert 4 <= np.count_nonzero(moves.state) / weeks <= 32
