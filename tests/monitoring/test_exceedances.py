"""Alarms at other thresholds: as many as the alarms themselves would have been."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent import alarms
from edge_agent.monitoring.exceedances import (
    LONGEST,
    Candidates,
    Exceedances,
    Levels,
    advance,
)

SECOND = 1_000_000_000
GRID = Candidates.around(1.0, 0.5)
LIVE = GRID.base


def rows_of(seed: int, assets: int, steps: int) -> alarms.Rows:
    """Scores that wander about the threshold, with gaps and rows without a verdict."""
    random = np.random.default_rng(seed)
    score = 1.0 + np.cumsum(random.normal(0, 0.15, (steps, assets)), axis=0)
    # some go far below all candidates and come back
    score = np.where(random.random(assets) < 0.5, 1.0 + 2.5 * np.sin(score * 4), score)
    score[random.random(score.shape) < 0.02] = np.nan
    pause = np.where(random.random(steps) < 0.05, 30, 1)
    at = np.repeat(np.cumsum(pause) * SECOND, assets)
    asset = np.tile(np.arange(assets, dtype=np.int32), steps)
    keep = random.random(len(at)) < 0.9
    verdict = random.random(len(at)) < 0.97
    whole = alarms.Rows(asset, at, score.ravel(), verdict)
    return whole.take(np.flatnonzero(keep))


def limits_of(threshold: float, gap: int = 0) -> alarms.Limits:
    """Delays as in the field, without the guard against chattering."""
    return alarms.Limits(
        threshold, 0.05, 3 * SECOND, 8 * SECOND, gap * SECOND, chatter_count=0
    )


def run(
    rows: alarms.Rows, assets: int, turns: int, gap: int = 0, live: int = LIVE
) -> tuple[Exceedances, Levels, list[tuple[int, int, float]]]:
    """All rows, in so many turns."""
    levels, found, over = Levels.fresh(assets, GRID), Exceedances.none(GRID), []
    for part in np.array_split(np.arange(len(rows)), turns):
        turn = advance(levels, rows.take(part), limits_of(0.0, gap), GRID, live)
        levels, found = turn[0], found.plus(turn[1])
        ended = turn[2]
        over += list(
            zip(*(c.tolist() for c in (ended.asset, ended.at, ended.peak)), strict=True)
        )
    return found, levels, over


@given(st.integers(0, 2**32), st.integers(1, 40), st.sampled_from([0, 5]))
@settings(max_examples=20, deadline=None)
def test_each_candidate_counts_what_its_alarms_would_be(
    seed: int, turns: int, gap: int
) -> None:
    """The very alarms of `alarms.advance` with that threshold, however turns cut."""
    rows = rows_of(seed, 4, 70)
    found, levels, _ = run(rows, 4, turns, gap)
    for place in range(0, len(GRID), 9):
        limits = limits_of(float(GRID.thresholds[place]), gap)
        states, _, _ = alarms.advance(alarms.AlarmStates.fresh(4), rows, limits)

        assert found.alarms[place] == states.number.sum()
        assert (levels.active > place).tolist() == states.active.tolist()


@given(st.integers(0, 2**32), st.integers(1, 30))
@settings(max_examples=12, deadline=None)
def test_a_peak_is_the_highest_threshold_that_would_have_alarmed(
    seed: int, turns: int
) -> None:
    """For each live alarm that ended: raised up to its peak, and not beyond it."""
    rows = rows_of(seed, 3, 80)
    _, _, over = run(rows, 3, turns)
    limits = limits_of(float(GRID.thresholds[LIVE]))
    _, _, changes = alarms.advance(alarms.AlarmStates.fresh(3), rows, limits)
    gone = changes.state == 0
    asset, at = rows.asset[changes.row[gone]], rows.at[changes.row[gone]]

    assert sorted((a, t) for a, t, _ in over) == sorted(
        zip(asset.tolist(), at.tolist(), strict=True)
    )
    since = dict(zip(zip(asset, at, strict=True), changes.since[gone], strict=True))
    for who, when, peak in over:
        place = GRID.place(peak)
        began = active_at(rows, place, who, when)
        assert began is not None
        if place + 1 < len(GRID):
            later = active_at(rows, place + 1, who, when)
            assert later is None or later < since[who, when]


def test_an_alarm_that_comes_again_has_its_whole_off_delay() -> None:
    """Though the last time it was below its clear limit is long ago."""
    score = np.repeat([2.0, 0.0, 2.0, 0.0], [6, 12, 6, 6])
    at = np.arange(30) * SECOND
    rows = alarms.Rows(np.zeros(30, np.int32), at, score, np.ones(30, bool))
    _, levels, over = run(rows, 1, 4)

    assert [when // SECOND for _, when, _ in over] == [14]
    assert levels.active[0] > LIVE


def active_at(rows: alarms.Rows, place: int, asset: int, end: int) -> int | None:
    """When the asset's last alarm at a candidate before ``end`` began."""
    limits = limits_of(float(GRID.thresholds[place]))
    _, _, changes = alarms.advance(alarms.AlarmStates.fresh(3), rows, limits)
    mine = (rows.asset[changes.row] == asset) & (changes.state == 1)
    began = rows.at[changes.row[mine]]
    began = began[began <= end]
    return int(began[-1]) if len(began) else None


