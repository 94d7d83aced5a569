"""`on: cycle`: one row for each part an asset makes.

**The part id comes with the results** (``end``): each stamp of the part's tag ends
a part, also when the id is the same again. The row stands for that stamp; it closes
when every tag of the pipeline that reports every value has come with that stamp or a
newer one, when a later part's row closes, or ``settle`` after its last sample. The
cycle began at the end of the previous part, exclusive.

**The part id comes first** (``start``): another id ends the part before it. The row
stands for the nanosecond before the new id's stamp and closes ``settle`` after the new
id arrived, so that late results still count.

The first part after a start has no known beginning: its features over the cycle are
warming up, its others are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Literal

import numpy as np

from edge_agent.features.triggers import FUTURE, Due
from edge_agent.features.window import NEVER
from edge_agent.samples import Quality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.features.arrivals import Arrivals
    from edge_agent.features.triggers import Trigger
    from edge_agent.features.window import Mask
    from edge_agent.samples import I64, AssetType, SampleBatch


@dataclass(slots=True)
class _Part:
    """A part whose row is open."""

    asset: int
    at: int
    name: str
    start: int
    touched: int


class OnCycle:
    """One row for each part.

    Args:
        kind: the asset type.
        makers: bool[columns] tags that must have come for a part to be whole.
        part: the role that carries the part id, a text or a number.
        part_at: whether the id comes when the part begins or with its results.
        settle: ns.

    Attributes:
        late: part ids that came after their part, or a later one, was closed.
    """

    skipped = 0

    def __init__(
        self,
        kind: AssetType,
        makers: Mask,
        part: str,
        part_at: Literal["start", "end"],
        settle: int,
    ) -> None:
        assets, self._roles = len(kind.assets), len(kind.tags)
        self.kind = kind
        self.late = 0
        self._part = kind.role_index(part)
        self._text = kind.tags[self._part].text
        self._makers = makers.reshape(-1, self._roles).copy()
        self._makers[:, self._part] = False
        self._at_end = part_at == "end"
        self._settle = settle
        self._latest: I64 = np.full((assets, self._roles), NEVER, np.int64)
        self._ended: list[int] = [NEVER] * assets
        """Stamp of the last part scored (end), of the running part's id (start)."""
        self._running: list[str] = [""] * assets
        self._open: list[_Part] = []

    def take_over(self, other: Trigger) -> None:
        """Parts that have begun close by the tags of the new plan, or settle."""
        if isinstance(other, OnCycle):
            self._go_on(other)

    def _go_on(self, other: OnCycle) -> None:
        self._latest, self._open = other._latest, other._open
        self._ended, self._running = other._ended, other._running
        self.late = other.late

    def due(self, arrivals: Arrivals, now: int) -> Due:
        """Rows of parts closed up to ``now``."""
        rows: list[tuple[_Part, int]] = []
        ids = np.flatnonzero(arrivals.role == self._part)
        edges = np.flatnonzero(np.diff(arrivals.received)) + 1
        if not (self._open or len(ids)):
            edges = edges[:0]
        low = 0
        for high in (*edges.tolist(), len(arrivals)):
            if low < high:
                self._instant(arrivals, low, high, rows)
            low = high
        self._expire(arrivals, now, rows)
        return _due(rows)

    def saved(self) -> dict[str, dict[str, int | str]]:
        """Where each asset's last part ended, or its running part began."""
        return {
            "ended": dict(zip(self.kind.assets, self._ended, strict=True)),
            "running": dict(zip(self.kind.assets, self._running, strict=True)),
        }

    def restore(self, saved: Mapping[str, Mapping[str, int | str]], now: int) -> None:
        """Score no part again."""
        for place, name in enumerate(self.kind.assets):
            stamp = int(saved.get("ended", {}).get(name, NEVER))
            if NEVER < stamp <= now + FUTURE:
                self._ended[place] = stamp
                self._running[place] = str(saved.get("running", {}).get(name, ""))

    def _instant(
        self, arrivals: Arrivals, low: int, high: int, rows: list[tuple[_Part, int]]
    ) -> None:
        """Take in what was received at one instant."""
        instant = int(arrivals.received[low])
        self._expire(arrivals, instant - 1, rows)
        asset, role = arrivals.asset[low:high], arrivals.role[low:high]
        time = arrivals.time[low:high]
        np.maximum.at(self._latest, (asset, role), time)
        for i in np.flatnonzero(role == self._part) + low:
            self._begin(arrivals, int(i), instant)
        if not self._at_end:
            return
        for part in list(self._open):
            mine = (asset == part.asset) & (time == part.at)
            if mine.any():
                part.touched = instant
        for part in sorted(self._open, key=lambda p: p.at, reverse=True):
            needed = self._makers[part.asset]
            here = self._latest[part.asset][needed]
            if part in self._open and needed.any() and (here >= part.at).all():
                self._close(part, arrivals.up_to(instant, part.at), rows)

    def _begin(self, arrivals: Arrivals, sample: int, instant: int) -> None:
        """Open the row that a part id calls for."""
        batch = arrivals.batch
        name = _name(batch, sample, text=self._text)
        if name is None:
            return
        asset, stamp = int(arrivals.asset[sample]), int(batch.time[sample])
        newest = max(
            (p.at for p in self._open if p.asset == asset), default=self._ended[asset]
        )
        if self._at_end:
            if stamp > newest:
                self._open.append(_Part(asset, stamp, name, NEVER, instant))
            elif all(p.asset != asset or p.at != stamp for p in self._open):
                self._out_of_order(asset, stamp, name, instant)
        elif stamp > self._ended[asset] and name != self._running[asset]:
            began, before = self._ended[asset], self._running[asset]
            if before:
                part = _Part(asset, stamp - 1, before, began - 1, instant)
                self._open.append(part)
            self._ended[asset], self._running[asset] = stamp, name

    def _out_of_order(self, asset: int, stamp: int, name: str, instant: int) -> None:
        if stamp <= self._ended[asset]:
            self.late += 1
            return
        self._open.append(_Part(asset, stamp, name, NEVER, instant))

    def _expire(
        self, arrivals: Arrivals, moment: int, rows: list[tuple[_Part, int]]
    ) -> None:
        over = [p for p in self._open if p.touched + self._settle <= moment]
        for part in sorted(over, key=lambda p: (p.touched, p.asset, p.at)):
            if part in self._open:
                self._close(part, arrivals.seen_at(part.touched + self._settle), rows)

    def _close(self, part: _Part, seen: int, rows: list[tuple[_Part, int]]) -> None:
        """Close a part's row and those of earlier parts."""
        for one in sorted(self._open, key=lambda p: p.at):
            if one.asset != part.asset or one.at > part.at:
                continue
            if self._at_end:
                one.start = self._ended[one.asset]
                self._ended[one.asset] = one.at
            rows.append((one, seen))
            self._open.remove(one)


def _name(batch: SampleBatch, sample: int, *, text: bool) -> str | None:
    value = float(batch.value[sample])
    if batch.quality[sample] >= Quality.BAD or not isfinite(value):
        return None
    if text:
        return batch.texts[int(value)]
    return str(int(value)) if value.is_integer() else repr(value)


def _due(rows: list[tuple[_Part, int]]) -> Due:
    parts = [part for part, _ in rows]
    return Due(
        np.array([p.asset for p in parts], np.int32),
        np.array([p.at for p in parts], np.int64),
        np.array([seen for _, seen in rows], np.int64),
        np.array([p.start for p in parts], np.int64),
        tuple(p.name for p in parts),
    )
