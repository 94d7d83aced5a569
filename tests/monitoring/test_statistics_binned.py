from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats
from scipy.spatial.distance import jensenshannon

from edge_agent.monitoring.statistics import binned
from edge_agent.monitoring.statistics.kolmogorov import ks_d
from edge_agent.monitoring.tallies import Grid, counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I64

    F32 = NDArray[np.float32]

EVERY = {
    "psi": binned.psi,
    "jensen_shannon": binned.jensen_shannon,
    "hellinger": binned.hellinger,
    "ks": binned.ks,
}
of_every = pytest.mark.parametrize("name", sorted(EVERY))

# 200 and 150 numbers in Evidently's ten bins
USUAL = np.array([[3, 11, 26, 46, 50, 38, 19, 6, 1, 0]])
SHIFTED = np.array([[2, 5, 13, 23, 31, 31, 24, 13, 6, 2]])


def sides() -> st.SearchStrategy[tuple[I64, I64]]:
    """Counts of two sides over the same bins, at least one number in each column."""
    shape = st.tuples(st.integers(1, 4), st.integers(2, 12))
    counts = shape.flatmap(
        lambda s: hnp.arrays(np.int64, (2, *s), elements=st.integers(0, 5_000))
    )
    return counts.map(_not_empty)


def _not_empty(counts: I64) -> tuple[I64, I64]:
    counts[:, :, -1] += counts.sum(axis=2) == 0
    return counts[0], counts[1]


tables = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.just(3)),
    elements=st.floats(-9, 9, width=32),
)
GRID = Grid.of(
    "abc", [[-4.0, -1.0, 0.0, 0.5, 3.0], [0.0], [-20.0, -9.0, 9.0]], [0.0, 0.0, 0.0]
)


def distance(one: F32, other: F32) -> tuple[F64, F64]:
    """Wasserstein-1 of two tables, and its largest error."""
    a, b = counted(GRID, one), counted(GRID, other)
    low, high = np.minimum(a.low, b.low), np.maximum(a.high, b.high)
    args = (GRID.edges, a.counts, b.counts, low, high)
    return binned.wasserstein(*args), binned.wasserstein_error(*args)


@pytest.mark.parametrize(
    ("ours", "wanted"),
    [
        (binned.psi, 0.3008818728),
        (lambda p, q: binned.jensen_shannon(p, q, base=np.e), 0.1798589007),
        (binned.jensen_shannon, 0.1798589007 / np.log(2.0) ** 0.5),
        (binned.hellinger, 0.1876694654),
        (binned.ks, 136 / 200 - 74 / 150),
    ],
)
def test_ten_bins_by_hand(ours: Callable[[I64, I64], F64], wanted: float) -> None:
    """Over the bins that Evidently makes, its figures come out."""
    assert ours(USUAL, SHIFTED)[0] == pytest.approx(wanted, rel=1e-8)


@of_every
def test_what_is_disjoint_is_as_far_apart_as_can_be(name: str) -> None:
    """Sides without a common bin are 1 apart, and 18.4 in psi."""
    found = EVERY[name](np.array([[9, 0, 0]]), np.array([[0, 0, 4]]))
    most = 2.0 * (1.0 - 1e-4) * np.log(1e4) if name == "psi" else 1.0
    assert found[0] == pytest.approx(most, rel=1e-12)


@of_every
@settings(max_examples=30)
@given(sides())
def test_is_symmetric_and_bounded(name: str, counts: tuple[I64, I64]) -> None:
    """Sides can be swapped; nothing is below 0 or above the most there is."""
    one, other = counts
    there, back = EVERY[name](one, other), EVERY[name](other, one)
    np.testing.assert_allclose(there, back, rtol=1e-9, atol=1e-12)
    most = 18.5 if name == "psi" else 1.0 + 1e-12
    assert np.all((there >= 0.0) & (there <= most))


@of_every
@settings(max_examples=30)
@given(sides(), st.integers(1, 7))
def test_equal_shares_are_no_distance(
    name: str, counts: tuple[I64, I64], times: int
) -> None:
    """As many rows or seven times as many: of equal shares the answer is 0."""
    found = EVERY[name](counts[0], counts[0] * times)
    np.testing.assert_allclose(found, 0.0, atol=1e-7)


@of_every
@settings(max_examples=30)
@given(sides(), st.integers(1, 5))
def test_what_fills_up_a_row_adds_nothing(
    name: str, counts: tuple[I64, I64], more: int
) -> None:
    """A column's answer does not depend on how many bins its neighbours have."""
    wide = [np.pad(side, ((0, 0), (0, more))) for side in counts]
    np.testing.assert_allclose(
        EVERY[name](*wide), EVERY[name](*counts), rtol=1e-12, atol=1e-12
    )


