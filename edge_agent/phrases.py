"""What is said to people, in their language: sentences with gaps, and their numbers.

A catalogue holds one text a key, with gaps in braces: ``{tag} rises``. Filling a gap is
all that can be done with one: no format codes, no attributes, nothing that a file could
make the agent do. `config.languages` reads catalogues; this is what is left of them.

Numbers have the decimal sign of the language; units are what they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_GAP = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_BRACE = re.compile(r"[{}]")


@dataclass(frozen=True, slots=True)
class Template:
    """A text cut at its gaps.

    Attributes:
        before: what stands before each gap.
        gaps: their names, in order.
        rest: what stands behind the last one.
    """

    before: tuple[str, ...]
    gaps: tuple[str, ...]
    rest: str

    @staticmethod
    def of(text: str) -> Template:
        """Cut a text.

        Raises:
            ValueError: a brace that begins or ends no ``{name}``; the second argument
                is its position.
        """
        parts = _GAP.split(text)
        position = 0
        for place, part in enumerate(parts):
            stray = None if place % 2 else _BRACE.search(part)
            if stray is not None:
                raise ValueError(
                    f"{stray[0]!r} belongs to no gap such as {{tag}}",
                    position + stray.start(),
                )
            position += len(part) + (2 if place % 2 else 0)
        return Template(tuple(parts[:-1:2]), tuple(parts[1::2]), parts[-1])

    def filled(self, values: Mapping[str, str | int]) -> str:
        """The text with its gaps filled."""
        told = [
            f"{text}{values[gap]}"
            for text, gap in zip(self.before, self.gaps, strict=True)
        ]
        return "".join([*told, self.rest])


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language, complete: what it lacks is there in English.

    Attributes:
        language: its code; empty for none, where only keys and values are said.
        decimal: what stands before the decimals of a number.
        templates: a text each key.
    """

    language: str = ""
    decimal: str = "."
    templates: Mapping[str, Template] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def say(self, key: str, **values: str | int) -> str:
        """A sentence.

        Args:
            key: which.
            values: for its gaps, all of them; numbers with decimals come from
                `number`.
        """
        template = self.templates.get(key)
        if template is None:
            told = ", ".join(f"{name} {value}" for name, value in values.items())
            return f"{key}: {told}" if told else key
        return template.filled(values)

    def number(self, value: float, decimals: int) -> str:
        """A number with so many decimals."""
        return f"{value:.{decimals}f}".replace(".", self.decimal)

    def short(self, value: float, digits: int = 6) -> str:
        """A number with at most so many digits, and no zeros at its end."""
        return f"{value:.{digits}g}".replace(".", self.decimal)
