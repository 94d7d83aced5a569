"""Rows counted over bins: the same however they are cut, and what numpy would count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from edge_agent.bundle.profile import Bins, tally
from edge_agent.monitoring.tallies import Grid, Tallies, counted

NUMBERS = st.floats(width=32) | st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1e30, -1e30])
TABLES = stn.arrays(
    np.float32, st.tuples(st.integers(0, 40), st.just(3)), elements=NUMBERS
)
GRID = Grid.of(
    ("a", "b", "c"), [[-1.0, 0.0, 1.0], [0.0, 0.5], [-5.0, 5.0]], [0.0, 0.5, 1.0]
)


def same(one: Tallies, other: Tallies) -> bool:
    """Bit for bit."""
    pairs = zip(one.to_arrays().values(), other.to_arrays().values(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@given(TABLES, st.integers(0, 40), st.randoms(use_true_random=False))
def test_any_cut_and_any_order_give_the_same_bits(
    table: np.ndarray, cut: int, random: object
) -> None:
    """A batch is what its halves are, in any order: counts and sums, exactly."""
    order = list(range(len(table)))
    random.shuffle(order)  # type: ignore[attr-defined]
    whole = counted(GRID, table)
    halves = counted(GRID, table[order[:cut]]).plus(counted(GRID, table[order[cut:]]))
    assert same(whole, halves)


@given(TABLES)
def test_counts_are_those_of_the_passport(table: np.ndarray) -> None:
    """Every column is counted as the profile of the reference counts it."""
    found = counted(GRID, table)
    for place, edges in enumerate([[-1.0, 0.0, 1.0], [0.0, 0.5], [-5.0, 5.0]]):
        bins = Bins(origin=float(GRID.origin[place]), edges=tuple(edges))
        wanted = tally(table[:, place], bins)
        counts = found.counts[place, : GRID.bins[place]]
        # what is behind the column's own bins stays empty
        assert not found.counts[place, GRID.bins[place] :].any()
        assert wanted.counts == tuple(counts.tolist())
        assert (wanted.n, wanted.missing) == (found.n[place], found.missing[place])
        if wanted.n:
            assert (wanted.min, wanted.max) == (found.low[place], found.high[place])


@given(TABLES)
def test_rows_are_left_as_they_were(table: np.ndarray) -> None:
    """Counting sorts a copy, not the rows that are scored."""
    before = table.copy()
    counted(GRID, table)
    assert np.array_equal(before, table, equal_nan=True)


def test_mean_and_spread_are_those_of_the_rows() -> None:
    """To a millionth of the span, about an origin far from zero as well."""
    random = np.random.default_rng(1)
    table = (1000 + random.normal(size=(5000, 1))).astype(np.float32)
    grid = Grid.of(("p",), [[998.0, 1000.0, 1002.0]], [1000.0])
    found = counted(grid, table)
    wide = table.astype(np.float64)
    assert found.mean(grid)[0] == pytest.approx(wide.mean(), abs=4e-6)
    assert found.std()[0] == pytest.approx(wide.std(), rel=1e-5)


def test_a_column_without_a_number_has_no_mean_and_no_shares() -> None:
    """Nothing that looks right comes of no data."""
    found = counted(GRID, np.full((5, 3), np.nan, np.float32))
    assert found.rows == 5
    assert found.missing.tolist() == [5, 5, 5]
    assert np.isnan(found.mean(GRID)).all()
    assert np.isnan(found.std()).all()
    assert np.isnan(found.outside(GRID)).all()


def test_outside_counts_both_open_ends_of_each_column() -> None:
    """Below the first and above the last edge of the column's own edges."""
    table = np.array([[-2, -1, 0], [0, 0.25, 9], [3, 0.75, -9], [1, 0.5, 0]], "f4")
    assert counted(GRID, table).outside(GRID).tolist() == [0.5, 0.5, 0.5]


def test_a_checkpoint_of_another_grid_is_refused() -> None:
    """Shapes must fit; what fits comes back bit for bit."""
    found = counted(GRID, np.ones((4, 3), np.float32))
    assert same(found, Tallies.from_arrays(GRID, found.to_arrays()))
    other = Grid.of(("a",), [[0.0, 1.0]], [0.0])
    with pytest.raises(ValueError, match="n is int64"):
        Tallies.from_arrays(other, found.to_arrays())
