"""Which tags made a score, found out by asking the model with each tag put right.

A tag's features are replaced by what is usual for them: a few quantiles of the
reference profile, of the row's context where it has one. How far the score falls at the
best of these, times how plainly the tag is out of its usual range, is the tag's part::

    drop_t = score - min over quantiles q of score(row with tag t at q), not negative
    part_t = drop_t (0.2 + min(3 o_t, 1))

with o_t how far the tag's worst feature lies outside its usual range, in widths of that
range. Without the second factor two tags that the model only compares with each other
would be even, although one of them reads what it never read. A model that tells parts
of its own is believed for half: reconstruction errors smear over tags that depend on
the faulty one, and name others that a row has moved with it.

The best quantile, not their mean: a right value somewhere else in its range would look
wrong to a model that knows how tags hang together. Asking the other way round, what the
tag alone does to a normal row, was measured and names fewer faults.

Every alarm costs tags x quantiles rows of the model. So few alarms a second of row time
are explained like that, in the order of the rows: where turns cut them changes nothing,
so that a replay says the same. A call that fails or is slow costs its rows nothing but
this explanation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.explain import distances
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_agent.explain import F32, Usual
    from edge_agent.samples import F64, I64
    from edge_agent.scores import Scores

    Bools = NDArray[np.bool_]

#: Alarms of a pipeline in one second of row time: new ones, and others that last.
FRESH, LASTING = 16, 8
#: Tags of an alarm that are tried at most, the most distant first.
TAGS = 64
_LEAST_TAGS = 8
#: Rows and numbers of one call of the model.
_ROWS, _CELLS = 4096, 2**20
_INSIDE, _STEEP = 0.2, 3.0
_OWN_WORD = 0.5
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Occlusion:
    """How a model is asked.

    Attributes:
        run: scores rows; stopped when it takes long, never raises.
        normal: float32[contexts + 1, quantiles, features] what is put in a tag's
            place; the last context is all rows.
    """

    run: Callable[[F32], Scores]
    normal: F32


@dataclass(frozen=True, slots=True)
class Spent:
    """What explanations have cost; kept from turn to turn.

    Attributes:
        second: of row time, the newest.
        fresh, lasting: alarms explained in it.
        asked: alarms explained by asking the model, since the start.
        over: alarms beyond what one second may cost.
        failed: alarms for which the model did not answer.
    """

    second: int = -(2**62)
    fresh: int = 0
    lasting: int = 0
    asked: int = 0
    over: int = 0
    failed: int = 0


def afford(spent: Spent, at: I64, fresh: Bools) -> tuple[Bools, Spent]:
    """Which alarms are explained by asking the model.

    Args:
        spent: so far.
        at: int64[n] times of the rows, ns.
        fresh: bool[n] the alarm has just come.

    Returns:
        bool[n], and what is spent behind them.
    """
    told = np.zeros(len(at), bool)
    second, counts = spent.second, [spent.lasting, spent.fresh]
    for row, (time, new) in enumerate(zip(at.tolist(), fresh.tolist(), strict=True)):
        if time // NANOSECONDS > second:
            second, counts = time // NANOSECONDS, [0, 0]
        if counts[new] < (LASTING, FRESH)[new]:
            counts[new] += 1
            told[row] = True
    asked = int(np.count_nonzero(told))
    return told, replace(
        spent,
        second=second,
        fresh=counts[1],
        lasting=counts[0],
        asked=spent.asked + asked,
        over=spent.over + len(at) - asked,
    )


def occluded(
    how: Occlusion,
    values: F32,
    score: F64,
    own: F32 | None,
    usual: Usual,
    place: I64,
) -> F64:
    """Each feature's part of the score.

    Args:
        how: to ask the model.
        values: float32[n, features], finite.
        score: float64[n] of them.
        own: float32[n, features] parts that the model tells itself; None for none.
        usual: what the passport says.
        place: int64[n] each row's place in ``usual.ranges``.

    Returns:
        float64[n, features], not negative; NaN in rows for which the model gave no
        answer, or in which no tag alone makes the score.
    """
    parts = np.full(values.shape, np.nan)
    tags, points = _tried(usual, how.normal.shape[1]), how.normal.shape[1]
    each = max(tags * points, 1)
    step = max(min(_ROWS // each, _CELLS // (each * values.shape[1])), 1)
    for first in range(0, len(values), step):
        rows = slice(first, first + step)
        given = _Rows(values[rows], score[rows], place[rows], usual, tags)
        lowest = _lowest(how, given)
        if lowest is None:
            break  # a model that failed once is not asked again in this turn
        parts[rows] = _parts(given, lowest)
    if own is not None:
        parts = _with_own_word(parts, own)
    return parts


class _Rows:
    """Some rows, and the tags of each that are tried.

    Attributes:
        far: float64[n, features] squared distance from the training data.
        tag: int64[n, tried].
        mine: bool[n, tried, features] features of each of these tags.
    """

    def __init__(
        self, values: F32, score: F64, place: I64, usual: Usual, tried: int
    ) -> None:
        self.values, self.score = values, score
        self.place, self.usual = place, usual
        self.far = distances(values, usual, place)
        used = np.flatnonzero((usual.own >= 0).any(axis=0))
        if len(used) > tried:
            by_tag = _by_tag(self.far, usual)[:, used]
            nearest = np.argsort(-by_tag, axis=1, kind="stable")[:, :tried]
            self.tag = used[nearest]
        else:
            self.tag = np.broadcast_to(used, (len(values), len(used)))
        self.mine: Bools = usual.role == self.tag[:, :, None]


def _tried(usual: Usual, points: int) -> int:
    """How many tags of an alarm are tried; fewer of a model with very many features."""
    used = int((usual.own >= 0).any(axis=0).sum())
    room = _CELLS // (points * max(len(usual.role), 1))
    return min(used, TAGS, max(room, _LEAST_TAGS))


def _lowest(how: Occlusion, given: _Rows) -> F64 | None:
    """float64[n, tried] the score at the best quantile; None where a call failed."""
    normal = how.normal[given.place]
    variants = np.where(
        given.mine[:, :, None, :], normal[:, None], given.values[:, None, None]
    )
    rows, tried, points, features = variants.shape
    found = how.run(variants.reshape(-1, features))
    if not np.isfinite(found.score).all():
        return None
    lowest: F64 = found.score.reshape(rows, tried, points).min(axis=2)
    return lowest


def _parts(given: _Rows, lowest: F64) -> F64:
    """Parts of the features; of one tag by their distance from the training data."""
    drop = np.maximum(given.score[:, None] - lowest, 0.0)
    beyond = np.where(given.mine, _beyond(given)[:, None], 0.0).max(axis=2)
    weighed = drop * (_INSIDE + np.minimum(_STEEP * beyond, 1.0))
    far = np.where(given.mine, given.far[:, None] + _TINY, 0.0)
    split = far / far.sum(axis=2, keepdims=True)
    parts: F64 = np.einsum("rt,rtf->rf", weighed, split)
    return np.where(parts.sum(axis=1, keepdims=True) > 0, parts, np.nan)


def _beyond(given: _Rows) -> F64:
    """float64[n, features] how far outside the usual range, in its width."""
    ranges, place = given.usual.ranges, given.place
    low, high = ranges.low[place], ranges.high[place]
    outside = np.maximum(np.maximum(given.values - high, low - given.values), 0.0)
    beyond: F64 = outside / np.maximum(high - low, _TINY)
    return beyond


def _by_tag(parts: F64, usual: Usual) -> F64:
    filled = np.concatenate([parts, np.zeros((len(parts), 1))], axis=1)
    total: F64 = filled[:, usual.own].sum(axis=1)
    return total


def _with_own_word(parts: F64, own: F32) -> F64:
    told = np.where(np.isfinite(own), np.maximum(own, 0.0), 0.0).astype(np.float64)
    both = (1 - _OWN_WORD) * _shares(parts) + _OWN_WORD * _shares(told)
    silent = told.sum(axis=1, keepdims=True) <= 0
    return np.where(silent, parts, both)


def _shares(parts: F64) -> F64:
    total = parts.sum(axis=1, keepdims=True)
    shares: F64 = np.divide(parts, total, out=np.zeros_like(parts), where=total != 0)
    return np.where(np.isnan(total), np.nan, shares)
