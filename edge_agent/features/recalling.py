"""What of contexts survives a restart, though assets and tags may have changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.features.signals import Signals
    from edge_agent.samples import I64

_CODES = ("code", "known")


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """The newest values of every asset, and what was called how.

    Attributes:
        assets: their ids.
        roles: that were listened to.
        words: of each role, its values by code.
        names: of the contexts, by number.
        columns: int64[assets * roles] each, see `Signals.saved`.
    """

    assets: tuple[str, ...]
    roles: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    columns: Mapping[str, I64]


def recall(
    saved: Saved,
    signals: Signals,
    assets: Sequence[str],
    roles: Sequence[str],
    latest: int,
) -> None:
    """Set signals to what was saved of the assets and roles that are still there.

    Args:
        saved: of before.
        signals: those of now.
        assets: their assets.
        roles: their roles.
        latest: stamps beyond it are not taken.

    Raises:
        ValueError: what was saved does not fit together.
    """
    size = len(saved.assets) * len(saved.roles)
    widths = {len(column) for column in saved.columns.values()}
    if widths - {size} or len(saved.words) != len(saved.roles):
        raise ValueError("a checkpoint of contexts does not fit its assets and roles")
    was = {name: place for place, name in enumerate(saved.assets)}
    pairs = [(i, was[name]) for i, name in enumerate(assets) if name in was]
    for place, role in enumerate(roles):
        if role not in saved.roles or not pairs:
            continue
        before = saved.roles.index(role)
        to = np.array([i for i, _ in pairs], np.int64) * len(roles) + place
        of = np.array([j for _, j in pairs], np.int64) * len(saved.roles) + before
        part = {name: column[of] for name, column in saved.columns.items()}
        words, met = signals.words[place], saved.words[before]
        code = np.array([*range(2), *(words[text] for text in met[2:])], np.int64)
        for name in _CODES:
            if not ((part[name] >= 0) & (part[name] < len(code))).all():
                raise ValueError("a checkpoint of contexts names a value it lacks")
            part[name] = code[part[name]]
        usable = part["time"] <= latest
        signals.restore(
            to[usable], {name: column[usable] for name, column in part.items()}
        )
