"""Judged rows as records: what of them leaves the agent. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent import alarms, scenes
from edge_agent.explain import TOP
from edge_agent.records import AlarmRecord, AlarmState, Fallback, NoScore, ScoreRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.alarms import Transitions
    from edge_agent.explain import Top
    from edge_agent.features.contexts import Contexts
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.pipeline import Pipeline
    from edge_agent.reasons import Explanation
    from edge_agent.samples import F64, I64
    from edge_agent.scores import Scores

# comparing an array with an enum costs five times as much
_SCORED, _ACTIVE = np.uint8(NoScore.NONE), np.uint8(AlarmState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Judged:
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


def score_record(
    pipeline: Pipeline, judged: Judged, send: I64, why: Explanation
) -> ScoreRecord:
    """The rows that are sent, as one record.

    Args:
        pipeline: whose.
        judged: all rows of the turn.
        send: int64[n] positions of those that are sent.
        why: of these.
    """
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


def alarm_records(
    pipeline: Pipeline, judged: Judged, send: I64, why: Explanation
) -> list[AlarmRecord]:
    """One record a transition; arguments as for `score_record`."""
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


def _severity(pipeline: Pipeline, judged: Judged, which: I64) -> NDArray[np.int32]:
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
