"""One sentence for each row that is sent: why this score, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.explain import TOP, Top, explain, sentence
from edge_agent.records import NoScore
from edge_agent.samples import Quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.explain import Usual
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.samples import F64, I64
    from edge_agent.scores import Scores

NORMAL = "normal"

_INPUT = {
    NoScore.INPUT_MISSING: "no value",
    NoScore.INPUT_BAD: "the source says the value is bad",
    NoScore.WARMING_UP: "still filling the window",
    NoScore.INPUT_STALE: "no new value",
}
_MODEL = {
    NoScore.MODEL_NAN: "the model gave no number",
    NoScore.MODEL_ERROR: "the model fails",
    NoScore.MODEL_MISSING: "there is no usable model",
    NoScore.MODEL_SLOW: "the model took too long",
    NoScore.MODEL_EXPIRED: "the model has expired",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Top tags and a sentence of n rows; calm rows have no top tags.

    Attributes:
        top: arrays of n rows, see `explain.Top`.
        sentence: n sentences.
    """

    top: Top
    sentence: tuple[str, ...]


def explained(
    rows: FeatureRows,
    scores: Scores,
    quality: NDArray[np.uint8],
    send: I64,
    loud: NDArray[np.bool_],
    threshold: F64,
    usual: Usual,
) -> Explanation:
    """Explain the rows that are sent.

    Args:
        rows: the turn's.
        scores: of them.
        quality: of the scores.
        send: int64[n] positions of the rows that are sent.
        loud: bool[n] which of them deserve to be explained.
        threshold: float64[rows] the alarm's, of each of the turn's rows.
        usual: what the passport says is usual.
    """
    sentences = [NORMAL] * len(send)
    if np.count_nonzero(quality):
        for place in np.flatnonzero(quality[send] != Quality.GOOD).tolist():
            sentences[place] = _doubt(rows, scores, int(send[place]), usual)
    if not np.count_nonzero(loud):
        return Explanation(nothing(len(send)), tuple(sentences))
    loud &= scores.no_score[send] == NoScore.NONE
    chosen = np.flatnonzero(loud)
    if not len(chosen):
        return Explanation(nothing(len(send)), tuple(sentences))
    picked = send[chosen]
    values = rows.values[picked]
    parts = None if scores.contributions is None else scores.contributions[picked]
    found = explain(values, parts, usual)
    for row, place in enumerate(chosen.tolist()):
        score = float(scores.score[send[place]])
        limit = float(threshold[send[place]])
        said = sentence(score, limit, found, row, values, usual)
        doubtful = sentences[place] != NORMAL
        sentences[place] = f"{said} ({sentences[place]})" if doubtful else said
    return Explanation(_spread(found, chosen, len(send)), tuple(sentences))


def instead(why: Explanation, because: str) -> Explanation:
    """The same with a word about who scored in the model's place, and why."""
    told = tuple(
        because if said in (NORMAL, "") else f"{said} ({because})"
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


def _doubt(rows: FeatureRows, scores: Scores, row: int, usual: Usual) -> str:
    """Why a row has no score, or one that is not to be trusted fully."""
    why = NoScore(int(scores.no_score[row]))
    if why in _MODEL:
        detail = f" ({scores.error})" if scores.error else ""
        return f"no score: {_MODEL[why]}{detail}"
    lacking = np.flatnonzero(rows.missing[row])
    names = _tags(lacking, usual)
    if why is not NoScore.NONE:
        since = _since(float(rows.age[row]))
        return f"no score: {_INPUT[why]} of {names}{since}"
    good, total = int(rows.inputs_good[row]), rows.values.shape[1]
    return f"input uncertain: {good} of {total} features are good"


def _since(age: float) -> str:
    return f", oldest value {age:.0f} s old" if np.isfinite(age) and age >= 1 else ""


def _tags(features: I64, usual: Usual) -> str:
    roles = list(dict.fromkeys(usual.role[features].tolist()))
    names = [usual.labels[role] for role in roles[:TOP]]
    more = len(roles) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
