"""The threshold that would hold the budget of false alarms.

A suggestion never leaves its bounds, and never goes where a confirmed alarm would not
have come. Whether it is applied is decided elsewhere.

What a higher threshold gives is read from the peaks of the alarms that were judged. One
alarm may come as two at a higher threshold; such a second one is not foreseen, but
counted once the threshold is applied.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.accuracy.intervals import poisson
from edge_agent.monitoring.alarm_budget import Verdict, false_share

if TYPE_CHECKING:
    from edge_agent.monitoring.alarm_budget import AlarmRecords, FalseAlarms
    from edge_agent.monitoring.exceedances import Candidates, Exceedances
    from edge_agent.samples import F64

#: False alarms that the budget allows in what was observed; with less, nothing is
#: suggested.
LEAST = 3.0
_SLACK = 1e-9


class Limit(StrEnum):
    """What keeps a suggestion from the threshold that would hold the budget."""

    NONE = ""
    LITTLE = "too little observed"
    CONFIRMED = "confirmed alarms"
    BOUNDS = "bounds"
    NOWHERE = "no threshold would hold it"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A threshold that would hold the budget, as far as is allowed.

    Attributes:
        threshold: suggested; the present one where nothing is.
        now: the present one.
        wanted: that would hold the budget, whatever is allowed; NaN for none.
        per_week: false alarms an asset and week to expect at ``threshold``.
        low, high: its interval.
        confirmed: confirmed alarms it was held against.
        missed: of them that would not have come at ``wanted``.
        limited: what keeps ``threshold`` from ``wanted``.
        sentence: for the operator.
    """

    threshold: float
    now: float
    wanted: float
    per_week: float
    low: float
    high: float
    confirmed: int
    missed: int
    limited: Limit
    sentence: str

    @property
    def changes(self) -> bool:
        """It is another threshold than the present one."""
        return self.threshold != self.now


def suggested(
    records: AlarmRecords,
    found: FalseAlarms,
    seen: Exceedances,
    candidates: Candidates,
    live: int,
) -> Suggestion:
    """The threshold that would hold the budget, within what is allowed.

    It is raised while the budget is exceeded. It is lowered again towards the base, and
    below it only to catch faults that were missed, while the budget holds.

    Args:
        records: as for `counted`.
        found: from `counted`.
        seen: alarms at each candidate; tells what lower thresholds would bring.
        candidates: the thresholds that may be.
        live: place of the present one.
    """
    rate = _rates(records, found, seen, candidates, live)
    sure = records.peak[records.verdict == Verdict.CONFIRMED]
    # of unknown height: it may have been just above the present threshold
    sure = np.where(np.isnan(sure), candidates.thresholds[live], sure)
    if found.budget * found.weeks < LEAST:
        return _told(found, candidates, (live, live, None), rate, sure, Limit.LITTLE)
    wanted = _wanted(records, found, rate, candidates, live)
    bound = _highest(candidates, candidates.high, live)
    stop = _highest(candidates, float(sure.min(initial=np.inf)), live)
    if wanted is None:
        nowhere = live, min(bound, stop), None
        return _told(found, candidates, nowhere, rate, sure, Limit.NOWHERE)
    limited = Limit.NONE
    if wanted > min(bound, stop):
        limited = Limit.CONFIRMED if stop <= bound else Limit.BOUNDS
    place = live, min(wanted, bound, stop), wanted
    return _told(found, candidates, place, rate, sure, limited)


def _rates(
    records: AlarmRecords,
    found: FalseAlarms,
    seen: Exceedances,
    candidates: Candidates,
    live: int,
) -> F64:
    """float64[m] likely false alarms at each candidate, an asset and week."""
    limits = candidates.thresholds
    share = false_share(found.rejected, found.confirmed)
    peak = np.where(np.isnan(records.peak), np.inf, records.peak)
    weight = np.zeros(len(peak))
    weight[records.verdict == Verdict.REJECTED] = 1.0
    weight[records.verdict == Verdict.UNANSWERED] = share
    order = np.argsort(peak)
    left = np.append(np.cumsum(weight[order][::-1])[::-1], 0.0)
    rate = left[peak[order].searchsorted(limits, side="left")] / found.weeks
    if seen.weeks > 0:
        # nobody has judged what lower thresholds would bring: all of it counts as false
        more = np.maximum(seen.alarms - seen.alarms[live], 0) / seen.weeks
        rate[:live] = rate[live] + more[:live]
    else:
        rate[:live] = np.inf
    return rate


