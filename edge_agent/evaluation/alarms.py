"""Alarms and what operators said of them, against the budget. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.labels.verdicts import MOST
from edge_agent.monitoring.alarm_budget import (
    AlarmRecords,
    FalseAlarms,
    Verdict,
    counted,
)
from edge_agent.monitoring.suggestion import Suggestion, suggested

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.config.monitoring import AlarmBudget
    from edge_agent.evaluation.active import Active
    from edge_agent.evaluation.tracking import Seen
    from edge_agent.labels.operators import Judged
    from edge_agent.monitoring.conditions import Condition
    from edge_agent.samples import F64

_SIGNS = {1: Verdict.CONFIRMED, -1: Verdict.REJECTED, 0: Verdict.UNANSWERED}


@dataclass(frozen=True, slots=True)
class Budgeted:
    """False alarms of the version that scores.

    Attributes:
        records: its alarms in the time observed.
        counted: all of them; None before any time was observed.
        still: those that the threshold of now would give too.
        suggestion: the threshold that would hold the budget.
    """

    records: AlarmRecords
    counted: FalseAlarms | None
    still: FalseAlarms | None
    suggestion: Suggestion | None

    def condition(self, assets: Sequence[str]) -> Condition | None:
        """The finding, where there are too many beyond chance."""
        if self.still is None:
            return None
        return self.still.condition(self.suggestion, assets)

    @property
    def held(self) -> bool:
        """The budget is surely kept: what is within chance ends nothing."""
        still = self.still
        return still is not None and still.rejected <= still.budget * still.weeks


def records_of(judged: Judged, digest: str, since: int, peaks: F64) -> AlarmRecords:
    """Alarms of a version from an agent time on.

    Args:
        judged: all alarms that are remembered.
        digest: of the version.
        since: agent time, ns.
        peaks: float64[n] of each alarm.
    """
    own = np.array([d == digest for _, d in judged.version], bool)
    own &= (judged.since >= since) & (judged.asset >= 0)
    verdict = [_SIGNS[sign] for sign in judged.verdict[own].tolist()]
    columns = judged.asset[own], judged.since[own], peaks[own]
    return AlarmRecords(*columns, np.array(verdict, np.int8))


def budgeted(
    judged: Judged, seen: Seen, active: Active, budget: AlarmBudget
) -> Budgeted:
    """Count, and suggest."""
    since = seen.since
    if len(judged.since) >= MOST:
        since = max(since, int(judged.since.min()))
    records = records_of(judged, active.digest, since, seen.peaks_of(judged))
    exceedances = seen.exceedances(since)
    weeks, allowed = exceedances.weeks, budget.per_week
    found = counted(records, weeks, allowed)
    if found is None:
        return Budgeted(records, None, None, None)
    live = seen.candidates.place(active.limits.threshold)
    limit = float(seen.candidates.thresholds[live])
    now = ~(records.peak < limit * (1 - 1e-9) if limit > 0 else records.peak < limit)
    still = counted(
        AlarmRecords(
            *(records.asset[now], records.at[now]),
            *(records.peak[now], records.verdict[now]),
        ),
        weeks,
        allowed,
    )
    suggestion = suggested(records, found, exceedances, seen.candidates, live)
    return Budgeted(records, found, still, suggestion)


def entry(
    pipeline: str,
    judged: Judged,
    active: Active,
    found: Budgeted | None,
    budget: AlarmBudget | None,
) -> dict[str, Any]:
    """The document of a pipeline's alarms."""
    records = found.records if found is not None else None
    if records is None:
        none = np.full(len(judged.since), np.nan)
        records = records_of(judged, active.digest, 0, none)
    counts = found.counted if found is not None else None
    suggestion = found.suggestion if found is not None else None
    return {
        "pipeline": pipeline,
        "total": len(records.at),
        "confirmed": records.count(Verdict.CONFIRMED),
        "rejected": records.count(Verdict.REJECTED),
        "unanswered": records.count(Verdict.UNANSWERED),
        "per_week": counts.likely if counts else None,
        "budget": f"{budget.per_week:g} an asset and week" if budget else "",
        "asset_weeks": counts.weeks if counts else None,
        "suggestion": suggestion.sentence if suggestion else "",
        "suggested": suggestion.threshold if suggestion else None,
        "threshold": active.limits.threshold,
        "passport_threshold": active.base,
        "days": [],
    }
