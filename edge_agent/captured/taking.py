"""Evidence of the alarms of a turn, and how much of it a storm of alarms gets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from edge_agent.captured import bits, form, inputs
from edge_agent.captured.inputs import Gone, bounded
from edge_agent.limitrule import LimitRule
from edge_agent.records import AlarmRecord, AlarmState, EvidenceRecord
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_agent.captured.form import Surroundings
    from edge_agent.features.making import Making
    from edge_agent.features.plan import FeaturePlan
    from edge_agent.outcomes import Judged
    from edge_agent.pipeline import Pipeline
    from edge_agent.records import Record

#: Windows kept in one turn and in one minute at most; alarms beyond keep their row.
WINDOWS_A_TURN, WINDOWS_A_MINUTE = 8, 60
#: Alarms of one turn that have evidence at all; those beyond are counted.
ALARMS_A_TURN = 64
STORM = "too many alarms came at once"
_MINUTE = 60 * NANOSECONDS

_encode = msgspec.json.Encoder(order="sorted").encode


def sealed(evidence: form.Evidence) -> bytes:
    """The body of a record, which tells when a byte of it changes."""
    plain = _encode(evidence)
    digest = hashlib.sha256(plain).hexdigest()
    return f'{{"{form.SEAL}":"{digest}",'.encode() + plain[1:]


class Captures:
    """Makes evidence in the turn in which an alarm becomes active.

    Args:
        surroundings: where and with what scores are made here.
        a_turn, a_minute: windows kept at most.
        alarms: of one turn that have evidence at all.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        *,
        a_turn: int = WINDOWS_A_TURN,
        a_minute: int = WINDOWS_A_MINUTE,
        alarms: int = ALARMS_A_TURN,
    ) -> None:
        self._without_window: dict[str, int] = {}
        self._without_any: dict[str, int] = {}
        self._surroundings = surroundings
        self._a_turn, self._a_minute, self._most = a_turn, a_minute, alarms
        self._turn, self._minute = 0, 0
        self._windows, self._alarms, self._left = 0, 0, a_minute

    def of(
        self,
        making: Making,
        place: int,
        plan: FeaturePlan,
        pipeline: Pipeline,
        judged: Judged,
        records: Sequence[Record],
        now: int,
    ) -> list[EvidenceRecord]:
        """Evidence of the alarms that became active; to be called within the turn.

        Args:
            making: how its rows were made.
            place: position of the pipeline among those of the asset type.
            plan: its features.
            pipeline: whose scores they are.
            judged: its rows.
            records: what it gave; the alarms among them in order of the transitions.
            now: agent time of the turn.
        """
        self._begin(now)
        told = [one for one in records if isinstance(one, AlarmRecord)]
        found = []
        for move, alarm in enumerate(told):
            if alarm.state is not AlarmState.ACTIVE:
                continue
            if self._alarms >= self._most:
                _one_more(self._without_any, pipeline)
                continue
            self._alarms += 1
            made = self._made(making, place, plan, pipeline, judged, move, alarm)
            found.append(made)
        return found

    def left_out(self, pipeline: str) -> Iterator[tuple[str, int]]:
        """Counters of a pipeline: alarms so far whose evidence lacks something."""
        if pipeline in self._without_window:
            yield "evidence_without_window_total", self._without_window[pipeline]
        if pipeline in self._without_any:
            yield "alarms_without_evidence_total", self._without_any[pipeline]

    def _begin(self, now: int) -> None:
        if now != self._turn:
            self._turn, self._windows, self._alarms = now, 0, 0
        if now // _MINUTE != self._minute:
            self._minute, self._left = now // _MINUTE, self._a_minute

    def _made(
        self,
        making: Making,
        place: int,
        plan: FeaturePlan,
        pipeline: Pipeline,
        judged: Judged,
        move: int,
        alarm: AlarmRecord,
    ) -> EvidenceRecord:
        row = int(judged.moves.row[move])
        step, start = making.row(place, row)
        window, gone, digest = None, STORM, ""
        if self._windows < self._a_turn and self._left > 0:
            self._windows += 1
            self._left -= 1
            try:
                window = inputs.held(making, plan, alarm.asset, alarm.at, step, start)
                gone = ""
            except Gone as why:
                gone, digest = str(why), why.digest
        if window is None:
            _one_more(self._without_window, pipeline)
        body = sealed(
            form.Evidence(
                format=form.FORMAT,
                surroundings=self._surroundings,
                alarm=_alarm(alarm),
                model=_model(pipeline),
                features=_features(plan),
                row=_row(judged, row, start),
                score=_score(judged, row),
                verdict=_verdict(pipeline, judged, move),
                rule=_rule(pipeline),
                window=window,
                window_gone=gone,
                window_sha256=digest,
            )
        )
        asset = alarm.info.assets[alarm.asset]
        return EvidenceRecord(
            alarm.at, alarm.occurrence, alarm.info.pipeline, asset, body
        )


