"""One turn of one pipeline: feature rows -> scores -> judgements -> records.

Pure: no clock, no link, no disk. A pipeline is frozen; a new model is a new
`Pipeline`, swapped between turns. What must survive a crash is `PipelineState`:
frozen arrays, replaced each turn, saved with the turn's records.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edge_agent import alarms
from edge_agent.alarms import NEVER, AlarmStates
from edge_agent.explain import TOP
from edge_agent.reasons import explained
from edge_agent.records import AlarmRecord, AlarmState, Fallback, NoScore, ScoreRecord
from edge_agent.reporting import Said, packed, worth_sending
from edge_agent.samples import Quality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.alarms import Limits, Transitions
    from edge_agent.explain import Top, Usual
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.reasons import Explanation
    from edge_agent.records import PipelineInfo, Record
    from edge_agent.samples import F64, I64
    from edge_agent.scores import Scores

    Bools = NDArray[np.bool_]

#: A score above this share of its threshold is worth an explanation.
NEAR = 0.7
# comparing an array with an enum costs five times as much
_SCORED, _BAD = np.uint8(NoScore.NONE), np.uint8(Quality.BAD)
_ACTIVE = np.uint8(AlarmState.ACTIVE)


class Scorer(Protocol):
    """What makes scores of feature rows.

    ``score`` takes float32[n, features] without missing numbers, changes nothing and
    never raises: a failure is a score that says why it is none.
    """

    def score(self, values: NDArray[np.float32]) -> Scores:
        """Verdicts on n rows."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """An asset type, its model, its alarms, and what of it is worth a message.

    Attributes:
        info: what all its records share.
        scorer: the model.
        usual: what the passport says is usual, for explanations.
        limits: when alarms come and go.
        levels: ascending scores that raise the severity; the first is the limit.
        severities: int32[levels], 1..1000.
        alarmed: False scores without alarms.
        deadband: change of the score that is worth a message; 0 sends every row.
        max_interval: ns after which a row is sent anyway.
        fallback: which rung of the ladder the scorer is.
    """

    info: PipelineInfo
    scorer: Scorer
    usual: Usual
    limits: Limits
    levels: F64
    severities: NDArray[np.int32]
    alarmed: bool = True
    deadband: float = 0.0
    max_interval: int = 60_000_000_000
    fallback: Fallback = Fallback.MODEL


@dataclass(frozen=True, slots=True, eq=False)
class PipelineState:
    """What a pipeline remembers between turns; arrays over its assets.

    Attributes:
        alarms: the state of each asset's alarm.
        sent_score: float64[assets] score of the last row that was sent.
        sent_at: int64[assets] its time, `alarms.NEVER` before the first.
        sent_as: int64[assets] its quality, reason and alarm, packed.
    """

    alarms: AlarmStates
    sent_score: F64
    sent_at: I64
    sent_as: I64

    @staticmethod
    def fresh(assets: int) -> PipelineState:
        """Nothing known."""
        return PipelineState(
            AlarmStates.fresh(assets),
            np.full(assets, np.nan),
            np.full(assets, NEVER, np.int64),
            np.full(assets, -1, np.int64),
        )

    @staticmethod
    def restored(
        arrays: Mapping[str, NDArray[np.int64]], then: Sequence[str], now: Sequence[str]
    ) -> PipelineState:
        """From a checkpoint: alarms go on, every asset is reported anew.

        Raises:
            ValueError: the arrays do not fit the assets ``then``.
        """
        fresh = PipelineState.fresh(len(now))
        return replace(fresh, alarms=AlarmStates.from_arrays(arrays, then, now))


@dataclass(frozen=True, slots=True)
class _Judged:
    """Rows with everything said of them, before it is decided what to send."""

    rows: FeatureRows
    scores: Scores
    quality: NDArray[np.uint8]
    after: NDArray[np.uint8]
    moves: Transitions


def turn(
    pipeline: Pipeline, state: PipelineState, rows: FeatureRows
) -> tuple[PipelineState, list[Record], Scores]:
    """Score and judge the due rows of a pipeline.

    Args:
        pipeline: frozen.
        state: replaced, not changed.
        rows: n rows; several of one asset in ascending order of time.

    Returns:
        The new state, at most one score record and one alarm record a transition,
        and the scores of all rows.
    """
    scores = _scored(pipeline.scorer, rows)
    quality = rows.quality
    if np.count_nonzero(scores.no_score):
        quality = np.where(scores.no_score != _SCORED, _BAD, quality)
    verdict = quality != _BAD
    if not pipeline.alarmed:
        verdict = np.zeros(len(rows), bool)
    judgeable = alarms.Rows(rows.asset, rows.at, scores.score, verdict)
    states, after, moves = alarms.advance(state.alarms, judgeable, pipeline.limits)
    judged = _Judged(rows, scores, quality, after, moves)
    state, send = _worth_sending(pipeline, state, states, judged)
    return state, _records(pipeline, judged, send), scores


def _scored(scorer: Scorer, rows: FeatureRows) -> Scores:
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
    kind = packed(judged.quality, scores.no_score, judged.after)
    last = Said(state.sent_score.copy(), state.sent_at.copy(), state.sent_as.copy())
    said = Said(scores.score, rows.at, kind)
    send = worth_sending(
        rows.asset, said, last, pipeline.deadband, pipeline.max_interval
    )
    send[judged.moves.row] = True
    after = PipelineState(states, last.score, last.at, last.kind)
    return after, np.flatnonzero(send)


def _records(pipeline: Pipeline, judged: _Judged, send: I64) -> list[Record]:
    if not len(send):
        return []
    why = _explained(pipeline, judged, send)
    scored = _score_record(pipeline, judged, send, why)
    return [scored, *_alarm_records(pipeline, judged, send, why)]


def _explained(pipeline: Pipeline, judged: _Judged, send: I64) -> Explanation:
    """Top tags and a sentence of the rows that are near or above their limit."""
    scores, threshold = judged.scores, pipeline.limits.threshold
    loud = scores.score > threshold - (1 - NEAR) * abs(threshold)
    loud |= judged.after == _ACTIVE
    loud[judged.moves.row] = True
    return explained(
        judged.rows, scores, judged.quality, send, loud[send], threshold, pipeline.usual
    )


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
        severity[active] = _severity(pipeline, score[active])
    return ScoreRecord(
        info=pipeline.info,
        asset=rows.asset[send],
        at=rows.at[send],
        score=score,
        threshold=np.full(count, pipeline.limits.threshold),
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
    )


def _alarm_records(
    pipeline: Pipeline, judged: _Judged, send: I64, why: Explanation
) -> list[AlarmRecord]:
    moves, rows = judged.moves, judged.rows
    if not len(moves):
        return []
    places = np.searchsorted(send, moves.row)
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
            threshold=pipeline.limits.threshold,
            severity=int(_severity(pipeline, judged.scores.score[row : row + 1])[0]),
            reason=why.sentence[int(places[k])],
            top=_top(pipeline, why.top, int(places[k])),
            part=rows.part[row] if rows.part else "",
            fallback=pipeline.fallback,
        )
        for k, row in enumerate(moves.row.tolist())
    ]


def _severity(pipeline: Pipeline, score: F64) -> NDArray[np.int32]:
    """Severity of the highest level a score has passed, at least the first's."""
    known = np.where(np.isnan(score), pipeline.levels[0], score)
    passed = np.searchsorted(pipeline.levels, known, side="left")
    return pipeline.severities[np.clip(passed - 1, 0, None)]


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
