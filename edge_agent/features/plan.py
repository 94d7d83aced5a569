"""All features of a model, for all due rows at once.

A row is as good as its inputs: per feature a reason code says why it is missing
(`records.NoScore`), and the row carries the worst quality, the share of its input
that was there, and the age of its oldest input. A row with a missing feature is
invalid: it never yields a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features import spans
from edge_agent.features.aggregates import BY_NAME
from edge_agent.features.feature_rows import FeatureRows, joined
from edge_agent.features.grouping import Group, grouped, role_of
from edge_agent.features.lookback import Newest, newest
from edge_agent.features.scratch import Scratch
from edge_agent.features.window import NEVER, nanoseconds
from edge_agent.records import NoScore
from edge_agent.samples import NANOSECONDS, Quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.features.spec import FeatureSpec
    from edge_agent.features.window import Mask, Window
    from edge_agent.samples import F64, I32, I64, U8, AssetType

_ROWS_AT_ONCE = 50
"""Their windows fit the second-level cache: 50 rows x 20 tags x 64 values = 512 kB."""
_FOREVER = int(np.iinfo(np.int64).max)
"""Age of a tag that never had a value."""
_CLOSE = 1e-9
"""Slack of a completeness, which is a quotient, against its limit."""


@dataclass(slots=True)
class _Sheet:
    """What is being filled in for one block of n rows, ``n x F`` each."""

    values: F64
    share: F64
    doubted: Mask
    lacking: Mask
    cut_short: Mask

    @classmethod
    def blank(cls, rows: int, width: int) -> _Sheet:
        shape = (rows, width)
        return cls(
            np.empty(shape),
            np.ones(shape),
            np.zeros(shape, bool),
            np.zeros(shape, bool),
            np.zeros(rows, bool),
        )


class FeaturePlan:
    """Features of one model over one asset type, grouped into few array calls.

    Args:
        specs: the features, in order of the model's input.
        kind: the asset type they are computed for.

    Raises:
        ValueError: a feature names a tag the asset type lacks, or a text.
    """

    def __init__(self, specs: Sequence[FeatureSpec], kind: AssetType) -> None:
        self.specs = tuple(specs)
        self.kind = kind
        of_spec = np.array([role_of(s, kind) for s in specs], np.int64)
        self.roles: I64 = np.unique(of_spec)
        self._width = len(self.roles)
        self._position: I64 = np.searchsorted(self.roles, of_spec)
        self._hold: I64 = np.array(
            [nanoseconds(min(s.hold, 1e9)) for s in specs], np.int64
        )
        self._least: F64 = np.array([s.min_completeness for s in specs]) - _CLOSE
        self._span: I64 = np.array(
            [nanoseconds(s.window or 0) for s in specs], np.int64
        )
        self._cycle: Mask = np.array([s.cycle for s in specs], bool)
        kinds = np.array([s.aggregate for s in specs])
        self._last: I64 = np.flatnonzero(kinds == "last")
        self._age: I64 = np.flatnonzero(kinds == "age")
        self._instant: Mask = (kinds == "last") | (kinds == "age")
        self._groups = grouped(self.specs, self._position)
        self._scratch = Scratch()
        self._hinted: Window | None = None
        self._hints: list[I64] = []

    def compute(
        self,
        window: Window,
        asset: I32,
        at: I64,
        start: I64 | None = None,
        alive: I64 | None = None,
    ) -> FeatureRows:
        """Feature rows of assets at given times.

        Args:
            window: the rings of the asset type.
            asset: int32[n]; an asset may come several times.
            at: int64[n] row times.
            start: int64[n] where the cycles began (exclusive), `window.NEVER` where
                that is not known; for features over the cycle.
            alive: int64[columns] when the source of each column was last seen alive;
                None vouches for all of them.
        """
        hints = self._hints_for(window)
        step = _ROWS_AT_ONCE
        blocks = [slice(i, i + step) for i in range(0, max(len(asset), 1), step)]
        with np.errstate(over="ignore", invalid="ignore"):
            return joined(
                [
                    self._block(
                        window,
                        asset[b],
                        at[b],
                        None if start is None else start[b],
                        alive,
                        hints,
                    )
                    for b in blocks
                ]
            )

    def _hints_for(self, window: Window) -> list[I64]:
        if self._hinted is not window:
            first = [
                round((g.window or 0) / NANOSECONDS * g.rate) for g in self._groups
            ]
            self._hints = [np.full(window.columns, f) for f in first]
            self._hinted = window
        return self._hints

    def _block(
        self,
        window: Window,
        asset: I32,
        at: I64,
        start: I64 | None,
        alive: I64 | None,
        hints: list[I64],
    ) -> FeatureRows:
        rows, width = len(asset), len(self.specs)
        wide = asset.astype(np.int64)
        column = (wide[:, None] * window.roles + self.roles[None, :]).reshape(-1)
        at_column = np.repeat(at, len(self.roles))
        seen = newest(window, column, at_column)
        age = _ages(window, seen, at_column, alive).reshape(rows, self._width)
        sheet = _Sheet.blank(rows, width)
        age[~seen.good.reshape(rows, self._width)] = _FOREVER
        stale = age[:, self._position] > self._hold
        self._instants(sheet, seen, age, stale)
        for group, hint in zip(self._groups, hints, strict=True):
            self._windowed(sheet, group, hint, window, wide, at, start, seen, stale)
        return self._finished(sheet, window, asset, at, start, seen, age, stale)

    def _instants(self, sheet: _Sheet, seen: Newest, age: I64, stale: Mask) -> None:
        rows = len(age)
        if len(self._last):
            position = self._position[self._last]
            sheet.values[:, self._last] = seen.value.reshape(rows, self._width)[
                :, position
            ]
            sheet.lacking[:, self._last] = stale[:, self._last]
        if len(self._age):
            position = self._position[self._age]
            there = seen.good.reshape(rows, self._width)[:, position]
            seconds = age[:, position] / NANOSECONDS
            sheet.values[:, self._age] = np.where(there, seconds, np.nan)
        if seen.doubted.any():
            doubted = seen.doubted.reshape(rows, self._width)
            instant = self._instant
            sheet.doubted[:, instant] = doubted[:, self._position[instant]]

    def _windowed(
        self,
        sheet: _Sheet,
        group: Group,
        hint: I64,
        window: Window,
        asset: I64,
        at: I64,
        start: I64 | None,
        seen: Newest,
        stale: Mask,
    ) -> None:
        rows, roles = len(asset), len(group.role)
        pick: slice | I64 = slice(None)
        if roles < len(self.roles):
            first = np.arange(rows)[:, None] * len(self.roles)
            pick = (first + group.role[None, :]).reshape(-1)
        length = _length(group, at, start)
        where = spans.cut(
            window,
            seen.column[pick],
            seen.low[pick],
            seen.end[pick],
            np.repeat(at - length, roles),
            np.repeat(at, roles),
            hint,
        )
        role = self.roles[group.role]
        held = window.held[where.column]
        seconds = np.repeat(length, roles) / NANOSECONDS
        results, share = _results(
            window, where, held, group, seconds, (asset, role), self._scratch
        )
        share = share.reshape(rows, roles)
        short = where.short
        period = nanoseconds(1 / group.rate)
        unsure = spans.any_uncertain(window, where, held, period)
        doubted = (unsure | short | seen.bad[pick]).reshape(rows, roles)
        sheet.cut_short |= short.reshape(rows, roles).any(axis=1)
        silent = ~seen.exists[pick].reshape(rows, roles)
        lasting = held.reshape(rows, roles)
        for name, feature in group.aggregates:
            sheet.values[:, feature] = results[name].reshape(rows, roles)
            sheet.share[:, feature] = share
            sheet.doubted[:, feature] = doubted
            few = share < self._least[feature]
            sheet.lacking[:, feature] = few | silent | (stale[:, feature] & lasting)

    def _finished(
        self,
        sheet: _Sheet,
        window: Window,
        asset: I32,
        at: I64,
        start: I64 | None,
        seen: Newest,
        age: I64,
        stale: Mask,
    ) -> FeatureRows:
        rows, width = sheet.values.shape
        values = sheet.values.astype(np.float32)
        gone = sheet.lacking | ~np.isfinite(values)
        missing: U8 = np.zeros((rows, width), np.uint8)
        valid: Mask = np.logical_not(gone.any(axis=1))
        if not valid.all():
            codes = self._reasons(window, asset, at, start, seen, stale)
            codes[np.isinf(values)] = NoScore.INPUT_BAD
            missing[gone] = codes[gone]
            values[gone] = np.nan
            sheet.share[gone & self._instant] = 0.0
        doubtful = sheet.doubted & ~gone
        quality: U8 = np.where(valid, doubtful.any(axis=1), Quality.BAD).astype(
            np.uint8
        )
        oldest = np.where(age == _FOREVER, -1, age).max(axis=1, initial=-1)
        return FeatureRows(
            asset,
            at,
            values,
            valid,
            missing,
            quality,
            np.add.reduce(sheet.share, axis=1) / max(width, 1),
            np.where(oldest < 0, np.nan, oldest / NANOSECONDS),
            (width - (gone | doubtful).sum(axis=1)).astype(np.int16),
            sheet.cut_short,
        )

    def _reasons(
        self,
        window: Window,
        asset: I32,
        at: I64,
        start: I64 | None,
        seen: Newest,
        stale: Mask,
    ) -> U8:
        """Why each feature would be missing, the most telling reason first."""
        rows, position = len(asset), self._position
        column = seen.column.reshape(rows, self._width)[:, position]
        began = np.full(rows, NEVER) if start is None else start
        bound = np.where(self._cycle, began[:, None], at[:, None] - self._span)
        warming = (window.first[column] > bound) & ~self._instant
        codes = np.full((rows, len(position)), NoScore.INPUT_MISSING, np.uint8)
        codes[warming | ((bound == NEVER) & self._cycle)] = NoScore.WARMING_UP
        codes[stale] = NoScore.INPUT_STALE
        codes[seen.bad.reshape(rows, self._width)[:, position]] = NoScore.INPUT_BAD
        codes[~seen.exists.reshape(rows, self._width)[:, position]] = (
            NoScore.INPUT_MISSING
        )
        return codes


def _length(group: Group, at: I64, start: I64 | None) -> I64:
    """Length of each row's window, ns; 0 where its cycle's start is not known."""
    if group.window is not None:
        return np.full(len(at), group.window, np.int64)
    if start is None:
        return np.zeros(len(at), np.int64)
    return np.where(start == NEVER, 0, at - np.where(start == NEVER, at, start))


def _ages(window: Window, seen: Newest, at: I64, alive: I64 | None) -> I64:
    """Nanoseconds since each value was known to hold."""
    held = window.held[seen.column]
    if not held.any():
        return at - seen.time
    vouched = at if alive is None else np.minimum(alive[seen.column], at)
    known = np.where(seen.bad, seen.until, np.maximum(seen.time, vouched))
    return at - np.where(held, known, seen.time)


def _results(
    window: Window,
    where: spans.Cut,
    held: Mask,
    group: Group,
    seconds: F64,
    rows: tuple[I64, I64],
    scratch: Scratch,
) -> tuple[dict[str, F64], F64]:
    """Every aggregate of a group and the share of its input, per column."""
    names = [name for name, _ in group.aggregates]
    if not held.any():
        span = spans.even(window, where, scratch, stamps=group.stamps, rows=rows)
        share = _share(span.count, seconds * group.rate)
        return {name: BY_NAME[name](span) for name in names}, share
    results = {name: np.empty(len(held)) for name in names}
    share = np.empty(len(held))
    steady = ~held
    if steady.any():
        part = where.of(steady)
        span = spans.even(window, part, scratch, stamps=group.stamps, rows=None)
        share[steady] = _share(span.count, seconds[steady] * group.rate)
        for name in names:
            results[name][steady] = BY_NAME[name](span)
    part = where if not steady.any() else where.of(held)
    period = nanoseconds(1 / group.rate)
    lasting = spans.held(window, part, period, scratch, stamps=group.stamps)
    share[held] = _share(np.nan_to_num(lasting.mass), seconds[held])
    for name in names:
        results[name][held] = BY_NAME[name](lasting)
    return results, share


def _share(found: F64, expected: F64) -> F64:
    nothing = np.zeros_like(found)
    return np.minimum(np.divide(found, expected, out=nothing, where=expected > 0), 1.0)
