"""What a check of the log found. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from edge_agent.evidence.line import Parsed

#: Problems told in full; the rest is counted.
MOST = 100


class Problem(NamedTuple):
    """Something that is not as it was written.

    Attributes:
        file, line: where.
        number: of the entry, None where it has none.
        text: what.
    """

    file: str
    line: int
    number: int | None
    text: str

    def __str__(self) -> str:
        """As a compiler would say it."""
        entry = "" if self.number is None else f" (number {self.number})"
        return f"{self.file}:{self.line}{entry}: {self.text}"


@dataclass(slots=True)
class Stretch:
    """What is known of one segment.

    Attributes:
        name: of the file.
        first, last: numbers of its lines, 0 for none.
        hash: of the last.
        date: of the last, as it says.
        entries: lines that can be read.
        opened: date of the first.
        size: bytes read.
    """

    name: str
    first: int = 0
    last: int = 0
    hash: str = ""
    date: str = ""
    opened: str = ""
    entries: int = 0
    size: int = 0

    def take(self, said: Parsed, hash_: str) -> None:
        """Note a line."""
        if not self.entries:
            self.first, self.opened = said.number, said.date
        self.last, self.hash, self.date = said.number, hash_, said.date
        self.entries += 1


@dataclass(slots=True)
class Report:
    """See `checking`.

    Attributes:
        problems: the first `MOST`; ``more`` counts the rest.
        breaks: where the gateway itself says that it found damage and began anew.
        stated: problems that it named there.
        entries: lines by kind.
        first, last: dates of the first and the last line.
        begin, end: their numbers; ``hash`` is of the last.
        known: newest number of the heads that were given.
        vouched: number up to which signatures reach.
        torn: bytes behind the head that are no lines: being written, or torn.
        anchors: counted.
        signers: signatures by id of the key, the last signer last.
        removed: segments that it says were removed.
        anchored: the last line is an anchor.
        noted: hash of the line that was asked for.
    """

    problems: list[Problem] = field(default_factory=list)
    more: int = 0
    breaks: list[Problem] = field(default_factory=list)
    stated: set[str] = field(default_factory=set)
    entries: dict[str, int] = field(default_factory=dict)
    first: str = ""
    last: str = ""
    begin: int = 0
    end: int = 0
    hash: str = ""
    known: int = 0
    vouched: int = 0
    torn: int = 0
    anchors: int = 0
    signers: dict[str, int] = field(default_factory=dict)
    gateways: set[str] = field(default_factory=set)
    segments: list[Stretch] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    anchored: bool = False
    noted: str = ""

    @property
    def open(self) -> bool:
        """Whether something at the end is not signed yet."""
        return bool(self.torn) or self.end > self.vouched

    @property
    def good(self) -> bool:
        """Whether it is as it was written."""
        return not self.problems and not self.breaks

    def tell(self, file: str, line: int, number: int | None, text: str) -> None:
        """Note a problem."""
        if len(self.problems) < MOST:
            self.problems.append(Problem(file, line, number, text))
        else:
            self.more += 1

    def count(self, said: Parsed) -> None:
        """Note a line."""
        if not self.begin:
            self.begin, self.first = said.number, said.date
        self.last = said.date
        self.entries[said.kind] = self.entries.get(said.kind, 0) + 1
