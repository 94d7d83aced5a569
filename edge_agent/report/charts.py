"""Small charts as SVG text: no script, no font, no colour that print cannot show. Pure.

Every chart has a title for screen readers, axes with units, and shows what is missing
as a gap.
"""

from __future__ import annotations

import math
import textwrap
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.report.document import Column, Day, Group

WIDE, HIGH = 640, 180
_LONGEST = 26  # letters of a group
_TINY = 1e-9
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 10, 26
_INK, _PALE, _BLUE, _ORANGE, _RED = "#333", "#ddd", "#2b6cb0", "#dd6b20", "#c53030"


def histogram(column: Column, *, wide: int = 300, high: int = 120) -> str:
    """Shares of the reference (grey) and of now (blue), a pair of bars a bin.

    The outermost bins are open: what lies below and above everything in training.
    """
    pairs = list(zip(column.reference, column.live, strict=False))
    top = max((max(pair) for pair in pairs), default=0.0) or 1.0
    frame = _Frame(wide, high, (0.0, float(len(pairs) or 1)), (0.0, top))
    bars = []
    for place, (was, now) in enumerate(pairs):
        x, step = frame.x(place), frame.x(place + 1) - frame.x(place)
        bars.append(frame.bar(x + 0.5, step - 1, was, "#bbb"))
        bars.append(frame.bar(x + step * 0.25, step * 0.5, now, _BLUE))
    ends = (column.edges[0], column.edges[-1]) if column.edges else (0.0, 0.0)
    labels = [
        frame.below(1, f"{ends[0]:.4g}"),
        frame.below(max(len(pairs) - 1, 1), f"{ends[1]:.4g}"),
        frame.beside(top, f"{100 * top:.0f} %"),
    ]
    title = f"{column.name}: shares in training (grey) and now (blue)"
    return frame.drawn(title, [*bars, *labels])


def line(
    days: Sequence[Day], title: str, *, limit: float | None = None, unit: str = ""
) -> str:
    """A figure day by day with its interval, and a dashed line where its limit is."""
    known = [day for day in days if day.value is not None]
    if not known:
        return ""
    numbers = [n for day in known for n in (day.value, day.low, day.high) if _ok(n)]
    numbers += [limit] if _ok(limit) else []
    low, high = min(0.0, *map(float, numbers)), max(map(float, numbers))  # type: ignore[arg-type]
    frame = _Frame(WIDE, HIGH, (0.0, float(max(len(days) - 1, 1))), (low, high or 1.0))
    drawn = [frame.rule(limit, _RED)] if limit is not None else []
    path, going = [], False
    for place, day in enumerate(days):
        if day.value is None:
            going = False
            continue
        x = frame.x(place)
        if _ok(day.low) and _ok(day.high):
            drawn.append(frame.stroke(x, float(day.low or 0), float(day.high or 0)))
        path.append(f"{'L' if going else 'M'}{x:.1f} {frame.y(day.value):.1f}")
        drawn.append(frame.dot(x, day.value, _BLUE))
        going = True
    drawn.append(f'<path d="{" ".join(path)}" fill="none" stroke="{_BLUE}"/>')
    ends = [frame.below(0, days[0].day, "start")]
    if len(days) > 1:  # else the same day stands there twice, one over the other
        ends.append(frame.below(len(days) - 1, days[-1].day))
    sides = [frame.beside(value, f"{value:.3g}{unit}") for value in (low, high)]
    return frame.drawn(title, [*drawn, *ends, *sides])


def bars(days: Sequence[Day], title: str) -> str:
    """Counts day by day."""
    if not days:
        return ""
    top = max(day.count for day in days) or 1
    frame = _Frame(WIDE, HIGH, (0.0, float(len(days))), (0.0, float(top)))
    drawn = []
    for place, day in enumerate(days):
        x, step = frame.x(place), frame.x(place + 1) - frame.x(place)
        drawn.append(frame.bar(x + step * 0.1, step * 0.8, day.count, _ORANGE))
    ends = [frame.below(0, days[0].day, "start"), frame.below(len(days), days[-1].day)]
    return frame.drawn(title, [*drawn, *ends, frame.beside(top, str(top))])


