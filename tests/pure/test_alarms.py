"""Alarms: delays, hysteresis, episodes, and the guard against chattering."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.alarms import (
    NEVER,
    AlarmStates,
    Limits,
    Rows,
    Transitions,
    advance,
    occurrence,
)
from edge_agent.samples import NANOSECONDS as S

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = Limits(threshold=10.0, hysteresis=0.1, on_delay=3 * S, off_delay=5 * S)


def judge(
    scores: Sequence[float | None],
    limits: Limits = LIMITS,
    *,
    states: AlarmStates | None = None,
    start: int = 0,
) -> tuple[AlarmStates, list[tuple[int, int, int]]]:
    """One asset, a row a second; None is a row without a verdict.

    Returns:
        The states, and each change as (second, state, second the episode began).
    """
    count = len(scores)
    rows = Rows(
        np.zeros(count, np.int32),
        (start + np.arange(count)) * S,
        np.array([np.nan if s is None else s for s in scores], np.float64),
        np.array([s is not None for s in scores], bool),
    )
    new, _, found = advance(states or AlarmStates.fresh(1), rows, limits)
    return new, [
        (int(rows.at[r]) // S, int(state), int(since) // S)
        for r, state, since in zip(found.row, found.state, found.since, strict=True)
    ]


@pytest.mark.parametrize(
    ("scores", "changes"),
    [
        ([11, 11, 11], []),
        ([11, 11, 11, 11], [(3, 1, 3)]),
        ([10, 10, 10, 10, 10], []),
        ([11, 11, 10, 11, 11, 11, 11], [(6, 1, 6)]),
        ([11, 11, None, 11, 11, 11, 11], [(6, 1, 6)]),
        ([None] * 10, []),
        ([11] * 4 + [9] * 5, [(3, 1, 3)]),
        ([11] * 4 + [9] * 6, [(3, 1, 3), (9, 0, 3)]),
        ([11] * 4 + [9.5] * 20, [(3, 1, 3)]),
        ([11] * 4 + [9] * 3 + [9.5] + [9] * 6, [(3, 1, 3), (13, 0, 3)]),
        ([11] * 4 + [None] * 60, [(3, 1, 3)]),
        ([11] * 4 + [9] * 5 + [None] + [9] * 6, [(3, 1, 3), (15, 0, 3)]),
    ],
    ids=[
        "shorter than the on-delay",
        "as long as the on-delay",
        "at the limit is not above it",
        "a dip starts the on-delay again",
        "a row without verdict starts it again",
        "no verdict is no alarm",
        "shorter than the off-delay",
        "as long as the off-delay",
        "within the hysteresis stays active",
        "within the hysteresis starts the off-delay again",
        "no verdict keeps an alarm",
        "no verdict starts the off-delay again",
    ],
)
def test_when_an_alarm_comes_and_goes(
    scores: list[float | None], changes: list[tuple[int, int, int]]
) -> None:
    """Each rule of the module's first paragraph, one row a second."""
    _, found = judge(scores)

    assert found == changes


def test_without_delays_one_row_decides() -> None:
    """Delays of zero act at once."""
    limits = Limits(threshold=10.0, on_delay=0, off_delay=0)

    _, found = judge([11, 12, 9, 11], limits)

    assert found == [(0, 1, 0), (2, 0, 0), (3, 1, 3)]


def test_a_negative_limit_clears_below_it() -> None:
    """Hysteresis lowers the clear limit whatever the sign."""
    assert Limits(threshold=-10.0, hysteresis=0.1).clear == pytest.approx(-11.0)


def test_a_long_silence_is_no_evidence() -> None:
    """A gap longer than max_gap starts the on-delay again; a shorter one does not."""
    limits = Limits(threshold=10.0, on_delay=3 * S, max_gap=10 * S)
    states, _ = judge([11, 11], limits)

    _, after_gap = judge([11], limits, states=states, start=12)
    _, in_time = judge([11], limits, states=states, start=11)

    assert after_gap == []
    assert in_time == [(11, 1, 11)]


def test_the_episode_has_one_name() -> None:
    """ACTIVE and NORMAL of one episode carry the same id, the next another."""
    _, found = judge(([11] * 4 + [9] * 6) * 2)

    names = [occurrence("P-101", since * S) for _, _, since in found]

    assert names[0] == names[1] != names[2] == names[3]


