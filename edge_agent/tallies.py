"""What became of samples and rows, as counters."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.window import IngestCounts
from edge_agent.records import NoScore

if TYPE_CHECKING:
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.instruments import Instruments
    from edge_agent.occlusion import Spent
    from edge_agent.pipeline import Pipeline
    from edge_agent.scores import Scores

_SAMPLE_COUNTS = tuple(field.name for field in fields(IngestCounts))

_LOST = {
    "too_late": "stamped before everything their tag's window still holds",
    "conflict": "another value with the same stamp had come before",
}
_UNMADE = {
    "rows_late_total": "what belongs to them came when they were closed",
    "ticks_skipped_total": "turns stood still for longer than is made up for",
}


def unmade(instruments: Instruments, counter: str, pipeline: str, count: int) -> None:
    """Count rows that were not made, or not whole."""
    instruments.count(counter, count, pipeline=pipeline)
    if counter in _UNMADE:
        instruments.losses.add(
            "ticks" if counter.startswith("ticks") else "rows",
            pipeline,
            _UNMADE[counter],
            count,
        )


def samples(instruments: Instruments, counts: IngestCounts, kind: str) -> None:
    """Count what became of a turn's samples of an asset type; some reach no window."""
    for name in _SAMPLE_COUNTS:
        if count := getattr(counts, name):
            instruments.count("samples_total", count, result=name)
            if name in _LOST:
                instruments.losses.add("samples", kind, _LOST[name], count)


def rows(
    instruments: Instruments, pipeline: Pipeline, found: FeatureRows, scores: Scores
) -> None:
    """Count a turn's rows of a pipeline, and why some have no score."""
    name, none = pipeline.info.pipeline, int(np.count_nonzero(scores.no_score))
    instruments.count("rows_scored_total", len(found) - none, pipeline=name)
    if found.gates is not None:
        gated = int(np.count_nonzero(found.gates.why))
        instruments.count("rows_not_judged_total", gated, pipeline=name)
    if not none:
        return
    reasons = np.bincount(scores.no_score, minlength=len(NoScore))
    for why in NoScore:
        if why and reasons[why]:
            count, word = int(reasons[why]), why.name.lower()
            instruments.count(
                "rows_without_score_total", count, pipeline=name, reason=word
            )


def explanations(
    instruments: Instruments, pipeline: str, before: Spent, after: Spent
) -> None:
    """Count a turn's explanations, and those a model could not give."""
    if after is before:
        return
    failed = after.failed - before.failed
    results = {
        "by_model": after.asked - before.asked - failed,
        "over_budget": after.over - before.over,
        "failed": failed,
    }
    for result, count in results.items():
        if count:
            instruments.count(
                "explanations_total", count, pipeline=pipeline, result=result
            )
