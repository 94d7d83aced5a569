"""What the contexts of rows mean for their judgement, and how it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.gates import Why
from edge_agent.records import NO_CONTEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.features.contexts import Contexts
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.phrases import Phrases
    from edge_agent.pipeline import Pipeline
    from edge_agent.reasons import Explanation
    from edge_agent.samples import F64, I32, I64, U8
    from edge_agent.scores import Scores

_JUDGED = np.uint8(Why.JUDGED)


def gated(rows: FeatureRows) -> NDArray[np.bool_] | None:
    """bool[n] rows that are not to be judged; None where all are."""
    return None if rows.gates is None else rows.gates.why != _JUDGED


def thresholds(
    pipeline: Pipeline, rows: FeatureRows, contexts: Contexts | None
) -> F64 | None:
    """float64[n] each row's own limit; None where all have the pipeline's."""
    levels = pipeline.levels_in
    if levels is None or contexts is None or rows.context is None:
        return None
    return levels.thresholds(contexts.names, rows.context)


def judgeable(rows: FeatureRows, scores: Scores) -> F64:
    """float64[n] the scores, NaN for rows that are not to be judged."""
    shut = gated(rows)
    return scores.score if shut is None else np.where(shut, np.nan, scores.score)


def codes(rows: FeatureRows) -> list[U8]:
    """What is news of a row besides its score: its context, and why it has none."""
    if rows.context is None:
        return []
    why = np.zeros(len(rows), np.uint8) if rows.gates is None else rows.gates.why
    return [rows.context.astype(np.uint8), why]


def known(
    rows: FeatureRows, contexts: Contexts | None, names: Sequence[str]
) -> I32 | None:
    """int32[n] each row's context in another list of names, -1 for one not in it.

    Args:
        rows: n rows.
        contexts: whose numbers they have.
        names: the other list; None is given back where it is empty.
    """
    if rows.context is None or contexts is None or not names:
        return None
    places = {name: place for place, name in enumerate(names)}
    # the last is that of rows not judged
    table = [*(places.get(name, -1) for name in contexts.names), -1]
    found: I32 = np.array(table, np.int32)[rows.context]
    return found


def told(
    why: Explanation,
    rows: FeatureRows,
    send: I64,
    contexts: Contexts | None,
    phrases: Phrases,
) -> Explanation:
    """Sentences that begin with why a row is not judged.

    Args:
        why: of the rows that are sent.
        rows: the turn's.
        send: int64[n] positions of the rows that are sent.
        contexts: whose numbers the rows have.
        phrases: in the language of who reads them.
    """
    shut = gated(rows)
    if shut is None or contexts is None or rows.gates is None:
        return why
    said, normal = list(why.sentence), phrases.say("normal")
    places = np.flatnonzero(shut[send])
    which = send[places]
    reasons = contexts.sentences(rows.gates.take(which), rows.at[which])
    for place, reason in zip(places.tolist(), reasons, strict=True):
        rest = said[place]
        said[place] = (
            reason
            if rest in (normal, "")
            else phrases.say("with_remark", said=reason, remark=rest)
        )
    return replace(why, sentence=tuple(said))


def names(
    rows: FeatureRows, send: I64, contexts: Contexts | None
) -> tuple[tuple[str, ...], U8 | None]:
    """Names of the contexts of rows, and which each row has, as records keep them."""
    if rows.context is None or contexts is None:
        return (), None
    known = contexts.names
    number = rows.context[send]
    used = np.zeros(len(known) + 1, bool)  # the last is that of rows not judged
    used[number] = True
    met = np.flatnonzero(used[:-1])
    place = np.full(len(known) + 1, NO_CONTEXT, np.uint8)
    place[met] = np.arange(len(met))
    return tuple(known[one] for one in met.tolist()), place[number]


def name(rows: FeatureRows, row: int, contexts: Contexts | None) -> str:
    """Name of one row's context; empty where it has none, or is not judged."""
    if rows.context is None or contexts is None or rows.context[row] < 0:
        return ""
    return contexts.names[int(rows.context[row])]
