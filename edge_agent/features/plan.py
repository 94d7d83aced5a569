"""All features of a model, for all due rows at once.

The usual row, with every input there and good, takes the short way through; only
where something is missing, old or doubtful is anything looked at one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features import spans
from edge_agent.features.feature_rows import FeatureRows, joined
from edge_agent.features.grouping import Group, grouped, role_of, side_by_side
from edge_agent.features.lookback import Newest, newest
from edge_agent.features.pieces import fill, pieces
from edge_agent.features.scratch import Scratch
from edge_agent.features.sheet import Limits, Sheet
from edge_agent.features.window import NEVER
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.features.spec import FeatureSpec
    from edge_agent.features.window import Mask, Window
    from edge_agent.samples import I32, I64, AssetType

_ROWS_AT_ONCE = 50
"""Their windows fit the second-level cache: 50 rows x 20 tags x 64 values = 512 kB."""
_FOREVER = int(np.iinfo(np.int64).max)
"""Age of a tag that never had a value."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one block, and the newest values of their tags.

    Attributes:
        window: the rings.
        asset: int64[n].
        at: int64[n].
        at_each: int64[n * roles] the same for each tag.
        start: where cycles began, or None.
        seen: the newest values, n * roles.
        age: int64[n, roles] ns since each was known to hold.
        sheet: what is being filled in.
    """

    window: Window
    asset: I64
    at: I64
    at_each: I64
    start: I64 | None
    seen: Newest
    age: I64
    sheet: Sheet


class FeaturePlan:
    """Features of one model over one asset type, grouped into few array calls.

    Args:
        specs: the features, in order of the model's input.
        kind: the asset type they are computed for.

    Attributes:
        roles: int64[r] positions of the tags that are read.

    Raises:
        ValueError: a feature names a tag the asset type lacks, or a text.
    """

    def __init__(self, specs: Sequence[FeatureSpec], kind: AssetType) -> None:
        self.specs = tuple(specs)
        self.kind = kind
        of_spec = np.array([role_of(s, kind) for s in specs], np.int64)
        self.roles: I64 = np.unique(of_spec)
        self._position: I64 = np.searchsorted(self.roles, of_spec)
        tags = [kind.tags[role] for role in of_spec]
        self._limits = Limits.of(self.specs, self._position, tags)
        self._column: I64 = (
            np.arange(len(kind.assets))[:, None] * len(kind.tags) + self.roles
        )
        last = [i for i, s in enumerate(specs) if s.aggregate == "last"]
        self._last = side_by_side(np.array(last, np.int64)) if last else None
        self._age = [i for i, s in enumerate(specs) if s.aggregate == "age"]
        self._instant = last + self._age
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
        found: list[FeatureRows] = []
        with np.errstate(over="ignore", invalid="ignore"):
            for low in range(0, max(len(asset), 1), _ROWS_AT_ONCE):
                part = slice(low, low + _ROWS_AT_ONCE)
                began = None if start is None else start[part]
                rows = self._begun(window, asset[part], at[part], began, alive)
                self._instants(rows)
                for group, hint in zip(self._groups, hints, strict=True):
                    self._windowed(rows, group, hint)
                found.append(
                    rows.sheet.finished(
                        window,
                        asset[part],
                        rows.at,
                        rows.start,
                        rows.seen,
                        rows.age,
                        _FOREVER,
                    )
                )
        return joined(found)

    def _hints_for(self, window: Window) -> list[I64]:
        """Window lengths, in entries, found last time: where to look first."""
        if self._hinted is not window:
            lengths = [(g.window or 0) / NANOSECONDS * g.rate for g in self._groups]
            self._hints = [np.full(window.columns, round(n)) for n in lengths]
            self._hinted = window
        return self._hints

    def _begun(
        self,
        window: Window,
        asset: I32,
        at: I64,
        start: I64 | None,
        alive: I64 | None,
    ) -> _Rows:
        wide = asset.astype(np.int64)
        column = self._column.take(wide, axis=0).reshape(-1)
        at_each = at.repeat(len(self.roles))
        seen = newest(window, column, at_each)
        age = _ages(window, seen, at_each, alive)
        if not seen.calm:
            age[~seen.good] = _FOREVER
        age = age.reshape(len(asset), len(self.roles))
        sheet = Sheet(self._limits, age)
        return _Rows(window, wide, at, at_each, start, seen, age, sheet)

    def _instants(self, rows: _Rows) -> None:
        sheet, seen, shape = rows.sheet, rows.seen, rows.age.shape
        if self._last is not None:
            position = self._position[self._last]
            sheet.values[:, self._last] = seen.value.reshape(shape)[:, position]
            if sheet.stale is not None:
                sheet.lack(self._last, sheet.stale[:, self._last])
        if self._age:
            age = rows.age[:, self._position[self._age]]
            seconds = np.where(age == _FOREVER, np.nan, age / NANOSECONDS)
            sheet.values[:, self._age] = seconds
        if not seen.calm:
            doubted = seen.doubted.reshape(shape)[:, self._position[self._instant]]
            sheet.doubt(self._instant, doubted)

    def _windowed(self, rows: _Rows, group: Group, hint: I64) -> None:
        window, seen, sheet = rows.window, rows.seen, rows.sheet
        shape = (len(rows.asset), len(group.role))
        pick: slice | I64 = slice(None)
        if len(group.role) < len(self.roles):
            first = np.arange(0, rows.age.size, len(self.roles))[:, None]
            pick = (first + group.role).reshape(-1)
        length = _length(group, rows.at, rows.start)
        at = rows.at_each[pick]
        column = seen.column[pick]
        where = spans.cut(
            window, column, seen.low[pick], seen.end[pick], at - length, at, hint
        )
        held = window.held[column] if window.any_held else None
        role = self.roles[group.role]
        share = np.empty(len(column))
        for piece in pieces(
            window, where, held, group, length, (rows.asset, role), self._scratch
        ):
            fill(sheet, group, piece, window, self._scratch)
            share[slice(None) if piece.place is None else piece.place] = piece.share
        if np.count_nonzero(share < 1.0):
            for feature, position in group.cells():
                sheet.shared(feature, share.reshape(shape)[:, position])
        if not seen.calm:
            absent = ~seen.exists[pick].reshape(shape)
            for feature, position in group.cells():
                sheet.lack(feature, absent[:, position])
        if sheet.stale is not None:
            lasting = None if held is None else held.reshape(shape)
            _outdated(sheet, sheet.stale, group, lasting)
        self._doubts(rows, group, where, held, pick)

    def _doubts(
        self,
        rows: _Rows,
        group: Group,
        where: spans.Cut,
        held: Mask | None,
        pick: slice | I64,
    ) -> None:
        """Mark windows that hold an UNCERTAIN value, end BAD, or are cut short."""
        shape = (len(rows.asset), len(group.role))
        short = where.short
        cut_short = bool(np.count_nonzero(short))
        if rows.seen.calm and not cut_short:
            return
        doubted = spans.any_uncertain(rows.window, where, held, group.period)
        doubted = (doubted | short | rows.seen.bad[pick]).reshape(shape)
        for feature, position in group.cells():
            rows.sheet.doubt(feature, doubted[:, position])
        if cut_short:
            rows.sheet.cut_short |= short.reshape(shape).any(axis=1)


def _outdated(sheet: Sheet, stale: Mask, group: Group, lasting: Mask | None) -> None:
    """Windows that end in silence: of unvouched changes, or beyond what tags allow."""
    for feature, position in group.cells():
        if lasting is not None:
            sheet.lack(feature, stale[:, feature] & lasting[:, position])
        if sheet.silent is not None:
            sheet.lack(feature, sheet.silent[:, feature])


def _length(group: Group, at: I64, start: I64 | None) -> int | I64:
    """Length of the windows, ns; of the cycles, per tag, 0 for an unknown start."""
    if group.window is not None:
        return group.window
    if start is None:
        return np.zeros(len(at) * len(group.role), np.int64)
    length = np.where(start == NEVER, 0, at - np.where(start == NEVER, at, start))
    return np.repeat(length, len(group.role))


def _ages(window: Window, seen: Newest, at: I64, alive: I64 | None) -> I64:
    """Nanoseconds since each value was known to hold."""
    if not window.any_held:
        return at - seen.time
    held = window.held[seen.column]
    vouched = at if alive is None else np.minimum(alive[seen.column], at)
    known = np.where(seen.bad, seen.until, np.maximum(seen.time, vouched))
    return at - np.where(held, known, seen.time)
