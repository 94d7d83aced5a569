"""Rows, turn by turn, for every pipeline on one asset type.

`RowBuilder.advance` is a function of the stream alone. A row sees exactly the
samples that had arrived when it closed, however many turns, ticks and rows share a
batch; so replaying a recording gives the gateway's rows bit for bit. The batch goes
into the window in as few steps as this allows: usually one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.arrivals import Sorter
from edge_agent.features.depth import span_for
from edge_agent.features.feature_rows import FeatureRows, joined
from edge_agent.features.making import Making
from edge_agent.features.window import IngestCounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.features.arrivals import Arrivals
    from edge_agent.features.contexts import Contexts
    from edge_agent.features.plan import FeaturePlan
    from edge_agent.features.triggers import Due, Trigger
    from edge_agent.features.window import Mask, Window
    from edge_agent.samples import I64, SampleBatch


@dataclass(frozen=True, slots=True)
class Turned:
    """What a turn gave.

    Attributes:
        rows: for each pipeline; an asset may come several times, in order of time.
        counts: what became of the samples.
        beside: the same rows by another plan, by pipeline; see `RowBuilder.watch`.
        making: how they were made; of use until the next turn.
    """

    rows: tuple[FeatureRows, ...]
    counts: IngestCounts
    beside: Mapping[int, FeatureRows]
    making: Making


def row_makers(plan: FeaturePlan, window: Window) -> Mask:
    """Columns whose stamps make rows: the plan's tags that report every value.

    Of an asset where all of them report changes only, all of them.
    """
    used = np.zeros((window.assets, window.roles), bool)
    used[:, plan.roles] = True
    steady = used & ~window.held.reshape(used.shape)
    makers: Mask = np.where(steady.any(axis=1, keepdims=True), steady, used)
    return makers.reshape(-1)


class RowBuilder:
    """The window of an asset type and the pipelines that read it.

    Args:
        window: the rings, shared.
        pipelines: plan and trigger of each pipeline.
        source: int[kind.size] the source of each tag, for ``alive``; None where
            every source is vouched for.
        longest_cycle: seconds, see `window.span_for`.
        contexts: of each pipeline, None where it has none; empty for none at all.
    """

    def __init__(
        self,
        window: Window,
        pipelines: Sequence[tuple[FeaturePlan, Trigger]],
        source: NDArray[np.int16] | None = None,
        longest_cycle: float = 600.0,
        contexts: Sequence[Contexts | None] = (),
    ) -> None:
        self.window = window
        self.pipelines = list(pipelines)
        self.contexts = list(contexts) or [None] * len(pipelines)
        self._sorter = Sorter(window.kind)
        self._source = None if source is None else window.by_column(source)
        self._longest_cycle = longest_cycle
        self._beside: dict[int, tuple[FeaturePlan, int]] = {}
        self._own = min(self._span([plan for plan, _ in pipelines]), window.depth)
        self._lead = window.depth - self._own
        window.reach = self._own
        # half for what a step brings, half for a tag that is ahead of its row
        self._room = max(self._lead // 2, 1)
        self._nothing = [_none(plan, window) for plan, _ in pipelines]
        self._moment = int(np.iinfo(np.int64).min)
        self.shows = False
        """Whether somebody may ask what a row was made from, in the turn it is."""

    def watch(self, position: int, plan: FeaturePlan | None) -> None:
        """Also make a pipeline's rows by another plan, for a model that only watches.

        Args:
            position: of the pipeline.
            plan: None ends it.
        """
        self._beside.pop(position, None)
        if plan is not None:
            # a reach of its own: who watches must not change what the others see
            self._beside[position] = (plan, self._reached([plan]))

    def replan(self, position: int, plan: FeaturePlan, trigger: Trigger) -> None:
        """Another plan for a pipeline; windows keep what they hold."""
        self.pipelines[position] = (plan, trigger)
        self._own = self._reached([each for each, _ in self.pipelines])
        self.window.reach = self._own
        self._nothing[position] = _none(plan, self.window)

    def _span(self, plans: Sequence[FeaturePlan]) -> int:
        specs = [spec for plan in plans for spec in plan.specs]
        return span_for(specs, self._longest_cycle)

    def _reached(self, plans: Sequence[FeaturePlan]) -> int:
        """How far back rows of these plans see; the rings are made to hold it."""
        span = self._span(plans)
        self.window.deepen(span + self._lead)
        return span

    def advance(self, batch: SampleBatch, now: int, alive: I64 | None = None) -> Turned:
        """Take a turn's samples in and give the rows that are due.

        Args:
            batch: samples in order of arrival. One that the clock stamped before the
                previous turn's end counts as received just after it.
            now: agent time of the turn.
            alive: int64[sources] when each source was last seen alive.
        """
        if len(batch) and batch.received[0] <= self._moment:
            received = np.maximum(batch.received, self._moment + 1)
            batch = replace(batch, received=received)
        if len(batch):
            now = max(now, int(batch.received[-1]))
        self._moment = max(self._moment, now)
        arrivals = self._sorter.arrivals(batch)
        vouched = None
        if alive is not None and self._source is not None and self.window.any_held:
            vouched = alive[self._source]
        dues = self._due(arrivals, now, vouched)
        done: list[list[FeatureRows]] = [[] for _ in dues]
        others: dict[int, list[FeatureRows]] = {place: [] for place in self._beside}
        counts, low, made = IngestCounts(), 0, -1
        making = Making(self.window, vouched)
        for step, high in enumerate(self._steps(arrivals, dues)):
            if high > low:
                if self.shows:
                    making.before(step, arrivals, low, high)
                whole = high - low == len(arrivals)
                batch = arrivals.batch
                batch = batch if whole else batch.take(slice(low, high))
                counts += self.window.ingest(batch)
            for place, due in enumerate(dues):
                closed = due.seen <= high
                closed &= due.seen > made
                if count := np.count_nonzero(closed):
                    part = due if count == len(due) else _of(due, closed)
                    making.made(place, step, part)
                    plan = self.pipelines[place][0]
                    done[place].append(_computed(plan, self.window, part, vouched))
                    if place in others:
                        others[place].append(self._watched(place, part, vouched))
            low = made = high
        return Turned(
            tuple(
                joined(rows) if rows else nothing
                for rows, nothing in zip(done, self._nothing, strict=True)
            ),
            counts,
            {place: joined(rows) for place, rows in others.items() if rows},
            making,
        )

    def _due(self, arrivals: Arrivals, now: int, vouched: I64 | None) -> list[Due]:
        """Due rows of each pipeline, with their contexts."""
        dues = [trigger.due(arrivals, now) for _, trigger in self.pipelines]
        for place, contexts in enumerate(self.contexts):
            if contexts is not None:
                dues[place] = contexts.told(arrivals, dues[place], vouched)
        return dues

    def _watched(self, place: int, due: Due, alive: I64 | None) -> FeatureRows:
        plan, self.window.reach = self._beside[place]
        try:
            return _computed(plan, self.window, due, alive)
        finally:
            self.window.reach = self._own

    def _steps(self, arrivals: Arrivals, dues: list[Due]) -> list[int]:
        """Where the arrivals are cut: rows up to a cut are made before what follows."""
        cuts: set[int] = set()
        for due in dues:
            if len(due) and len(arrivals):
                cuts.update(_torn(arrivals, due))
        if len(arrivals) > self._room:
            column = arrivals.asset * self.window.roles + arrivals.role
            most = np.bincount(column).max(initial=0)
            if most > self._room:
                cuts.update(_crowded(column, self._room))
        return [*sorted(cuts), len(arrivals)]


def _torn(arrivals: Arrivals, due: Due) -> list[int]:
    """Cuts that keep samples out of rows that closed before they arrived."""
    open_end = due.seen < len(arrivals)
    if not np.count_nonzero(open_end):
        return []
    behind = np.minimum.accumulate(arrivals.time[::-1])[::-1]
    if not np.count_nonzero(behind[due.seen[open_end]] <= due.at[open_end]):
        return []
    newest = np.full(int(arrivals.asset.max()) + 1, np.iinfo(np.int64).min)
    oldest = np.full(len(newest), len(arrivals))
    known = due.asset < len(newest)
    asset, at, seen = due.asset[known], due.at[known], due.seen[known]
    np.maximum.at(newest, asset, at)
    np.minimum.at(oldest, asset, seen)
    sample = np.arange(len(arrivals))
    doubtful = (arrivals.time <= newest[arrivals.asset]) & (
        sample >= oldest[arrivals.asset]
    )
    if not doubtful.any():
        return []
    late = np.flatnonzero(doubtful)
    scale = len(arrivals) + 1
    key = asset.astype(np.int64) * scale + seen
    order = np.argsort(key, kind="stable")
    key, at, seen, asset = key[order], at[order], seen[order], asset[order]
    mine = arrivals.asset[late] * scale + late
    row = np.searchsorted(key, mine, side="right") - 1
    same = (row >= 0) & (asset[row] == arrivals.asset[late])
    torn = same & (at[row] >= arrivals.time[late])
    cuts: list[int] = []
    for edge, place in zip(seen[row[torn]].tolist(), late[torn].tolist(), strict=True):
        if not cuts or cuts[-1] < edge:
            cuts.append(place)
    return cuts


def _crowded(column: I64, room: int) -> list[int]:
    """Cuts so that no column gets more than ``room`` samples in one step."""
    order = np.argsort(column, kind="stable")
    first = np.flatnonzero(np.diff(column[order], prepend=-1))
    lengths = np.diff(first, append=len(column))
    rank = np.empty(len(column), np.int64)
    rank[order] = np.arange(len(column)) - np.repeat(first, lengths)
    before = np.zeros(int(column.max()) + 1, np.int64)
    cuts: list[int] = []
    while (full := rank - before[column] >= room).any():
        cut = int(np.argmax(full))
        cuts.append(cut)
        before = np.bincount(column[:cut], minlength=len(before))
    return cuts


def _of(due: Due, which: Mask) -> Due:
    return replace(
        due,
        asset=due.asset[which],
        at=due.at[which],
        seen=due.seen[which],
        start=None if due.start is None else due.start[which],
        part=tuple(due.part[i] for i in np.flatnonzero(which)) if due.part else (),
        context=None if due.context is None else due.context[which],
        gates=None if due.gates is None else due.gates.take(which),
    )


def _computed(
    plan: FeaturePlan, window: Window, due: Due, alive: I64 | None
) -> FeatureRows:
    rows = plan.compute(window, due.asset, due.at, due.start, alive)
    if not due.part and due.context is None:
        return rows
    return replace(rows, part=due.part, context=due.context, gates=due.gates)


def _none(plan: FeaturePlan, window: Window) -> FeatureRows:
    return plan.compute(window, np.zeros(0, np.int32), np.zeros(0, np.int64))
