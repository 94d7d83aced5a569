"""How many alarms other thresholds would have given, counted as rows go by.

For each of some 64 candidate thresholds the number of alarms, with the same delays and
hysteresis as `edge_agent.alarms` (but for its guard against chattering). An alarm that
is active at one threshold is active at all lower ones: of an asset it is kept how many
candidates are active, and since when its score is above each. Rows far below all
candidates cost next to nothing. Counts are added up over time and gateways.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.alarms import NEVER
from edge_agent.rounds import rounds
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.alarms import Limits, Rows
    from edge_agent.samples import F64, I32, I64

    Bools = NDArray[np.bool_]

EACH_SIDE = 24
"""Candidates below and above the base within what is allowed."""
BEYOND = 15
"""And above that, to say what would be needed."""
#: Of a silence between two rows of an asset only so much counts as observed, ns.
LONGEST = 600 * NANOSECONDS
NOT_YET = int(np.iinfo(np.int64).max)
_WEEK = 604_800 * NANOSECONDS


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Thresholds that might be.

    Attributes:
        thresholds: float64[m] ascending.
        base: place of the passport's, or the operator's, threshold.
        low, high: bounds of what may be applied.
    """

    thresholds: F64
    base: int
    low: float
    high: float

    @staticmethod
    def around(base: float, at_most: float) -> Candidates:
        """Evenly within ``base`` plus and minus a share of it, ever wider beyond."""
        size = at_most * abs(base)
        step = (size or at_most) / EACH_SIDE
        inner = base + step * np.arange(-EACH_SIDE, EACH_SIDE + 1)
        outer = inner[-1] + step * (1.4 ** np.arange(1, BEYOND + 1) - 1) / 0.4
        inner[EACH_SIDE] = base
        return Candidates(
            np.concatenate([inner, outer]), EACH_SIDE, base - size, base + size
        )

    def __len__(self) -> int:
        """Count candidates."""
        return len(self.thresholds)

    def place(self, threshold: float) -> int:
        """The candidate nearest to a threshold."""
        return int(np.abs(self.thresholds - threshold).argmin())


@dataclass(frozen=True, slots=True, eq=False)
class Exceedances:
    """Alarms at each candidate; sums add up.

    Attributes:
        alarms: int64[m].
        watched: ns, of all assets together.
    """

    alarms: I64
    watched: int = 0

    @staticmethod
    def none(candidates: Candidates) -> Exceedances:
        """Of no rows."""
        return Exceedances(np.zeros(len(candidates), np.int64))

    def plus(self, other: Exceedances) -> Exceedances:
        """Both together."""
        return Exceedances(self.alarms + other.alarms, self.watched + other.watched)

    @property
    def weeks(self) -> float:
        """Asset-weeks."""
        return self.watched / _WEEK

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """For a checkpoint."""
        return {"alarms": self.alarms, "watched": np.array([self.watched], np.int64)}

    @staticmethod
    def restored(
        arrays: Mapping[str, NDArray[np.generic]], candidates: Candidates
    ) -> Exceedances:
        """From a checkpoint.

        Raises:
            ValueError: it is of other candidates.
            KeyError: an array is missing.
        """
        alarms = np.asarray(arrays["alarms"], np.int64)
        if alarms.shape != (len(candidates),):
            raise ValueError(f"exceedances of {len(alarms)} candidates do not fit")
        return Exceedances(alarms, int(arrays["watched"][0]))


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """How high each asset's score stands, and since when.

    Attributes:
        active: int64[assets], how many candidates have an alarm.
        peak: int64[assets], the most of them since the live alarm came; 0 without one.
        hot: bool[assets], the last row was above the lowest candidate.
        judged: int64[assets] time of the last row with a verdict, or `alarms.NEVER`.
        above: int64[assets, m] since when above; `NOT_YET` where it is not.
        below: int64[assets, m] since when at or below the clear limit; kept only while
            an alarm is active.
    """

    active: I64
    peak: I64
    hot: Bools
    judged: I64
    above: I64
    below: I64

    @staticmethod
    def fresh(assets: int, candidates: Candidates) -> Levels:
        """All calm."""
        none, never = np.zeros(assets, np.int64), np.full(assets, NEVER, np.int64)
        shape = (assets, len(candidates))
        return Levels(
            *(none, none.copy(), np.zeros(assets, bool), never),
            *(np.full(shape, NOT_YET), np.full(shape, NOT_YET)),
        )

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """For the checkpoint."""
        return {field.name: getattr(self, field.name).copy() for field in fields(self)}

    @staticmethod
    def restored(
        arrays: Mapping[str, NDArray[np.generic]],
        then: Sequence[str],
        now: Sequence[str],
        candidates: Candidates,
    ) -> Levels:
        """From a checkpoint, by asset name: new assets start calm, gone ones go.

        Raises:
            ValueError: the arrays do not fit ``then`` or the candidates.
            KeyError: one is missing.
        """
        fresh = Levels.fresh(len(now), candidates)
        old = {name: place for place, name in enumerate(then)}
        to = np.array([i for i, name in enumerate(now) if name in old], np.int64)
        of = np.array([old[name] for name in now if name in old], np.int64)
        columns = {}
        for name, column in fresh.saved().items():
            given = arrays[name]
            if given.shape != (len(then), *column.shape[1:]):
                raise ValueError(f"{name} is not of {len(then)} assets")
            columns[name] = column
            columns[name][to] = given[of].astype(column.dtype)
        return Levels(**columns)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """Live alarms that are over.

    Attributes:
        asset: int32[n].
        at: int64[n] time of the row, ns.
        peak: float64[n], the highest candidate at which there was an alarm too: with
            any threshold up to this one it would have come.
    """

    asset: I32
    at: I64
    peak: F64