def _one_more(counts: dict[str, int], pipeline: Pipeline) -> None:
    name = pipeline.info.pipeline
    counts[name] = counts.get(name, 0) + 1


def _alarm(alarm: AlarmRecord) -> form.Alarm:
    return form.Alarm(
        occurrence=alarm.occurrence,
        pipeline=alarm.info.pipeline,
        asset_type=alarm.info.asset_type,
        asset=alarm.info.assets[alarm.asset],
        at=alarm.at,
        since=alarm.since,
        severity=alarm.severity,
        reason=alarm.reason,
        part=alarm.part,
        context=alarm.context,
        top=tuple(
            form.Top(
                role=role,
                value=bounded(value),
                low=bounded(low),
                high=bounded(high),
                share=bounded(share),
            )
            for role, value, low, high, share in alarm.top
        ),
    )


def _model(pipeline: Pipeline) -> form.Model:
    info = pipeline.info
    return form.Model(
        name=info.model,
        version=info.model_version,
        digest=info.model_digest,
        rung=pipeline.fallback.name.lower(),
        because=pipeline.because,
    )


def _features(plan: FeaturePlan) -> tuple[form.Feature, ...]:
    return tuple(
        form.Feature(
            name=spec.name,
            tag=spec.tag,
            aggregate=spec.aggregate,
            window=spec.window,
            cycle=spec.cycle,
            hold=bounded(spec.hold),
            rate=spec.rate,
            min_completeness=spec.min_completeness,
        )
        for spec in plan.specs
    )


def _row(judged: Judged, row: int, start: int | None) -> form.Row:
    rows = judged.rows
    return form.Row(
        values=bits.text(rows.values[row]),
        missing=bits.text(rows.missing[row]),
        valid=bool(rows.valid[row]),
        quality=int(rows.quality[row]),
        completeness=float(rows.completeness[row]),
        age=bounded(float(rows.age[row])),
        inputs_good=int(rows.inputs_good[row]),
        cut_short=bool(rows.cut_short[row]),
        start=start,
    )


def _score(judged: Judged, row: int) -> form.Score:
    scores = judged.scores
    parts, classes = scores.contributions, scores.probabilities
    return form.Score(
        value=bounded(float(scores.score[row])),
        quality=int(judged.quality[row]),
        contributions=None if parts is None else bits.text(parts[row]),
        probabilities=None if classes is None else bits.text(classes[row]),
        classes=scores.classes,
    )


def _verdict(pipeline: Pipeline, judged: Judged, move: int) -> form.Verdict:
    limits, moves, row = pipeline.limits, judged.moves, int(judged.moves.row[move])
    own = judged.threshold
    threshold = float(limits.threshold if own is None else own[row])
    return form.Verdict(
        threshold=threshold,
        threshold_of="pipeline" if threshold == limits.threshold else "context",
        hysteresis=limits.hysteresis,
        on_delay=limits.on_delay,
        off_delay=limits.off_delay,
        max_gap=limits.max_gap,
        chatter_count=limits.chatter_count,
        chatter_window=limits.chatter_window,
        leaning=int(moves.leaning[move]),
        number=int(moves.number[move]),
        recent=int(moves.recent[move]),
    )


def _rule(pipeline: Pipeline) -> form.Rule | None:
    rule = pipeline.scorer
    if not isinstance(rule, LimitRule):
        return None
    return form.Rule(
        low=bits.text(rule.low),
        high=bits.text(rule.high),
        least=bits.text(rule.least),
        most=bits.text(rule.most),
        threshold=rule.threshold,
    )
