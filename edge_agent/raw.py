"""Samples of chosen tags for the centre, as they came; off by default.

Gathered over some seconds into one record: a record a turn would cost more than its
samples. The turn's thread alone calls it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.records import RawRecord
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.samples import I32, SampleBatch, TagTable

#: Ns that samples wait for others at most, and samples of one record at most.
GATHER, MOST = 2 * NANOSECONDS, 5_000


class Raw:
    """See the module.

    Args:
        tags: of the plant.
        wanted: ``TYPE.ROLE`` each; the rules saw to it that they exist.
        note: takes a record.
    """

    def __init__(
        self,
        tags: TagTable,
        wanted: Sequence[str],
        note: Callable[[RawRecord], object],
    ) -> None:
        chosen = _chosen(tags, wanted)
        self._names = tuple(tags.name(int(tag)).replace("/", ".") for tag in chosen)
        self._place = np.full(len(tags), -1, np.int32)
        self._place[chosen] = np.arange(len(chosen), dtype=np.int32)
        self._text = tags.is_text
        self._note = note
        self._held: list[SampleBatch] = []
        self._rows = 0
        self._since = 0

    def take(self, batch: SampleBatch, now: int) -> None:
        """Gather a turn's samples.

        Args:
            batch: as they came.
            now: agent time, ns.
        """
        if len(batch):
            mine = self._place[batch.tag] >= 0
            if mine.any():
                self._since = self._since if self._held else now
                self._held.append(batch.take(mine))
                self._rows += len(self._held[-1])
        if self._held and (self._rows >= MOST or now - self._since >= GATHER):
            self.flush(now)

    def flush(self, now: int) -> None:
        """Hand over what was gathered."""
        held, self._held, self._rows = self._held, [], 0
        if not held:
            return
        tag = np.concatenate([one.tag for one in held])
        value = np.concatenate([one.value for one in held])
        time = np.concatenate([one.time for one in held])
        quality = np.concatenate([one.quality for one in held])
        value = np.where(self._text[tag], np.nan, value)
        for begin in range(0, len(tag), MOST):
            part = slice(begin, begin + MOST)
            self._note(
                RawRecord(
                    now,
                    self._names,
                    self._place[tag[part]],
                    time[part],
                    value[part],
                    quality[part],
                )
            )


def _chosen(tags: TagTable, wanted: Sequence[str]) -> I32:
    found: list[int] = []
    for name in wanted:
        kind_name, _, role_name = name.partition(".")
        kind = tags.type_named(kind_name)
        role = kind.role_index(role_name)
        found += [kind.index(role, asset) for asset in range(len(kind.assets))]
    return np.array(sorted(set(found)), np.int32)
