"""Texts that repeat, as small numbers: classes, contexts, versions, groups. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Words of one kind; what comes beyond is `OTHER`.
MOST = 1_000
OTHER = "(other)"
_LONGEST = 200


class Words:
    """Texts of one kind in the order they were met; number 0 is the empty text.

    Args:
        known: those met before a restart.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._places: dict[str, int] = {"": 0}
        for word in known:
            self.place(word)

    def __len__(self) -> int:
        return len(self._places)

    def place(self, word: str) -> int:
        """The number of a word; a new one gets the next."""
        found = self._places.get(word)
        if found is not None:
            return found
        word = word[:_LONGEST]
        if len(self._places) >= MOST:
            word = OTHER
        return self._places.setdefault(word, len(self._places))

    def places(self, words: Sequence[str]) -> list[int]:
        """The numbers of some words."""
        return [self.place(word) for word in words]

    def listed(self) -> tuple[str, ...]:
        """All of them by number."""
        return tuple(self._places)


class Lexicon:
    """The words of a pipeline, by kind.

    Args:
        groups: names of the groups.
    """

    def __init__(self, groups: Sequence[str]) -> None:
        self.classes, self.contexts, self.versions = Words(), Words(), Words()
        self.groups = {name: Words() for name in groups}

    def saved(self) -> dict[str, list[str]]:
        """For the disk."""
        kinds = {"class": self.classes, "context": self.contexts}
        kinds |= {"version": self.versions}
        kinds |= {f"group {name}": words for name, words in self.groups.items()}
        return {name: list(words.listed()) for name, words in kinds.items()}

    def translated(self, saved: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
        """Numbers of before -> numbers of now, for every kind that is still known."""
        kinds = {"class": self.classes, "context": self.contexts}
        kinds |= {"version": self.versions}
        kinds |= {f"group {name}": words for name, words in self.groups.items()}
        return {
            name: kinds[name].places(words[: MOST + 1])
            for name, words in saved.items()
            if name in kinds
        }

    def __len__(self) -> int:
        own = len(self.classes) + len(self.contexts) + len(self.versions)
        return own + sum(map(len, self.groups.values()))
