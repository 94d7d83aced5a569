"""Predictions and labels as columns of fixed width. Pure.

A prediction takes 47 bytes of memory and its label 11 more (35 and 11 where rows are
buckets of time and have no part id), plus 2 for each group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    Names = Sequence[str]

#: Columns by name, all of one length.
Columns = dict[str, NDArray[Any]]
#: Kind of number by the column's name, little-endian as on disk.
Kinds = Mapping[str, str]

MILLISECOND = 1_000_000
_SECOND = 1_000_000_000
_MOST = 2**31 - 1


class State(IntEnum):
    """What a label says."""

    NONE = 0
    GOOD = 1
    BAD = 2
    VALUE = 3
    """A number, neither good nor bad."""


class Flag(IntFlag):
    """What is true of a prediction."""

    ALARM = 1
    """An alarm was active after it."""
    NO_SCORE = 2
    OVER = 4
    """The score was above the threshold, compared before it was rounded."""
    COARSE = 8
    """The wall clock was so far off that the offset is kept in seconds."""
    STAND_IN = 16
    """Not the model's: a rung below it on the ladder."""


_ROW = {
    "asset": "<i4",
    "at": "<i8",
    "offset": "<i4",
    "score": "<f4",
    "threshold": "<f4",
    "word": "<i2",
    "probability": "<f4",
    "context": "<u2",
    "version": "<u2",
    "flags": "u1",
}
#: A part: hash of its id, a second one that tells collisions apart.
PART: Kinds = {"key": "<u8", "check": "<u4", **_ROW}
#: A stretch of time of an asset; ``at`` is its begin, the score its highest.
BUCKET: Kinds = {**_ROW, "rows": "<u2"}
#: What a label adds to its row; ``delay`` in seconds. Groups are named g0, g1, ...
LABEL: Kinds = {"state": "u1", "value": "<f4", "label": "<i2", "delay": "<i4"}


def label_kinds(groups: int) -> Kinds:
    """Columns of a label with so many groups."""
    return {**LABEL, **{f"g{place}": "<u2" for place in range(groups)}}


#: A label that waits to be joined. ``part`` tells that there is a part id; ``since``
#: and ``until`` are wall times, `NO_TIME` where there is none; asset `ANY` for none.
TOLD: Kinds = {
    "part": "?",
    "key": "<u8",
    "check": "<u4",
    "asset": "<i4",
    "since": "<i8",
    "until": "<i8",
    "state": "u1",
    "value": "<f4",
    "label": "<i2",
    "at": "<i8",
}
NO_TIME = -(2**62)
ANY = -1


def waiting_kinds(groups: int) -> Kinds:
    """Columns of a waiting label with so many groups."""
    return {**TOLD, **{f"g{place}": "<u2" for place in range(groups)}}


def width(kinds: Kinds) -> int:
    """Bytes of one row."""
    return sum(np.dtype(kind).itemsize for kind in kinds.values())


def empty(kinds: Kinds, rows: int = 0) -> Columns:
    """Columns of zeros: pages the system gives when they are written."""
    return {name: np.zeros(rows, kind) for name, kind in kinds.items()}


def length(columns: Columns) -> int:
    """Rows."""
    return len(next(iter(columns.values())))


def taken(columns: Columns, rows: NDArray[Any] | slice) -> Columns:
    """Rows by mask, position or slice."""
    return {name: column[rows] for name, column in columns.items()}


def stacked(parts: Sequence[Columns], kinds: Kinds) -> Columns:
    """Several sets of rows as one, in order."""
    if not parts:
        return empty(kinds)
    return {
        name: np.concatenate([part[name] for part in parts]).astype(kind, copy=False)
        for name, kind in kinds.items()
    }


def offsets(offset: int) -> tuple[int, Flag]:
    """Ns between agent time and wall clock as they are kept, and the flag to keep.

    Milliseconds up to 24 days, else seconds up to 68 years.
    """
    if abs(offset) <= _MOST * MILLISECOND:
        return round(offset / MILLISECOND), Flag(0)
    return max(-_MOST, min(_MOST, round(offset / _SECOND))), Flag.COARSE


