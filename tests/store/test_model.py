"""The store against a model of a few lines, under random use and crashes."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    rule,
)

from edge_agent.records import (
    AlarmRecord,
    DriftRecord,
    FindingRecord,
    Record,
    RecordClass,
    SnapshotRecord,
)
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Callable

_SINKS = ("scada", "historian")
#: Tables that keep what records left behind.
_KEPT: dict[str, type] = {
    "alarm": AlarmRecord,
    "finding": FindingRecord,
    "drift": DriftRecord,
    "snapshot": SnapshotRecord,
}


class Outbox(RuleBasedStateMachine):
    """Submit, acknowledge, close, copy the files as a crash leaves them, reopen."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.owed: dict[int, set[str]] = {}
        self.kinds: dict[int, bool] = {}
        self.kept: dict[str, set[int]] = {name: set() for name in _KEPT}
        self.checkpoint: dict[str, bytes] = {}
        self.lives = 0
        self.turn = 0

    @initialize()
    def begin(self) -> None:
        """Open the first time."""
        self._open()

    @rule(target=ids, kinds=st.lists(st.sampled_from("saefdp"), max_size=3))
    def submit(self, kinds: list[str]) -> object:
        """One turn with its checkpoint."""
        self.turn += 1
        at = self.turn
        makers: dict[str, Callable[[int], Record]] = {
            "s": lambda _: made.scores(at=at),
            "a": lambda _: made.alarm(at=at),
            "e": lambda _: made.event(at=at),
            "f": lambda place: made.finding(at=at, id=f"{at}-{place}"),
            "d": lambda _: made.drift(at, at + 1),
            "p": lambda place: made.snapshot(at, subject=f"{at}-{place}"),
        }
        made_records = [makers[kind](place) for place, kind in enumerate(kinds)]
        self.checkpoint["core"] = str(self.turn).encode()
        stored = self.journal.submit(made_records, self.checkpoint)
        for one in stored:
            for name, kind in _KEPT.items():
                if isinstance(one.record, kind):
                    self.kept[name].add(one.id)
            only_kept = isinstance(one.record, (DriftRecord, SnapshotRecord))
            self.owed[one.id] = set() if only_kept else set(_SINKS)
            self.kinds[one.id] = one.record.kind < RecordClass.SCORE
        return multiple(*(one.id for one in stored))

    @rule(id_=consumes(ids), sink=st.sampled_from(_SINKS))
    def acknowledge(self, id_: int, sink: str) -> None:
        """One output has one record, for the first time or again."""
        self.journal.acknowledge(sink, [id_])
        self.owed[id_].discard(sink)

    @rule()
    def commit(self) -> None:
        """Let an alarm force a commit, and be done with it."""
        (one,) = self.journal.submit([made.alarm()], self.checkpoint)
        self.kept["alarm"].add(one.id)
        made.settle(self.journal)
        for sink in _SINKS:
            self.journal.acknowledge(sink, [one.id])

    @rule()
    def restart(self) -> None:
        """Stop cleanly and open again."""
        assert self.journal.stop(10)
        self._open()

    @rule()
    def look(self) -> None:
        """Both outputs see exactly what they are owed, in order."""
        made.settle(self.journal)
        for sink in _SINKS:
            for urgent in (True, False):
                expected = [
                    id_
                    for id_ in sorted(self.owed)
                    if sink in self.owed[id_] and self.kinds[id_] == urgent
                ]
                found = self.journal.backlog(sink, -1, 10_000, urgent=urgent)
                # acknowledgements are applied with the next commit: at least
                # what is owed, and nothing that never was
                ids = [stored.id for stored in found.result(10)]
                assert set(expected) <= set(ids)
                assert ids == sorted(ids)

    def teardown(self) -> None:
        """After a clean stop exactly what is owed is there, and what must be kept."""
        assert self.journal.stop(10)
        with closing(sqlite3.connect(self.folder / "outbox.db")) as sql:
            for name, ids in self.kept.items():
                rows = sql.execute(f"SELECT id FROM {name}").fetchall()  # noqa: S608
                assert {id_ for (id_,) in rows} == ids
        self._open()
        for sink in _SINKS:
            for urgent in (True, False):
                found = self.journal.backlog(sink, -1, 10_000, urgent=urgent)
                assert [s.id for s in found.result(10)] == [
                    id_
                    for id_ in sorted(self.owed)
                    if sink in self.owed[id_] and self.kinds[id_] == urgent
                ]
        self.journal.stop(10)
        shutil.rmtree(self.folder)

    def _open(self) -> None:
        self.lives += 1
        self.journal = made.journal(self.folder / "outbox.db", _SINKS, flush="1ms")
        recovered = self.journal.start()
        assert recovered.boot == self.lives
        assert recovered.events == []
        assert recovered.checkpoint == self.checkpoint
        for sink in _SINKS:
            self.journal.listen(sink, lambda _: None)


Outbox.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None
)
TestOutbox = pytest.mark.timeout(90)(Outbox.TestCase)
