"""PSI, Jensen-Shannon and Hellinger of two samples, as libraries compute them.

Samples are float64 vectors in any order; what is not finite is left out, and without a
number on either side the result is NaN. `binned` has the same of tallies.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.statistics import binned, bins
from edge_agent.monitoring.statistics.finite import finite

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.samples import F64, I64

    Counts = tuple[I64, I64]

_LEAST = 1e-4
_NEXT_TO_NOTHING = 1e-6


def psi_evidently(reference: F64, current: F64) -> float:
    """Population stability index of Evidently 0.7, natural logarithm.

    Bins: `bins.of_both`. A share of 0 becomes 1e-4; on a side whose smallest other
    share is 1e-4 or less, a millionth of that one. A bin empty on both sides counts
    where the two sides fill it differently.
    """
    return _of(reference, current, bins.of_both, _psi_filled)


def psi_deciles(reference: F64, current: F64) -> float:
    """Population stability index of credit scoring, over the reference's deciles.

    Bins: `bins.deciles`, natural logarithm; a share of 0 becomes 1e-4. Of a constant
    reference it is 0 where the current numbers are above it: `answers` does not trust
    it there.
    """
    return _of(reference, current, bins.deciles, binned.psi)


def jensen_shannon_evidently(reference: F64, current: F64) -> float:
    """Jensen-Shannon distance of Evidently: `bins.of_both`, base e, 0 to 0.8326."""
    return _of(reference, current, bins.of_both, _jensen_shannon_e)


def jensen_shannon_nannyml(reference: F64, current: F64) -> float:
    """Jensen-Shannon distance of NannyML: `bins.of_reference`, base 2, 0 to 1."""
    return _of(reference, current, bins.of_reference, binned.jensen_shannon)


def hellinger_evidently(reference: F64, current: F64) -> float:
    """Hellinger distance of Evidently, 0 to 1.

    Square root of 1 - sum of sqrt(p q). Bins of equal width over the distinct values of
    both samples, as many as Sturges' rule says for so many values.
    """
    return _of(reference, current, _even_over_values, _hellinger_of_overlap)


def hellinger_nannyml(reference: F64, current: F64) -> float:
    """Hellinger distance of NannyML: `bins.of_reference`, as `binned.hellinger`."""
    return _of(reference, current, bins.of_reference, binned.hellinger)


def _of(
    reference: F64,
    current: F64,
    counted: Callable[[F64, F64], Counts],
    statistic: Callable[[I64, I64], F64],
) -> float:
    one, other = finite(reference), finite(current)
    if not len(one) or not len(other):
        return float("nan")
    return float(statistic(*counted(one, other))[0])


def _psi_filled(reference: I64, current: I64) -> F64:
    p, q = _filled(binned.shares(reference)), _filled(binned.shares(current))
    found: F64 = ((p - q) * np.log(p / q)).sum(axis=1)
    return found


def _filled(share: F64) -> F64:
    least = float(share[share > 0.0].min())
    share[share == 0.0] = least * _NEXT_TO_NOTHING if least <= _LEAST else _LEAST
    return share


def _jensen_shannon_e(reference: I64, current: I64) -> F64:
    return binned.jensen_shannon(reference, current, base=np.e)


def _even_over_values(reference: F64, current: F64) -> Counts:
    edges = bins.even(np.union1d(reference, current), "sturges")
    return bins.within(edges, reference), bins.within(edges, current)


def _hellinger_of_overlap(reference: I64, current: I64) -> F64:
    overlap = np.sqrt(binned.shares(reference) * binned.shares(current)).sum()
    return np.array([sqrt(max(1.0 - float(overlap), 0.0))])
