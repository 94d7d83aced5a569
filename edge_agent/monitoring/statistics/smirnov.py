"""How likely a Kolmogorov-Smirnov D is when nothing has changed.

`exact` counts, in 20,000 steps over rows of numbers at most, how many orders of two
samples drift apart that far: 0.1 s for two of 7,400 numbers, made for a build or a
report, not for a turn. `tail` is that of one sample against a known distribution, which
scipy takes for larger ones. `limit` is the textbook's series, for whole columns.
"""

from __future__ import annotations

from math import ceil, exp, gcd, lgamma, log, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge_agent.samples import F64

_NEVER = 800.0
"""Exponent behind which a probability is below the smallest float64."""
_SMALL = 500
"""Sizes up to which the matrix of Durbin is counted through."""
_FAR, _FAR_OF_MANY = 4.0, 2.2
"""n d^2 from where both sides at once are below 1e-7: 2 exp(-8 n d^2)."""


def exact(d: float, n: int, m: int) -> float:
    """P(D >= d) of two samples of n and m from one continuous distribution.

    As scipy's ``ks_2samp(method="exact")``. A walk from (0, 0) to (n, m) stands for an
    order of all numbers; what is followed is the share of the walks to each point that
    have already been d from the diagonal. Nothing is subtracted, so small results keep
    their digits. Equal numbers make it cautious (too large).
    """
    common = gcd(n, m)
    a, b = n // common, m // common
    far = round(d * a * m)
    if far <= 0:
        return 1.0
    if 2.0 * d * d * n * m / (n + m) > _NEVER:
        return 0.0
    # point (i, t - i) is near the diagonal where |i b - (t - i) a| < far
    steps = np.arange(n + m + 1)
    low = np.maximum((steps * a - far) // (a + b) + 1, np.maximum(steps - m, 0))
    high = np.minimum(-((-steps * a - far) // (a + b)) - 1, np.minimum(steps, n))
    # by i + 1; who is not near has been far
    share = np.ones(n + 3)
    share[1] = 0.0
    ahead = np.arange(n + 3) - 1.0
    for t, first, last in zip(steps[1:].tolist(), low[1:], high[1:], strict=True):
        here = slice(first + 1, last + 2)
        moved = ahead[here] * share[first : last + 1]
        moved += (t - ahead[here]) * share[here]
        moved /= t
        share[here] = moved
        share[first] = 1.0
    return float(min(share[n + 1], 1.0))


def tail(d: float, n: int) -> float:
    """P(D >= d) of one sample of n against its own continuous distribution.

    As ``scipy.stats.kstwo.sf``: Durbin's matrix up to n = 500, the expansion of Pelz
    and Good above, and twice the one-sided tail where both sides at once are out of
    question (Simard and L'Ecuyer 2011 compare them). scipy expands from n = 141 on,
    and is off by up to 3e-6 there.
    """
    if 2.0 * d * n <= 1.0:
        return 1.0
    if d >= 1.0:
        return 0.0
    reach = n * d * d
    if reach > _NEVER / 2.0:
        return 0.0
    if reach >= (_FAR if n <= _SMALL else _FAR_OF_MANY):
        return min(2.0 * _one_sided(d, n), 1.0)
    below = _durbin(d, n) if n <= _SMALL else _pelz_good(d, n)
    return float(min(max(1.0 - below, 0.0), 1.0))


def limit(d: F64, n: F64, m: F64) -> F64:
    """P(D >= d) of two samples by Kolmogorov's series, for columns at once.

    With Stephens' correction of the size; below 0.1 within 0.03 of `exact` from 20
    numbers a side on. Sizes may be effective ones, of numbers that hang together.

    Args:
        d: float64[columns].
        n: float64[columns], size of one side.
        m: float64[columns], of the other.

    Returns:
        float64[columns], NaN where d is.
    """
    size = np.sqrt(n * m / (n + m))
    reach = np.maximum(d * (size + 0.12 + 0.11 / size), 0.2)  # 1 below, to 12 digits
    terms = np.arange(1, 21)[:, None]
    series = np.exp(-2.0 * terms**2 * reach**2)
    series[1::2] *= -1.0
    found: F64 = np.clip(2.0 * series.sum(axis=0), 0.0, 1.0)
    return found


def _one_sided(d: float, n: int) -> float:
    """P(D+ >= d): the sum of Birnbaum and Tingey."""
    j = np.arange(int(n * (1.0 - d)) + 1)
    logs = np.zeros(n + 1)
    logs[1:] = np.cumsum(np.log(np.arange(1, n + 1)))
    rest = np.maximum(1.0 - d - j / n, 0.0)
    with np.errstate(divide="ignore"):
        terms = logs[n] - logs[j] - logs[n - j]
        terms += (j - 1) * np.log(d + j / n)
        terms += np.where(j < n, (n - j) * np.log(rest), 0.0)
    return float(d * np.exp(terms).sum())


def _durbin(d: float, n: int) -> float:
    """P(D < d): Durbin's matrix to the power of n (Marsaglia, Tsang and Wang 2003)."""
    k = ceil(n * d)
    over = k - n * d
    size = 2 * k - 1
    inverse = np.cumprod(1.0 / np.maximum(np.arange(size + 1), 1))
    lag = np.subtract.outer(np.arange(size), np.arange(size)) + 1
    matrix = np.where(lag >= 0, inverse[np.maximum(lag, 0)], 0.0)
    edge = (1.0 - over ** np.arange(1, size + 1)) * inverse[1:]
    edge[-1] = 1.0 - 2.0 * over**size + max(2.0 * over - 1.0, 0.0) ** size
    edge[-1] *= inverse[size]
    matrix[:, 0] = edge
    matrix[-1] = edge[::-1]
    # by e, as n! / n^n is about e^-n: neither overflows
    power = np.linalg.matrix_power(matrix / exp(1.0), n)[k - 1, k - 1]
    return float(power * exp(lgamma(n + 1) + n - n * log(n)))


def _pelz_good(d: float, n: int) -> float:
    """P(D < d) by powers of n^-1/2 up to n^-3/2 (Pelz and Good 1976)."""
    z = d * sqrt(n)
    z2 = z * z
    k = np.arange(-20, 21)
    half, whole = pi**2 * (k + 0.5) ** 2, pi**2 * k**2.0
    odd, even = np.exp(-half / (2.0 * z2)), np.exp(-whole / (2.0 * z2))
    first = float(odd.sum()) / z
    second = float(((half - z2) * odd).sum()) / (6.0 * z2**2)
    third = 6.0 * z2**3 + 2.0 * z2**2 + half * (2.0 * z2**2 - 5.0 * z2)
    third += half**2 * (1.0 - 2.0 * z2)
    fourth = half**3 * (5.0 - 30.0 * z2) + half**2 * (212.0 * z2**2 - 60.0 * z2)
    fourth += half * (135.0 * z2**2 - 96.0 * z2**3) - 30.0 * z2**3 - 90.0 * z2**4
    series = first + second / sqrt(n)
    series += float((third * odd).sum() / (72.0 * z2**3.5)) / n
    series -= float((whole * even).sum() / (36.0 * z2**1.5)) / n
    series += float((fourth * odd).sum() / (6480.0 * z2**5)) / n**1.5
    last = (3.0 * z2 - whole) * whole * even
    series += float(last.sum() / (216.0 * z2**3)) / n**1.5
    return sqrt(pi / 2.0) * float(series)
