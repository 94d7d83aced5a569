"""Tails and quantiles of the distributions that counts follow.

Regularised incomplete gamma function by its series and its continued fraction, as in
Abramowitz and Stegun 6.5.29 and 6.5.31; chi-square and Poisson are cases of it.
"""

from __future__ import annotations

from math import erfc, lgamma, log, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from edge_agent.samples import F64

_TINY = 1e-300
_EXACT = 1e-15
#: Above this the gamma distribution is read from Wilson and Hilferty's normal: its
#: error is below 1e-7 there, and the series would be long.
_MANY = 1e6
_TERMS = 20_000
_STEPS, _CLOSE = 100, 1e-10
#: Support of an exact test at most; beyond, chi-square says the same.
_WIDEST = 20_000


def normal_quantile(share: float) -> float:
    """The number below which ``share`` (0..1, exclusive) of a normal lies."""
    return NormalDist().inv_cdf(share)


def normal_sf(z: float) -> float:
    """Chance of a standard normal above z."""
    return erfc(z / sqrt(2.0)) / 2.0


def gamma_sf(shape: ArrayLike, x: ArrayLike) -> F64:
    """Chance of a gamma variable of scale 1 above x; shape > 0, x >= 0."""
    a, x = np.broadcast_arrays(np.asarray(shape, float), np.asarray(x, float))
    found = np.ones(a.shape)
    many = a > _MANY
    near = (x > 0) & (x < a + 1) & ~many
    far = (x >= a + 1) & np.isfinite(x) & ~many
    found[near] = 1.0 - _series(a[near], x[near])
    found[far] = _fraction(a[far], x[far])
    found[many] = _wilson_hilferty(a[many], x[many])
    found[np.isposinf(x)] = 0.0
    return np.clip(found, 0.0, 1.0)


def gamma_quantile(shape: ArrayLike, below: float) -> F64:
    """The x below which a share 0 < ``below`` < 1 of a gamma variable of scale 1 lies.

    Newton's steps from Wilson and Hilferty's normal, kept in a bracket that shrinks; 0
    where the shape is 0.
    """
    given = np.asarray(shape, float)
    a = np.where(given > 0, given, 1.0)
    z = normal_quantile(below)
    x = a * np.maximum(1.0 - 1.0 / (9.0 * a) + z / (3.0 * np.sqrt(a)), 1e-3) ** 3
    low, high = np.zeros(a.shape), a + (abs(z) + 8.0) * np.sqrt(a + 1.0) + 40.0
    for _ in range(_STEPS):
        lacking = gamma_sf(a, x) - (1.0 - below)
        low, high = np.where(lacking > 0, x, low), np.where(lacking > 0, high, x)
        step = lacking * x / np.maximum(_density(a, x), _TINY)
        wanted = x + step
        there = np.abs(step) <= _CLOSE * x
        inside = (wanted > low) & (wanted < high)
        x = np.where(there, x, np.where(inside, wanted, (low + high) / 2))
        if there.all():
            break
    return np.where(given > 0, x, 0.0)


def chi_square_sf(x: ArrayLike, df: ArrayLike) -> F64:
    """Chance of a chi-square variable of ``df`` degrees of freedom above x."""
    return gamma_sf(np.asarray(df, float) / 2.0, np.asarray(x, float) / 2.0)


def fisher(hits: int, n: int, other_hits: int, other_n: int) -> float:
    """Two-sided p of Fisher's exact test: two shares, the same chance behind both?

    All tables with these margins that are no likelier than the one found, as usual.
    Where there are very many, the chi-square test with Yates's correction.
    """
    total, bad = n + other_n, hits + other_hits
    if not n or not other_n or bad in {0, total}:
        return 1.0
    low, high = max(0, bad - other_n), min(bad, n)
    if high - low > _WIDEST:
        return _yates(hits, n, other_hits, other_n)
    k = np.arange(low, high, dtype=float)
    ratio = np.log((bad - k) * (n - k)) - np.log((k + 1) * (other_n - bad + k + 1))
    return _no_likelier(np.cumsum(ratio), hits - low)


def binomial(hits: int, n: int, share: float) -> float:
    """Two-sided p of the exact binomial test; of very many by the normal's tail."""
    if not n or not 0 < share < 1:
        return 1.0
    if n > _WIDEST:
        apart = abs(hits - n * share) - 0.5
        spread = sqrt(n * share * (1 - share))
        return min(2.0 * normal_sf(max(apart, 0.0) / spread), 1.0)
    k = np.arange(n, dtype=float)
    ratio = np.log((n - k) / (k + 1)) + log(share / (1 - share))
    return _no_likelier(np.cumsum(ratio), hits)


def _no_likelier(ratios: F64, place: int) -> float:
    """Chance of all outcomes that are no likelier than one of them."""
    chance = np.concatenate([[0.0], ratios])
    chance = np.exp(chance - chance.max())
    likely = chance[place] * (1 + 1e-7)
    return float(min(chance[chance <= likely].sum() / chance.sum(), 1.0))


def _yates(hits: int, n: int, other_hits: int, other_n: int) -> float:
    total, bad = n + other_n, hits + other_hits
    apart = abs(hits * other_n - other_hits * n) / total
    expected = bad / total * (total - bad) / total * n * other_n / total
    return float(chi_square_sf(max(apart - 0.5, 0.0) ** 2 / expected, 1))


def _series(a: F64, x: F64) -> F64:
    """Chance below x, where x is not far above the mean."""
    term = 1.0 / a
    total = term.copy()
    for step in range(1, _TERMS):
        term = term * (x / (a + step))
        total += term
        if not np.any(term > total * _EXACT):
            break
    return total * _density(a, x)


def _fraction(a: F64, x: F64) -> F64:
    """Chance above x, where x is above the mean; Lentz's way."""
    b = x + 1.0 - a
    c, d = np.full(a.shape, 1.0 / _TINY), 1.0 / b
    found = d.copy()
    for step in range(1, _TERMS):
        over = -step * (step - a)
        b += 2.0
        d = 1.0 / _not_zero(over * d + b)
        c = _not_zero(b + over / c)
        found *= d * c
        if not np.any(np.abs(d * c - 1.0) > _EXACT):
            break
    return found * _density(a, x)


def _density(a: F64, x: F64) -> F64:
    """x^a e^-x / gamma(a)."""
    return np.exp(a * np.log(x) - x - _each(lgamma, a))


def _wilson_hilferty(a: F64, x: F64) -> F64:
    z = (np.cbrt(x / a) - 1.0 + 1.0 / (9.0 * a)) * np.sqrt(9.0 * a)
    return _each(normal_sf, z)


def _each(of: Callable[[float], float], numbers: F64) -> F64:
    found = [of(number) for number in numbers.ravel().tolist()]
    return np.array(found, float).reshape(numbers.shape)


def _not_zero(numbers: F64) -> F64:
    return np.where(np.abs(numbers) < _TINY, _TINY, numbers)
