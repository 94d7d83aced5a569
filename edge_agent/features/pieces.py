"""A group's windows as spans, and what its parts read of them.

Usually one span holds all columns. Where some tags report every value and others only
changes there are two, made one after the other: they use the same memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features import spans
from edge_agent.features.aggregates import BY_NAME, EvenSpan, WeightedSpan
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.features.aggregates import Span
    from edge_agent.features.grouping import Group, Part
    from edge_agent.features.scratch import Scratch
    from edge_agent.features.sheet import Sheet
    from edge_agent.features.window import Mask, Window
    from edge_agent.samples import F64, I64

_CARRIED = ("mean", "deviation", "mass")
"""What a narrower span need not compute again."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some columns of a group, all of one kind of tag.

    Attributes:
        place: int64[m] which of the group's columns, ascending; None for all.
        where: their windows.
        span: what lies in them.
        share: float64[m] of the samples expected.
    """

    place: I64 | None
    where: spans.Cut
    span: Span
    share: F64

    def of(self, columns: I64, of: int) -> tuple[I64, I64]:
        """Which of its columns are among some of the group's, and as the how manieth.

        Args:
            columns: int64[k] some of the group's.
            of: columns the group has.
        """
        if self.place is None:
            return columns, np.arange(len(columns))
        order = np.full(of, -1)
        order[columns] = np.arange(len(columns))
        mine = order[self.place]
        read = np.flatnonzero(mine >= 0)
        return read, mine[read]


def pieces(
    window: Window,
    where: spans.Cut,
    held: Mask | None,
    group: Group,
    length: int | I64,
    rows: tuple[I64, I64],
    scratch: Scratch,
) -> Iterator[Piece]:
    """The windows of a group; use up each before asking for the next.

    Args:
        window: the rings.
        where: the windows.
        held: bool[n] columns that report changes only; None where none does.
        group: what is read.
        length: of the windows, ns.
        rows: assets and roles of the columns.
        scratch: memory for the tables.
    """
    seconds = length / NANOSECONDS
    stamps = group.parts[0].stamps
    if held is None or not np.count_nonzero(held):
        span = spans.even(window, where, scratch, stamps=stamps, rows=rows)
        yield Piece(None, where, span, _share(span.count, seconds * group.rate))
        return
    for kind in (False, True):
        place = np.flatnonzero(held == kind)
        if not len(place):
            continue
        full = len(place) == len(held)
        part = where if full else where.of(place)
        each = seconds if isinstance(seconds, float) else seconds[place]
        if kind:
            lasting = spans.held(
                window, part, group.period, scratch, stamps=group.stamps
            )
            share = _share(np.nan_to_num(lasting.mass), each)
            yield Piece(None if full else place, part, lasting, share)
        else:
            span = spans.even(window, part, scratch, stamps=stamps, rows=None)
            share = _share(span.count, each * group.rate)
            yield Piece(None if full else place, part, span, share)


def fill(
    sheet: Sheet, group: Group, piece: Piece, window: Window, scratch: Scratch
) -> None:
    """Write a piece's share of the group's features."""
    rows, width = len(sheet.values), len(group.role)
    for part in group.parts:
        if part.position is None and piece.place is None:
            for name, feature, _ in part.aggregates:
                table = BY_NAME[name](piece.span).reshape(rows, width)
                sheet.values[:, feature] = table
            continue
        columns = part.columns(rows, width)
        read, own = piece.of(columns, rows * width)
        if not len(read):
            continue
        span = piece.span
        if part.position is not None:
            span = narrowed(window, piece.where, span, read, scratch, part)
        if piece.place is None:
            for name, feature, _ in part.aggregates:
                sheet.values[:, feature] = BY_NAME[name](span).reshape(rows, -1)
            continue
        row, column = np.divmod(own, len(columns) // rows)
        for name, _, features in part.aggregates:
            sheet.values[row, features[column]] = BY_NAME[name](span)


def narrowed(
    window: Window,
    where: spans.Cut,
    span: Span,
    read: I64,
    scratch: Scratch,
    part: Part,
) -> Span:
    """Some columns of a span, with their stamps where the part needs them."""
    values, count = span.values.take(read, axis=1), span.count[read]
    centre = None if span.centre is None else span.centre.take(read, axis=1)
    if part.stamps and centre is None:
        some_of = (where.column[read], where.start[read], where.at[read])
        centre = spans.centres(window, *some_of, len(values), scratch)
    some: Span
    if isinstance(span, EvenSpan):
        inside = None if span.inside is None else span.inside.take(read, axis=1)
        some = EvenSpan(values, count, span.whole, inside, scratch, centre)
    else:
        weight = span.weight.take(read, axis=1)
        some = WeightedSpan(values, weight, count, scratch, centre, span.period)
    known = vars(span)
    for name in _CARRIED:
        if name in known:
            vars(some)[name] = known[name].take(read, axis=-1)
    return some


def _share(found: F64, expected: float | F64) -> F64:
    if isinstance(expected, float):
        return np.minimum(found / expected, 1.0)
    share = np.zeros_like(found)
    np.divide(found, expected, out=share, where=expected > 0)
    return np.minimum(share, 1.0)
