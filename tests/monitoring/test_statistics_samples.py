from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from edge_agent.monitoring.statistics import (
    divergences,
    kolmogorov,
    smirnov,
    wasserstein,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.samples import F64

    Statistic = Callable[[F64, F64], float]

DISTANCES = {
    function.__name__: function
    for function in (
        divergences.psi_evidently,
        divergences.psi_deciles,
        divergences.jensen_shannon_evidently,
        divergences.jensen_shannon_nannyml,
        divergences.hellinger_evidently,
        divergences.hellinger_nannyml,
        kolmogorov.ks_d,
        wasserstein.wasserstein,
        wasserstein.wasserstein_evidently,
    )
}
EVERY = {**DISTANCES, "ks_p": kolmogorov.ks_p, "asymptotic": kolmogorov.ks_p_asymptotic}
AT_MOST = {
    "jensen_shannon_evidently": float(np.log(2.0) ** 0.5),
    "jensen_shannon_nannyml": 1.0,
    "hellinger_evidently": 1.0,
    "hellinger_nannyml": 1.0,
    "ks_d": 1.0,
    "ks_p": 1.0,
    "asymptotic": 1.0,
}
SYMMETRIC = {
    "hellinger_evidently",
    "ks_d",
    "ks_p",
    "asymptotic",
    "wasserstein",
}

readings = st.one_of(
    st.floats(-1e6, 1e6, width=32),
    st.integers(-3, 3).map(float),
    st.floats(allow_nan=False, allow_infinity=False),
)
samples = hnp.arrays(np.float64, st.integers(1, 60), elements=readings)
of_any = pytest.mark.parametrize("name", sorted(EVERY))


@of_any
@settings(max_examples=20)
@given(samples, samples, st.randoms(use_true_random=False))
def test_order_does_not_matter(name: str, one: F64, other: F64, random: object) -> None:
    """A sample is a heap of numbers: shuffled it gives the same."""
    shuffled = one.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    before = EVERY[name](one, other)
    after = EVERY[name](shuffled, other[::-1])
    np.testing.assert_array_equal(before, after)


@of_any
@settings(max_examples=20)
@given(samples, samples)
def test_samples_are_left_as_they_were(name: str, one: F64, other: F64) -> None:
    """Comparing changes neither sample, whether it has to be cleaned or not."""
    one, other = np.append(one, np.nan), other.copy()
    before = one.copy(), other.copy()
    EVERY[name](one, other)
    np.testing.assert_array_equal(one, before[0])
    np.testing.assert_array_equal(other, before[1])


@of_any
@settings(max_examples=20)
@given(samples, samples)
def test_stays_within_its_bounds(name: str, one: F64, other: F64) -> None:
    """Nothing is below 0, and what has a largest value stays below it."""
    found = EVERY[name](one, other)
    if np.isfinite(found):
        assert 0.0 <= found <= AT_MOST.get(name, np.inf) + 1e-12
    else:
        assert np.abs(np.append(one, other)).max() > 1e100


@pytest.mark.parametrize("name", sorted(DISTANCES))
@settings(max_examples=20)
@given(samples)
def test_the_same_numbers_are_no_distance_apart(name: str, one: F64) -> None:
    """A sample is 0 from itself."""
    one = one[np.abs(one) < 1e100]
    if len(one):
        # sqrt(1 - sum) leaves the root of what rounding leaves
        assert DISTANCES[name](one, one) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("name", sorted(SYMMETRIC))
@settings(max_examples=20)
@given(samples, samples)
def test_either_side_may_come_first(name: str, one: F64, other: F64) -> None:
    """What takes no side gives the same both ways round."""
    there, back = EVERY[name](one, other), EVERY[name](other, one)
    assert there == pytest.approx(back, rel=1e-9, abs=1e-12, nan_ok=True)


@of_any
def test_nothing_there_is_no_number(name: str) -> None:
    """Without a number on either side there is none to tell, not 0."""
    some, none = np.arange(9.0), np.array([np.nan, np.inf, -np.inf, 1e300])
    for sides in ((some, none), (none, some), (none, none), (some, none[:0])):
        assert np.isnan(EVERY[name](*sides))


@of_any
@settings(max_examples=20)
@given(samples)
def test_what_is_not_finite_is_left_out(name: str, one: F64) -> None:
    """NaN and infinities change nothing, wherever they stand."""
    other = np.linspace(-2.0, 7.0, 31)
    dirty = np.concatenate([[np.nan], other[:9], [np.inf, -np.inf], other[9:]])
    np.testing.assert_array_equal(EVERY[name](one, dirty), EVERY[name](one, other))


# scipy's exact p may be a rounding error above 1, which it takes for a failure
@pytest.mark.filterwarnings("ignore:ks_2samp")
@given(
    hnp.arrays(np.float64, st.integers(1, 90), elements=st.floats(-9, 9, width=16)),
    hnp.arrays(np.float64, st.integers(1, 90), elements=st.floats(-9, 9, width=16)),
)
def test_scipy_says_the_same(one: F64, other: F64) -> None:
    """D, its exact p and Wasserstein-1 are scipy's on any two samples."""
    theirs = stats.ks_2samp(one, other, method="exact")
    ours = kolmogorov.ks(one, other)
    assert ours.d == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
    apart = stats.wasserstein_distance(one, other)
    assert wasserstein.wasserstein(one, other) == pytest.approx(apart, abs=1e-9)


@pytest.mark.parametrize(("n", "m"), [(10_001, 60), (12_000, 11_000), (300, 10_500)])
def test_large_samples_have_the_asymptotic_p(n: int, m: int) -> None:
    """Above 10,000 numbers a side p is scipy's for large samples."""
    random = np.random.default_rng(n)
    one, other = random.normal(size=n), random.normal(0.02, 1.0, size=m)
    theirs = stats.ks_2samp(one, other)
    ours = kolmogorov.ks(one, other)
    assert ours == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 77, 140, 400, 900, 5_000, 20_000])
