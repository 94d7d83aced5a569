"""What the turn hands over of its rows, and the same as columns. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.labels.columns import BUCKET, PART, Columns, Flag, empty, offsets, taken
from edge_agent.labels.keys import keyed
from edge_agent.pipeline import MODELS
from edge_agent.records import NoScore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.labels.words import Lexicon
    from edge_agent.records import Fallback, PipelineInfo
    from edge_agent.samples import I32, I64
    from edge_agent.scores import Scores

_OK = np.uint8(NoScore.NONE)


class Batch(NamedTuple):
    """Rows of one pipeline and turn: the turn's own arrays, never written again.

    Attributes:
        info: whose scores they are.
        fallback: which rung made them.
        threshold: alarms come above it.
        asset, at, part: of `FeatureRows`.
        scores: of all rows.
        alarmed: bool[n] an alarm was active behind each row.
        offset: ns from agent time to the wall clock.
        context: int32[n] in ``contexts``; None where rows have none.
        counts: bool[n] rows that may alarm, the others are no predictions; None for
            all.
    """

    info: PipelineInfo
    fallback: Fallback
    threshold: float
    asset: I32
    at: I64
    part: tuple[str, ...]
    scores: Scores
    alarmed: NDArray[np.bool_]
    offset: int
    context: I32 | None
    contexts: Sequence[str]
    counts: NDArray[np.bool_] | None = None


def version_word(info: PipelineInfo) -> str:
    """How a version is written among the words: version, blank, digest."""
    return f"{info.model_version} {info.model_digest or info.model_sha8}"


def columns_of(batch: Batch, lexicon: Lexicon, *, parts: bool) -> Columns:
    """Columns of `PART` or `BUCKET`; ``at`` is still the row's own time.

    Rows of a part without an id are left out: no label will ever name them.
    """
    kinds = PART if parts else BUCKET
    rows = empty(kinds, len(batch.asset))
    scores, score = batch.scores, batch.scores.score
    kept, coarse = offsets(batch.offset)
    none = scores.no_score != _OK
    stand_in = Flag(0) if batch.fallback in MODELS else Flag.STAND_IN
    flags = np.full(len(score), coarse | stand_in, np.uint8)
    flags |= np.where(batch.alarmed, np.uint8(Flag.ALARM), np.uint8(0))
    flags |= np.where(none, np.uint8(Flag.NO_SCORE), np.uint8(0))
    over = ~none & (score > batch.threshold)
    flags |= np.where(over, np.uint8(Flag.OVER), np.uint8(0))
    rows["asset"], rows["at"] = batch.asset, batch.at
    rows["offset"][:] = kept
    with np.errstate(over="ignore"):
        rows["score"] = np.where(none, np.nan, score).astype(np.float32)
        rows["threshold"][:] = batch.threshold
    rows["version"][:] = lexicon.versions.place(version_word(batch.info))
    rows["flags"] = flags
    rows["word"], rows["probability"] = _likeliest(scores, none, lexicon)
    rows["context"] = _contexts(batch, lexicon)
    if not parts:
        rows["rows"] = (~none).astype(np.uint16)
        return rows if batch.counts is None else taken(rows, batch.counts)
    rows["key"], rows["check"] = keyed(batch.part or ("",) * len(score))
    named = np.array([bool(part.strip()) for part in batch.part], bool)
    if batch.counts is not None and len(named):
        named &= batch.counts
    return (
        {name: column[named] for name, column in rows.items()}
        if len(named)
        else (empty(kinds))
    )


def _likeliest(
    scores: Scores, none: NDArray[np.bool_], lexicon: Lexicon
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """The likeliest class of each row as a word, and its probability."""
    count = len(none)
    table = scores.probabilities
    if table is None or not scores.classes or not table.shape[1]:
        nothing = np.zeros(count, np.int16)
        return nothing, np.full(count, np.nan, np.float32)
    words = np.array([*lexicon.classes.places(scores.classes), 0], np.int16)
    best = np.where(none, -1, scores.labels())
    sure = table[np.arange(count), np.maximum(best, 0)]
    return words[best], np.where(best < 0, np.nan, sure).astype(np.float32)


def _contexts(batch: Batch, lexicon: Lexicon) -> NDArray[np.uint16]:
    if batch.context is None or not len(batch.contexts):
        return np.zeros(len(batch.asset), np.uint16)
    words = np.array([*lexicon.contexts.places(batch.contexts), 0], np.uint16)
    known = (batch.context >= 0) & (batch.context < len(batch.contexts))
    return words[np.where(known, batch.context, -1)]
