"""One sentence for each row that is sent: why this score, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.explain import TOP, Top, distances, explain
from edge_agent.occlusion import occluded
from edge_agent.records import NoScore
from edge_agent.samples import Quality
from edge_agent.wording import sentence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.explain import F32, Usual
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.occlusion import Occlusion
    from edge_agent.phrases import Phrases
    from edge_agent.samples import F64, I32, I64
    from edge_agent.scores import Scores

    Bools = NDArray[np.bool_]

_MODEL = frozenset(
    {
        NoScore.MODEL_NAN,
        NoScore.MODEL_ERROR,
        NoScore.MODEL_MISSING,
        NoScore.MODEL_SLOW,
        NoScore.MODEL_EXPIRED,
    }
)
_KEYS = {why: f"no_score.{why.name.lower()}" for why in NoScore}


@dataclass(frozen=True, slots=True)
class Teller:
    """What explanations of a pipeline are made with.

    Attributes:
        threshold: float64[rows] the alarm's, of each of the turn's rows.
        usual: what the passport says is usual.
        phrases: in the language of who reads them.
        occlusion: how to ask the model; None where it is not asked.
    """

    threshold: F64
    usual: Usual
    phrases: Phrases
    occlusion: Occlusion | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Top tags and a sentence of n rows; calm rows have no top tags.

    Attributes:
        top: arrays of n rows, see `explain.Top`.
        sentence: n sentences.
        failed: rows for which the model was asked and gave no answer.
    """

    top: Top
    sentence: tuple[str, ...]
    failed: int = 0


def explained(
    teller: Teller,
    rows: FeatureRows,
    scores: Scores,
    quality: NDArray[np.uint8],
    send: I64,
    loud: Bools,
    asked: Bools,
    context: I32 | None = None,
) -> Explanation:
    """Explain the rows that are sent.

    Args:
        teller: what to explain with.
        rows: the turn's.
        scores: of them.
        quality: of the scores.
        send: int64[n] positions of the rows that are sent.
        loud: bool[n] which of them deserve to be explained.
        asked: bool[n] those of them that are worth asking the model for.
        context: int32 of each of the turn's rows, in the order of the contexts that
            ``teller.usual`` was made for; None where there are none.
    """
    phrases = teller.phrases
    normal = phrases.say("normal")
    sentences = [normal] * len(send)
    if np.count_nonzero(quality):
        for place in np.flatnonzero(quality[send] != Quality.GOOD).tolist():
            row = int(send[place])
            sentences[place] = _doubt(rows, scores, row, teller.usual, phrases)
    if not np.count_nonzero(loud):
        return Explanation(nothing(len(send)), tuple(sentences))
    loud &= scores.no_score[send] == NoScore.NONE
    chosen = np.flatnonzero(loud)
    if not len(chosen):
        return Explanation(nothing(len(send)), tuple(sentences))
    picked = send[chosen]
    found = _found(
        teller,
        rows.values[picked],
        scores.score[picked],
        teller.threshold[picked],
        None if scores.contributions is None else scores.contributions[picked],
        asked[chosen],
        None if context is None else context[picked],
    )
    for row, place in enumerate(chosen.tolist()):
        said = found.said(row, teller)
        doubtful = sentences[place] != normal
        if doubtful:
            said = phrases.say("with_remark", said=said, remark=sentences[place])
        sentences[place] = said
    top = _spread(found.top, chosen, len(send))
    return Explanation(top, tuple(sentences), found.failed)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Rows with the tags that made their scores.

    Attributes:
        distant: bool[n] told by distance, as nobody knew better.
        failed: rows for which the model gave no answer.
    """

    values: F32
    score: F64
    limit: F64
    place: I64
    top: Top
    distant: Bools
    failed: int

    def said(self, row: int, teller: Teller) -> str:
        said = sentence(
            float(self.score[row]),
            float(self.limit[row]),
            self.top,
            row,
            self.values,
            teller.usual,
            teller.phrases,
            int(self.place[row]),
        )
        if self.distant[row] and self.top.role[row, 0] >= 0:
            return teller.phrases.say("by_distance", said=said)
        return said


def _found(
    teller: Teller,
    values: F32,
    score: F64,
    limit: F64,
    own: F32 | None,
    asked: Bools,
    context: I32 | None,
) -> _Found:
    """Parts by asking the model, else by its own word, else by distance."""
    usual = teller.usual
    place, failed = usual.places(context, len(values)), 0
    distant = np.full(len(values), own is None)
    parts = None if own is None else own.astype(np.float64)
    rows = np.flatnonzero(asked)
    if teller.occlusion is not None and len(rows):
        mine = None if own is None else own[rows]
        told = occluded(
            teller.occlusion, values[rows], score[rows], mine, usual, place[rows]
        )
        answered = np.isfinite(told).all(axis=1)
        failed = len(rows) - int(np.count_nonzero(answered))
        rows, told = rows[answered], told[answered]
        if parts is None:
            parts = distances(values, usual, place)
        parts[rows] = told
        distant[rows] = False
    top = explain(values, parts, usual, place)
    return _Found(values, score, limit, place, top, distant, failed)


def instead(why: Explanation, because: str, phrases: Phrases) -> Explanation:
    """The same with a word about who scored in the model's place, and why."""
    calm = (phrases.say("normal"), "")
    told = tuple(
        because
        if said in calm
        else phrases.say("with_remark", said=said, remark=because)
        for said in why.sentence
    )
    return replace(why, sentence=told)


@lru_cache(maxsize=256)
def nothing(count: int) -> Top:
    """No top tags for ``count`` rows; shared by all who ask, so read-only."""
    none = np.full((count, TOP), -1, np.int16)
    unknown = np.full((count, TOP), np.nan)
    zero = np.zeros((count, TOP))
    for table in (none, unknown, zero):
        table.flags.writeable = False
    return Top(none, none, none, unknown, unknown, unknown, zero)


def _spread(found: Top, places: I64, count: int) -> Top:
    into = nothing(count)
    for field in fields(Top):
        column = getattr(into, field.name).copy()
        column[places] = getattr(found, field.name)
        into = replace(into, **{field.name: column})
    return into


def _doubt(
    rows: FeatureRows, scores: Scores, row: int, usual: Usual, phrases: Phrases
) -> str:
    """Why a row has no score, or one that is not to be trusted fully."""
    why = NoScore(int(scores.no_score[row]))
    if why in _MODEL:
        said = phrases.say(_KEYS[why])
        if not scores.error:
            return said
        return phrases.say("no_score.error", reason=said, error=scores.error)
    if why is NoScore.NONE:
        good, total = int(rows.inputs_good[row]), rows.values.shape[1]
        return phrases.say("uncertain", good=good, total=total)
    tags = _tags(np.flatnonzero(rows.missing[row]), usual, phrases)
    said = phrases.say(_KEYS[why], tags=tags)
    age = float(rows.age[row])
    if not np.isfinite(age) or age < 1:
        return said
    return phrases.say("no_score.oldest", reason=said, age=phrases.number(age, 0))


def _tags(features: I64, usual: Usual, phrases: Phrases) -> str:
    roles = list(dict.fromkeys(usual.role[features].tolist()))
    names = ", ".join(usual.labels[role] for role in roles[:TOP])
    more = len(roles) - min(len(roles), TOP)
    return phrases.say("tags.more", tags=names, more=more) if more else names
