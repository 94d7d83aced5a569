"""Logs for tests: a clock with a wall, records, and a look at what lies on disk."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge_agent.bundle.keys import load_public
from edge_agent.evidence import heads, segments
from edge_agent.evidence.log import Log
from edge_agent.evidence.places import Place, checked, place_of
from edge_agent.evidence.retention import Limits
from edge_agent.evidence.segments import Segment
from edge_agent.evidence.telling import facts_of
from edge_agent.records import EvidenceRecord
from edge_agent.store.outbox import Stored
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge_agent.evidence.line import Facts
    from edge_agent.evidence.report import Report
    from edge_agent.records import Record

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
#: 2026-03-01 00:00 UTC
START = 1_772_323_200 * SECOND
SMALL = Limits(segment=4_000)


@dataclass(slots=True)
class WallClock:
    """Agent time and the wall's, both moved by hand."""

    time: int = START
    offset: int = 0

    def now(self) -> int:
        """Agent time."""
        return self.time

    def wall_offset(self) -> int:
        """What the wall's has on it."""
        return self.offset


@dataclass(slots=True)
class Book:
    """A log in a folder, and the records it was given."""

    folder: Path
    clock: WallClock = field(default_factory=WallClock)
    limits: Limits = SMALL
    sent: Callable[[], int | None] = lambda: None
    log: Log = field(init=False)
    boot: int = 0
    given: list[Facts] = field(default_factory=list)

    def open(self) -> Log:
        """Start, or start again."""
        self.boot += 1
        self.log = Log(self.folder, "gw-1", self.clock, self.limits, self.sent)
        self.log.open()
        return self.log

    def facts(self, count: int) -> list[Facts]:
        """Lines of some new records of all kinds."""
        return [self._one(len(self.given) + place) for place in range(count)]

    def append(self, count: int = 1) -> list[Facts]:
        """Give it some records, a second apart."""
        group = self.facts(count)
        self.log.append(group)
        self.given += group
        self.clock.time += SECOND
        return group

    def _one(self, seq: int) -> Facts:
        facts = facts_of(Stored(self.boot << 44 | seq, record(seq, self.clock.time)))
        assert facts is not None
        return facts

    def verify(self) -> Report:
        """What `edge-agent evidence verify` finds."""
        return checked(place_of([self.folder]), [], None)

    def files(self) -> dict[str, bytes]:
        """Segments and heads."""
        wanted = {heads.NAME, "gateway.pub"}
        return {
            path.name: path.read_bytes()
            for path in self.folder.iterdir()
            if segments.NAME.match(path.name) or path.name in wanted
        }


def record(seq: int, at: int) -> Record:
    """One of those the log takes."""
    occurrence = f"pump-anomaly-P-101-{seq - 1}"
    kinds: list[Record] = [
        made.alarm(at),
        EvidenceRecord(at, occurrence, "pump-anomaly", "P-101", b'{"x": [1.5, null]}'),
        made.event(at=at),
        replace(made.loss(seq + 1), at=at),
        made.finding(at),
    ]
    return kinds[seq % len(kinds)]


def verified(files: Mapping[str, bytes]) -> Report:
    """What is found in files that exist in memory alone."""
    each = [
        Segment(name, lambda body=body: io.BytesIO(body))  # type: ignore[misc]
        for name, body in sorted(files.items())
        if segments.NAME.match(name)
    ]
    texts = {
        name: body for name, body in files.items() if not segments.NAME.match(name)
    }
    return checked(Place(each, texts, whole=True), [], None)


def records_in(folder: Path) -> list[tuple[int, int]]:
    """Boot and seq of every record in a log, in the log's order."""
    return [(one.boot, one.seq) for one in segments.entries(folder) if one.boot]


def public(book: Book) -> Path:
    """The gateway's key."""
    path = book.folder / "gateway.pub"
    load_public(path)
    return path