def intervals(groups: Sequence[Group], title: str, *, shares: bool = False) -> str:
    """One line a group: its rate and the interval it may lie in; red where it differs.

    Args:
        groups: to draw.
        title: for screen readers.
        shares: rates are parts of one, shown as percentages.
    """

    def said(rate: float) -> str:
        return f"{100 * rate:.3g} %" if shares else f"{rate:.3g}"

    known = [group for group in groups if group.rate is not None]
    if not known:
        return ""
    top = max(float(group.high or group.rate or 0) for group in known)
    top = max(top, _TINY)  # what it is divided by must leave a number
    row, wide = 22, WIDE
    high, left = row * len(groups) + 34, 190
    scale = (wide - left - 60) / top
    drawn = []
    for place, group in enumerate(groups):
        y = 16 + row * place
        name = textwrap.shorten(group.name, _LONGEST, placeholder="...")
        drawn.append(_text(left - 8, y + 4, f"{name} ({group.count})", "end"))
        if group.rate is None:
            drawn.append(_text(left, y + 4, "too few", "start"))
            continue
        low, up = float(group.low or 0.0), float(group.high or group.rate)
        x = left + group.rate * scale
        drawn.append(
            f'<path d="M{left + low * scale:.1f} {y}H{left + up * scale:.1f}" '
            f'stroke="{_INK}"/><circle cx="{x:.1f}" cy="{y}" r="4" '
            f'fill="{_RED if group.differs else _BLUE}"/>'
        )
        drawn.append(_text(left + up * scale + 8, y + 4, said(group.rate), "start"))
    base = high - 16
    axis = f'<path d="M{left} 4V{base}H{wide - 50}" stroke="{_INK}" fill="none"/>'
    ends = [
        _text(left, high - 3, "0"),
        _text(left + top * scale, high - 3, said(top)),
    ]
    return _svg(wide, high, title, [axis, *drawn, *ends])


class _Frame:
    """A plot's scales."""

    def __init__(
        self, wide: int, high: int, xs: tuple[float, float], ys: tuple[float, float]
    ) -> None:
        self._wide, self._high = wide, high
        self._xs, self._ys = xs, ys

    def x(self, value: float) -> float:
        low, high = self._xs
        room = self._wide - _LEFT - _RIGHT
        return _LEFT + (value - low) / ((high - low) or 1.0) * room

    def y(self, value: float) -> float:
        low, high = self._ys
        room = self._high - _TOP - _BOTTOM
        return self._high - _BOTTOM - (value - low) / ((high - low) or 1.0) * room

    def bar(self, x: float, wide: float, value: float, colour: str) -> str:
        top = self.y(value)
        return (
            f'<rect x="{x:.1f}" y="{top:.1f}" width="{max(wide, 0.5):.1f}" '
            f'height="{self.y(self._ys[0]) - top:.1f}" fill="{colour}"/>'
        )

    def dot(self, x: float, value: float, colour: str) -> str:
        return (
            f'<circle cx="{x:.1f}" cy="{self.y(value):.1f}" r="2.5" fill="{colour}"/>'
        )

    def stroke(self, x: float, low: float, high: float) -> str:
        a, b = self.y(low), self.y(high)
        return f'<path d="M{x:.1f} {a:.1f}V{b:.1f}" stroke="#90b4d8" stroke-width="3"/>'

    def rule(self, value: float, colour: str) -> str:
        y = self.y(value)
        return (
            f'<path d="M{_LEFT} {y:.1f}H{self._wide - _RIGHT}" stroke="{colour}" '
            'stroke-dasharray="6 4"/>'
        )

    def below(self, x: float, text: str, anchor: str = "end") -> str:
        return _text(self.x(x), self._high - 8, text, anchor)

    def beside(self, y: float, text: str) -> str:
        return _text(_LEFT - 6, self.y(y) + 4, text, "end")

    def drawn(self, title: str, parts: Sequence[str]) -> str:
        base = self._high - _BOTTOM
        axis = (
            f'<path d="M{_LEFT} {_TOP}V{base}H{self._wide - _RIGHT}" '
            f'stroke="{_INK}" fill="none"/>'
        )
        return _svg(self._wide, self._high, title, [*parts, axis])


def _ok(number: float | None) -> bool:
    return number is not None and math.isfinite(number)


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(wide: int, high: int, title: str, parts: Sequence[str]) -> str:
    said = escape(title, quote=True)
    return (
        f'<svg viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" role="img" '
        f'aria-label="{said}"><title>{said}</title>{"".join(parts)}</svg>'
    )
