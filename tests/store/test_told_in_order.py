"""What is told after its commit, or without it, is told in the order of its ids."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from edge_agent.records import LossRecord
from edge_agent.store import tray
from edge_agent.store.tray import Tray
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from edge_agent.records import Record
    from edge_agent.store.journal import Journal
    from edge_agent.store.outbox import Entry, Stored
    from edge_agent.store.work import Work

#: Seconds the disk may take here, and for how long the writer is held up.
_PATIENCE, _HELD = 0.02, 0.3


def _started(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Journal, list[Stored]]:
    monkeypatch.setattr(tray, "OVERDUE", int(_PATIENCE * 1e9))
    journal = made.journal(folder / "outbox.db")
    heard: list[Stored] = []
    journal.start()
    journal.listen("scada", heard.extend)
    return journal, heard


def test_no_thread_tells_of_newer_events_while_the_other_holds_older_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer is held up between a commit and telling of it: the next one waits."""
    journal, heard = _started(tmp_path, monkeypatch)
    committed, held = Tray.committed, threading.Event()

    def slow(self: Tray, work: Work) -> list[Entry]:
        fresh = committed(self, work)
        if any(entry.stored.record == made.event("first") for entry in fresh):
            journal.submit([made.event("second")], {})
            held.wait(_HELD)
        return fresh

    monkeypatch.setattr(Tray, "committed", slow)
    journal.submit([made.event("first")], {})
    made.settle(journal)

    assert journal.stop(10)
    assert [s.record for s in heard if s.record == made.event("first")]
    ids = [stored.id for stored in heard]
    assert ids == sorted(ids)


def test_no_event_is_told_before_a_loss_report_that_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow commit with a report: events behind it wait for it, alarms do not."""
    journal, heard = _started(tmp_path, monkeypatch)
    number = Tray.number
    at_once: list[Stored] = []

    def slow(self: Tray, records: Iterable[Record]) -> list[Entry]:
        entries = number(self, records)
        if entries:
            journal.submit([made.event("behind"), made.alarm(1)], {})
            give_up = time.monotonic() + 10
            while all(s.record != made.alarm(1) for s in [*heard]):
                assert time.monotonic() < give_up
                time.sleep(0.01)
            threading.Event().wait(_HELD)
            at_once.extend(heard)
        return entries

    monkeypatch.setattr(Tray, "number", slow)
    journal._tray.lose(("rows", "score", "test"), 1, 0, 0)
    give_up = time.monotonic() + 15
    while not any(isinstance(s.record, LossRecord) for s in heard):
        assert time.monotonic() < give_up
        time.sleep(0.01)

    assert journal.stop(10)
    told = [s for s in heard if s.record != made.alarm(1)]
    assert [s.id for s in told] == sorted(s.id for s in told)
    assert any(isinstance(s.record, LossRecord) for s in told)
    assert [s.record for s in at_once].count(made.alarm(1)) == 1
