"""Tails and quantiles against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from edge_agent.monitoring.accuracy import tails


def test_the_gamma_tail_is_scipys() -> None:
    """Far below, near and far above the mean, for shapes from 0.1 to a million."""
    random = np.random.default_rng(0)
    shape = 10 ** random.uniform(-1, 6, 500)
    spread = random.normal(0, 4, 500) * np.sqrt(shape)
    x = np.maximum(shape + spread, 0.0) * 10 ** random.uniform(-0.2, 0.2, 500)

    expected = special.gammaincc(shape, x)
    assert tails.gamma_sf(shape, x) == pytest.approx(expected, abs=1e-8)
    assert tails.gamma_sf([1.0, 1.0], [0.0, np.inf]).tolist() == [1.0, 0.0]
    huge = tails.gamma_sf(4e6, 4e6 + 3000.0)
    assert huge == pytest.approx(special.gammaincc(4e6, 4e6 + 3000.0), abs=1e-7)


@pytest.mark.parametrize("below", [0.001, 0.025, 0.5, 0.975, 0.999])
def test_gamma_quantiles_are_scipys(below: float) -> None:
    """From a single event to a hundred thousand; none gives zero."""
    shape = np.array([1, 2, 3, 7.5, 10, 100, 1000, 1e5])

    expected = stats.gamma.ppf(below, shape)
    assert tails.gamma_quantile(shape, below) == pytest.approx(expected, rel=1e-9)
    assert tails.gamma_quantile(0.0, below) == 0.0


@pytest.mark.parametrize("df", [1, 2, 5, 50])
def test_the_chi_square_tail_is_scipys(df: int) -> None:
    """Over the whole range a test of groups may meet."""
    x = np.linspace(0, 300, 61)

    assert tails.chi_square_sf(x, df) == pytest.approx(stats.chi2.sf(x, df), abs=1e-13)


def test_fishers_test_is_scipys() -> None:
    """On random tables, among them ones with empty cells."""
    random = np.random.default_rng(3)
    for _ in range(300):
        n, other = (int(m) for m in random.integers(1, 300, 2))
        hits, others = (int(random.integers(0, m + 1)) for m in (n, other))
        table = [[hits, n - hits], [others, other - others]]

        expected = stats.fisher_exact(table)[1]
        assert tails.fisher(hits, n, others, other) == pytest.approx(expected, abs=1e-9)


def test_very_large_tables_fall_back_to_chi_square() -> None:
    """Where an exact test would need a million terms, Yates's says the same."""
    table = np.array([[60_000, 240_000], [59_000, 241_000]])

    found = tails.fisher(60_000, 300_000, 59_000, 300_000)
    assert found == pytest.approx(stats.chi2_contingency(table)[1], rel=1e-6)


def test_the_binomial_test_is_scipys() -> None:
    """Of rare and of frequent events, and of very many by the normal's tail."""
    random = np.random.default_rng(6)
    for _ in range(200):
        n, share = int(random.integers(1, 400)), float(random.uniform(0.01, 0.99))
        hits = int(random.binomial(n, min(share * 1.2, 1.0)))

        expected = stats.binomtest(hits, n, share).pvalue
        assert tails.binomial(hits, n, share) == pytest.approx(expected, abs=1e-9)
    many = stats.binomtest(20_300, 100_000, 0.2).pvalue
    assert tails.binomial(20_300, 100_000, 0.2) == pytest.approx(many, rel=0.02)
    assert tails.binomial(0, 0, 0.2) == 1.0


def test_groups_without_rows_or_without_hits_do_not_differ() -> None:
    """An empty group, or one thing in all rows, shows nothing."""
    assert tails.fisher(0, 0, 5, 10) == 1.0
    assert tails.fisher(0, 9, 0, 10) == 1.0
    assert tails.fisher(9, 9, 10, 10) == 1.0


def test_the_normal_is_scipys() -> None:
    """Quantile and tail."""
    assert tails.normal_quantile(0.975) == pytest.approx(stats.norm.ppf(0.975))
    assert tails.normal_sf(3.3) == pytest.approx(stats.norm.sf(3.3))
