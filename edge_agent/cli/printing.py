"""What commands print of names that somebody else wrote."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LABEL, _WIDTH = 14, 88


def plain(line: str) -> str:
    """A line without what a terminal would take for a command."""
    return "".join(c if c.isprintable() else "?" for c in line)


def labelled(label: str, said: object) -> Iterator[str]:
    """A label and what it stands for, folded; nothing where there is nothing to say."""
    if said in (None, ""):
        return
    yield from textwrap.wrap(
        str(said),
        _WIDTH,
        initial_indent=f"  {label:<{_LABEL}} ",
        subsequent_indent=" " * (_LABEL + 3),
        break_long_words=False,
        break_on_hyphens=False,
    )
