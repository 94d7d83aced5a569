"""What is wrong with the operator's files, each with its place, all at once."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake.

    Attributes:
        file: the file as the operator names it.
        line: line, counted from 1; 0 when the file as a whole is meant.
        col: column, counted from 1.
        message: what is wrong and what is allowed, in words.
        hint: what to do, often ``did you mean 'x'?``; may be empty.
        excerpt: the line and a caret under the mistake, two lines; may be empty.
    """

    file: str
    line: int
    col: int
    message: str
    hint: str = ""
    excerpt: str = ""

    def __str__(self) -> str:
        """``file:line:col: message; hint`` and below it the excerpt."""
        where = f"{self.file}:{self.line}:{self.col}" if self.line else self.file
        said = "; ".join(part for part in (self.message, self.hint) if part)
        return f"{where}: {said}" + (f"\n{self.excerpt}" if self.excerpt else "")


class Refused(ConfigError):
    """The configuration is refused; ``problems`` holds every reason.

    Args:
        problems: at least one.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(report(self.problems))


def report(problems: Sequence[Problem]) -> str:
    """Every problem, and how many there are."""
    count = len(problems)
    tail = f"{count} problem{'s' if count > 1 else ''} found."
    return "\n".join([*map(str, problems), tail])


def dotted(loc: Loc) -> str:
    """``assets[0].tags.flow`` from a path of keys and positions."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest known word, or an empty string."""
    by_fold = {name.casefold().replace("-", "_"): name for name in known}
    folded = word.casefold().replace("-", "_")
    near = difflib.get_close_matches(folded, by_fold, n=1, cutoff=0.6)
    return f"did you mean {by_fold[near[0]]!r}?" if near else ""


def listed(names: Iterable[str], limit: int = 24) -> str:
    """``a, b, c`` for a message; a long list ends in how many more there are."""
    known = list(names)
    more = f" and {len(known) - limit} more" if len(known) > limit else ""
    return ", ".join(known[:limit]) + more if known else "none"
