"""When a model that scores must be taken off: it fails, or speaks nonsense. Pure.

Judged on rows whose input was whole: what a sensor lacks is not the model's fault.
One bad turn proves nothing and costs only its own rows; a model that stays bad is
given back, and its version is not tried again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge_agent.comparison import Comparison
    from edge_agent.samples import F64

#: Turns in a row in which the call failed, was too slow or raised.
FAILURES = 3
#: Rows over which the share without a number is judged, and that share.
NAN_ROWS, NAN_SHARE = 50, 0.5
#: Rows in a row with the very same score although their inputs differ.
SAME_ROWS = 500
#: Beside the former model: rows compared, and alarms that show a broken scale.
COMPARED_ROWS, BROKEN_NEW, BROKEN_OLD = 300, 0.5, 0.05


@dataclass(frozen=True, slots=True)
class Health:
    """What is remembered of a model's turns.

    Attributes:
        failures: turns in a row whose call failed.
        rows, nans: whole rows looked at, and those that got no number; both are halved
            when ``rows`` reaches twice `NAN_ROWS`, so that old ones fade.
        same: rows in a row with the score ``last``.
        last: the newest score.
    """

    failures: int = 0
    rows: float = 0.0
    nans: float = 0.0
    same: int = 0
    last: float = float("nan")


def watched(
    health: Health, score: F64, error: str, *, varied: bool
) -> tuple[Health, str]:
    """Health behind one more turn, and why the model must go; empty to let it stay.

    Args:
        health: before.
        score: float64[n] of the turn's whole rows, n > 0; NaN where it gave no number.
        error: what the call said when it failed, else empty.
        varied: whether the rows' inputs differ from those before.
    """
    if error:
        failures = health.failures + 1
        gone = f"failed {failures} times in a row: {error}"
        after = replace(health, failures=failures)
        return after, gone if failures >= FAILURES else ""
    health = _counted(replace(health, failures=0), score)
    if health.rows >= NAN_ROWS and health.nans > NAN_SHARE * health.rows:
        share = round(100 * health.nans / health.rows)
        return health, f"gave no number for {share} % of its rows"
    health = _compared(health, score, varied=varied)
    if health.same >= SAME_ROWS:
        said = f"gave the same score {health.last:g} for {health.same} different rows"
        return health, said
    return health, ""


def _counted(health: Health, score: F64) -> Health:
    rows = health.rows + len(score)
    nans = health.nans + float(np.count_nonzero(~np.isfinite(score)))
    if rows >= 2 * NAN_ROWS and len(score) < rows:
        rows, nans = rows / 2, nans / 2
    return replace(health, rows=rows, nans=nans)


def _compared(health: Health, score: F64, *, varied: bool) -> Health:
    """Count scores that are equal to the last; rows that stand still prove nothing."""
    known = score[np.isfinite(score)]
    if not len(known):
        return health
    last = float(known[-1])
    if np.count_nonzero(known != last):
        return replace(health, same=0, last=last)
    if last != health.last:
        return replace(health, same=len(known) if varied else 0, last=last)
    return replace(health, same=health.same + (len(known) if varied else 0))


def broken(found: Comparison, threshold: float) -> str:
    """Why a model that has just taken over is worse than nothing; empty if it is not.

    The former model scores beside it for its probation. A plant in trouble makes both
    cry; a broken model cries, or falls silent, alone.

    Args:
        found: the new model against the former one.
        threshold: the new model's, for the sentence.
    """
    if found.rows < COMPARED_ROWS:
        return ""
    new, old = found.alarms
    if new >= BROKEN_NEW and old <= BROKEN_OLD:
        return (
            f"is above its limit {threshold:g} in {new:.0%} of {found.rows} rows where "
            f"the former version is in {old:.0%}"
        )
    if not found.moved_new and found.moved_old:
        return f"gave one and the same score for {found.rows} different rows"
    if found.lost_new > found.rows:
        return f"gave no score for {found.lost_new} rows the former version scored"
    return ""