def advance(
    levels: Levels, rows: Rows, limits: Limits, candidates: Candidates, live: int
) -> tuple[Levels, Exceedances, Ended]:
    """Behind the rows of a turn.

    Args:
        levels: before; used up, as it is changed in place: a copy would cost more than
            all the rest.
        rows: as for `alarms.advance`.
        limits: delays and hysteresis; their threshold is not read.
        candidates: the thresholds that are counted.
        live: place of the threshold that alarms are given at now.

    Returns:
        The levels behind them, what has to be added to the exceedances, and live alarms
        that ended.
    """
    judged, watched = levels.judged, 0
    counts, ended = np.zeros(len(candidates) + 1, np.int64), []
    for chosen in rounds(rows.asset):
        part = rows if len(chosen) == len(rows) else rows.take(chosen)
        usable = part.verdict & ~np.isnan(part.score)
        before = judged[part.asset]
        since = np.where(before == NEVER, part.at, before)
        watched += int(np.minimum(part.at - since, LONGEST)[usable].sum())
        judged[part.asset[usable]] = part.at[usable]
        busy = usable & (part.score > candidates.thresholds[0])
        busy |= levels.hot[part.asset]
        busy |= levels.active[part.asset] > 0
        if busy.any():
            turn = _Turn(part.take(np.flatnonzero(busy)), usable[busy], before[busy])
            ended.append(_step(levels, turn, limits, candidates, live, counts))
    return levels, Exceedances(np.cumsum(counts)[:-1], watched), _joined(ended)


class _Turn(NamedTuple):
    """Rows of assets that are not calm, each asset once."""

    rows: Rows
    usable: Bools
    before: I64


def _step(
    levels: Levels,
    turn: _Turn,
    limits: Limits,
    candidates: Candidates,
    live: int,
    counts: I64,
) -> Ended:
    """One row of each asset; changes ``levels`` and ``counts``."""
    asset, at, score = turn.rows.asset, turn.rows.at, turn.rows.score
    limit = candidates.thresholds
    clear = limit - limits.hysteresis * np.abs(limit)
    many = len(limit)
    above = np.where(turn.usable, limit.searchsorted(score, side="left"), 0)
    under = np.where(turn.usable, clear.searchsorted(score, side="left"), many)
    order = np.arange(many)
    if limits.max_gap:
        silent = asset[(turn.before != NEVER) & (at - limits.max_gap > turn.before)]
        levels.above[silent] = levels.below[silent] = NOT_YET
    by = at - limits.on_delay
    reached = _since(levels.above, asset, order >= above[:, None], at, by)
    left = np.zeros(len(at), np.int64)
    lit = np.flatnonzero(levels.active[asset] > 0)
    by = at[lit] - limits.off_delay
    left[lit] = _since(levels.below, asset[lit], order < under[lit, None], at[lit], by)
    active = levels.active[asset]
    # what is active is always the lowest ones, and so is what comes; the highest go
    kept = np.minimum(active, many - left)
    after = np.maximum(kept, reached)
    came = reached > active
    np.add.at(counts, active[came], 1)
    np.subtract.at(counts, reached[came], 1)
    peak = np.maximum(levels.peak[asset], np.where(after > live, after, 0))
    over = (active > live) & (after <= live)
    # what has come just now begins to clear anew
    levels.below[asset[came]] = NOT_YET
    levels.active[asset], levels.hot[asset] = after, above > 0
    levels.peak[asset] = np.where(after > live, peak, 0)
    return Ended(asset[over], at[over], limit[peak[over] - 1])


def _since(table: I64, asset: I32, not_so: Bools, at: I64, by: I64) -> I64:
    """Note since when it is so, and count the candidates where it is so long enough."""
    since = np.minimum(table[asset], at[:, None])
    since[not_so] = NOT_YET
    table[asset] = since
    found: I64 = np.count_nonzero(since <= by[:, None], axis=1)
    return found


def _joined(parts: list[Ended]) -> Ended:
    if not parts:
        none = np.zeros(0, np.int64)
        return Ended(none.astype(np.int32), none, none.astype(np.float64))
    columns = zip(*((part.asset, part.at, part.peak) for part in parts), strict=True)
    return Ended(*(np.concatenate(column) for column in columns))
