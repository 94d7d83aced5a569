"""A converted model put to the proof: parity, threshold, measures, cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.bundle.contents import Bundle
from edge_agent.bundle.golden import GoldenRows
from edge_agent.bundle.passport import Passport
from edge_agent.bundle.reference import profiled, read_reference
from edge_agent.errors import ModelRejected
from edge_agent.publish.calibration import with_calibration
from edge_agent.publish.converted import told_by
from edge_agent.publish.cost import MANY, Cost, Gain, measured
from edge_agent.publish.drafting import Findings, passport_text
from edge_agent.publish.findings import findings_of, held_to
from edge_agent.publish.golden import golden_of
from edge_agent.publish.measures import bad_rows
from edge_agent.publish.parity import Parity, compared
from edge_agent.scores import Scores
from edge_agent.scoring import OnnxScorer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge_agent.bundle.reference import ReferenceFile
    from edge_agent.clock import Clock
    from edge_agent.publish.asking import Statement
    from edge_agent.publish.converted import Converted
    from edge_agent.publish.description import Description
    from edge_agent.publish.progress import Progress
    from edge_agent.publish.rows import Rows
    from edge_agent.samples import F64

    F32 = NDArray[np.float32]

_CHUNK = 4096
_COMPARED = 20_000
_PROBED = 40
_PATIENCE = 60.0  # s a call may take here; a gateway's deadline is its own


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """Everything a bundle is written from.

    Attributes:
        converted: the graph.
        training: the rows it was fitted on.
        reference: their profile.
        golden: rows and what the source says of them.
        findings: thresholds, false alarms, measures.
        parity: graph against source; None without a source.
        cost, gain: of the graph.
    """

    converted: Converted
    training: Rows
    reference: ReferenceFile
    golden: GoldenRows
    findings: Findings
    parity: Parity | None
    cost: Cost
    gain: Gain | None


def prove(
    converted: Converted,
    rows: tuple[Rows, Rows | None],
    told: Description,
    said: Statement,
    step: Progress,
    clock: Clock,
    *,
    expected: Mapping[str, Any] | None = None,
    compare: bool = True,
) -> Proof:
    """Run a graph on training rows and rows kept aside.

    Raises:
        ModelRejected: it is further off its source than allowed, or breaks a rule of
            the passport.
    """
    training, aside = rows
    judged = aside if aside is not None else training
    scorer = draft_scorer(converted, training, told, said)
    learned = _scored(scorer, training.values[training.whole], step, "the training")
    scores = (
        _scored(scorer, judged.values[judged.whole], step, "the held-out")
        if aside is not None
        else learned
    )
    step.step("Finding the threshold")
    found = findings_of(scores, aside, told)
    held_to(said.accuracy, found)
    step.step("Comparing with the source")
    near = _parity(converted, scorer, judged, scores, told, found, expected)
    golden, atol = golden_of(converted, scorer, training, learned, told)
    gain = _gain(converted, scorer, training, told, said, step, clock, compare=compare)
    return Proof(
        converted,
        training,
        _reference(training, judged, scores, told),
        golden,
        replace(found, atol=atol),
        near,
        gain.compiled if gain else _cost(converted, scorer, training, clock),
        gain,
    )


def draft_scorer(
    converted: Converted, training: Rows, told: Description, said: Statement
) -> OnnxScorer:
    """The gateway's scorer over a graph that has no golden rows yet."""
    names = [feature.name for feature in told.features]
    profile = profiled(names, training.values)
    level = [{"value": 0.5, "severity": 1}]
    text = passport_text(
        told, said, converted, training, profile, Findings(tuple(level))
    )
    checked = Passport.model_validate(
        {
            **text,
            "features": [{**f, "trained": [0.0, 0.0]} for f in text["features"]],
            "files": dict.fromkeys(
                ("model.onnx", "golden.json", "reference.json"), "0" * 64
            ),
        }
    )
    some = training.values[training.whole][:_PROBED]
    reference = read_reference(profile.model_dump_json().encode(), checked)
    where = Path(told.name) / told.version
    return OnnxScorer(
        Bundle(where, checked, "", converted.model, GoldenRows(some, {}), reference),
        deadline=_PATIENCE,
    )


