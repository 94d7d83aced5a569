"""Is a log as it was written? One pass over its lines; pure but for reading them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.evidence import heads, keyring, opening
from edge_agent.evidence.line import (
    ANCHOR,
    NOTHING,
    OPENING,
    REMOVAL,
    hash_of,
    line_of,
    parsed,
    suffix,
)
from edge_agent.evidence.report import Problem, Report, Stretch
from edge_agent.evidence.segments import lines
from edge_agent.evidence.vouching import Vouching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge_agent.bundle.keys import PublicKey
    from edge_agent.evidence.line import Parsed
    from edge_agent.evidence.opening import Opening, Removal
    from edge_agent.evidence.segments import Segment
    from edge_agent.evidence.signing import Head

    #: Told of every good line: what it says, its bytes, how far the file was read.
    Seen = Callable[[Parsed, bytes], None]


#: Lines behind the head that a crash can explain, or a look while they are written:
#: one group, and what ends and begins a segment.
GROUP = 256
BEHIND = GROUP + 8


@dataclass(slots=True)
class _At:
    """Where the pass is."""

    file: str = ""
    place: int = 0
    number: int | None = None
    """Of the line before; None at the beginning."""
    hash: str = ""
    """Of the line before; empty where that could not be read."""
    before: tuple[str, int] = ("", 0)
    """File and place of the line before."""
    anchored: bool = False
    """The line before is an anchor."""
    ended: bool = True
    """The file before ended as it must."""


@dataclass(slots=True)
class Check:
    """Takes segments one after the other.

    Args:
        keys: those that are trusted, by their ids.
        heads: how the log stood, as far as that is known from elsewhere.
        whole: it is a log of a state folder: nothing may be missing before it but what
            it says was removed, nor behind it.
        behind: lines that may stand behind the newest head.
        noted: number of a line whose hash is asked for.
        newborn: the gateway's key was just made: those before it need not be trusted.
        seen: told of every line that can be read.
    """

    keys: dict[str, PublicKey]
    heads: Sequence[Head] = ()
    whole: bool = True
    newborn: bool = False
    behind: int = BEHIND
    noted: int | None = None
    seen: Seen | None = None
    report: Report = field(default_factory=Report)
    _at: _At = field(default_factory=_At)
    _vouching: Vouching = field(init=False)
    _known: dict[int, str] = field(init=False)
    _begin: tuple[Parsed, Opening | None] | None = None
    _empty: list[str] = field(default_factory=list)
    _removals: list[Removal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._vouching = Vouching(dict(self.keys))
        self._known = {head.number: head.hash for head in self.heads}

    def segments(self, each: Iterable[Segment]) -> Report:
        """Check them, in order, and finish."""
        for segment in each:
            self.segment(segment)
        return self.finish()

    def segment(self, segment: Segment) -> None:
        """Check one."""
        at, report = self._at, self.report
        at.ended = at.anchored or at.number is None
        at.file, at.place = segment.name, 0
        begun = Stretch(segment.name)
        report.segments.append(begun)
        try:
            with segment.open() as file:
                for line in lines(file):
                    at.place += 1
                    self._line(line, begun)
        except OSError as why:
            at.place += 1
            said = f"the rest cannot be read: {why.strerror or why}"
            report.tell(at.file, at.place, None, said)
            at.hash, at.anchored = "", False
        if at.place == 0:
            self._empty.append(segment.name)

    def finish(self) -> Report:
        """What is to be said of the whole."""
        at, report = self._at, self.report
        report.end, report.hash = at.number or 0, at.hash
        report.anchored = at.anchored
        report.known = max(self._known, default=0)
        for name in self._empty:
            if name != report.segments[-1].name:
                report.tell(name, 1, None, "the segment is empty")
        if self.whole:
            self._beginning()
            self._ending()
        for head in self.heads:
            if wrong := self._vouching.outside(head):
                report.tell(heads.NAME, 1, head.number, wrong)
        wrong = "" if self.newborn else self._vouching.complaint()
        if wrong:
            report.tell(keyring.PUBLIC, 1, None, wrong)
        report.vouched = max(self._vouching.newest, 0)
        report.signers = self._vouching.signers
        report.anchors = self._vouching.anchors
        return report

    # -- one line --------------------------------------------------------------------

    def _line(self, line: bytes, stretch: Stretch) -> None:
        at, report = self._at, self.report
        raw = line[:-1]
        stretch.size += len(line)
        try:
            if not line.endswith(b"\n"):
                raise ValueError("it has no end")  # noqa: TRY301
            said = parsed(raw)
        except ValueError:
            self._unread(line)
            return
        body = self._begins(said) if at.place == 1 else None
        self._follows(said, body)
        self._special(said, raw, body)
        at.number, at.hash = said.number, hash_of(said.previous, raw)
        if self._known.get(said.number, at.hash) != at.hash:
            report.tell(at.file, at.place, said.number, _CHANGED)
        if said.number == self.noted:
            report.noted = at.hash
        at.before = (at.file, at.place)
        at.anchored = said.kind == ANCHOR
        report.count(said)
        stretch.take(said, at.hash)
        if self.seen is not None:
            self.seen(said, raw)

    def _unread(self, line: bytes) -> None:
        """Go on behind a line that is none."""
        at = self._at
        newest = max(self._known, default=0)
        if newest and (at.number or 0) >= newest:
            self.report.torn += len(line)
            return
        number = None if at.number is None else at.number + 1
        self.report.tell(at.file, at.place, number, "the line is damaged or no entry")
        at.number, at.hash, at.anchored = number, "", False

    def _follows(self, said: Parsed, body: Opening | None) -> None:
        at, report = self._at, self.report
        if body is not None and body.broken is not None:
            report.stated.update(body.broken.problems)
        if at.number is None:
            self._begin = (said, body)
            return
        here = (at.file, at.place, said.number)
        if body is not None and body.broken is not None:
            report.breaks.append(Problem(*here, _break_of(body)))
        elif said.number > at.number + 1:
            gone = f"numbers {at.number + 1} to {said.number - 1} are missing before it"
            report.tell(*here, gone)
        elif said.number <= at.number:
            report.tell(*here, f"it stands behind {at.number}: repeated, or moved")
        elif at.hash and said.previous != at.hash:
            report.tell(*at.before, at.number, _CHANGED)
        elif not at.hash and said.previous == NOTHING:
            report.tell(*here, "it names no line before it")

    # -- the log's own lines ---------------------------------------------------------

    def _begins(self, said: Parsed) -> Opening | None:
        """The first line of a file; what it opens."""
        at, report = self._at, self.report
        here = (at.file, at.place, said.number)
        try:
            if said.kind != OPENING:
                raise ValueError("it is none")  # noqa: TRY301
            body = opening.opening_of(bytes(said.body))
        except ValueError:
            report.tell(*here, "a segment must begin with an opening")
            return None
        excused = body.broken is not None or said.what == opening.CHANGED
        if not at.ended and not excused:
            report.tell(*at.before, at.number, "the segment has lost its last anchor")
        if f"{body.segment:06}.jsonl" != at.file:
            report.tell(*here, f"the file was segment {body.segment}")
        if body.head is None and said.number > 1 and body.broken is None:
            report.tell(*here, "the opening has no head of what was before it")
        return body

    def _special(self, said: Parsed, raw: bytes, body: Opening | None) -> None:
        at, report = self._at, self.report
        here = (at.file, at.place, said.number)
        if body is not None:
            report.gateways.add(body.gateway)
            wrong = self._vouching.opened(said, body)
        elif said.kind == OPENING:
            wrong = "an opening stands first in a segment, and only there"
        elif said.kind == ANCHOR:
            wrong = self._anchor(said, raw)
        elif said.kind == REMOVAL:
            wrong = self._removal(said)
        else:
            return
        if wrong:
            report.tell(*here, wrong)

    def _anchor(self, said: Parsed, raw: bytes) -> str:
        head, wrong = self._vouching.anchor(said)
        if head is None:
            return wrong
        exact = line_of(said.number, said.previous, suffix(opening.anchors(head)))
        if exact != raw:
            return "the anchor was changed"
        self._vouching.covers(head)
        return ""

    def _removal(self, said: Parsed) -> str:
        try:
            gone = opening.removal_of(bytes(said.body))
        except ValueError:
            return "the removal cannot be read"
        self._removals.append(gone)
        self.report.removed.update(gone.segments)
        return ""

    def _ending(self) -> None:
        at, report = self._at, self.report
        if report.known > report.end:
            said = f"the log ends at {report.end}, but {report.known} was written"
            report.tell(at.file or heads.NAME, at.place + 1, None, said)
        elif not self.heads and report.end > 1:
            said = "no head is left: a log that was cut would not be found out"
            report.tell(heads.NAME, 1, None, said)
        elif self.heads and report.end - report.known > self.behind:
            said = f"the log goes on to {report.end}: the heads are of another time"
            report.tell(heads.NAME, 1, report.known, said)

    def _beginning(self) -> None:
        """The first line there is: the first of all, or what a removal left."""
        if self._begin is None:
            return
        first, body = self._begin
        here = (self.report.segments[0].name, 1, first.number)
        broken = body is not None and body.broken is not None
        if first.number == 1:
            if first.previous != NOTHING:
                self.report.tell(*here, "the first line names one before it")
            return
        # a crash may have come between the first file that went and the last
        here_on = [g for g in self._removals if g.first <= first.number <= g.stays]
        follows = [g.hash == first.previous for g in here_on if g.stays == first.number]
        if not here_on:
            text = f"numbers up to {first.number - 1} are missing without a removal"
            self.report.tell(*here, text)
        elif follows and not broken and not any(follows):
            self.report.tell(*here, "it does not follow what was removed")


_CHANGED = "it was changed, or put here, after it was written"


def _break_of(body: Opening) -> str:
    broken = body.broken
    assert broken is not None  # noqa: S101 - the caller looked
    what = broken.problems[0] if broken.problems else "nothing is known of it"
    return f"the gateway found the log before damaged and began anew: {what}"
