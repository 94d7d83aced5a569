"""One look at all that is remembered of a pipeline: each context, each window.

A column is told of by the window in which it stands out most, unless a shorter window
shows that it is over: what was mended yesterday is still in the mean of a month.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.blocks import WINDOWS
from edge_agent.monitoring.conditions import What
from edge_agent.monitoring.drift.verdicts import (
    FLOORS,
    Floors,
    Look,
    Stretch,
    Unjudged,
    alpha_of,
    looked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.monitoring.blocks import Blocks
    from edge_agent.monitoring.drift.yardstick import Profile, Yardstick
    from edge_agent.monitoring.episodes import Key
    from edge_agent.monitoring.pieces import Piece
    from edge_agent.samples import F64, I64

    Bools = NDArray[np.bool_]

_STILL = 0.5
_SURE = 0.4
_DRIFT = frozenset({What.INPUT_DRIFT.value, What.SCORE_DRIFT.value})


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One context as it is now.

    Attributes:
        context: empty for all.
        profile: what it was held against.
        pieces: the rows of each window, shortest first.
        looks: at each.
        worst: int64[columns], the window that is told of, -1 where none is.
    """

    context: str
    profile: Profile
    pieces: tuple[Piece, ...]
    looks: tuple[Look, ...]
    worst: I64

    @property
    def judged(self) -> Bools:
        """bool[columns], by one window or another."""
        found: Bools = np.any([look.judged for look in self.looks], axis=0)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """Everything of one look.

    Attributes:
        sights: of the contexts that ran since the last look.
        strange: by context without a profile, its share of the recent rows.
        recent: rows of the last window's length, all contexts; None without any.
        unjudged: columns that could not be judged, by reason.
    """

    sights: tuple[Sight, ...]
    strange: Mapping[str, float]
    recent: Piece | None
    unjudged: Mapping[Unjudged, int]

    def judges(self, names: Sequence[str]) -> Callable[[Key], bool]:
        """Whether this look could have seen a condition, for `Episodes.looked`.

        Args:
            names: of the columns, as in the grid.
        """
        known = {
            (names[column], sight.context)
            for sight in self.sights
            for column in np.flatnonzero(sight.judged).tolist()
        }
        any_rows = self.recent is not None

        def judged(key: Key) -> bool:
            what, _, tag, context = key
            return (tag, context) in known if what in _DRIFT else any_rows

        return judged


def watched(
    blocks: Blocks,
    yardstick: Yardstick,
    findings: float,
    ran: Iterable[str],
    floors: Floors = FLOORS,
) -> Watch:
    """Look at every context that ran.

    Args:
        blocks: just closed.
        yardstick: the model's.
        findings: false ones a month that may come of a healthy plant.
        ran: contexts with rows in the block that was closed.
        floors: what is worth telling.
    """
    recent = blocks.recent(blocks.since)
    there = {context for context in blocks.closed if yardstick.profile(context)}
    known = there & set(ran)
    if not yardstick.contexts:
        there, known = {""}, {""} if known else set()
    columns = len(yardstick.grid.names) * max(len(there), 1)
    sights = [
        sight
        for context in sorted(known)
        if (sight := _sight(blocks, yardstick, context, findings, columns, floors))
    ]
    rows = sum(piece.tallies.rows for piece in recent.values())
    strange = {
        context: piece.tallies.rows / rows
        for context, piece in recent.items()
        if yardstick.profile(context) is None
    }
    unjudged = _counted(sights)
    if strange:
        lost = len(strange) * len(yardstick.grid.names)
        unjudged[Unjudged.NO_PROFILE] = lost
    together = None
    for piece in recent.values():
        together = piece if together is None else together.plus(piece)
    return Watch(tuple(sights), strange, together, unjudged)


def _sight(
    blocks: Blocks,
    yardstick: Yardstick,
    context: str,
    findings: float,
    columns: int,
    floors: Floors,
) -> Sight | None:
    profile = yardstick.profile(context)
    pieces, looks = [], []
    for place in range(WINDOWS):
        piece = _window(blocks, yardstick, context, place)
        if piece is None or profile is None:
            break
        nominal = blocks.cadence.seconds(place)
        alpha = alpha_of(findings / WINDOWS, columns, nominal)
        stretch = Stretch(piece.seconds, piece.assets, piece.blocks)
        pieces.append(piece)
        looks.append(looked(profile, piece.tallies, stretch, alpha, floors))
    if profile is None or not looks:
        return None
    return Sight(
        context, profile, tuple(pieces), tuple(looks), _worst(profile, pieces, looks)
    )


def _window(
    blocks: Blocks, yardstick: Yardstick, context: str, place: int
) -> Piece | None:
    """Of all contexts where the reference has none."""
    if not yardstick.contexts:
        return blocks.whole(place)
    return blocks.window(context, place)


def _worst(profile: Profile, pieces: Sequence[Piece], looks: Sequence[Look]) -> I64:
    """The window each column is told of."""
    strength = np.array([look.strength for look in looks])
    if (strength >= 1.0).any():
        moved = [_moved(profile, piece) for piece in pieces]
        for place in range(1, len(looks)):
            for shorter in range(place):
                gone = _is_gone(
                    looks[shorter], moved[shorter], looks[place], moved[place]
                )
                strength[place, gone] = 0.0
    worst = strength.argmax(axis=0)
    there = np.take_along_axis(strength, worst[None], axis=0)[0] >= 1.0
    return np.where(there, worst, -1).astype(np.int64)


def _moved(profile: Profile, piece: Piece) -> F64:
    """float64[columns, bins], difference of the cumulative shares."""
    live, then = piece.tallies, profile.tallies
    found: F64 = (
        live.counts.cumsum(axis=1) / np.maximum(live.n, 1)[:, None]
        - then.counts.cumsum(axis=1) / np.maximum(then.n, 1)[:, None]
    )
    return found


def _is_gone(short: Look, now: F64, long: Look, before: F64) -> Bools:
    """bool[columns], whether a shorter window shows that it is over.

    Less than half of the move, in its direction, where the shorter window's own
    scatter is too small for that to be chance.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        left = (now * before).sum(axis=1) / (before * before).sum(axis=1)
        error = 0.5 / np.sqrt(short.n_eff) / long.ks
    found: Bools = (left < _STILL) & (error < _SURE) & (short.strength < 1.0)
    return found


def _counted(sights: list[Sight]) -> dict[Unjudged, int]:
    """Columns that no window could judge, by the first window's reason."""
    found: dict[Unjudged, int] = {}
    for sight in sights:
        for code in sight.looks[0].reason[~sight.judged].tolist():
            found[Unjudged(code)] = found.get(Unjudged(code), 0) + 1
    return found
