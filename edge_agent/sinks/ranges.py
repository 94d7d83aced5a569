"""A usual range in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.phrases import Phrases


def usual(low: float, high: float, unit: str, phrases: Phrases) -> str:
    """A usual range in words: ``1.2 to 3.4 mm/s``, ``below 5 bar``, empty if none."""
    ends = {
        end: phrases.short(value, 4)
        for end, value in (("low", low), ("high", high))
        if math.isfinite(value)
    }
    if not ends:
        return ""
    only = "usual.above" if "low" in ends else "usual.below"
    said = phrases.say("usual.between" if len(ends) > 1 else only, **ends)
    return f"{said} {unit}" if unit else said
