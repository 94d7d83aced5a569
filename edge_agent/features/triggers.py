"""When a row is due.

A trigger turns a turn's arrivals into due rows: which asset, which time, and how
many of the arrivals it sees. It keeps only what decides that later: state is small
and, where a restart must not score a row twice, can be saved and restored.

`Every` gives a row of each asset at each multiple of its period on agent time. After a
stall of the turns it makes up for as much of it as it is told to, the newest ticks: the
rows of ten minutes at once would need more memory than a gateway has to spare.

`OnUpdate` gives one row for each distinct stamp of an asset, once, in order of time.
The stamps that make rows are those of the pipeline's tags that report every value;
where all of an asset's tags report changes only, those of all of them. A row closes

* when each of these tags has arrived with its stamp, or
* when a newer row of the asset closes, or
* when ``settle`` of agent time has passed since its last sample.

A merely newer stamp does not close it: a server that spreads one scan over several
messages, or a broker that interleaves topics, would tear rows apart. Samples with
the stamp of a closed row, or an older one, go into the window and make no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edge_agent.features.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.features.arrivals import Arrivals
    from edge_agent.features.gates import Gates
    from edge_agent.features.window import Mask
    from edge_agent.samples import I32, I64, AssetType

FUTURE = 5_000_000_000
"""Ns a saved stamp may lie ahead of the clock of the restarted agent."""


@dataclass(frozen=True, slots=True)
class Due:
    """n rows to be made, each asset's in order of time.

    Attributes:
        asset: int32[n].
        at: int64[n] the times they stand for.
        seen: int64[n] how many of the turn's arrivals each of them sees.
        start: int64[n] where the cycles began, for `on: cycle`.
        part: part ids, for `on: cycle`.
        context: int32[n] and
        gates: as in `FeatureRows`; None until `contexts` has told them.
    """

    asset: I32
    at: I64
    seen: I64
    start: I64 | None = None
    part: tuple[str, ...] = ()
    context: I32 | None = None
    gates: Gates | None = None

    def __len__(self) -> int:
        """Count rows."""
        return len(self.asset)

    @staticmethod
    def of(rows: Sequence[tuple[int, int, int]]) -> Due:
        """From (asset, at, seen)."""
        table = np.array(rows, np.int64).reshape(-1, 3)
        return Due(table[:, 0].astype(np.int32), table[:, 1], table[:, 2])


class Trigger(Protocol):
    """Decides when rows are due."""

    @property
    def late(self) -> int:
        """Stamps so far that came after their row, or a newer one, was closed."""
        ...

    @property
    def skipped(self) -> int:
        """Ticks so far that were given up after a stall."""
        ...

    def take_over(self, other: Trigger) -> None:
        """Go on where another of its kind stands, with the rows that have begun.

        Args:
            other: of the same pipeline, for another plan; not used any more.
        """
        ...

    def due(self, arrivals: Arrivals, now: int) -> Due:
        """Rows that became due up to agent time ``now``."""
        ...

    def saved(self) -> dict[str, dict[str, int | str]]:
        """What must survive a restart, by asset."""
        ...

    def restore(self, saved: Mapping[str, Mapping[str, int | str]], now: int) -> None:
        """Go on from what `saved` gave; stamps of a dead time axis are ignored."""
        ...


class Every:
    """A row of every asset at every multiple of a period.

    Args:
        kind: the asset type.
        period: ns.
        since: agent time; the first row is the next multiple after it.
        catch_up: ns of ticks made in one turn at most, though at least one tick; None
            makes them all, as a recording's replay must.
    """

    late = 0

    def __init__(
        self, kind: AssetType, period: int, since: int, catch_up: int | None = None
    ) -> None:
        self.period = period
        self.skipped = 0
        self._most = None if catch_up is None else max(catch_up // period, 1)
        self._count = len(kind.assets)
        self._next = (since // period + 1) * period

    def due(self, arrivals: Arrivals, now: int) -> Due:
        """One row an asset for each tick passed; it sees what arrived by the tick."""
        if self._most is not None:
            over = (now - self._next) // self.period + 1 - self._most
            if over > 0:
                self.skipped += over
                self._next += over * self.period
        ticks = np.arange(self._next, now + 1, self.period, dtype=np.int64)
        if len(ticks):
            self._next = int(ticks[-1]) + self.period
        seen = np.searchsorted(arrivals.received, ticks, side="right")
        return Due(
            np.tile(np.arange(self._count, dtype=np.int32), len(ticks)),
            np.repeat(ticks, self._count),
            np.repeat(seen.astype(np.int64), self._count),
        )

    def take_over(self, other: Trigger) -> None:
        """No tick is made twice, none is left out."""
        if isinstance(other, Every):
            self._go_on(other)

    def _go_on(self, other: Every) -> None:
        self._next, self.skipped = other._next, other.skipped

    def saved(self) -> dict[str, dict[str, int | str]]:
        """Nothing: ticks follow the clock."""
        return {}

    def restore(self, saved: Mapping[str, Mapping[str, int | str]], now: int) -> None:
        """Nothing to go on from."""


class OnUpdate:
    """One row for each distinct stamp of an asset.

    Args:
        kind: the asset type.
        makers: bool[columns] tags whose stamps make rows (column = asset * roles +
            role).
        settle: ns.
    """

    skipped = 0

    def __init__(self, kind: AssetType, makers: Mask, settle: int) -> None:
        self.kind = kind
        self._roles = len(kind.tags)
        self._makers = makers
        self._all_make = bool(makers.all())
        self._gathering = Gathering(makers.reshape(-1, max(self._roles, 1)), settle)

    @property
    def late(self) -> int:
        """Stamps so far that came after their row, or a newer one, was closed."""
        return self._gathering.late

    def take_over(self, other: Trigger) -> None:
        """Rows that have begun close by the tags of the new plan, or settle."""
        if isinstance(other, OnUpdate):
            self._go_on(other)

    def _go_on(self, other: OnUpdate) -> None:
        self._gathering.take_over(other._gathering)

    def due(self, arrivals: Arrivals, now: int) -> Due:
        """Rows closed up to ``now``."""
        sample: I64 | None = None
        if not self._all_make:
            makes = self._makers[arrivals.asset * self._roles + arrivals.role]
            if np.count_nonzero(makes) < len(makes):
                sample = np.flatnonzero(makes)
        whole = self._whole(arrivals, sample)
        if whole is not None:
            return whole
        sample = np.arange(len(arrivals)) if sample is None else sample
        return Due.of(self._gathering.advance(arrivals, sample, now))

    def _whole(self, arrivals: Arrivals, sample: I64 | None) -> Due | None:
        """The usual case at once: nothing open, every row whole, new and in order."""
        gathering = self._gathering
        if gathering.open:
            return None
        if len(arrivals if sample is None else sample) == 0:
            return Due.of([])
        pick = slice(None) if sample is None else sample
        asset, time = arrivals.asset[pick], arrivals.time[pick]
        instant = arrivals.received[pick]
        new = np.ones(len(asset), bool)
        np.not_equal(time[1:], time[:-1], out=new[1:])
        new[1:] |= asset[1:] != asset[:-1]
        new[1:] |= instant[1:] != instant[:-1]
        first = np.flatnonzero(new)
        arrived = np.bitwise_or.reduceat(
            gathering.bit[arrivals.role[pick]], first, axis=0
        )
        row_asset, at = asset[first], time[first]
        if np.count_nonzero(arrived != gathering.needed[row_asset]):
            return None
        if np.count_nonzero(at <= gathering.closed[row_asset]):
            return None
        order = row_asset.argsort(kind="stable")
        ordered, stamps = row_asset[order], at[order]
        back = ordered[1:] == ordered[:-1]
        back &= stamps[1:] <= stamps[:-1]
        if np.count_nonzero(back):
            return None
        gathering.closed[row_asset] = at
        first = first if sample is None else sample[first]
        return Due(row_asset.astype(np.int32), at, arrivals.past(first))

    def saved(self) -> dict[str, dict[str, int | str]]:
        """The last stamp scored of each asset."""
        closed = self._gathering.closed.tolist()
        return {"closed": dict(zip(self.kind.assets, closed, strict=True))}

    def restore(self, saved: Mapping[str, Mapping[str, int | str]], now: int) -> None:
        """Score nothing up to the saved stamps again."""
        for place, name in enumerate(self.kind.assets):
            stamp = int(
                saved.get("closed", {}).get(name, self._gathering.closed[place])
            )
            if stamp <= now + FUTURE:
                self._gathering.closed[place] = stamp
