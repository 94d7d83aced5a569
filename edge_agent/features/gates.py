"""Why rows are not judged: the machine stands, warms up, or its state is not known."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.window import NEVER
from edge_agent.features.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.features.heard import Held
    from edge_agent.samples import I32, I64, U8

    Mask = NDArray[np.bool_]


class Why(IntEnum):
    """Why a row is not judged."""

    JUDGED = 0
    STOPPED = 1
    WARMING_UP = 2
    UNKNOWN = 3
    """A state or recipe tag has no value, or a bad one."""
    STALE = 4
    """It has not come for longer than its max_age."""


@dataclass(frozen=True, slots=True)
class Gates:
    """Of n rows, why they are not judged.

    Attributes:
        why: uint8[n] `Why`.
        role: int32[n] which of the context's roles it is about, -1 for none.
        word: int32[n] code of that role's value.
        since: int64[n] since when, ns; `window.NEVER` where nothing ever came.
        until: int64[n] end of the warm-up; 0 where there is none.
    """

    why: U8
    role: I32
    word: I32
    since: I64
    until: I64

    def __len__(self) -> int:
        """Count rows."""
        return len(self.why)

    @property
    def suppressed(self) -> Mask:
        """bool[n] the plant is meant to be so: alarms are suppressed by design.

        Where only the state's signal is missing they are not: nobody knows then.
        """
        found: Mask = (self.why == _STOPPED) | (self.why == _WARMING)
        return found

    def take(self, select: I64 | Mask) -> Gates:
        """Rows by position or mask."""
        return Gates(*(getattr(self, f.name)[select] for f in fields(self)))

    @staticmethod
    def of(count: int) -> Gates:
        """Rows that are all judged."""
        return Gates(
            np.zeros(count, np.uint8),
            np.full(count, -1, np.int32),
            np.zeros(count, np.int32),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
        )

    def put(self, place: I64, part: Gates) -> None:
        """Write other rows over some of these."""
        for f in fields(self):
            getattr(self, f.name)[place] = getattr(part, f.name)


_STOPPED, _WARMING = np.uint8(Why.STOPPED), np.uint8(Why.WARMING_UP)
_UNKNOWN, _STALE = np.uint8(Why.UNKNOWN), np.uint8(Why.STALE)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """When rows are judged.

    Attributes:
        gates: how many of the roles, the first, say whether the machine runs.
        anew: bool[roles] a role whose every new value warms up anew; of another only
            whether its gate opened counts.
        warm_up: ns.
    """

    gates: int
    anew: Mask
    warm_up: int

    def judged(self, held: Held, opens: Mask, at: I64, stale: Mask | None) -> Gates:
        """Why n rows are not judged, if they are not.

        Args:
            held: what their roles were.
            opens: bool[n, roles] the machine runs in that value.
            at: int64[n] times of the rows.
            stale: bool[n, roles] silent for too long; None where none is.
        """
        found = Gates.of(len(at))
        missing = held.code == UNKNOWN
        if stale is not None:
            missing = missing | stale
        if self.warm_up:
            self._warm_up(found, held, at)
        if np.count_nonzero(missing):
            which, role = _first(missing)
            found.why[which] = _UNKNOWN
            found.since[which] = held.time[which, role]
            if stale is not None:
                silent = stale[which, role] & (held.code[which, role] != UNKNOWN)
                found.why[which[silent]] = _STALE
            found.role[which] = role
        shut = ~opens & ~missing
        shut[:, self.gates :] = False
        if np.count_nonzero(shut):
            which, role = _first(shut)
            found.why[which], found.role[which] = _STOPPED, role
            found.since[which] = held.since[which, role]
            found.word[which] = held.code[which, role]
        return found

    def _warm_up(self, found: Gates, held: Held, at: I64) -> None:
        began = np.where(self.anew, held.since, held.begun)
        start = began.max(axis=1, initial=NEVER)
        which = (start != NEVER) & (at < start + self.warm_up)
        found.why[which], found.since[which] = _WARMING, start[which]
        found.until[which] = start[which] + self.warm_up


def _first(flags: Mask) -> tuple[I64, I64]:
    """Rows with a flag, and the first role of each that has it."""
    which = np.flatnonzero(flags.any(axis=1))
    return which, flags[which].argmax(axis=1)


def joined(parts: Sequence[Gates | None], counts: Sequence[int]) -> Gates | None:
    """Several sets as one; None where no row of any is gated."""
    if all(part is None for part in parts):
        return None
    whole = [p or Gates.of(n) for p, n in zip(parts, counts, strict=True)]
    return Gates(
        *(np.concatenate([getattr(p, f.name) for p in whole]) for f in fields(Gates))
    )
