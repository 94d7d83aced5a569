"""What rows kept aside say of a model: its threshold, false alarms, measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.alarms import Limits
from edge_agent.alarms import Rows as Judged
from edge_agent.errors import ModelRejected
from edge_agent.publish import thresholds
from edge_agent.publish.drafting import Findings
from edge_agent.publish.measures import bad_rows, reached
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.bundle.promises import Accuracy
    from edge_agent.publish.description import Description
    from edge_agent.publish.false_alarms import Counted
    from edge_agent.publish.rows import Rows
    from edge_agent.samples import I64
    from edge_agent.scores import Scores

#: Normal rows a context needs for a threshold of its own; its rare peaks decide it.
CONTEXT_ROWS = 1_000
_LONGEST_GAP = 600.0  # s, as the gateway's for rows that come when they come


def findings_of(scores: Scores, aside: Rows | None, told: Description) -> Findings:
    """Thresholds, false alarms and measures on rows kept aside."""
    levels = tuple(one.model_dump() for one in told.thresholds)
    if aside is None:
        return Findings(levels)
    labels = None if aside.labels is None else aside.labels[aside.whole]
    counted, note, by_context = None, "", {}
    if told.budget is not None:
        limits = _limits(aside, told)
        rows, place = _normal(aside, scores, told)
        counted = thresholds.choose(rows, limits, told.budget)
        by_context = _by_context(aside, rows, place, limits, told.budget)
        note = counted.note(limits) + _apart(by_context, counted)
        levels = ({"value": counted.threshold, "severity": told.severity},)
    measures = (
        reached(scores, float(levels[0]["value"]), labels, told.good)
        if labels is not None
        else None
    )
    return Findings(levels, counted, note, measures, by_context=by_context)


def _by_context(
    aside: Rows, rows: Judged, place: I64, limits: Limits, budget: float
) -> dict[str, Counted]:
    """A threshold for each context with enough rows.

    Each has the whole's budget for its own hours, so that all of them together keep it.

    Args:
        aside: rows kept aside.
        rows: the normal ones of them.
        place: int64[n] which those are.
        limits: delays.
        budget: an asset and week.
    """
    if not aside.contexts:
        return {}
    names = np.array(aside.contexts, object)[place]
    found: dict[str, Counted] = {}
    for name in sorted(set(names.tolist()) - {""}):
        mine = np.flatnonzero(names == name).astype(np.int64)
        if len(mine) >= CONTEXT_ROWS:
            found[name] = thresholds.choose(rows.take(mine), limits, budget)
    return found if len(found) > 1 or len(set(names.tolist())) > 1 else {}


def _apart(by_context: Mapping[str, Counted], whole: Counted) -> str:
    """What thresholds of contexts gave together, and who has none."""
    if not by_context:
        return ""
    alarms = sum(one.episodes for one in by_context.values())
    hours = sum(one.asset_hours for one in by_context.values())
    return (
        f" That is of all rows together; {len(by_context)} contexts with "
        f"{CONTEXT_ROWS} rows and more have a threshold of their own for the same "
        f"budget, which gave {alarms} alarms in {hours:.0f} asset hours instead of "
        f"{whole.episodes} in {whole.asset_hours:.0f}. Other contexts have that of all."
    )


def held_to(wanted: Accuracy, found: Findings) -> None:
    """Refuse a model that is known not to reach what its passport will ask of it.

    Raises:
        ModelRejected: enough labelled rows were kept aside, and it falls short on them.
    """
    measures = found.reached
    value = measures.of(wanted.metric) if measures is not None else np.nan
    if measures is None or measures.labels < wanted.min_labels or value >= wanted.level:
        return
    if np.isfinite(value) or wanted.metric == "precision":  # no alarm at all: no share
        limit = found.thresholds[0]["value"]
        raise ModelRejected(
            f"the model does not reach its own requirement: {wanted.metric} "
            f"{value:.3g} instead of {wanted.level:g} on {measures.labels} labels, at "
            f"the threshold {limit:.6g}. {measures.sentence()} {found.note} Improve "
            "it, allow more false alarms, keep more rows aside, or require less"
        )


def _limits(aside: Rows, told: Description) -> Limits:
    every = told.score.every if told.score is not None else None
    gap = max(5 * every, 5.0) if every else _LONGEST_GAP
    return Limits(
        0.0,
        on_delay=round(told.on_delay * NANOSECONDS),
        off_delay=round(told.off_delay * NANOSECONDS),
        max_gap=round(gap * NANOSECONDS) if aside.dated else 0,
    )


def _normal(aside: Rows, scores: Scores, told: Description) -> tuple[Judged, I64]:
    """Rows kept aside that should not alarm, and which they are."""
    if aside.at is None:
        raise ModelRejected(
            "the held-out rows carry no times, so that false alarms a week cannot be "
            "counted: give a Stretch with at, or with every (seconds between two rows "
            "of an asset)"
        )
    if told.kind == "quality" and aside.labels is None:
        raise ModelRejected(
            "the held-out parts have no labels, so that false alarms cannot be told "
            "from true ones: give a Stretch with labels, or thresholds instead of a "
            "budget"
        )
    whole = np.flatnonzero(aside.whole)
    judged = Judged(
        aside.asset[whole], aside.at[whole], scores.score, np.ones(len(whole), bool)
    )
    if aside.labels is None:
        return judged, whole
    calm = ~bad_rows(aside.labels[whole], told.good)
    if not calm.any():
        raise ModelRejected("no held-out row is good: false alarms cannot be counted")
    select = np.flatnonzero(calm).astype(np.int64)
    return judged.take(select), whole[select]
