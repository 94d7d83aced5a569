"""The rung below the model: single values against the ranges they were trained in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_agent.limitrule import IMPOSSIBLE, THRESHOLD, LimitRule
from edge_agent.records import NoScore

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

INF = float("inf")
NO_RANGE = (-INF, INF)
LEVELS = ("last", "first", "mean", "min", "max")
OTHERS = ("std", "age", "slope", "delta", "range", "count", "rms")

numbers = st.floats(-1e6, 1e6, width=32)
wild = st.floats(width=32, allow_nan=False, allow_infinity=False)
ranges = st.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair)))


@st.composite
def rules(
    draw: Callable[..., Any], trained: st.SearchStrategy[Any] = ranges
) -> tuple[list[tuple[float, float]], list[str], list[tuple[float, float]]]:
    """Ranges and aggregates of one to six features."""
    count = draw(st.integers(1, 6))

    def some(of: st.SearchStrategy[Any]) -> list[Any]:
        found: list[Any] = draw(st.lists(of, min_size=count, max_size=count))
        return found

    aggregates = some(st.sampled_from(LEVELS + OTHERS))
    return some(trained), aggregates, some(st.one_of(st.just(NO_RANGE), ranges))


def table(width: int, of: st.SearchStrategy[Any] = wild) -> Any:  # noqa: ANN401
    """float32[1 to 8, width]."""
    shape = st.tuples(st.integers(1, 8), st.just(width))
    return arrays.arrays(np.float32, shape, elements=of)


def one(*values: float) -> NDArray[np.float32]:
    """One row."""
    return np.array([values], np.float32)


def test_a_score_counts_margins_outside_the_trained_range() -> None:
    """Inside is 0, one margin (a tenth of the range) outside is 1, on both sides."""
    rule = LimitRule.of([(10.0, 20.0), (0.0, 1.0)], ["last", "std"], [NO_RANGE] * 2)
    values = np.array([[15, 0.5], [21, 0.5], [8, 0.5], [21, 1.3]], np.float32)

    found = rule.score(values)

    np.testing.assert_allclose(found.score, [0, 1, 2, 3], rtol=1e-6)
    assert found.contributions is not None
    parts = [[0, 0], [1, 0], [2, 0], [1, 3]]
    np.testing.assert_allclose(found.contributions, parts, rtol=1e-6)
    assert found.contributions.dtype == np.float32
    assert not found.no_score.any()
    assert rule.threshold == THRESHOLD == 1.0


def test_what_no_instrument_shows_counts_at_least_two() -> None:
    """A level outside the engineering range alarms, however near the trained one."""
    trained, engineering = [(10.0, 20.0)], [(0.0, 20.5)]
    level = LimitRule.of(trained, ["mean"], engineering)
    spread = LimitRule.of(trained, ["std"], engineering)

    assert level.score(one(20.4)).score[0] == pytest.approx(0.4, rel=1e-4)
    assert level.score(one(20.6)).score[0] == IMPOSSIBLE
    assert level.score(one(30.0)).score[0] == 10.0
    assert spread.score(one(20.6)).score[0] == pytest.approx(0.6, rel=1e-4)


@given(end=st.floats(-1e6, 1e6), aggregate=st.sampled_from(LEVELS))
def test_an_instrument_at_its_end_is_not_beyond_it(end: float, aggregate: str) -> None:
    """The end of a range has no exact float32; a value that reads it is possible."""
    for ends in ((end, INF), (-INF, end)):
        rule = LimitRule.of([(end, end)], [aggregate], [ends])
        assert rule.score(one(end)).score[0] < THRESHOLD


@given(drawn=rules(), data=st.data())
def test_inside_is_calm(drawn: Any, data: st.DataObject) -> None:  # noqa: ANN401
    """A row within every range scores 0 with no contribution."""
    trained, aggregates, _ = drawn
    rule = LimitRule.of(trained, aggregates, trained)
    shares = data.draw(table(len(trained), st.floats(0, 1, width=32)))
    low, high = np.array(trained).T
    values = np.clip(low + shares * (high - low), low, high).astype(np.float32)

    found = rule.score(values)

    assert not found.score.any()
    assert found.contributions is not None
    assert not found.contributions.any()


@given(drawn=rules(), data=st.data())
def test_the_order_of_features_does_not_matter(
    drawn: Any,  # noqa: ANN401
    data: st.DataObject,
) -> None:
    """Permuted features have permuted contributions and the same score."""
    values = data.draw(table(len(drawn[0])))
    order = data.draw(st.permutations(range(len(drawn[0]))))

    found = LimitRule.of(*drawn).score(values)
    other = LimitRule.of(*([part[i] for i in order] for part in drawn)).score(
        values[:, order]
    )

    assert found.contributions is not None
    assert other.contributions is not None
    assert np.array_equal(other.score, found.score)
    assert np.array_equal(other.contributions, found.contributions[:, order])


@given(drawn=rules(), data=st.data(), further=st.floats(0, 1e6, width=32))
def test_further_outside_never_scores_less(
    drawn: Any,  # noqa: ANN401
    data: st.DataObject,
    further: float,
) -> None:
    """From inside outwards, on either side, each feature's part only grows."""
    trained = drawn[0]
    engineering = [(low - 1, high + 1) for low, high in trained]
    rule = LimitRule.of(trained, drawn[1], engineering)
    middle = np.array([(low + high) / 2 for low, high in trained])
    offset = data.draw(table(len(trained), numbers))
    longer = offset + np.sign(offset) * further

    near = rule.score((middle + offset).astype(np.float32))
    far = rule.score((middle + longer).astype(np.float32))

    assert near.contributions is not None
    assert far.contributions is not None
    assert (far.score >= near.score).all()
    assert (far.contributions >= near.contributions).all()


@given(
    drawn=rules(st.tuples(st.floats(-1e308, 0), st.floats(0, 1e308))),
    data=st.data(),
    hole=st.sampled_from([np.nan, np.inf, -np.inf]),
)
def test_a_row_with_a_hole_is_not_judged(
    drawn: Any,  # noqa: ANN401
    data: st.DataObject,
    hole: float,
) -> None:
    """It has no score and a reason; all others have finite ones, however wild."""
    values = data.draw(table(len(drawn[0])))
    values[0, -1] = hole
    before = values.copy()

    found = LimitRule.of(*drawn).score(values)

    assert np.isnan(found.score[0])
    assert found.no_score[0] == NoScore.INPUT_MISSING
    assert np.isfinite(found.score[1:]).all()
    assert not found.no_score[1:].any()
    assert found.contributions is not None
    assert np.isfinite(found.contributions).all()
    assert np.array_equal(values, before, equal_nan=True)


def test_no_rows_give_no_scores() -> None:
    """An empty turn is judged without a fuss."""
    rule = LimitRule.of([(0.0, 1.0)], ["last"], [NO_RANGE])

    assert len(rule.score(np.zeros((0, 1), np.float32)).score) == 0


def test_every_feature_needs_its_ranges() -> None:
    """A list that is too short is the caller's mistake, told at once."""
    with pytest.raises(ValueError, match="every feature has one of each"):
        LimitRule.of([(0.0, 1.0)], ["last", "mean"], [NO_RANGE])
