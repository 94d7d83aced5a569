from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from edge_agent.monitoring.statistics import binned, divergences, kolmogorov
from edge_agent.monitoring.statistics.answers import Reason, of_samples, of_tallies
from edge_agent.monitoring.tallies import Grid, Tallies, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.monitoring.statistics.answers import Apart

    F32 = NDArray[np.float32]

GRID = Grid.of("ab", [[-1.0, 0.0, 1.0], [5.0]], [0.0, 5.0])
VALUES = (
    *("psi", "jensen_shannon", "hellinger", "ks", "ks_most", "wasserstein"),
    *("wasserstein_error", "wasserstein_normed"),
)
FULL_PSI = 2.0 * (1.0 - 1e-4) * np.log(1e4)


def of_one(column: Sequence[float], other: Sequence[float] = ()) -> Tallies:
    """Tallies of a first column, and of a second one: 0, 1, 2, ... if not given."""
    second = other if len(other) else range(len(column))
    return counted(GRID, np.array([column, second], np.float32).T)


def against_fives(now: Sequence[float]) -> Apart:
    """Columns now, the second one where it has always been 5."""
    usual = of_one(range(40), [5.0] * 40)
    return of_tallies(GRID, usual, of_one(range(len(now)), now))


def test_what_can_be_compared_is_that_of_the_bins() -> None:
    """An ordinary column has the statistics of its counts, and no reason against."""
    random = np.random.default_rng(2)
    one, other = random.normal(size=(2, 300, 2)).astype(np.float32)
    grid = Grid.of("ab", [[-1.0, 0.0, 1.0], [-2.0, 2.0]], [0.0, 0.0])
    a, b = counted(grid, one), counted(grid, other + np.float32(0.5))
    found = of_tallies(grid, a, b)
    np.testing.assert_array_equal(found.reason, Reason.OK)
    for name in ("psi", "jensen_shannon", "hellinger", "ks", "ks_most"):
        np.testing.assert_array_equal(
            getattr(found, name), getattr(binned, name)(a.counts, b.counts)
        )
    np.testing.assert_allclose(found.wasserstein_normed, found.wasserstein / a.std())
    # nothing is less far apart than its means
    assert np.all(found.wasserstein >= np.abs(b.mean(grid) - a.mean(grid)))


@pytest.mark.parametrize(
    ("usual", "now", "reason"),
    [
        ([np.nan] * 50, range(50), Reason.EMPTY_REFERENCE),
        ([np.inf] * 50, [np.nan] * 50, Reason.EMPTY_REFERENCE),
        (range(50), [np.nan] * 20 + [-np.inf], Reason.EMPTY_CURRENT),
        ([2.0] * 50, [np.nan] * 20, Reason.EMPTY_CURRENT),
        (range(50), range(29), Reason.TOO_FEW),
        (range(29), range(50), Reason.TOO_FEW),
        ([2.0] * 50, [3.0] * 29, Reason.TOO_FEW),
        ([2.0] * 50, range(50), Reason.CONSTANT_REFERENCE),
        (range(50), [2.0] * 50, Reason.OK),
    ],
)
def test_what_cannot_be_compared_says_why(
    usual: Sequence[float], now: Sequence[float], reason: Reason
) -> None:
    """Nothing there, too few, constant: each has its reason, only the last a value."""
    found = of_tallies(GRID, of_one(usual), of_one(now))
    assert found.reason[0] == reason
    for name in VALUES:
        told = not np.isnan(getattr(found, name)[0])
        assert told == (reason in {Reason.OK, Reason.CONSTANT_REFERENCE}), name


def test_what_was_left_out_is_counted() -> None:
    """Rows without a number are counted for each side and column."""
    usual = of_one([np.nan, np.inf, *range(40)], [1.0] * 42)
    now = of_one([*range(39), -np.inf], [np.nan] * 40)
    found = of_tallies(GRID, usual, now)
    assert found.dropped_reference.tolist() == [2, 0]
    assert found.dropped_current.tolist() == [1, 40]


@pytest.mark.parametrize(
    "now",
    [[6.0] * 40, [4.0] * 40, [5.0001] * 40, [9.0, 7.0] * 20, [4.9998, 4.9999] * 20],
)
def test_a_constant_that_moved_has_moved_fully(now: list[float]) -> None:
    """A constant whose numbers are all others is as far away as can be."""
    found = against_fives(now)
    assert found.reason[1] == Reason.CONSTANT_REFERENCE
    for name in ("jensen_shannon", "hellinger", "ks", "ks_most"):
        assert getattr(found, name)[1] == 1.0
    assert found.psi[1] == pytest.approx(FULL_PSI)
    assert found.wasserstein[1] == pytest.approx(abs(np.mean(now) - 5.0), abs=1e-6)
    assert found.wasserstein_normed[1] == np.inf


