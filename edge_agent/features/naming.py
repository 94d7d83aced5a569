"""Contexts as numbers: a list of names that grows as they are met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.words import MAX_WORDS, OTHER_WORD

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from edge_agent.features.words import Words
    from edge_agent.samples import I32, I64

MAX_NAMES = 200
OTHER = OTHER_WORD
"""Name of every context that finds no room in the list."""
_RADIX = MAX_WORDS + 2


class Names:
    """The names of a pipeline's contexts.

    Args:
        words: of each role that makes the context, in the order of the name.
        shifts: their names, last in a context's; empty without.

    Attributes:
        known: by number; only ever appended to.
        beyond: how often a context found no room.
    """

    def __init__(self, words: Sequence[Words], shifts: Sequence[str]) -> None:
        self.known: list[str] = []
        self.beyond = 0
        self._words, self._shifts = list(words), tuple(shifts)
        self._numbers: dict[str, int] = {}
        self._by_key: dict[int, int] = {}

    def keys(self, code: I64) -> I64:
        """One number for the values of each row.

        Args:
            code: int64[n, roles].
        """
        key = np.zeros(len(code), np.int64)
        for place in range(code.shape[1]):
            key = key * _RADIX + code[:, place]
        return key

    def numbers(self, key: I64, shift: int | I64) -> I32:
        """Numbers of contexts, given out in the order they are first met.

        Args:
            key: int64[n], see `keys`.
            shift: number of the shift, one or of each; 0 without shifts.
        """
        whole = key * max(len(self._shifts), 1) + shift
        distinct, first, place = np.unique(
            whole, return_index=True, return_inverse=True
        )
        found = np.zeros(len(distinct), np.int32)
        for one in np.argsort(first).tolist():
            found[one] = self._number(int(distinct[one]))
        return found[place]

    def restore(self, names: Sequence[str]) -> None:
        """Go on with the names of before a restart."""
        self.known[:] = names
        self._numbers = {name: number for number, name in enumerate(names)}
        self._by_key.clear()

    def _number(self, key: int) -> int:
        number = self._by_key.get(key)
        if number is not None:
            return number
        name = self._name(key)
        number = self._numbers.get(name)
        if number is None and len(self.known) >= MAX_NAMES:
            self.beyond += 1
            number = self._numbers.get(OTHER)
            return self._append(OTHER) if number is None else number
        number = self._append(name) if number is None else number
        self._by_key[key] = number
        return number

    def _append(self, name: str) -> int:
        self.known.append(name)
        self._numbers[name] = number = len(self.known) - 1
        return number

    def _name(self, key: int) -> str:
        said = []
        if self._shifts:
            key, shift = divmod(key, len(self._shifts))
            said.append(self._shifts[shift])
        for words in reversed(self._words):
            key, code = divmod(key, _RADIX)
            said.append(words.texts[code])
        return "/".join(reversed(said))


class Places:
    """Where what is kept by context lies, for rows that know only their number.

    Args:
        known: names of contexts, in the order of what is kept.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self._known = {name: place for place, name in enumerate(known)}
        self._names: Sequence[str] = ()
        self._table: I64 = np.full(1, -1, np.int64)

    def of(self, names: Sequence[str], context: I32) -> I64:
        """int64[n] position of each row's context, by `leading`; -1 for none.

        Args:
            names: of the contexts by number, a list that is only appended to.
            context: int32[n], -1 for a row that is not judged.
        """
        if self._names is not names or len(self._table) != len(names) + 1:
            found = [leading(name, self._known) for name in names]
            places = [-1 if name is None else self._known[name] for name in found]
            self._names, self._table = names, np.array([*places, -1], np.int64)
        place: I64 = self._table[context]
        return place


def leading(name: str, known: Container[str]) -> str | None:
    """The longest leading part of a context's name that is known; None for none.

    ``recipeA/early`` is found under ``recipeA`` where nothing is said of the shift.
    """
    parts = name.split("/")
    for count in range(len(parts), 0, -1):
        if (part := "/".join(parts[:count])) in known:
            return part
    return None
