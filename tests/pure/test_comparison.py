"""Two models on the same rows: exact sums, whatever the turns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_agent.comparison import Comparison, Verdicts

SECOND = 1_000_000_000
scores = hnp.arrays(
    np.float64,
    st.integers(1, 40),
    elements=st.floats(-1e3, 1e3) | st.just(float("nan")),
)


def summed(new: np.ndarray, old: np.ndarray, cut: int) -> Comparison:
    """All rows, in two turns cut somewhere."""
    found = Comparison()
    for turn, part in enumerate((slice(0, cut), slice(cut, None))):
        pair = (Verdicts(new[part], 1.0, 100), Verdicts(old[part], 2.0, 50))
        found = found.plus(*pair, turn * SECOND)
    return found


@given(scores, st.integers(0, 40), st.integers(0, 2**31))
@settings(max_examples=200)
def test_sums_are_what_numpy_makes_of_all_rows(
    new: np.ndarray, cut: int, seed: int
) -> None:
    """Counts exactly, correlation to rounding, wherever turns cut the rows."""
    old = np.random.default_rng(seed).normal(0, 3, len(new))
    found = summed(new, old, cut)
    both = np.isfinite(new)
    x, y = new[both], old[both]

    assert found.rows == len(x)
    assert found.lost_new == len(new) - len(x)
    differing = ((x > 1.0) != (y > 2.0)).sum()
    assert found.disagreement == pytest.approx(differing / len(x) if len(x) else 0.0)
    if len(x) > 2 and np.ptp(x) > 1e-3 and np.ptp(y) > 1e-3:
        expected = np.corrcoef(x, y)[0, 1]
        assert found.correlation == pytest.approx(expected, abs=1e-6)


def test_scores_far_from_zero_keep_their_correlation() -> None:
    """Sums are centred: a million with a ripple of a thousandth still correlates."""
    ripple = np.sin(np.arange(500))
    found = summed(1e6 + 1e-3 * ripple, 1e6 - 1e-3 * ripple, 250)

    assert found.correlation == pytest.approx(-1.0, abs=1e-3)


def test_a_model_that_never_moves_has_no_correlation() -> None:
    """Told as 0, never as a good-looking number."""
    found = summed(np.full(50, 3.3), np.arange(50.0), 20)

    assert np.isnan(found.correlation)
    assert not found.moved_new
    assert found.moved_old
    assert found.told()["correlation"] == 0.0


def test_a_comparison_survives_a_restart() -> None:
    """What a checkpoint keeps is the whole of it."""
    found = summed(np.arange(10.0), np.arange(10.0), 4)

    assert Comparison.restored(found.saved()) == found
    with pytest.raises(ValueError, match="zip"):
        Comparison.restored([1.0])


def test_the_time_an_agent_was_off_is_not_watched() -> None:
    """Of an hour between two turns ten minutes count; of seconds all."""
    one = Verdicts(np.ones(1), 1.0, 1)
    found = Comparison().plus(one, one, 0).plus(one, one, 5 * SECOND)
    found = found.plus(one, one, 3605 * SECOND)

    assert found.watched == 605 * SECOND


def test_rows_that_come_seldom_are_watched_too() -> None:
    """A part every twenty minutes: a watch of an hour ends, as its probation does."""
    one, found = Verdicts(np.ones(1), 1.0, 1), Comparison()
    for part in range(7):
        found = found.plus(one, one, part * 1200 * SECOND)

    assert found.watched == 3600 * SECOND
    assert found.plus(one, one, 0).watched == 3600 * SECOND  # a clock that went back
