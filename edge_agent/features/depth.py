"""How many values a ring must hold."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.features.spec import FeatureSpec

LEAD = 32
"""Values a tag may be ahead of the others of its asset, at least."""
HEADROOM = 1.25
"""A tag may report this much faster than declared before a window is cut short."""


def span_for(specs: Iterable[FeatureSpec], longest_cycle: float = 600.0) -> int:
    """Entries a column must still hold for every window to be whole.

    Args:
        specs: all features computed from the window.
        longest_cycle: seconds, for features over the cycle.
    """
    lengths = ((longest_cycle if s.cycle else s.window or 0.0) * s.rate for s in specs)
    return ceil(max(lengths, default=0.0) * HEADROOM) + 4


def depth_for(
    specs: Iterable[FeatureSpec], longest_cycle: float = 600.0, lead: int = 0
) -> int:
    """Ring depth: the longest window, a tag's lead, and room for a step behind it."""
    span = span_for(specs, longest_cycle)
    return 1 << (span + 2 * max(lead, LEAD) - 1).bit_length()
