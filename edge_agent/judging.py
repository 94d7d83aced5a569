"""One turn of one pipeline: feature rows -> scores -> judgements -> records.

Pure: no clock, no link, no disk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent import alarms, scenes
from edge_agent.explain import TOP
from edge_agent.occlusion import afford
from edge_agent.pipeline import PipelineState
from edge_agent.reasons import Teller, explained, instead
from edge_agent.records import AlarmRecord, AlarmState, Fallback, NoScore, ScoreRecord
from edge_agent.reporting import Said, packed, worth_sending
from edge_agent.samples import Quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.alarms import AlarmStates, Transitions
    from edge_agent.explain import Top
    from edge_agent.features.contexts import Contexts
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.occlusion import Spent
    from edge_agent.pipeline import Pipeline, Scorer
    from edge_agent.reasons import Explanation
    from edge_agent.records import Record
    from edge_agent.samples import F64, I64
    from edge_agent.scores import Scores

# comparing an array with an enum costs five times as much
_SCORED, _BAD = np.uint8(NoScore.NONE), np.uint8(Quality.BAD)
_UNCERTAIN = np.uint8(Quality.UNCERTAIN)
_ACTIVE = np.uint8(AlarmState.ACTIVE)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Rows with everything said of them, before it is decided what to send."""

    rows: FeatureRows
    scores: Scores
    inputs: NDArray[np.uint8]
    """Quality of the input; BAD where there is no score."""
    quality: NDArray[np.uint8]
    """Of the score: never better than the rung that made it."""
    after: NDArray[np.uint8]
    moves: Transitions
    contexts: Contexts | None
    threshold: F64 | None
    """Of each row; None where all have the pipeline's."""

    def limit(self, pipeline: Pipeline) -> F64:
        """float64[n] the limit of each row."""
        if self.threshold is not None:
            return self.threshold
        return np.full(len(self.rows), pipeline.limits.threshold)


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
    state, records = judged(pipeline, state, rows, scores, contexts)
    return state, records, scores


def judged(
    pipeline: Pipeline,
    state: PipelineState,
    rows: FeatureRows,
    scores: Scores,
    contexts: Contexts | None = None,
) -> tuple[PipelineState, list[Record]]:
    """Judge scored rows: alarms, what is worth a message, and why.

    A rung below the model makes no score GOOD: SCADA shows UNCERTAIN, and the reason.
    Nor does a row that is not to be judged, as its machine stands, have a GOOD one.

    Args:
        pipeline: whose scores they are.
        state: replaced, not changed.
        rows: n rows; several of one asset in ascending order of time.
        scores: of them.
        contexts: whose numbers the rows have; None for rows without.
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
    found = _Judged(rows, scores, inputs, quality, after, moves, contexts, threshold)
    state, send = _worth_sending(pipeline, state, states, found)
    if not len(send):
        return state, []
    state, why = _explained(pipeline, state, found, send)
    scored = _score_record(pipeline, found, send, why)
    return state, [scored, *_alarm_records(pipeline, found, send, why)]


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
    pipeline: Pipeline, state: PipelineState, states: AlarmStates, judged: _Judged
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
    pipeline: Pipeline, state: PipelineState, judged: _Judged, send: I64
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
    judged: _Judged,
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


def _score_record(
    pipeline: Pipeline, judged: _Judged, send: I64, why: Explanation
) -> ScoreRecord:
    rows, scores, count = judged.rows, judged.scores, len(send)
    no_score, score = scores.no_score[send], scores.score[send]
    alarm, rung = judged.after[send], np.full(count, pipeline.fallback, np.uint8)
    rung[no_score != _SCORED] = Fallback.NO_SCORE
    severity = np.zeros(count, np.int32)
    if np.count_nonzero(alarm):
        active = alarm == _ACTIVE
        severity[active] = _severity(pipeline, judged, send[active])
    names, context = scenes.names(rows, send, judged.contexts)
    return ScoreRecord(
        info=pipeline.info,
        asset=rows.asset[send],
        at=rows.at[send],
        score=score,
        threshold=judged.limit(pipeline)[send],
        severity=severity,
        alarm=alarm,
        quality=judged.quality[send],
        completeness=rows.completeness[send],
        age=rows.age[send],
        no_score=no_score,
        fallback=rung,
        top_role=why.top.role,
        top_value=why.top.value,
        top_low=why.top.low,
        top_high=why.top.high,
        top_share=why.top.share,
        inputs_good=rows.inputs_good[send],
        inputs_total=rows.values.shape[1],
        part=tuple(rows.part[i] for i in send) if rows.part else (),
        reason=why.sentence,
        label=scores.named(send),
        contexts=names,
        context=context,
    )


def _alarm_records(
    pipeline: Pipeline, judged: _Judged, send: I64, why: Explanation
) -> list[AlarmRecord]:
    moves, rows = judged.moves, judged.rows
    if not len(moves):
        return []
    places, limit = np.searchsorted(send, moves.row), judged.limit(pipeline)
    severity = _severity(pipeline, judged, moves.row)
    return [
        AlarmRecord(
            info=pipeline.info,
            asset=int(rows.asset[row]),
            at=int(rows.at[row]),
            state=AlarmState(int(moves.state[k])),
            occurrence=alarms.occurrence(
                pipeline.info.assets[int(rows.asset[row])], int(moves.since[k])
            ),
            since=int(moves.since[k]),
            score=float(judged.scores.score[row]),
            threshold=float(limit[row]),
            severity=int(severity[k]),
            reason=why.sentence[int(places[k])],
            top=_top(pipeline, why.top, int(places[k])),
            part=rows.part[row] if rows.part else "",
            fallback=pipeline.fallback,
            context=scenes.name(rows, row, judged.contexts),
        )
        for k, row in enumerate(moves.row.tolist())
    ]


def _severity(pipeline: Pipeline, judged: _Judged, which: I64) -> NDArray[np.int32]:
    """Severity of the highest level each score has passed, at least the first's."""
    score, found = judged.scores.score[which], np.empty(len(which), np.int32)
    if judged.threshold is None:
        return _passed(pipeline.levels, pipeline.severities, score)
    for place, row in enumerate(which.tolist()):
        levels, severities = pipeline.levels, pipeline.severities
        context = scenes.name(judged.rows, row, judged.contexts)
        if pipeline.levels_in is not None and context:
            levels, severities = pipeline.levels_in.of(context)
        found[place] = _passed(levels, severities, score[place : place + 1])[0]
    return found


def _passed(
    levels: F64, severities: NDArray[np.int32], score: F64
) -> NDArray[np.int32]:
    known = np.where(np.isnan(score), levels[0], score)
    passed = np.searchsorted(levels, known, side="left")
    return severities[np.clip(passed - 1, 0, None)]


def _top(
    pipeline: Pipeline, top: Top, place: int
) -> tuple[tuple[str, float, float, float, float], ...]:
    return tuple(
        (
            pipeline.info.roles[int(top.role[place, rank])],
            float(top.value[place, rank]),
            float(top.low[place, rank]),
            float(top.high[place, rank]),
            float(top.share[place, rank]),
        )
        for rank in range(TOP)
        if top.role[place, rank] >= 0
    )
