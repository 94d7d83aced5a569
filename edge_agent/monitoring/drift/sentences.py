"""What a look found, in words, and what to do about it."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.blocks import OTHER
from edge_agent.monitoring.conditions import Condition, What
from edge_agent.monitoring.drift.verdicts import FLOORS, Floors
from edge_agent.monitoring.sensors.words import spoken
from edge_agent.wording import decimals

if TYPE_CHECKING:
    from edge_agent.monitoring.drift.watching import Sight, Watch
    from edge_agent.monitoring.drift.yardstick import Profile, Yardstick
    from edge_agent.monitoring.pieces import Piece
    from edge_agent.samples import F64

INPUT = (
    "Check the instrument and what changed in the process since; if this is how the "
    "plant runs now, have the model trained on newer data."
)
OUTPUT = (
    "Compare the scores with what really was, and have the model checked before its "
    "alarms are relied on."
)
MISSING = "Check the instrument, its wiring and the link it comes over."
UNSEEN = (
    "Tell the model's owner: its scores are a guess here until it is trained on such "
    "rows."
)
_MOVED = 0.5
_SPREAD = 1.25
_NEAR = 0.05
_HOUR, _DAY = 3600.0, 86_400.0
_FARTHEST = 3
_SINGLY = 3
"""So many missing features are told one by one; more have one cause."""


def conditions(
    watch: Watch, yardstick: Yardstick, floors: Floors = FLOORS
) -> list[Condition]:
    """What is so now, of all contexts."""
    found = [
        _drift(sight, column, yardstick)
        for sight in watch.sights
        for column in np.flatnonzero(sight.worst >= 0).tolist()
    ]
    found += _missing(watch, yardstick, floors)
    return found + _unseen(watch, floors)


def _drift(sight: Sight, column: int, yardstick: Yardstick) -> Condition:
    place = int(sight.worst[column])
    look, piece, profile = sight.looks[place], sight.pieces[place], sight.profile
    grid = yardstick.grid
    now, then = (t.mean(grid)[column] for t in (piece.tallies, profile.tallies))
    live, trained = (t.std()[column] for t in (piece.tallies, profile.tallies))
    outside = _outside(piece, profile, column)
    facts = {
        "mean": float(now),
        "mean_then": float(then),
        "std": float(live),
        "std_then": float(trained),
        "outside_usual": outside,
        "w1": float(look.w1[column]),
        "w1_limit": float(look.area_limit[column]),
        "ks": float(look.ks[column]),
        "ks_limit": float(look.largest_limit[column]),
        "psi": float(look.psi[column]),
        "js": float(look.js[column]),
        "p": float(look.p[column]),
        "n_eff": float(look.n_eff[column]),
        "rows": int(piece.tallies.n[column]),
        "hours": (piece.until - piece.since) / 3.6e12,
    }
    is_input = column < yardstick.features
    remark = (
        ""
        if profile.wander is not None
        else (
            " The bundle does not say how much healthy data scatters: only a gross "
            "change is told."
        )
    )
    return Condition(
        What.INPUT_DRIFT if is_input else What.SCORE_DRIFT,
        float(look.strength[column]),
        _sentence(facts, column, sight, piece, yardstick) + remark,
        INPUT if is_input else OUTPUT,
        tag=grid.names[column],
        context=sight.context,
        evidence={k: v for k, v in facts.items() if isfinite(v)},
    )


def _sentence(
    facts: dict[str, float], column: int, sight: Sight, piece: Piece, of: Yardstick
) -> str:
    unit = of.units[column]
    behind = f" {unit}" if unit else ""
    subject = _subject(column, of)
    where = f" in {sight.context}" if sight.context else ""
    over = f"over the last {_lasting(piece)}"
    now, then, scale = facts["mean"], facts["mean_then"], sight.profile.scale[column]
    moved, size = now - then, facts["std_then"] + abs(facts["mean_then"]) * 1e-9
    digits = decimals(min(size, abs(moved)) or abs(then))
    detail = (
        f"mean {now:.{digits}f} instead of {then:.{digits}f}{behind}, "
        f"{facts['outside_usual']:.0%} of values outside the usual range"
    )
    if abs(moved) >= _MOVED * facts["w1"] * scale and moved:
        return (
            f"{subject}{where} is {_much(moved, then, size, behind, of, column)} "
            f"{'higher' if moved > 0 else 'lower'} than when the model was trained, "
            f"{over}: {detail}"
        )
    ratio = facts["std"] / size
    if not 1 / _SPREAD < ratio < _SPREAD:
        word = (
            f"{ratio:.1f} times as much" if ratio > 1 else f"only {ratio:.0%} as much"
        )
        return (
            f"{subject}{where} varies {word} as when the model was trained, {over}: "
            f"standard deviation {facts['std']:.{digits}f} instead of "
            f"{facts['std_then']:.{digits}f}{behind}, {detail}"
        )
    return (
        f"{subject}{where} takes other values than when the model was trained, {over}: "
        f"{facts['ks']:.0%} of values have moved elsewhere, {detail}"
    )


def _subject(column: int, of: Yardstick) -> str:
    label = of.labels[column]
    if column >= of.features:
        return f"The model's {label}"
    label = spoken(label[:1].upper() + label[1:])
    return f"{label} of {of.whose}" if of.whose else label


def _much(
    moved: float, then: float, size: float, behind: str, of: Yardstick, column: int
) -> str:
    """By how much: in per cent where zero means nothing, else in the unit."""
    ratio = abs(moved / then) if then else float("inf")
    if column < of.features and abs(then) > size and _NEAR / 10 <= ratio <= 1.0:
        return f"{ratio:.0%}" if ratio >= _NEAR else f"{ratio:.1%}"
    return f"{abs(moved):.{decimals(abs(moved))}f}{behind}"


def _outside(piece: Piece, profile: Profile, column: int) -> float:
    """Share of the numbers outside the usual range, evenly within a bin."""
    edges = profile.grid.edges[column]
    edges = edges[np.isfinite(edges)]
    counts = piece.tallies.counts[column, : len(edges) + 1]
    total = max(int(counts.sum()), 1)
    low = min(float(piece.tallies.low[column]), float(edges[0]))
    high = max(float(piece.tallies.high[column]), float(edges[-1]))
    places = np.r_[low, edges, high]
    below = np.r_[0.0, counts.cumsum() / total]
    usual = profile.usual_low[column], profile.usual_high[column]
    if not np.isfinite(usual).all():
        return float("nan")
    under, over = np.interp(usual, places, below)
    return float(under + 1.0 - over)


def _missing(watch: Watch, of: Yardstick, floors: Floors) -> list[Condition]:
    if watch.recent is None:
        return []
    live, then = watch.recent.tallies, of.whole.tallies
    share = live.missing / np.maximum(live.n + live.missing, 1)
    usual = then.missing / np.maximum(then.n + then.missing, 1)
    over = (share - usual)[: of.features] / floors.missing
    if np.count_nonzero(over >= 1.0) > _SINGLY:
        return [_many_missing(watch.recent, over, share, of)]
    return [
        Condition(
            What.TOO_MUCH_MISSING,
            float(over[column]),
            f"{_subject(column, of)} is missing in {share[column]:.0%} of rows over "
            f"the last {_lasting(watch.recent)}, {usual[column]:.0%} when the model "
            "was trained: those rows have no score",
            MISSING,
            tag=of.grid.names[column],
            evidence={
                "missing": float(share[column]),
                "missing_then": float(usual[column]),
                "rows": watch.recent.tallies.rows,
            },
        )
        for column in np.flatnonzero(over >= 1.0).tolist()
    ]


def _many_missing(recent: Piece, over: F64, share: F64, of: Yardstick) -> Condition:
    """Many at once have one cause: it is told once."""
    lacking = np.flatnonzero(over >= 1.0)
    tags = dict.fromkeys(of.grid.names[i].partition(".")[0] for i in lacking)
    named = spoken(", ".join(list(tags)[:_SINGLY]))
    more = f" and {len(tags) - _SINGLY} more tags" if len(tags) > _SINGLY else ""
    least = share[lacking].min()
    return Condition(
        What.TOO_MUCH_MISSING,
        float(over.max()),
        f"{len(lacking)} of {of.features} features of {of.whose or 'the model'} are "
        f"missing in {least:.0%} of rows or more over the last {_lasting(recent)} "
        f"({named}{more}): those rows have no score",
        MISSING,
        evidence={
            "features": len(lacking),
            "missing": float(least),
            "rows": recent.tallies.rows,
        },
    )


def _unseen(watch: Watch, floors: Floors) -> list[Condition]:
    return [
        Condition(
            What.UNSEEN_CONTEXT,
            share / floors.unseen,
            (
                f"{share:.0%} of rows are in more contexts than are told apart"
                if context == OTHER
                else f"{share:.0%} of rows are in {context or 'no context'}, which the "
                "model was not trained on"
            ),
            UNSEEN,
            context=context,
            evidence={"share": share},
        )
        for context, share in watch.strange.items()
        if share >= floors.unseen
    ]


def _lasting(piece: Piece) -> str:
    seconds = (piece.until - piece.since) / 1e9
    if seconds < 2 * _HOUR:
        return f"{seconds / 60:.0f} minutes"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.0f} hours"
    return f"{seconds / _DAY:.0f} days"
