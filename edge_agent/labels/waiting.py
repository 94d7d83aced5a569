"""Labels whose prediction has not come yet: kept for a while, then given up. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.labels.columns import Columns, empty, length, taken, waiting_kinds

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Labels that wait at most; the oldest go first.
MOST = 20_000
#: Ns a label waits for the prediction of its part.
PATIENCE = 3_600_000_000_000
#: Ns behind the end of a label's stretch until its last rows have surely come.
GRACE = 60_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """They, oldest first.

    Attributes:
        told: columns of `TOLD` and the groups.
        counted: bool[n] it was found in part already: its end says nothing more.
        tried: number of the first row they have not been held against.
    """

    told: Columns
    counted: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    tried: int = 0

    @staticmethod
    def none(groups: int) -> Waiting:
        """Nobody waits."""
        return Waiting(empty(waiting_kinds(groups)))

    def __len__(self) -> int:
        return length(self.told)

    def kept(self, which: NDArray[np.bool_]) -> Waiting:
        """Only some of them."""
        return Waiting(taken(self.told, which), self.counted[which], self.tried)

    def joined_by(
        self, told: Columns, counted: NDArray[np.bool_], most: int = MOST
    ) -> tuple[Waiting, int, int]:
        """Let some more wait: of two about the same the later one stays.

        Returns:
            Those that wait, how many were replaced that had found nothing, and how
            many were too many.
        """
        both = {
            name: np.concatenate([column, told[name]])
            for name, column in self.told.items()
        }
        known = np.concatenate([self.counted, counted])
        last = _last_of_each(both)
        over = max(int(np.count_nonzero(last)) - most, 0)
        keep = last.copy()
        keep[np.flatnonzero(last)[:over]] = False
        replaced = int(np.count_nonzero(~last & ~known))
        return Waiting(taken(both, keep), known[keep], self.tried), replaced, over

    def given_up(
        self, now: int, offset: int, high: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """bool[n] whose time is over.

        Args:
            now: agent time.
            offset: ns from agent time to the wall clock.
            high: last wall time of the rows each is about.
        """
        part = self.told["part"]
        return np.where(
            part, self.told["at"] < now - PATIENCE, high < now + offset - GRACE
        )


def _last_of_each(told: Columns) -> NDArray[np.bool_]:
    """bool[n] nothing later is about the same part, or asset and stretch."""
    names = ("until", "since", "asset", "check", "key", "part")
    part = told["part"]
    about = {name: told[name] for name in names}
    for name in ("since", "until"):
        about[name] = np.where(part, 0, about[name])
    order = np.lexsort([np.arange(len(part)), *about.values()])
    last = np.ones(len(order), bool)
    if len(order):
        changes = np.zeros(len(order) - 1, bool)
        for column in about.values():
            ordered = column[order]
            changes |= ordered[1:] != ordered[:-1]
        last[:-1] = changes
    found = np.zeros(len(order), bool)
    found[order] = last
    return found