def test_the_tail_is_scipys(n: int) -> None:
    """P(D >= d) of one sample is scipy's from next to 1 down to 1e-20."""
    for reach in (0.1, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3, 1.48, 1.6, 2.1, 3.0, 4.9):
        d = reach / n**0.5
        if d < 1.0:
            theirs = stats.kstwo.sf(d, n)
            # scipy itself is off by 3e-6 between 141 and 300
            found = smirnov.tail(d, n)
            assert found == pytest.approx(theirs, abs=1e-6)
            assert found == pytest.approx(theirs, rel=1e-5), reach


def test_the_expansion_is_the_matrix() -> None:
    """Above 500 numbers p is approximated: held against the exact count."""
    for reach in np.linspace(0.35, 1.48, 40):
        d = float(reach) / 600**0.5
        exact = smirnov._durbin(d, 600)
        assert smirnov._pelz_good(d, 600) == pytest.approx(exact, abs=3e-7), reach


def test_the_series_is_near_the_exact_p() -> None:
    """Where p is small the series for columns is near enough to the exact one."""
    for n, m in ((20, 30), (50, 60), (150, 700)):
        d = np.round(np.linspace(0.05, 1.0, 60) * n * m) / (n * m)
        found = smirnov.limit(d, np.full(60, float(n)), np.full(60, float(m)))
        exact = np.array([smirnov.exact(float(one), n, m) for one in d])
        small = exact < 0.1
        assert small.any()
        np.testing.assert_allclose(found[small], exact[small], atol=0.03)
        assert np.all(np.diff(found) <= 0.0)


def test_the_series_has_no_answer_without_a_d() -> None:
    """A column that could not be compared has no p either."""
    found = smirnov.limit(
        np.array([np.nan, 0.0, 1.0]), np.full(3, 40.0), np.full(3, 9.0)
    )
    np.testing.assert_allclose(found, [np.nan, 1.0, 0.0], atol=1e-5)
