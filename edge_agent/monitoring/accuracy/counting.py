"""Labelled rows summed up, by version, context or group; sums add up.

Of constant size however many rows there are. Besides the sums themselves the sums of
their products over labels are kept: a label that speaks for an hour of rows is one
piece of evidence, and from these products follows how many pieces there really are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.accuracy.joined import UNKNOWN
from edge_agent.monitoring.accuracy.reliability import BINS, bins_by_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge_agent.monitoring.accuracy.joined import Joined
    from edge_agent.samples import F64, I32, I64


class Part(IntEnum):
    """What is summed, column by column."""

    TP = 0
    FP = 1
    FN = 2
    TN = 3
    RIGHT = 4
    NUMBERS = 5
    ABSOLUTE = 6
    SQUARE = 7


_CELL = np.array([[Part.TN, Part.FN], [Part.FP, Part.TP]], np.int64)
"""Of alarm, then bad."""
_PARTS = len(Part)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Of labelled rows, by k codes.

    Attributes:
        total: float64[k, parts], see `Part`.
        product: float64[k, parts, parts], sum over pieces of the product of two parts.
        labels: int64[k].
        pieces: int64[k] of evidence; fewer than labels where rows follow each other
            fast (`Joined.in_stretches`).
        false_alarms: int64[k], alarms a label says were wrong; an alarm of many rows
            counts once.
        hours: float64[k], asset-hours.
        bins: float64[k, BINS, 3], rows, sum of the model's chances, bad ones.
    """

    total: F64
    product: F64
    labels: I64
    pieces: I64
    false_alarms: I64
    hours: F64
    bins: F64

    @staticmethod
    def none(codes: int) -> Sums:
        """Of no rows."""
        return Sums(
            np.zeros((codes, _PARTS)),
            np.zeros((codes, _PARTS, _PARTS)),
            np.zeros(codes, np.int64),
            np.zeros(codes, np.int64),
            np.zeros(codes, np.int64),
            np.zeros(codes),
            np.zeros((codes, BINS, 3)),
        )

    def __len__(self) -> int:
        """Count codes."""
        return len(self.total)

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(*(getattr(self, n) + getattr(other, n) for n in _NAMES))

    def minus(self, other: Sums) -> Sums:
        """Without rows counted before: their label was corrected."""
        return Sums(*(getattr(self, n) - getattr(other, n) for n in _NAMES))

    def whole(self) -> Sums:
        """All codes together: one row."""
        return Sums(*(getattr(self, n).sum(axis=0, keepdims=True) for n in _NAMES))

    def part(self, part: Part) -> F64:
        """float64[k] of one part."""
        found: F64 = self.total[:, part]
        return found

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """For a checkpoint."""
        return {name: getattr(self, name) for name in _NAMES}

    @staticmethod
    def restored(arrays: Mapping[str, NDArray[np.generic]], codes: int) -> Sums:
        """From a checkpoint; codes that are new since then begin with nothing.

        Raises:
            ValueError: the arrays do not belong together, or know more codes.
            KeyError: one is missing.
        """
        empty, found = Sums.none(codes), []
        kept = len(arrays["labels"])
        for name in _NAMES:
            given, wanted = arrays[name], getattr(empty, name)
            shape = (kept, *wanted.shape[1:])
            if kept > codes or given.shape != shape or given.dtype != wanted.dtype:
                raise ValueError(f"{name} is {given.dtype}{list(given.shape)}")
            wanted[:kept] = given
            found.append(wanted)
        return Sums(*found)


_NAMES = tuple(field.name for field in fields(Sums))


def summed(rows: Joined, code: I32, codes: int, hours: F64 | None = None) -> Sums:
    """Sum labelled rows up.

    Args:
        rows: n of them.
        code: int32[n] below ``codes``: ``rows.version``, ``rows.groups[:, 0]``; a row
            with `UNKNOWN` is not counted.
        codes: how many there are.
        hours: float64[codes] asset-hours observed, where labels are known only for some
            rows; default: the sum of ``rows.hours``.
    """
    if not (code >= 0).all():
        known = code != UNKNOWN
        rows, code = rows.take(known), code[known]
    piece = rows.piece
    own = piece == UNKNOWN
    if own.all():
        total, product, pieces = _apart(rows, code, codes)
    elif not own.any():
        total, product, pieces = _by_piece(rows, piece, code, codes)
    else:
        mine, other = rows.take(own), rows.take(~own)
        one = _apart(mine, code[own], codes)
        two = _by_piece(other, piece[~own], code[~own], codes)
        total, product, pieces = one[0] + two[0], one[1] + two[1], one[2] + two[2]
    if hours is None:
        hours = np.bincount(code, rows.hours, codes).astype(np.float64)
    return Sums(
        *(total, product, _labels(rows, code, codes), pieces),
        *(_false_alarms(rows, code, codes), hours, _binned(rows, code, codes)),
    )


def _labels(rows: Joined, code: I32, codes: int) -> I64:
    """int64[codes], a label for many rows counts once."""
    own = rows.label == UNKNOWN
    found = np.bincount(code if own.all() else code[own], minlength=codes)
    if own.all():
        return found
    _, of = _pieces(code[~own], rows.label[~own], codes)
    return found + np.bincount(of, minlength=codes)