def _scored(scorer: OnnxScorer, values: F32, step: Progress, what: str) -> Scores:
    step.step(f"Scoring {len(values)} rows of {what} data", len(values))
    parts = []
    for first in range(0, len(values), _CHUNK):
        part = scorer.score(values[first : first + _CHUNK])
        if part.error:
            raise ModelRejected(f"the exported graph does not run: {part.error}")
        parts.append(part)
        step.advance(len(part.score))
    tables = [p.probabilities for p in parts if p.probabilities is not None]
    return Scores(
        np.concatenate([p.score for p in parts]),
        np.concatenate([p.no_score for p in parts]),
        None,
        np.concatenate(tables) if tables else None,
        scorer.classes,
    )


def _parity(
    converted: Converted,
    scorer: OnnxScorer,
    judged: Rows,
    scores: Scores,
    told: Description,
    found: Findings,
    expected: Mapping[str, Any] | None,
) -> Parity | None:
    values = judged.values[judged.whole]
    source: Mapping[str, F64]
    if expected is not None:
        source = {k: np.asarray(v, np.float64) for k, v in expected.items()}
        if {len(v) for v in source.values()} != {len(values)}:
            raise ModelRejected(
                f"expected must have {len(values)} rows, one for each whole row"
            )
    elif converted.truth is not None:
        values = values[:: max(len(values) // _COMPARED, 1)]
        source = told_by(converted.truth, values)
    else:
        return None
    near = compared(
        source,
        scorer.score(values),
        rtol=told.rtol,
        atol=told.atol,
        allowed=converted.flips,
        threshold=float(found.thresholds[0]["value"]),
    )
    if not near.holds or len(scores.score) == 0:
        raise ModelRejected(
            f"the exported graph is not its source, {converted.source}: "
            f"{near.sentence()} Nothing was written."
        )
    return near


def _gain(
    converted: Converted,
    scorer: OnnxScorer,
    training: Rows,
    told: Description,
    said: Statement,
    step: Progress,
    clock: Clock,
    *,
    compare: bool,
) -> Gain | None:
    if converted.plain is None or not compare:
        return None
    step.step("Converting the usual way, to compare (compare=False skips it)")
    usual = converted.plain()
    plain = draft_scorer(usual, training, told, said)
    some = _some(training)
    apart = np.abs(plain.score(some).score - scorer.score(some).score).max()
    return Gain(
        _cost(usual, plain, training, clock),
        _cost(converted, scorer, training, clock),
        float(apart),
    )


def _cost(
    converted: Converted, scorer: OnnxScorer, training: Rows, clock: Clock
) -> Cost:
    return measured(len(converted.model), scorer, _some(training), clock)


def _some(training: Rows) -> F32:
    return training.values[training.whole][:MANY]


def _reference(
    training: Rows, judged: Rows, scores: Scores, told: Description
) -> ReferenceFile:
    """Features of what was learned, outputs of what was not: there a model is surer."""
    whole = np.flatnonzero(judged.whole)
    calm = np.ones(len(whole), bool)
    if judged.labels is not None and told.kind == "anomaly":
        calm = ~bad_rows(judged.labels[whole], told.good)
    outputs = {"score": scores.score[calm]}
    if scores.probabilities is not None:
        for column, name in enumerate(scores.classes):
            outputs[f"probability.{name}"] = scores.probabilities[calm, column]
    contexts = judged.contexts
    try:
        made = profiled(
            [feature.name for feature in told.features],
            training.values,
            training.contexts,
            outputs=outputs,
            output_contexts=[contexts[i] for i in whole[calm]] if contexts else (),
        )
    except ValueError as error:
        raise ModelRejected(str(error)) from error
    table = np.column_stack(list(outputs.values()))
    scored = (judged, whole[calm], table)
    # where only the rows kept aside carry times, theirs tell how features scatter
    timed = training if training.at is not None else judged
    learned = (timed, np.arange(len(timed)), timed.values)
    return with_calibration(made, learned, scored, told.assets)
