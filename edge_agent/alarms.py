"""Scores to alarms, for all assets at once.

An alarm becomes active when the score stays above the limit for the on-delay, and
returns to normal when it stays at or below the clear limit (limit less hysteresis) for
the off-delay. Between the two limits an active alarm stays active and its off-delay
starts again; a normal one's on-delay starts again as soon as the score is not above the
limit. One episode gives exactly two transitions.

A row without a verdict (bad quality, no score) is no evidence either way: an active
alarm stays active, a normal one stays normal, and a running delay starts again.

A row whose alarm is suppressed by design (ISA-18.2: the machine stands, or warms up)
is evidence of one thing only: an active alarm is not wanted. It counts as a score below
the clear limit, so the alarm returns to normal after the off-delay; what is still wrong
when the machine runs again comes again, as another episode. Nothing comes meanwhile.

An alarm that keeps coming back is held: a return to normal waits while the asset has
already changed too often within `Limits.chatter_window`. An alarm that comes is never
held back, and no window ever has more than `Limits.chatter_count` changes.

Times are the rows' own, never a clock's: a replay makes the same transitions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.limits import Limits, Rows
from edge_agent.records import AlarmState as State
from edge_agent.rounds import rounds
from edge_agent.transitions import NO_CHANGE, Transitions, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import I64, U8

    Bools = NDArray[np.bool_]

__all__ = [
    "NEVER",
    "AlarmStates",
    "Limits",
    "Rows",
    "Transitions",
    "advance",
    "occurrence",
]

NEVER = int(np.iinfo(np.int64).min)
LONG_AGO = -(2**62)


@dataclass(frozen=True, slots=True, eq=False)
class AlarmStates:
    """One alarm an asset; replaced by `advance`, never changed.

    Attributes:
        active: bool[assets].
        since: int64[assets] when the state was entered; `NEVER` before the first.
        pending: int64[assets] first row of the run that may change the state, or
            `NEVER`.
        judged: int64[assets] last row with a verdict, or `NEVER`.
        number: int64[assets] episodes so far.
        recent: int64[assets, k] times of the last transitions, newest first.
    """

    active: Bools
    since: I64
    pending: I64
    judged: I64
    number: I64
    recent: I64

    @staticmethod
    def fresh(assets: int, *, remembered: int = 8) -> AlarmStates:
        """All normal; ``remembered`` must be at least the limits' chatter count."""
        never = np.full(assets, NEVER, np.int64)
        return AlarmStates(
            np.zeros(assets, bool),
            never,
            never,
            never,
            np.zeros(assets, np.int64),
            np.full((assets, remembered), LONG_AGO, np.int64),
        )

    def to_arrays(self) -> dict[str, NDArray[np.int64]]:
        """For the checkpoint: plain int64 arrays by name."""
        return {f.name: getattr(self, f.name).astype(np.int64) for f in fields(self)}

    @staticmethod
    def from_arrays(
        arrays: Mapping[str, NDArray[np.int64]],
        then: Sequence[str],
        now: Sequence[str],
    ) -> AlarmStates:
        """From a checkpoint, by asset name: new assets start fresh, gone ones go.

        Args:
            arrays: what `to_arrays` gave.
            then: asset ids when it was saved.
            now: asset ids now.

        Raises:
            ValueError: the arrays do not fit ``then``.
        """
        fresh = AlarmStates.fresh(len(now), remembered=arrays["recent"].shape[1])
        if any(len(arrays[f.name]) != len(then) for f in fields(fresh)):
            raise ValueError("a checkpoint of alarms does not fit its list of assets")
        old = {name: position for position, name in enumerate(then)}
        pairs = [(i, old[name]) for i, name in enumerate(now) if name in old]
        to = np.array([i for i, _ in pairs], np.int64)
        of = np.array([j for _, j in pairs], np.int64)
        columns: dict[str, NDArray[np.generic]] = {}
        for f in fields(fresh):
            column = getattr(fresh, f.name).copy()
            column[to] = arrays[f.name][of].astype(column.dtype)
            columns[f.name] = column
        return AlarmStates(**columns)  # type: ignore[arg-type]


def occurrence(asset: str, since: int) -> str:
    """Id of one episode; the same live, in a replay and after a restart."""
    return f"{asset}-{since // 1000:x}"


