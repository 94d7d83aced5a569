"""The context of score rows as JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.records import NO_CONTEXT
from edge_agent.sinks import jsontext

if TYPE_CHECKING:
    from edge_agent.records import ScoreRecord

_EMPTY = b'""'


def contexts(
    record: ScoreRecord, rows: slice
) -> tuple[dict[str, list[bytes]], dict[str, bytes]]:
    """The context: a column where rows differ in it, else what all have.

    Args:
        record: scores.
        rows: which of them.
    """
    if record.context is None:
        return {}, {"context": _EMPTY}
    which = record.context[rows]
    names = [*map(jsontext.text, record.contexts), _EMPTY]
    which = np.where(which == NO_CONTEXT, len(record.contexts), which)
    if len(which) and np.count_nonzero(which == which[0]) == len(which):
        return {}, {"context": names[int(which[0])]}
    return {"context": [names[place] for place in which.tolist()]}, {}