def test_a_constant_that_stayed_is_no_distance_away() -> None:
    """The same constant is 0 apart, and still has its reason."""
    found = against_fives([5.0] * 60)
    assert found.reason[1] == Reason.CONSTANT_REFERENCE
    for name in VALUES:
        assert getattr(found, name)[1] == 0.0, name


@pytest.mark.parametrize("other", [4.0, 6.0, 4.75])
@pytest.mark.parametrize("moved", [1, 7, 20, 39])
def test_a_switch_is_told_by_how_often_it_is_elsewhere(
    moved: int, other: float
) -> None:
    """Of a switch that never moved, the share elsewhere counts though bins hide it."""
    found = against_fives([other] * moved + [5.0] * (40 - moved))
    assert found.ks[1] == pytest.approx(moved / 40)
    assert 0.0 < found.jensen_shannon[1] < 1.0


def test_noise_about_a_constant_is_never_nothing() -> None:
    """A constant that begins to tremble within its bin is seen."""
    noise = np.random.default_rng(4).normal(5.0, 0.01, 400)
    noise[0] = 5.0
    found = against_fives(noise.tolist())
    assert 0.05 < found.ks[1] <= 1.0
    assert found.psi[1] > 0.1


tables = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 50), st.just(2)),
    elements=st.one_of(
        st.floats(-9, 9, width=32), st.just(float("nan")), st.sampled_from([0.0, 5.0])
    ),
)


@given(tables, tables, tables)
def test_sums_of_tallies_are_answered_as_the_whole(
    usual: F32, one: F32, other: F32
) -> None:
    """Hours or gateways added up have the answer of all rows, to the last bit."""
    reference = counted(GRID, usual)
    halves = counted(GRID, one).plus(counted(GRID, other))
    whole = counted(GRID, np.concatenate([one, other]))
    first = of_tallies(GRID, reference, halves, fewest=1)
    second = of_tallies(GRID, reference, whole, fewest=1)
    for a, b in zip(astuple(first), astuple(second), strict=True):
        np.testing.assert_array_equal(a, b)


@given(tables, tables)
def test_no_answer_is_silent(usual: F32, now: F32) -> None:
    """Either there is a number, or a reason why there is none."""
    a, b = counted(GRID, usual), counted(GRID, now)
    before = a.counts.copy(), b.counts.copy()
    found = of_tallies(GRID, a, b, fewest=5)
    useful = np.isin(found.reason, [Reason.OK, Reason.CONSTANT_REFERENCE])
    for name in VALUES:
        np.testing.assert_array_equal(~np.isnan(getattr(found, name)), useful)
    for name in ("jensen_shannon", "hellinger", "ks", "ks_most"):
        assert np.all(getattr(found, name)[useful] <= 1.0 + 1e-12)
    np.testing.assert_array_equal(a.counts, before[0])
    np.testing.assert_array_equal(b.counts, before[1])


def test_samples_are_answered_column_by_column() -> None:
    """Each pair of samples has its value, its reason and what was left out."""
    some, five = np.arange(40.0), np.full(40, 5.0)
    none = np.array([np.nan, np.inf])
    found = of_samples(
        kolmogorov.ks_d,
        [some, np.append(some, np.nan), none, some, some[:7], five],
        [some, some + 100.0, some, none, some, five + 1.0],
    )
    assert found.reason.tolist() == [
        *(Reason.OK, Reason.OK, Reason.EMPTY_REFERENCE, Reason.EMPTY_CURRENT),
        *(Reason.TOO_FEW, Reason.CONSTANT_REFERENCE),
    ]
    nan = float("nan")
    np.testing.assert_array_equal(found.value, [0.0, 1.0, nan, nan, nan, 1.0])
    assert found.dropped_reference.tolist() == [0, 1, 2, 0, 0, 0]
    assert found.dropped_current.tolist() == [0, 0, 0, 2, 0, 0]


def test_the_textbooks_blind_spot_is_not_called_ok() -> None:
    """Psi over deciles of a constant is the textbook's 0, with a reason against it."""
    five = np.full(50, 5.0)
    found = of_samples(divergences.psi_deciles, [five], [five + 1.0])
    assert found.value[0] == 0.0
    assert found.reason[0] == Reason.CONSTANT_REFERENCE