def wall(rows: Columns) -> NDArray[np.int64]:
    """int64[n] ns of each row as the gateway's wall clock showed them then."""
    coarse = (rows["flags"] & np.uint8(Flag.COARSE)) > 0
    unit = np.where(coarse, _SECOND, MILLISECOND)
    found: NDArray[np.int64] = rows["at"] + rows["offset"].astype(np.int64) * unit
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Silent:
    """The newest predictions of a model that have no label, n rows.

    Attributes:
        version, predicted, probability, score: as of `Joined`.
        alarm: bool[n] the verdict, as in ``Joined.verdict``.
    """

    version: NDArray[np.uint16]
    predicted: NDArray[np.int16]
    probability: NDArray[np.float32]
    score: NDArray[np.float32]
    alarm: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Predictions of one pipeline whose label has come, n rows, oldest first.

    Attributes:
        asset: int32[n] position in ``assets``.
        at: int64[n] agent time of the row (begin of the bucket), ns.
        wall: int64[n] the same as the wall clock showed it then.
        score, threshold: float32[n]; the score is NaN where there was none.
        over: bool[n] the score was above the threshold.
        alarm: bool[n] an alarm was active.
        scored: bool[n] there was a score.
        by_model: bool[n] a model made it, not a rung below.
        bad: bool[n] the label says bad; ``good`` that it says good; a label that is
            only a number says neither.
        value: float32[n] the label as a number, NaN where it is none.
        label: int16[n] the label's text in ``words``, 0 for a number.
        predicted: int16[n] the likeliest class in ``words``, 0 for none.
        probability: float32[n] of that class, NaN for none.
        context: uint16[n] in ``contexts``.
        version: uint16[n] in ``versions``.
        groups: uint16[n] by name of the group, in ``group_words`` of that name.
        delay: float64[n] seconds from the prediction to its (last) label.
        piece: int64[n] buckets of one asset that one label named, without a gap, have
            the same number: they are one piece of evidence; -1 for parts.
        episode: int64[n] likewise buckets in which one alarm was active; -1 where none
            was, and for parts.
        rows: uint16[n] scored rows behind a bucket; 1 for a part.
        bucket: seconds of a bucket; 0 for parts.
        predictions: predictions held, with a label or without, by version.
        made: int64[m, 4] of the predictions a label could have come for by now (they
            have one, or are older than 95 of 100 labels were late): version, context,
            how many without and with the verdict of an alarm.
        silent: the newest without a label.
    """

    assets: tuple[str, ...]
    asset: NDArray[np.int32]
    at: NDArray[np.int64]
    wall: NDArray[np.int64]
    score: NDArray[np.float32]
    threshold: NDArray[np.float32]
    over: NDArray[np.bool_]
    alarm: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    by_model: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    good: NDArray[np.bool_]
    value: NDArray[np.float32]
    label: NDArray[np.int16]
    predicted: NDArray[np.int16]
    probability: NDArray[np.float32]
    context: NDArray[np.uint16]
    version: NDArray[np.uint16]
    groups: Mapping[str, NDArray[np.uint16]]
    delay: NDArray[np.float64]
    piece: NDArray[np.int64]
    episode: NDArray[np.int64]
    rows: NDArray[np.uint16]
    words: tuple[str, ...]
    contexts: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    """Version and digest of each."""
    group_words: Mapping[str, tuple[str, ...]]
    predictions: NDArray[np.int64]
    bucket: float = 0.0
    made: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 4), np.int64))
    silent: Silent | None = None

    @property
    def verdict(self) -> NDArray[np.bool_]:
        """bool[n] what was judged: a part by its score, a bucket by the alarm.

        An alarm may stand for several parts, as its delays and hysteresis say; the
        model's word on one part is whether its score is above the threshold.
        """
        return self.alarm if self.bucket else self.over

    def __len__(self) -> int:
        """Count rows."""
        return len(self.asset)
