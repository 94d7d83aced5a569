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
        time, received = self.time, self.received
        last = np.ones(len(time), bool)
        np.not_equal(time[1:], time[:-1], out=last[:-1])
        last[:-1] |= received[1:] != received[:-1]
        return np.flatnonzero(last) + 1

    def past(self, sample: I64) -> I64:
        """First sample behind each given one with another stamp or instant."""
        edges = self._edges
        edge: I64 = edges[edges.searchsorted(sample, side="right")]
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
        if np.count_nonzero(inside) < len(inside):
            batch, local = batch.take(inside), local[inside]
        time, received = batch.time, batch.received
        back = time[1:] < time[:-1]
        if np.count_nonzero(back):
            together = received[1:] == received[:-1]
            if np.count_nonzero(back & together):
                order = _by_instant_and_stamp(time, received)
                batch, local = batch.take(order), local[order]
        return Arrivals(batch, self._asset[local], self._role[local])


def _by_instant_and_stamp(time: I64, received: I64) -> I64:
    if received[0] == received[-1]:
        return np.argsort(time, kind="stable")
    return np.lexsort((time, received))
