"""One turn of one pipeline: feature rows -> scores -> judgements -> records.

Pure: no clock, no link, no disk.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent import alarms, scenes
from edge_agent.occlusion import afford
from edge_agent.outcomes import Judged, alarm_records, score_record
from edge_agent.pipeline import PipelineState
from edge_agent.reasons import Teller, explained, instead
from edge_agent.records import AlarmState, Fallback, NoScore
from edge_agent.reporting import Said, packed, worth_sending
from edge_agent.samples import Quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.alarms import AlarmStates
    from edge_agent.features.contexts import Contexts
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.occlusion import Spent
    from edge_agent.pipeline import Pipeline, Scorer
    from edge_agent.reasons import Explanation
    from edge_agent.records import Record
    from edge_agent.samples import I64
    from edge_agent.scores import Scores

# comparing an array with an enum costs five times as much
_SCORED, _BAD = np.uint8(NoScore.NONE), np.uint8(Quality.BAD)
_UNCERTAIN = np.uint8(Quality.UNCERTAIN)
_ACTIVE = np.uint8(AlarmState.ACTIVE)


def turn(
    pipeline: Pipeline,
    state: PipelineState,
    rows: FeatureRows,
    contexts: Contexts | None = None,
) -> tuple[PipelineState, list[Record], Scores]:
    """Score and judge the due rows of a pipeline.

    Args:
        pipeline: frozen.
        state: replaced, not changed.
        rows: n rows; several of one asset in ascending order of time.
        contexts: whose numbers the rows have; None for rows without.

    Returns:
        The new state, at most one score record and one alarm record a transition,
        and the scores of all rows.
    """
    scores = scored(pipeline.scorer, rows)
    state, records, _ = judged(pipeline, state, rows, scores, contexts)
    return state, records, scores


def judged(
    pipeline: Pipeline,
    state: PipelineState,
    rows: FeatureRows,
    scores: Scores,
    contexts: Contexts | None = None,
) -> tuple[PipelineState, list[Record], Judged]:
    """Judge scored rows: alarms, what is worth a message, and why.

    A rung below the model makes no score GOOD: SCADA shows UNCERTAIN, and the reason.
    Nor does a row that is not to be judged, as its machine stands, have a GOOD one.

    Args:
        pipeline: whose scores they are.
        state: replaced, not changed.
        rows: n rows; several of one asset in ascending order of time.
        scores: of them.
        contexts: whose numbers the rows have; None for rows without.

    Returns:
        The new state, the records, and all that was said of the rows.
    """
    inputs = quality = rows.quality
    if np.count_nonzero(scores.no_score):
        inputs = quality = np.where(scores.no_score != _SCORED, _BAD, quality)
    if pipeline.fallback is not Fallback.MODEL:
        quality = np.maximum(quality, _UNCERTAIN)
    verdict = quality != _BAD
    if not pipeline.alarmed:
        verdict = np.zeros(len(rows), bool)
    gated, suppressed = scenes.gated(rows), None
    if gated is not None and rows.gates is not None:
        suppressed = rows.gates.suppressed
        verdict = verdict & ~gated
        quality = np.where(gated, np.maximum(quality, _UNCERTAIN), quality)
    threshold = scenes.thresholds(pipeline, rows, contexts)
    judgeable = alarms.Rows(
        rows.asset, rows.at, scores.score, verdict, threshold, suppressed
    )
    states, after, moves = alarms.advance(state.alarms, judgeable, pipeline.limits)
    found = Judged(rows, scores, inputs, quality, after, moves, contexts, threshold)
    state, send = _worth_sending(pipeline, state, states, found)
    if not len(send):
        return state, [], found
    state, why = _explained(pipeline, state, found, send)
    scored = score_record(pipeline, found, send, why)
    return state, [scored, *alarm_records(pipeline, found, send, why)], found


def scored(scorer: Scorer, rows: FeatureRows) -> Scores:
    """Scores of the valid rows; the others say what their input lacked."""
    scores = scorer.score(rows.values)
    if np.count_nonzero(rows.valid) == len(rows):
        return scores
    why = np.where(rows.valid, scores.no_score, rows.reason)
    return replace(
        scores,
        score=np.where(rows.valid, scores.score, np.nan),
        no_score=why.astype(np.uint8),
    )


def _worth_sending(
    pipeline: Pipeline, state: PipelineState, states: AlarmStates, judged: Judged
) -> tuple[PipelineState, I64]:
    """The state behind this turn, and the rows that are sent."""
    rows, scores = judged.rows, judged.scores
    kind = packed(judged.quality, scores.no_score, judged.after, *scenes.codes(rows))
    last = Said(state.sent_score.copy(), state.sent_at.copy(), state.sent_as.copy())
    said = Said(scores.score, rows.at, kind)
    send = worth_sending(
        rows.asset, said, last, pipeline.deadband, pipeline.max_interval
    )
    send[judged.moves.row] = True
    after = PipelineState(states, last.score, last.at, last.kind, state.spent)
    return after, np.flatnonzero(send)


def _explained(
    pipeline: Pipeline, state: PipelineState, judged: Judged, send: I64
) -> tuple[PipelineState, Explanation]:
    """Top tags and a sentence of the rows that are near or above their limit."""
    scores, rows = judged.scores, judged.rows
    threshold = judged.limit(pipeline)
    loud = scores.score > pipeline.near(threshold)
    loud |= judged.after == _ACTIVE
    if (gated := scenes.gated(rows)) is not None:
        loud &= ~gated
    loud[judged.moves.row] = True
    asked, spent = np.zeros(len(send), bool), state.spent
    if pipeline.occlusion is not None and np.count_nonzero(loud):
        asked, spent = _affordable(pipeline, spent, judged, send, loud)
    teller = Teller(
        *(threshold, pipeline.usual, pipeline.phrases),
        pipeline.occlusion,
    )
    context = scenes.known(rows, judged.contexts, pipeline.known_contexts)
    why = explained(
        teller, rows, scores, judged.inputs, send, loud[send], asked, context
    )
    if spent is not state.spent:
        failed = spent.failed + why.failed
        state = replace(state, spent=replace(spent, failed=failed))
    why = scenes.told(why, rows, send, judged.contexts, pipeline.phrases)
    if pipeline.because:
        why = instead(why, pipeline.because, pipeline.phrases)
    return state, why


def _affordable(
    pipeline: Pipeline,
    spent: Spent,
    judged: Judged,
    send: I64,
    loud: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], Spent]:
    """Which of the rows that are sent the model is asked about: alarms, and few."""
    scores = judged.scores
    high = scores.score > judged.limit(pipeline)
    high |= judged.after == _ACTIVE
    high &= (scores.no_score == _SCORED) & loud
    fresh = np.zeros(len(high), bool)
    fresh[judged.moves.row] = judged.moves.state == _ACTIVE
    asked = high[send]
    if not np.count_nonzero(asked):
        return asked, spent
    mine = send[asked]
    asked[asked], spent = afford(spent, judged.rows.at[mine], fresh[mine])
    return asked, spent