def test_a_chattering_alarm_is_held_not_silenced() -> None:
    """No 10 minutes hold more than 6 changes, and the alarm stays on, not off."""
    limits = Limits(threshold=10.0, on_delay=0, off_delay=S)
    scores: list[float | None] = [11.0, 9.0, 9.0] * 400

    states, found = judge(scores, limits)

    times = np.array([second for second, _, _ in found])
    assert all(((times > t - 600) & (times <= t)).sum() <= 6 for t in times)
    # from the fifth change on the alarm stays: only room in the window lets it go
    assert [state for _, state, _ in found[:5]] == [1, 0, 1, 0, 1]
    assert found[5][0] >= 600
    assert states.recent.shape[1] >= limits.chatter_count - 1


def test_a_held_alarm_clears_when_calm() -> None:
    """When the score stays calm the held alarm returns to normal by itself."""
    limits = Limits(threshold=10.0, on_delay=0, off_delay=S)

    _, found = judge([11.0, 9.0, 9.0] * 3 + [9.0] * 700, limits)

    assert found[-1][1] == 0
    assert 600 <= found[-1][0] <= 610


def gated(
    scores: Sequence[float], stands: Sequence[bool], limits: Limits = LIMITS
) -> list[tuple[int, int]]:
    """One asset, a row a second, its machine standing in some; the changes."""
    count = len(scores)
    rows = Rows(
        np.zeros(count, np.int32),
        np.arange(count) * S,
        np.array(scores, np.float64),
        ~np.array(stands, bool),
        suppressed=np.array(stands, bool),
    )
    _, _, found = advance(AlarmStates.fresh(1), rows, limits)
    return list(
        zip((rows.at[found.row] // S).tolist(), found.state.tolist(), strict=True)
    )


def test_an_alarm_does_not_outlive_the_machine_it_is_about() -> None:
    """Suppressed by design: gone after the off-delay, back when the machine runs."""
    stands = [False] * 4 + [True] * 10 + [False] * 4

    assert gated([11.0] * 18, stands) == [(3, 1), (9, 0), (17, 1)]


def test_no_alarm_comes_while_the_machine_stands() -> None:
    """Neither from standing still, nor with a delay that began before."""
    assert gated([11.0] * 20, [True] * 20) == []
    assert gated([11.0] * 6, [False] * 2 + [True] + [False] * 3) == []


def test_a_row_has_the_limit_of_its_context() -> None:
    """What is an alarm in one recipe is none in another; it clears by its own limit."""
    limits = Limits(threshold=10.0, hysteresis=0.1, on_delay=0, off_delay=0)
    own = np.array([20.0, 10.0, 20.0, 10.0, 10.0])
    rows = Rows(
        np.zeros(5, np.int32),
        np.arange(5) * S,
        np.array([12.0, 12.0, 18.5, 9.5, 9.0]),
        np.ones(5, bool),
        own,
    )
    _, after, _ = advance(AlarmStates.fresh(1), rows, limits)

    assert after.tolist() == [0, 1, 1, 1, 0]


@dataclass
class Slow:
    """The rules for one asset, written to be read."""

    limits: Limits
    active: bool = False
    since: int = NEVER
    pending: int | None = None
    judged: int | None = None
    number: int = 0
    changes: list[int] = field(default_factory=list)

    def row(
        self, at: int, score: float, limit: float, *, verdict: bool, unwanted: bool
    ) -> str:
        """Take one row; which change it made, or nothing."""
        unwanted &= self.active
        if (not verdict or np.isnan(score)) and not unwanted:
            self.pending = None
            return ""
        silent = self.judged is not None and at - self.judged > self.limits.max_gap
        self.judged = at
        if self.limits.max_gap and silent:
            self.pending = None
        clear = limit - self.limits.hysteresis * abs(limit)
        leaning = verdict and (score <= clear if self.active else score > limit)
        if not (leaning or unwanted):
            self.pending = None
            return ""
        if self.pending is None:
            self.pending = at
        delay = self.limits.off_delay if self.active else self.limits.on_delay
        recent = [t for t in self.changes if t > at - self.limits.chatter_window]
        crowded = len(recent) >= self.limits.chatter_count - 1
        if at - self.pending < delay or (self.active and crowded):
            return ""
        self.active = not self.active
        self.number += self.active
        self.since = at if self.active else self.since
        self.changes.append(at)
        self.pending = None
        return f"{'on' if self.active else 'off'} {self.since} {self.number}"


streams = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 4),
        st.sampled_from([0.0, 9.0, 9.4, 9.6, 10.0, 10.1, 50.0, float("nan")]),
        st.booleans() | st.just(value=True),
        st.sampled_from([10.0, 10.0, 9.5, -9.0]),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=120,
)
Stream = list[tuple[int, int, float, bool, float, bool]]
"""Asset, how long after the one before, score, verdict, threshold, suppressed."""
limits_drawn = st.builds(
    Limits,
    threshold=st.just(10.0),
    hysteresis=st.sampled_from([0.0, 0.05]),
    on_delay=st.integers(0, 4),
    off_delay=st.integers(0, 4),
    max_gap=st.sampled_from([0, 6]),
    chatter_count=st.sampled_from([3, 6]),
    chatter_window=st.integers(1, 40),
)


