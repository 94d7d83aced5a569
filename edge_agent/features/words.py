"""The values a state, recipe or product tag has had, as numbers."""

from __future__ import annotations

#: Values kept of one role; beyond them every other value is the same one.
MAX_WORDS = 1_000
_LONGEST = 100
UNKNOWN, OTHER = 0, 1
OTHER_WORD = "other"


class Words(dict[str, int]):
    """Codes of the values of one role: 0 for none, 1 for those beyond the bounds.

    A look-up of an unknown text makes it known, so that the usual one is a plain
    dictionary's.

    Attributes:
        texts: by code.
        beyond: values that found no room, each as often as it came.
    """

    def __init__(self) -> None:
        super().__init__({"": UNKNOWN})
        self.texts = ["", OTHER_WORD]
        self.beyond = 0

    def __missing__(self, text: str) -> int:
        """Code of a text not met in this spelling before."""
        if len(text) > _LONGEST:
            self.beyond += 1
            return OTHER
        clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        code = self.get(clean)
        if code is None:
            if len(self.texts) >= MAX_WORDS + 2:
                self.beyond += 1
                return OTHER
            code = self[clean] = len(self.texts)
            self.texts.append(clean)
        if len(self) < 2 * MAX_WORDS:
            self[text] = code
        return code

    def number(self, value: float) -> int:
        """Code of a number: 2 and 2.0 are spelled alike."""
        return self[spelled(value)]


def spelled(value: float) -> str:
    """A number as a context has it: whole ones without a point."""
    return str(int(value)) if value.is_integer() else repr(value)
