"""How long the value of a state, recipe or product tag may be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.window import NEVER, nanoseconds

if TYPE_CHECKING:
    from edge_agent.features.signals import Signals
    from edge_agent.features.window import Mask
    from edge_agent.samples import I64, AssetType

FOREVER = int(np.iinfo(np.int64).max)


class Ages:
    """The tags' ``max_age`` against what their sources vouch for.

    Args:
        kind: the asset type.
        place: int64[r] positions of the roles.
        held: bool[columns of the window] tags that report changes only; None for none.

    Attributes:
        bounded: whether any of the roles has a ``max_age``.
    """

    def __init__(self, kind: AssetType, place: I64, held: Mask | None) -> None:
        ages = [kind.tags[role].max_age for role in place.tolist()]
        self._limited = np.isfinite(np.array(ages, np.float64))
        self._age = np.array(
            [nanoseconds(age) if np.isfinite(age) else 0 for age in ages], np.int64
        )
        self.bounded = bool(self._limited.any())
        first = np.arange(len(kind.assets))[:, None] * len(kind.tags)
        self._column: I64 = (first + place).reshape(-1)
        self._held: Mask = np.zeros(len(self._column), bool)
        if held is not None:
            self._held = held[self._column]

    def stale(
        self, signals: Signals, asset: I64, at: I64, vouched: I64 | None
    ) -> Mask | None:
        """bool[n, roles] silent for too long; None where none has a ``max_age``.

        Args:
            signals: what came when.
            asset: int64[n].
            at: int64[n] times of the rows.
            vouched: int64[columns of the window], see `contexts.Contexts.told`.
        """
        if not self.bounded:
            return None
        column = signals.columns(asset)
        seen, moment = signals.seen[column], at[:, None]
        alive = moment
        if vouched is not None:
            alive = np.minimum(vouched[self._column[column]], moment)
        known = np.where(self._held[column], np.maximum(seen, alive), seen)
        # of a tag that never came it is enough to say that it is not known
        stale: Mask = self._limited & (seen != NEVER)
        return stale & (known < moment - self._age)

    def expiry(self, signals: Signals, asset: I64) -> I64:
        """int64[n] until when some assets' values need no look at their age."""
        seen = signals.seen[signals.columns(asset)]
        last = np.where(self._limited & (seen != NEVER), seen + self._age, FOREVER)
        expiry: I64 = last.min(axis=1, initial=FOREVER)
        return expiry