def _wanted(
    records: AlarmRecords,
    found: FalseAlarms,
    rate: F64,
    candidates: Candidates,
    live: int,
) -> int | None:
    """Place of the candidate that holds the budget; the present one if it does."""
    holds = rate <= found.budget
    if not holds[live]:
        above = np.flatnonzero(holds[live:])
        return live + int(above[0]) if len(above) else None
    lowest = min(candidates.base, live)
    missed = records.peak[records.verdict == Verdict.MISSED]
    missed = missed[missed < candidates.thresholds[live]]
    place = live
    while place > lowest and holds[place - 1]:
        place -= 1
    floor = int(candidates.thresholds.searchsorted(candidates.low - 1e-12))
    best, caught = place, 0
    for lower in range(place - 1, floor - 1, -1):
        if not holds[lower]:
            break
        now = int(np.count_nonzero(missed >= candidates.thresholds[lower]))
        if now > caught:
            best, caught = lower, now
    return best


def _highest(candidates: Candidates, bound: float, live: int) -> int:
    """Place of the highest candidate within a bound; never below the present one."""
    slack = _SLACK * max(abs(bound), 1.0) if np.isfinite(bound) else 0.0
    place = int(candidates.thresholds.searchsorted(bound + slack, side="right")) - 1
    return max(place, live)


def _told(
    found: FalseAlarms,
    candidates: Candidates,
    places: tuple[int, int, int | None],
    rate: F64,
    sure: F64,
    limited: Limit,
) -> Suggestion:
    """With its figures; places are the present, the suggested and the wanted one."""
    live, place, wanted = places
    limits = candidates.thresholds
    high = float("nan") if wanted is None else float(limits[wanted])
    events = rate[place] * found.weeks / found.bursts
    low, top = poisson(events, found.weeks / found.bursts)
    missed = 0 if isnan(high) else int(np.count_nonzero(sure < high - _SLACK))
    suggestion = Suggestion(
        *(float(limits[place]), float(limits[live]), high),
        *(float(rate[place]), float(low), float(top)),
        confirmed=len(sure),
        missed=missed,
        limited=limited,
        sentence="",
    )
    return replace(suggestion, sentence=_sentence(suggestion, found, candidates))


def _sentence(s: Suggestion, found: FalseAlarms, candidates: Candidates) -> str:
    gives = f"{s.threshold:.4g} gives about {s.per_week:.2g} an asset and week"
    if s.limited is Limit.LITTLE:
        needed = LEAST / found.budget
        return (
            f"No threshold is suggested before {needed:.2g} asset-weeks were observed; "
            f"{found.weeks:.2g} were."
        )
    if s.limited is Limit.NOWHERE:
        top = candidates.thresholds[-1]
        said = f"No threshold up to {top:.4g} would hold the budget."
        return f"{said} {gives}." if s.changes else said
    if s.wanted == s.now:
        return f"The threshold {s.now:.4g} holds the budget."
    if s.wanted < s.now:
        return f"The threshold can go down: {gives}, which is within the budget."
    would = (
        f"A threshold of {s.wanted:.4g} instead of {s.now:.4g} would hold the budget"
    )
    if s.limited is Limit.NONE:
        kept = f" and have missed none of {s.confirmed} confirmed alarms"
        return f"{would}{kept if s.confirmed else ''}: about {s.per_week:.2g} a week."
    if s.missed:
        would += f", but have missed {s.missed} of {s.confirmed} confirmed alarms"
    if s.limited is Limit.BOUNDS:
        would += f"; at most {candidates.high:.4g} is allowed (budget.at_most)"
    return f"{would}. {gives}." if s.changes else f"{would}. It stays as it is."
