"""One column of a report: how it was in training, how it is, how far apart. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.drift.verdicts import Unjudged
from edge_agent.report.document import DRIFTED, STEADY, Column

if TYPE_CHECKING:
    from edge_agent.monitoring.drift.verdicts import Look
    from edge_agent.monitoring.drift.yardstick import Profile, Yardstick
    from edge_agent.monitoring.statistics.answers import Apart
    from edge_agent.monitoring.tallies import Tallies
    from edge_agent.samples import F64, I64
    from edge_agent.store.blocks import Block

FOR_A_TIME = "drifted for a time"
_NUMBERS = (
    *("reference_mean", "live_mean", "reference_std", "live_std"),
    *("psi", "js", "ks", "w1", "strength"),
)
WHY = {
    Unjudged.NO_ROWS: "too few rows",
    Unjudged.NO_REFERENCE: "not in the reference",
    Unjudged.TOO_FEW: "too few independent rows",
    Unjudged.NO_PROFILE: "this context is not in the reference",
}


def column(
    place: int,
    yardstick: Yardstick,
    profile: Profile,
    live: Tallies,
    look: Look,
    apart: Apart,
    lately: float,
    open_: bool | None,
) -> Column:
    """One column that has a reference.

    Args:
        place: of the column.
        yardstick: of the version.
        profile: what it is held against.
        live: the rows.
        look: at them.
        apart: how far they are from the profile.
        lately: the least strength of its newest days.
        open_: whether a finding of it is open; None where there was none.
    """
    grid, then = profile.grid, profile.tallies
    bins = int(grid.bins[place])
    reason = Unjudged(int(look.reason[place]))
    judged = bool(look.judged[place])
    strength = max(float(look.strength[place]), lately)
    if open_ or (judged and strength >= 1.0):
        verdict = DRIFTED
    elif open_ is not None:
        verdict = FOR_A_TIME
    else:
        verdict = STEADY if judged else f"not judged: {WHY.get(reason, '')}"

    def at(column: F64) -> float | None:
        value = float(column[place])
        return value if np.isfinite(value) else None

    return Column(
        name=grid.names[place],
        unit=yardstick.units[place],
        edges=tuple(grid.edges[place, : bins - 1].tolist()),
        reference=_shares(then.counts[place, :bins]),
        live=_shares(live.counts[place, :bins]),
        reference_mean=at(then.mean(grid)),
        live_mean=at(live.mean(grid)),
        reference_std=at(then.std()),
        live_std=at(live.std()),
        missing=at(look.missing),
        psi=at(apart.psi),
        js=at(apart.jensen_shannon),
        ks=at(apart.ks),
        w1=at(apart.wasserstein_normed),
        strength=strength if judged else None,
        verdict=verdict,
    )


def alone(block: Block, why: str) -> tuple[Column, ...]:
    """Columns with nothing to hold them against: nobody knows where their bins lie."""
    total = np.maximum(block.n + block.missing, 1)
    unknown = dict.fromkeys(_NUMBERS)
    return tuple(
        Column(
            name=name,
            unit="",
            edges=(),
            reference=(),
            live=_shares(block.counts[place, : int(block.bins[place])]),
            missing=float(block.missing[place] / total[place]),
            verdict=f"not judged: {why}",
            **unknown,
        )
        for place, name in enumerate(block.columns)
    )


def _shares(counts: I64) -> tuple[float, ...]:
    return tuple((counts / max(int(counts.sum()), 1)).tolist())
