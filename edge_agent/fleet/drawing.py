"""Small pictures for cells of a table, as HTML text. Pure."""

from __future__ import annotations

from html import escape
from math import isfinite, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDE, HIGH, _EDGE = 110, 16, 6
_HUES = ("#2b6cb0", "#dd6b20", "#2f855a", "#805ad5", "#b7791f", "#718096")
_HOT = (197, 48, 48)
_LEAST, _MOST = 0.02, 2.0


def interval(
    value: float | None,
    low: float | None,
    high: float | None,
    top: float,
    limit: float | None = None,
) -> str:
    """A dot on its interval, from 0 to ``top``, and where a limit is."""
    if value is None or not isfinite(value) or not top > 0.0:
        return ""

    def x(number: float) -> float:
        inside = min(max(number / top, 0.0), 1.0)
        return _EDGE + inside * (WIDE - 2 * _EDGE)

    middle = HIGH / 2
    parts = [f'<path d="M{_EDGE} {middle}H{WIDE - _EDGE}" stroke="#ddd"/>']
    if low is not None and high is not None and isfinite(low) and isfinite(high):
        parts.append(
            f'<path d="M{x(low):.1f} {middle}H{x(high):.1f}" stroke="#2b6cb0" '
            'stroke-width="4" stroke-opacity=".45"/>'
        )
    if limit is not None and isfinite(limit):
        parts.append(
            f'<path d="M{x(limit):.1f} 1V{HIGH - 1}" stroke="#c53030" '
            'stroke-width="2"/>'
        )
    parts.append(f'<circle cx="{x(value):.1f}" cy="{middle}" r="3.5" fill="#2b6cb0"/>')
    return (
        f'<svg viewBox="0 0 {WIDE} {HIGH}" width="{WIDE}" height="{HIGH}" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )


def shares(parts: Sequence[tuple[str, int]]) -> str:
    """One bar of parts, each as long as its share."""
    total = sum(count for _, count in parts)
    if total <= 0:
        return ""
    cells = "".join(
        f'<span style="width:{100 * count / total:.2f}%;'
        f'background:{_HUES[min(place, len(_HUES) - 1)]}" '
        f'title="{escape(name, quote=True)}: {count}"></span>'
        for place, (name, count) in enumerate(parts)
        if count
    )
    return f'<div class="shares">{cells}</div>'


def hue(place: int) -> str:
    """Colour of a part of `shares`."""
    return _HUES[min(place, len(_HUES) - 1)]


def heat(psi: float | None) -> str:
    """A cell's colour: white where nothing has moved, red from a PSI of 2 on."""
    if psi is None:
        return "background:repeating-linear-gradient(45deg,#f4f4f4 0 4px,#fff 4px 8px)"
    if not psi > _LEAST:
        return "background:#fff"
    part = min(log(psi / _LEAST) / log(_MOST / _LEAST), 1.0)
    red, green, blue = (round(255 + (one - 255) * part) for one in _HOT)
    ink = ";color:#fff" if part > 0.75 else ""  # noqa: PLR2004 - readable
    return f"background:rgb({red},{green},{blue}){ink}"
