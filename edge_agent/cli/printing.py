"""What commands print of names that somebody else wrote."""

from __future__ import annotations


def plain(line: str) -> str:
    """A line without what a terminal would take for a command."""
    return "".join(c if c.isprintable() else "?" for c in line)
