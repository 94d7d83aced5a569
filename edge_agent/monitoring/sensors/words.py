"""Roles, readings and stretches of time as they are said."""

from __future__ import annotations

_SECONDS, _MINUTES = 100.0, 6000.0
"""Up to so many s they are told in seconds, and in minutes."""
_FINE = 10.0


def spoken(role: str) -> str:
    """A role as it is said."""
    return role.replace("_", " ")


def shown(value: float, unit: str) -> str:
    """A reading with its unit."""
    return f"{value:.4g} {unit}" if unit else f"{value:.4g}"


def lasting(seconds: float) -> str:
    """A stretch of time."""
    if seconds < _SECONDS:
        return f"{seconds:.2g} s" if seconds < _FINE else f"{seconds:.0f} s"
    if seconds < _MINUTES:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
