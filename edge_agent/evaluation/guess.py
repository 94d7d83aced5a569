"""What a model's own chances say where labels do not: always an estimate. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.evaluation.active import chances
from edge_agent.evaluation.standing import plain
from edge_agent.monitoring.accuracy.calibrating import fitted
from edge_agent.monitoring.accuracy.estimate import estimated, expected, unusable
from edge_agent.monitoring.accuracy.measures import MEASURES, Basis

if TYPE_CHECKING:
    from edge_agent.evaluation.active import Active
    from edge_agent.evaluation.rows import Converted
    from edge_agent.labels.columns import Joined


def guessed(
    joined: Joined,
    found: Converted,
    active: Active,
    bad: frozenset[str],
    *,
    drifted: bool,
) -> tuple[list[dict[str, Any]], str]:
    """Measures to expect of rows without labels, or why there are none.

    Args:
        joined: of the desk, with rows that have no label.
        found: the labelled rows, that chances are held against.
        active: scores now.
        bad: words that mean bad, folded.
        drifted: a finding of drift is open.
    """
    silent = joined.silent
    if silent is None or not active.classes or not active.digest:
        return [], ""
    versions = np.array([digest == active.digest for _, digest in joined.versions])
    mine = versions[silent.version]
    columns = (silent.predicted[mine], silent.probability[mine], silent.score[mine])
    chance = chances(active, bad, joined.words, *columns)
    if not np.isfinite(chance).any():
        return [], ""
    known = (found.rows.version == found.active) & (found.rows.bad >= 0)
    seen = found.rows.take(known)
    curve = fitted(seen.probability, seen.bad == 1)
    why = unusable(curve, drifted=drifted)
    if why:
        return [], why
    alarm, code = silent.alarm[mine], np.zeros(int(mine.sum()), np.int32)
    measures = estimated(expected(curve(chance), alarm, code, 1))
    told = (measures.of(measure) for measure in MEASURES)
    return [plain(one) for one in told if one.basis is Basis.ESTIMATED], ""