@of_every
@settings(max_examples=30)
@given(sides())
def test_columns_are_compared_one_by_one(name: str, counts: tuple[I64, I64]) -> None:
    """All columns at once are what each is alone; counts stay as they were."""
    one, other = counts
    before = one.copy(), other.copy()
    together = EVERY[name](one, other)
    alone = [EVERY[name](one[[c]], other[[c]])[0] for c in range(len(one))]
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(one, before[0])
    np.testing.assert_array_equal(other, before[1])


@of_every
def test_an_empty_side_has_no_answer(name: str) -> None:
    """A column without a number is NaN and lets its neighbours be."""
    one = np.array([[1, 2], [0, 0], [3, 4], [0, 0]])
    other = np.array([[2, 1], [5, 5], [0, 0], [0, 0]])
    found = EVERY[name](one, other)
    np.testing.assert_array_equal(np.isnan(found), [False, True, True, True])


@given(sides())
def test_scipy_has_the_same_jensen_shannon(counts: tuple[I64, I64]) -> None:
    """In base 2 and base e it is scipy's distance."""
    one, other = counts
    for base in (2.0, float(np.e)):
        found = binned.jensen_shannon(one, other, base=base)
        theirs = [jensenshannon(p, q, base) for p, q in zip(one, other, strict=True)]
        np.testing.assert_allclose(found, theirs, atol=2e-8)


@given(tables, tables)
def test_bins_hide_no_more_than_they_say(one: F32, other: F32) -> None:
    """D and Wasserstein-1 of the numbers lie within the bounds told of their bins."""
    a, b = counted(GRID, one), counted(GRID, other)
    least, most = binned.ks(a.counts, b.counts), binned.ks_most(a.counts, b.counts)
    area, error = distance(one, other)
    for column in range(3):
        x, y = one[:, column].astype(float), other[:, column].astype(float)
        d = ks_d(x, y)
        assert least[column] - 1e-9 <= d <= most[column] + 1e-9
        exact = stats.wasserstein_distance(x, y)
        assert abs(area[column] - exact) <= error[column] + 1e-5
        away, off = binned.distance(
            GRID.edges, np.full(3, x[0]), b.counts, b.low, b.high
        )
        assert abs(away[column] - np.abs(y - x[0]).mean()) <= off[column] + 1e-5


@given(tables, st.floats(-3, 3, width=32))
def test_fine_bins_make_the_distance_exact(one: F32, shift: float) -> None:
    """With an edge at every number the distance of the bins is scipy's."""
    x, y = one[:, 0], one[:, 0] + np.float32(shift)
    values = np.unique(np.concatenate([x, y]))
    near = np.nextafter(values, np.float32(-np.inf))
    grid = Grid.of("a", [np.unique(np.concatenate([near, values])).tolist()], [0.0])
    a, b = counted(grid, x[:, None]), counted(grid, y[:, None])
    low, high = np.minimum(a.low, b.low), np.maximum(a.high, b.high)
    found = binned.wasserstein(grid.edges, a.counts, b.counts, low, high)
    exact = stats.wasserstein_distance(x.astype(float), y.astype(float))
    assert found[0] == pytest.approx(exact, abs=1e-4)


def test_lines_that_cross_within_a_bin_are_two_triangles() -> None:
    """Where the sides change places within a bin both areas count."""
    edges = np.array([[1.0, 2.0]])
    one, other = np.array([[3, 0, 1]]), np.array([[1, 3, 0]])
    low, high = np.array([0.0]), np.array([3.0])
    found = binned.wasserstein(edges, one, other, low, high)
    # 0 to 1/2, over to -1/4 in the middle bin, back to 0
    assert found[0] == pytest.approx(1 / 4 + (1 / 4 + 1 / 16) / (2 * 3 / 4) + 1 / 8)


@of_every
@settings(max_examples=30)
@given(tables, tables, tables)
def test_sums_of_tallies_are_tallies_of_all(
    name: str, usual: F32, one: F32, other: F32
) -> None:
    """Two halves added up are compared as the whole is, to the last bit."""
    reference = counted(GRID, usual)
    halves = counted(GRID, one).plus(counted(GRID, other))
    whole = counted(GRID, np.concatenate([other, one]))
    np.testing.assert_array_equal(
        EVERY[name](reference.counts, halves.counts),
        EVERY[name](reference.counts, whole.counts),
    )
