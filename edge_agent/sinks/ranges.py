"""Usual ranges in words. Pure."""

from __future__ import annotations

import math


def usual(low: float, high: float, unit: str) -> str:
    """A usual range in words: ``1.2 to 3.4 mm/s``, ``below 5 bar``, empty if none."""
    behind = f" {unit}" if unit else ""
    if math.isfinite(low) and math.isfinite(high):
        return f"{low:.4g} to {high:.4g}{behind}"
    if math.isfinite(high):
        return f"below {high:.4g}{behind}"
    return f"above {low:.4g}{behind}" if math.isfinite(low) else ""
