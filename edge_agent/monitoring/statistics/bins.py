"""Where libraries put the bins of two samples, and the counts in them.

Samples are sorted float64 without NaN or infinities (`finite`), not empty. Counts come
as int64[1, bins] each, the form `binned` takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from edge_agent.samples import F64, I64

_FEW_VALUES = 20


def of_both(reference: F64, current: F64) -> tuple[I64, I64]:
    """As Evidently for PSI and Jensen-Shannon.

    Bins of equal width over both samples, as many as Sturges' rule says; each distinct
    value of both is a bin of its own where the reference has 20 of them at most.
    """
    if len(np.unique(reference)) <= _FEW_VALUES:
        return distinct(reference, current)
    edges = even(np.concatenate([reference, current]), "sturges")
    return within(edges, reference), within(edges, current)


def distinct(reference: F64, current: F64) -> tuple[I64, I64]:
    """Each value of both is a bin."""
    values = np.union1d(reference, current)
    return _of_values(values, reference), _of_values(values, current)


def of_reference(reference: F64, current: F64) -> tuple[I64, I64]:
    """As NannyML: bins of equal width over the reference, as many as Doane's rule says.

    One more holds whatever of the current sample is outside of them.
    """
    edges = even(reference, "doane")
    inside = within(edges, current)
    outside = np.array([[len(current) - inside.sum()]])
    none = np.zeros((1, 1), np.int64)
    return np.hstack([within(edges, reference), none]), np.hstack([inside, outside])


def deciles(reference: F64, current: F64) -> tuple[I64, I64]:
    """As credit scoring: ten bins of equal count of the reference, with open ends.

    A bin holds its left edge. Where values repeat, deciles are equal and bins between
    them empty; those of a constant reference are all one.
    """
    edges = np.quantile(reference, np.linspace(0.0, 1.0, 11)[1:-1])
    return _between(edges, reference), _between(edges, current)


def even(sample: F64, rule: Literal["sturges", "doane"]) -> F64:
    """float64[bins + 1], edges of equal width between the sample's extremes.

    Where they are too near for so many, all values of the sample are edges.
    """
    try:
        return np.histogram_bin_edges(sample, bins=rule)
    except ValueError:
        values = np.unique(sample)
        return np.append(values, np.nextafter(values[-1], np.inf))


def within(edges: F64, sample: F64) -> I64:
    """int64[1, bins], left edges included, and the last bin's right one."""
    return np.histogram(sample, bins=edges)[0].astype(np.int64)[None, :]


def _of_values(values: F64, sample: F64) -> I64:
    found = np.bincount(np.searchsorted(values, sample), minlength=len(values))
    return found.astype(np.int64)[None, :]


def _between(edges: F64, sample: F64) -> I64:
    place = np.searchsorted(edges, sample, side="right")
    found = np.bincount(place, minlength=len(edges) + 1)
    return found.astype(np.int64)[None, :]
