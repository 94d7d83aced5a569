"""Why a row scored as it did, in a sentence for a technician."""

from __future__ import annotations

from math import floor, isfinite, log10
from typing import TYPE_CHECKING

from edge_agent.explain import LEVELS

if TYPE_CHECKING:
    from edge_agent.explain import F32, Top, Usual
    from edge_agent.phrases import Phrases

_PLAIN = frozenset({"last", "mean", "rms"})
"""What a panel shows: nothing is said about how the value was made."""
_SPREADS = frozenset({"std", "range"})
_CHANGES = frozenset({"slope", "delta"})
_UNITS = {"age": "s", "count": ""}
"""Aggregates that are not in the tag's unit."""
_WORTH_SAYING = 0.1
_TINY = 1e-12


def sentence(
    score: float,
    limit: float,
    top: Top,
    row: int,
    values: F32,
    usual: Usual,
    phrases: Phrases,
    place: int = -1,
) -> str:
    """Why a row scored as it did, for a technician.

    Args:
        score: of the row.
        limit: the alarm's.
        top: what `explain` gave for these values.
        row: which of its rows.
        values: float32[n, features], what was scored.
        usual: what the passport says.
        phrases: in the technician's language.
        place: of the row in ``usual.ranges``.
    """
    digits = decimals(limit or score)
    head = phrases.say(
        "score.above" if score > limit else "score.not_above",
        score=phrases.number(score, digits),
        limit=phrases.number(limit, digits),
    )
    said = ""
    for rank, feature in enumerate(top.feature[row].tolist()):
        if feature < 0 or (rank > 0 and top.share[row, rank] < _WORTH_SAYING):
            continue
        one = _Tag(feature, float(values[row, feature]), usual, place).said(phrases)
        said = phrases.say("tags.two", first=said, second=one) if said else one
    return phrases.say("score.because", score=head, tags=said) if said else head


class _Tag:
    """One tag: what it shows, what is usual, and in which way it differs."""

    def __init__(self, feature: int, value: float, usual: Usual, place: int) -> None:
        role = int(usual.role[feature])
        self.value, self.label = value, usual.labels[role]
        self.aggregate, self.window = usual.aggregates[feature], usual.windows[feature]
        self.low = float(usual.ranges.low[place, feature])
        self.high = float(usual.ranges.high[place, feature])
        unit = _UNITS.get(self.aggregate, usual.units[role])
        self.unit = f"{unit}/s" if self.aggregate == "slope" else unit

    def said(self, phrases: Phrases) -> str:
        digits = decimals(self.high - self.low or self.value)
        shown = phrases.number(self.value, digits)
        numbers = {
            "value": f"{shown} {self.unit}" if self.unit else shown,
            "low": phrases.number(self.low, digits),
            "high": phrases.number(self.high, digits),
        }
        way = self._way()
        if self.aggregate in LEVELS:
            return phrases.say(f"level.{way}", tag=self._named(phrases), **numbers)
        detail = phrases.say(self._over("detail"), **self._made(phrases), **numbers)
        kind = "other"
        if self.aggregate in _SPREADS:
            kind, way = "spread", way.removeprefix("far_")
        elif self.aggregate in _CHANGES and way != "misfit":
            kind, way = "change", way.removeprefix("far_")
        return phrases.say(f"{kind}.{way}", tag=self.label, detail=detail)

    def _named(self, phrases: Phrases) -> str:
        if self.aggregate in _PLAIN:
            return self.label
        return phrases.say(self._over("tag"), tag=self.label, **self._made(phrases))

    def _over(self, key: str) -> str:
        return f"{key}.over" if self.window else f"{key}.of"

    def _made(self, phrases: Phrases) -> dict[str, str]:
        """How the value was made from readings."""
        made = {"aggregate": phrases.say(f"aggregate.{self.aggregate}")}
        if self.window:
            made["window"] = phrases.short(self.window)
        return made

    def _way(self) -> str:
        width = max(self.high - self.low, _TINY)
        if self.value > self.high:
            return "far_above" if self.value > self.high + width else "above"
        if self.value < self.low:
            return "far_below" if self.value < self.low - width else "below"
        return "misfit"


def decimals(size: float) -> int:
    """Decimals that show a number of this size to two or three digits."""
    if not isfinite(size) or size == 0:
        return 1
    return int(min(max(1 - floor(log10(abs(size))), 0), 6))
