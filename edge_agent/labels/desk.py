"""Where predictions and labels meet: one thread, fed from the turn and the event loop.

The turn never waits here: what it leaves is a reference to its own arrays in a bounded
queue, and what does not fit is counted. Everything else (hashing, joining, the disk)
is done by the desk's thread, a look each second.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.instruments import MONITORING_FAILURES
from edge_agent.labels import harvest, leaving, operators
from edge_agent.labels.book import Book, Moment
from edge_agent.labels.intake import Asked, Intake
from edge_agent.labels.reopening import reopen
from edge_agent.labels.verdicts import VerdictRefused
from edge_agent.monitoring.conditions import What
from edge_agent.records import EventRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.config.monitoring import Labels
    from edge_agent.instruments import Instruments
    from edge_agent.labels.columns import Joined
    from edge_agent.labels.operators import Judged
    from edge_agent.labels.predicted import Batch
    from edge_agent.labels.privacy import Pseudonyms
    from edge_agent.labels.telling import Label
    from edge_agent.monitoring.conditions import Condition
    from edge_agent.records import LabelRecord

    #: Judges a pipeline by what was joined and by its alarms.
    Judge = Callable[[str, "Joined", "Judged"], Sequence["Condition"]]
    #: Takes what was found at a look, also when that is nothing.
    Found = Callable[[str, Sequence["Condition"]], None]
    Breach = Callable[[str, "Condition"], None]

log = structlog.get_logger()

#: Labels joined at once.
_AT_ONCE = 20_000
#: Seconds between two looks, and at least between two when labels stream in.
LOOK, REST = 1.0, 0.5
#: Refused verdicts told in so many ns.
REFUSALS, REFUSALS_IN = 10, 60_000_000_000
#: Ns between two judgements, and when there are new labels.
JUDGE, JUDGE_NEWS = 300_000_000_000, 15_000_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A pipeline whose labels are joined.

    Attributes:
        assets: ids by position.
        settings: as configured; the defaults where only verdicts come.
        parts: a row a part (``on: cycle``).
        model: name of its model.
    """

    assets: tuple[str, ...]
    settings: Labels
    parts: bool
    model: str = ""


