"""One asset type's samples of a turn, in the order the core sees them.

Samples that were received at the same instant came together: which of them the
wire put first means nothing, so within an instant they are put in order of their
stamps (a server's queue of one item precedes that of the next, whatever the times).
A turn never splits an instant; therefore nothing that follows depends on how turns
cut the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import I32, I64, AssetType, SampleBatch


@dataclass(frozen=True)
class Arrivals:
    """m samples of one asset type.

    Attributes:
        batch: the samples.
        asset: int64[m] position in the asset type.
        role: int64[m] position among its tags.
    """

    batch: SampleBatch
    asset: I64
    role: I64

    def __len__(self) -> int:
        """Count samples."""
        return len(self.asset)

    @property
    def time(self) -> I64:
        """Stamps."""
        return self.batch.time

    @property
    def received(self) -> I64:
        """Agent time of arrival, never decreasing."""
        return self.batch.received

    @cached_property
    def _edges(self) -> NDArray[np.intp]:
        changed = (np.diff(self.time) != 0) | (np.diff(self.received) != 0)
        return np.append(np.flatnonzero(changed) + 1, len(self))

    def past(self, sample: I64) -> I64:
        """First sample behind each given one with another stamp or instant."""
        edge: I64 = self._edges[np.searchsorted(self._edges, sample, side="right")]
        return edge

    def seen_at(self, moment: int) -> int:
        """How many samples had arrived at an agent time, inclusive."""
        return int(np.searchsorted(self.received, moment, side="right"))

    def up_to(self, instant: int, at: int) -> int:
        """How many samples a row at ``at`` sees that closes in a given instant."""
        low = int(np.searchsorted(self.received, instant, side="left"))
        high = int(np.searchsorted(self.received, instant, side="right"))
        return low + int(np.searchsorted(self.time[low:high], at, side="right"))


class Sorter:
    """Picks an asset type's samples out of a batch and puts them in order.

    Args:
        kind: the asset type.
    """

    def __init__(self, kind: AssetType) -> None:
        self.kind = kind
        local = np.arange(kind.size)
        self._asset: I64 = local % max(len(kind.assets), 1)
        self._role: I64 = local // max(len(kind.assets), 1)

    def arrivals(self, batch: SampleBatch) -> Arrivals:
        """Samples of this type, by instant and stamp."""
        local: I32 = batch.tag - np.int32(self.kind.base)
        inside = (local >= 0) & (local < self.kind.size)
        if not inside.all():
            batch, local = batch.take(inside), local[inside]
        back = (np.diff(batch.time) < 0) & (np.diff(batch.received) == 0)
        if back.any():
            order = np.lexsort((batch.time, batch.received))
            batch, local = batch.take(order), local[order]
        return Arrivals(batch, self._asset[local], self._role[local])
