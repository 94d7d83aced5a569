"""Which assets move unusually, in plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.monitoring.sensors.sums import NEVER
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.monitoring.sensors.facts import Facts
    from edge_agent.monitoring.sensors.watch import Seen

_WAIT_TIED, _WAIT_FREE, _WAIT_SEVERAL = 30.0, 240.0, 60.0
"""S until a movement is told: of one tag that the others are tied to, of one that they
are not (what else the same cause moves may come late: a bearing warms), and of several
tags (a machine may be stopping)."""
TIED = 0.5
_FLEET, _COMMON = 3, 3600.0
"""Assets that may be called all of them; s for which it counts that they moved."""
_SEVERAL = 3
"""Looks with several tags that make it more than one."""
_NAMED, _WORTH_NAMING, _AT_MOST = 2, 3.0, 4
"""Tags named of several: at least, those beyond so many usual shifts, at most."""


class Shift(NamedTuple):
    """A tag's part in a movement.

    Attributes:
        role: of the tag.
        unit: of the tag.
        before, after: its level.
        size: usual shifts it moved by, with sign.
    """

    role: str
    unit: str
    before: float
    after: float
    size: float


@dataclass(frozen=True, slots=True)
class Move:
    """An asset whose tags move unlike they usually do.

    Attributes:
        asset: id.
        since: agent time, ns.
        age: s since then.
        strength: T2 over its limit.
        alone: role of the tag that moved alone; empty for several.
        tied: 0..1, how far the other tags tell what that one should show.
        ready: whether it has lasted long enough to say which.
        shifts: tags that moved most, first.
    """

    asset: str
    since: int
    age: float
    strength: float
    alone: str
    tied: float
    ready: bool
    shifts: tuple[Shift, ...]


def movements(seen: Seen, facts: Facts) -> Iterator[Move]:
    """Assets that have moved unusually within the last minute.

    Args:
        seen: by `watch.look`.
        facts: of the asset type.
    """
    unusual, stir = seen.unusual, seen.stir
    for asset in np.flatnonzero(stir.since != NEVER):
        age = (seen.at - int(stir.since[asset])) / NANOSECONDS
        horizon = int(unusual.over[:, asset].argmax())
        lead = int(unusual.leader[horizon, asset])
        several = stir.several[asset] >= max(_SEVERAL, stir.alone[asset] / 3)
        alone = not several and bool(unusual.alone[horizon, asset])
        tied = float(unusual.tied[horizon, lead])
        wait = _WAIT_TIED if tied >= TIED else _WAIT_FREE
        yield Move(
            facts.kind.assets[asset],
            int(stir.since[asset]),
            age,
            float(unusual.over[horizon, asset]),
            facts.kind.tags[lead].role if alone else "",
            tied,
            age >= (_WAIT_SEVERAL if several else wait) and (several or alone),
            _shifts(seen, facts, int(asset), horizon, lead if alone else None),
        )


def together(seen: Seen, facts: Facts) -> tuple[Shift, ...]:
    """Roles in which all assets have moved as one within the last hour.

    Levels are means over the assets, the size is in deviations of that mean.

    Args:
        seen: by `watch.look`.
        facts: of the asset type.
    """
    lately = seen.at - np.maximum(seen.stir.common, 0) < _COMMON * NANOSECONDS
    if facts.shape[1] < _FLEET:
        return ()
    fleet, means = seen.unusual.fleet, seen.motion.means
    horizon = np.abs(fleet).argmax(axis=0)
    return tuple(
        Shift(
            facts.kind.tags[role].role,
            facts.kind.tags[role].unit,
            float(np.nanmean(means[-1, role])),
            float(np.nanmean(means[0, role])),
            float(fleet[horizon[role], role]),
        )
        for role in np.flatnonzero(lately)
    )


def _shifts(
    seen: Seen, facts: Facts, asset: int, horizon: int, lead: int | None
) -> tuple[Shift, ...]:
    unusual = seen.unusual
    size = unusual.shift[horizon, :, asset] / unusual.usual[horizon]
    order = np.argsort(-np.abs(size)).tolist() if lead is None else [lead]
    level = np.where(np.isnan(seen.level), seen.motion.means[0], seen.level)
    return tuple(
        Shift(
            facts.kind.tags[role].role,
            facts.kind.tags[role].unit,
            float(seen.before[role, asset]),
            float(level[role, asset]),
            float(size[role]),
        )
        for place, role in enumerate(order)
        if place < _NAMED or abs(size[role]) >= _WORTH_NAMING
    )[:_AT_MOST]