def advance(
    states: AlarmStates, rows: Rows, limits: Limits
) -> tuple[AlarmStates, U8, Transitions]:
    """Judge rows; several rows of one asset are taken in their order.

    Returns:
        The new states, uint8[n] `records.AlarmState` after each row, and the changes.
    """
    after = np.zeros(len(rows), np.uint8)
    if _calm(states, rows, limits):
        return _noted(states, rows), after, NO_CHANGE
    new = _copied(states)
    found = [NO_CHANGE]
    for chosen in rounds(rows.asset):
        part = rows.take(chosen)
        found.append(_step(new, chosen, part, limits))
        after[chosen] = new.active[part.asset]
    return new, after, joined(found)


def _calm(states: AlarmStates, rows: Rows, limits: Limits) -> bool:
    """The usual case: no asset of the rows is in alarm or on the way to one."""
    beyond = rows.score > limits.of(rows)[0]
    beyond &= rows.verdict
    beyond |= states.active[rows.asset]
    beyond |= states.pending[rows.asset] != NEVER
    return not np.count_nonzero(beyond)


def _noted(states: AlarmStates, rows: Rows) -> AlarmStates:
    """The states after calm rows: only that they were judged."""
    usable = rows.verdict & ~np.isnan(rows.score)
    judged = states.judged.copy()
    judged[rows.asset[usable]] = rows.at[usable]  # of several of an asset the last
    return AlarmStates(
        *(states.active, states.since, states.pending),
        *(judged, states.number, states.recent),
    )


def _copied(states: AlarmStates) -> AlarmStates:
    return replace(
        states, **{f.name: getattr(states, f.name).copy() for f in fields(states)}
    )


def _step(states: AlarmStates, rows: I64, part: Rows, limits: Limits) -> Transitions:
    """One round, each asset at most once; changes ``states``."""
    asset, at = part.asset, part.at
    active = states.active[asset]
    usable = part.verdict & ~np.isnan(part.score)
    limit, clear = limits.of(part)
    leaning = usable & np.where(active, part.score <= clear, part.score > limit)
    if part.suppressed is not None:
        unwanted = active & part.suppressed
        usable, leaning = usable | unwanted, leaning | unwanted
    pending = _pending(states, part, leaning, limits)
    # rows that do not lean have no pending time: their wait is 0, and unused
    waited = at - np.where(leaning, pending, at)
    delay = np.where(active, limits.off_delay, limits.on_delay)
    recent = _recent(states, part, limits)
    held = active & (
        recent >= limits.chatter_count - 1 if limits.chatter_count else False
    )
    change = leaning & (waited >= delay) & ~held
    states.judged[asset] = np.where(usable, at, states.judged[asset])
    states.pending[asset] = np.where(change, NEVER, pending)
    changed = np.flatnonzero(change)
    if not len(changed):
        return NO_CHANGE
    return _changes(
        states, rows[changed], part.take(changed), pending[changed], recent[changed]
    )


def _pending(states: AlarmStates, part: Rows, leaning: Bools, limits: Limits) -> I64:
    """Start of each asset's run of leaning rows, `NEVER` for none."""
    pending, judged = states.pending[part.asset], states.judged[part.asset]
    if limits.max_gap:
        silent = (judged != NEVER) & (part.at - limits.max_gap > judged)
        pending = np.where(silent, NEVER, pending)
    started = np.where(pending == NEVER, part.at, pending)
    return np.where(leaning, started, NEVER)


def _recent(states: AlarmStates, part: Rows, limits: Limits) -> I64:
    """Changes of each asset within the window before its row."""
    horizon = (part.at - limits.chatter_window)[:, None]
    counts: I64 = np.count_nonzero(states.recent[part.asset] > horizon, axis=1)
    return counts


def _changes(
    states: AlarmStates, rows: I64, part: Rows, leaning: I64, recent: I64
) -> Transitions:
    """Enter the new states of the assets that change."""
    who, when = part.asset, part.at
    becomes = ~states.active[who]
    since = np.where(becomes, when, states.since[who])
    states.active[who] = becomes
    states.since[who] = when
    states.number[who] += becomes
    states.recent[who] = np.c_[when, states.recent[who][:, :-1]]
    state = np.where(becomes, State.ACTIVE, State.NORMAL).astype(np.uint8)
    return Transitions(rows, state, since, leaning, states.number[who], recent + 1)