def test_what_is_watched_is_the_time_between_rows() -> None:
    """Of all assets together; of a long silence only its beginning."""
    at = np.array([0, 10, 20, 5000], np.int64) * SECOND
    rows = alarms.Rows(
        np.zeros(4, np.int32), at, np.zeros(4), np.array([True, True, True, True])
    )
    found, _, _ = run(rows, 2, 3)

    assert found.watched == 20 * SECOND + LONGEST
    assert found.weeks == pytest.approx((20 + 600) / 604_800)


def test_state_survives_a_restart_by_asset() -> None:
    """Counts go on where they were; another asset list keeps what it can."""
    rows = rows_of(5, 3, 200)
    whole, end, _ = run(rows, 3, 9)
    half = np.arange(len(rows)) < len(rows) // 2
    one, levels, _ = run(rows.take(np.flatnonzero(half)), 3, 1)
    levels = Levels.restored(levels.saved(), ["a", "b", "c"], ["a", "b", "c"], GRID)
    kept = Exceedances.restored(one.saved(), GRID)
    later = rows.take(np.flatnonzero(~half))
    levels, more, _ = advance(levels, later, limits_of(0.0), GRID, LIVE)

    assert kept.plus(more).alarms.tolist() == whole.alarms.tolist()
    assert levels.active.tolist() == end.active.tolist()
    other = Levels.restored(end.saved(), ["a", "b", "c"], ["c", "new"], GRID)
    assert other.active.tolist() == [end.active[2], 0]
    with pytest.raises(ValueError, match="not of 2 assets"):
        Levels.restored(end.saved(), ["a", "b"], ["a"], GRID)
    with pytest.raises(ValueError, match="do not fit"):
        Exceedances.restored({"alarms": np.zeros(3)}, GRID)


@pytest.mark.parametrize("base", [0.5, -2.0, 1e-9, 0.0])
def test_candidates_hold_the_base_and_rise(base: float) -> None:
    """Some 64 of them, whatever the scale; a threshold of 0 may not move."""
    grid = Candidates.around(base, 0.2)

    assert len(grid) == 64
    assert (np.diff(grid.thresholds) > 0).all()
    assert grid.thresholds[grid.base] == base
    assert grid.place(base) == grid.base
    assert grid.high - grid.low == pytest.approx(0.4 * abs(base))
    inside = (grid.thresholds >= grid.low) & (grid.thresholds <= grid.high)
    assert inside.sum() == (1 if base == 0 else 49) or np.isclose(
        grid.thresholds[48], grid.high
    )