class LabelDesk(Intake):
    """See the module.

    Args:
        pipelines: whose labels are joined.
        folder: state_dir/labels.
        clock: agent time.
        instruments: counters.
        tell: takes events and joined labels; any thread.
        names: hides people.
        judge: called with what was joined, on the desk's thread.
        found: takes what it gave.
        beside: called at every look with agent time, and whether it is the last.
        breach: told when the accuracy falls below the requirement, once until it is
            met again, and only where ``on_breach`` asks for more than telling.
    """

    def __init__(
        self,
        pipelines: Mapping[str, Kept],
        folder: Path,
        *,
        clock: Clock,
        instruments: Instruments,
        tell: Callable[[EventRecord | LabelRecord], None],
        names: Pseudonyms,
        judge: Judge | None = None,
        found: Found | None = None,
        breach: Breach | None = None,
        beside: Callable[[int, bool], None] | None = None,
    ) -> None:
        super().__init__(pipelines, clock, instruments)
        self.names = names
        self._tell, self._judge, self._found = tell, judge, found
        self._breach, self._beside = breach, beside
        self._breached: set[str] = set()
        self._owed: list[Callable[[bool], None]] = []
        self._judged: dict[str, int] = {}
        self._refused_at: deque[int] = deque()
        self._stopping = threading.Event()
        self._shown: dict[str, dict[str, Any]] = {}
        self.books = {
            name: Book(
                name,
                kept.assets,
                kept.settings,
                parts=kept.parts,
                folder=folder / name,
                instruments=instruments,
                tell=partial(self._say, name),
                model=kept.model,
            )
            for name, kept in pipelines.items()
        }

    def status(self, pipeline: str) -> dict[str, Any]:
        """As of the last look; any thread."""
        return self._shown.get(pipeline, {})

    def ended(self, pipeline: str, text: str) -> EventRecord:
        """That a bug ended all this, counted, as an event; any thread."""
        self._instruments.count(MONITORING_FAILURES, part="labels", of=pipeline)
        return EventRecord(self._clock.now(), "labels stopped", pipeline, text)

    # -- the thread ----------------------------------------------------------------

    def run(self) -> None:
        """Look until `stop`, then write what is left."""
        self.open()
        while not self._stopping.is_set():
            self._wake.wait(LOOK)
            self._wake.clear()
            self.look()
            self._stopping.wait(REST)
        self.close()

    def stop(self) -> None:
        """End `run`; any thread."""
        self._stopping.set()
        self._wake.set()

    def open(self) -> None:
        """Read what is on disk."""
        for book in self.books.values():
            reopen(book)
            if count := len(book.ring):
                log.info("labels opened", pipeline=book.pipeline, predictions=count)

    def look(self) -> None:
        """Take in what waits, write what is due, judge what is new."""
        moment = Moment(self._clock.now(), self._clock.wall_offset())
        self._take_rows(moment)
        self._take_alarms(moment)
        self._take_labels(moment)
        self._take_verdicts(moment)
        for book in self.books.values():
            book.keeping.write(moment.now)
            for record in leaving.records(book, *moment):
                self._tell(record)
        self._pay(moment.now)
        for name, book in self.books.items():
            self._judge_due(name, book, moment.now)
            self._shown[name] = harvest.status(book, moment.now)
        if self._beside is not None:
            self._beside(moment.now, self._stopping.is_set())

    def close(self) -> None:
        """Take in and write all there is."""
        self.look()
        moment = Moment(self._clock.now(), self._clock.wall_offset())
        for book in self.books.values():
            book.finish(moment)
            book.keeping.write(moment.now, force=True)
            book.keeping.close()

    def joined(self, pipeline: str) -> Joined:
        """What was joined; the desk's thread."""
        return harvest.joined(self.books[pipeline])

    def _take_rows(self, moment: Moment) -> None:
        batches: dict[str, list[Batch]] = {name: [] for name in self.books}
        while (found := self._next_rows()) is not None:
            batches[found[0]].append(found[1])
        for name, each in batches.items():
            self.books[name].predicted(each, moment)

    def _take_alarms(self, moment: Moment) -> None:
        while self._alarms:
            record = self._alarms.popleft()
            operators.saw(self.books[record.info.pipeline], record, moment)

    def _take_labels(self, moment: Moment) -> None:
        """Labels of one pipeline that follow each other are joined at once."""
        group: list[Label] = []
        of = ""
        while (told := self._next_told()) is not None:
            if told.pipeline != of or len(group) > _AT_ONCE:
                self._join(of, group, moment)
                group, of = [], told.pipeline
            group += told.labels
            if told.done is not None:
                self._owed.append(told.done)
        self._join(of, group, moment)

    def _join(self, pipeline: str, labels: list[Label], moment: Moment) -> None:
        if labels and pipeline in self.books:
            self.books[pipeline].labelled(labels, moment)

    def _take_verdicts(self, moment: Moment) -> None:
        while self._asked:
            asked = self._asked.popleft()
            done, said = self._settled(asked, moment)
            if asked.answer is not None:
                asked.answer(done, said)

    def _settled(self, asked: Asked, moment: Moment) -> tuple[bool, str]:
        name, verdict = asked.pipeline, asked.verdict
        try:
            by = self.names.of(verdict.by)
            book = self.books[name]
            taken = operators.judge(book, verdict, by, moment, asked.asset)
        except VerdictRefused as why:
            subject = f"{name}/{asked.asset}" if asked.asset else name
            self.verdict_refused(name, subject, str(why))
            return False, str(why)
        self._instruments.count(
            "verdicts_total", pipeline=name, verdict=verdict.verdict
        )
        subject = f"{name}/{taken.asset}"
        self._say(subject, "verdict taken", taken.message, taken.details)
        return True, taken.message

    def verdict_refused(self, pipeline: str, subject: str, why: str) -> None:
        """Count and tell; any thread. A flood is counted, and told in part."""
        self.refused(pipeline, "verdict")
        now = self._clock.now()
        while self._refused_at and self._refused_at[0] < now - REFUSALS_IN:
            self._refused_at.popleft()
        if len(self._refused_at) < REFUSALS:
            self._refused_at.append(now)
            self._say(subject, "verdict refused", why)

    def _say(
        self,
        subject: str,
        what: str,
        text: str,
        details: dict[str, Any] | None = None,
    ) -> None:
        now = self._clock.now()
        self._tell(EventRecord(now, what, subject, text, details or {}))

    def _pay(self, now: int) -> None:
        """Tell those who brought labels whether these are safe."""
        owed, self._owed = self._owed, []
        if not owed:
            return
        safe = [b.keeping.write(now, force=True) for b in self.books.values()]
        for done in owed:
            done(all(safe))

    def _judge_due(self, name: str, book: Book, now: int) -> None:
        ago = now - self._judged.get(name, -(2**62))
        if self._judge is None or ago < (JUDGE_NEWS if book.news else JUDGE):
            return
        self._judged[name], book.news = now, False
        rows = harvest.joined(book, now)
        conditions = self._judge(name, rows, operators.alarms_of(book))
        if self._found is not None:
            self._found(name, conditions)
        self._tell_breach(name, book, conditions)

    def _tell_breach(
        self, name: str, book: Book, conditions: Sequence[Condition]
    ) -> None:
        broken = [c for c in conditions if c.what is What.ACCURACY]
        if not broken:
            self._breached.discard(name)
        elif name not in self._breached and book.settings.on_breach != "tell":
            self._breached.add(name)
            if self._breach is not None:
                self._breach(name, broken[0])