def rows_of(stream: Stream) -> Rows:
    """Rows of four assets; each row comes some time after the one before."""
    return Rows(
        np.array([s[0] for s in stream], np.int32),
        np.cumsum([s[1] for s in stream], dtype=np.int64),
        np.array([s[2] for s in stream], np.float64),
        np.array([s[3] for s in stream], bool),
        np.array([s[4] for s in stream], np.float64),
        np.array([s[5] for s in stream], bool),
    )


def told(rows: Rows, found: Transitions) -> dict[int, str]:
    """Changes by row, as `Slow` tells them."""
    return {
        int(r): f"{'on' if state else 'off'} {since} {number}"
        for r, state, since, number in zip(
            found.row, found.state, found.since, found.number, strict=True
        )
        if len(rows)
    }


def same(one: AlarmStates, other: AlarmStates) -> bool:
    """Whether all columns are equal."""
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name))
        for f in fields(one)
    )


@given(stream=streams, limits=limits_drawn)
@settings(max_examples=200, deadline=None)
def test_all_at_once_is_what_one_by_one_is(stream: Stream, limits: Limits) -> None:
    """The vectorised rules equal the readable ones, row for row."""
    rows = rows_of(stream)
    slow = [Slow(limits) for _ in range(4)]
    expected, after = {}, []
    for i, (asset, _, score, verdict, limit, unwanted) in enumerate(stream):
        change = slow[asset].row(
            int(rows.at[i]), score, limit, verdict=verdict, unwanted=unwanted
        )
        if change:
            expected[i] = change
        after.append(slow[asset].active)

    states, state_after, found = advance(AlarmStates.fresh(4), rows, limits)

    assert told(rows, found) == expected
    assert state_after.astype(bool).tolist() == after
    assert states.active.tolist() == [s.active for s in slow]
    assert states.number.tolist() == [s.number for s in slow]


@given(stream=streams, limits=limits_drawn, cut=st.integers(0, 120))
@settings(max_examples=150, deadline=None)
def test_a_batch_gives_what_its_halves_give(
    stream: Stream, limits: Limits, cut: int
) -> None:
    """However turns chop the rows, and over a checkpoint, changes are the same."""
    rows = rows_of(stream)
    cut = min(cut, len(stream))
    names = ["a", "b", "c", "d"]
    fresh = AlarmStates.fresh(4)
    whole, _, found = advance(fresh, rows, limits)

    half, _, first = advance(fresh, rows.take(np.arange(cut)), limits)
    half = AlarmStates.from_arrays(half.to_arrays(), names, names)
    rest = rows.take(np.arange(cut, len(rows)))
    end, _, second = advance(half, rest, limits)

    shifted = {row + cut: text for row, text in told(rest, second).items()}
    assert {**told(rows, first), **shifted} == told(rows, found)
    assert same(end, whole)
    assert same(fresh, AlarmStates.fresh(4))


def test_a_checkpoint_follows_asset_names() -> None:
    """After a change of the configuration an alarm stays with its asset."""
    states, _ = judge([11] * 4)
    saved = states.to_arrays()

    now = AlarmStates.from_arrays(saved, ["P-1"], ["P-0", "P-1", "P-2"])

    assert now.active.tolist() == [False, True, False]
    assert now.number.tolist() == [0, 1, 0]


def test_a_checkpoint_that_does_not_fit_is_refused() -> None:
    """A checkpoint of other assets is an error, not a guess."""
    with pytest.raises(ValueError, match="does not fit"):
        AlarmStates.from_arrays(AlarmStates.fresh(2).to_arrays(), ["P-1"], ["P-1"])
