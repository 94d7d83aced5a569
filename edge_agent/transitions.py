"""The changes of alarms in a turn."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.samples import I64, U8


@dataclass(frozen=True, slots=True)
class Transitions:
    """The changes in n rows, in the rows' order.

    Attributes:
        row: int64[k] row that changed a state.
        state: uint8[k] `records.AlarmState` after it.
        since: int64[k] when the episode began: the row that made it active. Equal on
            the ACTIVE and the NORMAL of one episode, so it names the episode.
        leaning: int64[k] first row of the run that led here (above the limit, or
            below for NORMAL): the delay before the change.
        number: int64[k] the asset's episodes so far, this one included.
        recent: int64[k] changes within the chatter window, this one included.
    """

    row: I64
    state: U8
    since: I64
    leaning: I64
    number: I64
    recent: I64

    def __len__(self) -> int:
        """Count changes."""
        return len(self.row)


def _none() -> Transitions:
    none = np.zeros(0, np.int64)
    return Transitions(none, np.zeros(0, np.uint8), none, none, none, none)


NO_CHANGE = _none()


def joined(found: Sequence[Transitions]) -> Transitions:
    """The changes of several rounds in the rows' order."""
    if len(found) <= 2:  # noqa: PLR2004  (the empty one and a single round)
        return found[-1]
    order = np.argsort(np.concatenate([t.row for t in found]), kind="stable")
    columns = (
        np.concatenate([getattr(t, f.name) for t in found]) for f in fields(found[0])
    )
    return Transitions(*(column[order] for column in columns))