def _apart(rows: Joined, code: I32, codes: int) -> tuple[F64, F64, I64]:
    """Each row with a label of its own: products follow from the sums."""
    total = np.zeros((codes, _PARTS))
    product = np.zeros((codes, _PARTS, _PARTS))
    judged, cell = _cells(rows, code)
    cells = np.bincount(cell, minlength=4 * codes).reshape(codes, 4)
    right = cells * np.array([1, 0, 0, 1])
    if (rows.found != UNKNOWN).any():
        hit = rows.right if judged is None else rows.right[judged]
        right = np.bincount(cell[hit], minlength=4 * codes).reshape(codes, 4)
    total[:, :4], total[:, Part.RIGHT] = cells, right.sum(axis=1)
    diagonal = np.arange(4)
    product[:, diagonal, diagonal] = cells
    product[:, :4, Part.RIGHT] = product[:, Part.RIGHT, :4] = right
    product[:, Part.RIGHT, Part.RIGHT] = right.sum(axis=1)
    numbered, away = _errors(rows)
    if len(away):
        own = code[numbered]
        square = away * away
        powers = (None, away, square, square * away, square * square)
        sums = np.stack([np.bincount(own, p, codes) for p in powers], axis=1)
        order = np.arange(3)
        total[:, Part.NUMBERS :] = sums[:, :3]
        product[:, Part.NUMBERS :, Part.NUMBERS :] = sums[:, order[:, None] + order]
    return total, product, np.bincount(code, minlength=codes)


def _by_piece(rows: Joined, number: I64, code: I32, codes: int) -> tuple[F64, F64, I64]:
    """Rows of one piece and code summed first."""
    piece, of = _pieces(code, number, codes)
    summands = np.zeros((len(of), _PARTS))
    judged, cell = _cells(rows, np.zeros(len(code), np.int32))
    mine = piece if judged is None else piece[judged]
    flat = np.bincount(mine * 4 + cell, minlength=4 * len(of))
    summands[:, :4] = flat.reshape(-1, 4)
    right = rows.right if judged is None else rows.right & judged
    summands[:, Part.RIGHT] = np.bincount(piece, right, len(of))
    numbered, away = _errors(rows)
    for power, part in enumerate((Part.NUMBERS, Part.ABSOLUTE, Part.SQUARE)):
        summands[:, part] = np.bincount(piece[numbered], away**power, len(of))
    product = np.zeros((codes, _PARTS, _PARTS))
    total = np.zeros((codes, _PARTS))
    # pieces come in the order of their codes
    ends = np.searchsorted(of, np.arange(codes), side="right")
    for place, own in enumerate(np.split(summands, ends[:-1])):
        total[place], product[place] = own.sum(axis=0), own.T @ own
    return total, product, np.bincount(of, minlength=codes)


def _pieces(code: I32, label: I64, codes: int) -> tuple[I64, I64]:
    """int64[n] number of each row's piece of evidence, int64[pieces] the code of each.

    Labels are usually numbered one after the other, and then need no sorting.
    """
    most = 4 * len(label) + 1024
    first = label.min()
    span = int(label.max() - first) + 1
    if span * codes > most:
        distinct, label = np.unique(label, return_inverse=True)
        first, span = 0, len(distinct)
    key = code.astype(np.int64) * span + (label - first)
    if span * codes > most:
        found, number = np.unique(key, return_inverse=True)
        return number, found // span
    there = np.bincount(key, minlength=span * codes) > 0
    return (np.cumsum(there) - 1)[key], np.flatnonzero(there) // span


def _cells(rows: Joined, code: I32) -> tuple[NDArray[np.bool_] | None, I64]:
    """Rows judged good or bad (None for all), and for these 4 * code + cell."""
    bad, alarm = rows.bad, rows.alarm
    judged = bad != UNKNOWN
    some = None
    if not judged.all():
        some, bad, alarm, code = judged, bad[judged], alarm[judged], code[judged]
    cell = _CELL.ravel()[alarm * np.int8(2) + bad]
    return some, code * np.int64(4) + cell


def _errors(rows: Joined) -> tuple[NDArray[np.bool_], F64]:
    """Rows with a number for a label, and how far each of these is off."""
    numbered = np.isfinite(rows.value)
    if not numbered.any():
        return numbered, np.zeros(0)
    numbered &= np.isfinite(rows.score)
    return numbered, np.abs(rows.score[numbered] - rows.value[numbered])


def _binned(rows: Joined, code: I32, codes: int) -> F64:
    known = np.isfinite(rows.probability)
    known &= rows.bad != UNKNOWN
    if known.all():
        return bins_by_code(rows.probability, rows.bad, code, codes)
    return bins_by_code(rows.probability[known], rows.bad[known], code[known], codes)


def _false_alarms(rows: Joined, code: I32, codes: int) -> I64:
    wrong = rows.alarm & (rows.bad == 0)
    episode, code = rows.episode[wrong], code[wrong]
    single = episode == UNKNOWN
    found = np.bincount(code[single], minlength=codes)
    if single.all():
        return found
    pairs = np.stack([code[~single].astype(np.int64), episode[~single]])
    order = np.lexsort(pairs)
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(pairs[:, order], axis=1) != 0).any(axis=0)
    return found + np.bincount(pairs[0, order[new]], minlength=codes)
