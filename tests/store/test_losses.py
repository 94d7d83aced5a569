"""The ledger of losses: exact under any cut, durable, kept after it was told."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.losses import OTHERS
from edge_agent.records import AlarmRecord, EventRecord, LossRecord, ScoreRecord
from edge_agent.samples import NANOSECONDS
from edge_agent.store import history, losses, lost, offline
from edge_agent.store.database import Database
from edge_agent.store.history import Of, Query
from edge_agent.store.losses import Losses, Told
from edge_agent.store.outbox import Entry, Loss, Stored, add_loss
from edge_agent.store.rows import Transaction
from edge_agent.store.traces import NOWHERE
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.store.journal import Journal
    from edge_agent.store.lost import Lost
    from edge_agent.store.outbox import LossKey

MINUTE = 60 * NANOSECONDS
_keys = st.tuples(st.just("samples"), st.sampled_from("ab"), st.just("why"))
_told = st.tuples(
    st.just("told"), _keys, st.integers(0, 5), st.integers(0, 99), st.integers(0, 99)
)
_steps = st.one_of(
    _told,
    _told,
    st.tuples(st.sampled_from(["commit", "fail", "kill", "minute", "last"])),
)


def kept(path: Path) -> list[Lost]:
    """What a store that nobody has open says was lost, oldest first."""
    pages = list(offline.pages(path, Query(Of.LOSSES)))
    return [row for page in reversed(pages) for row in reversed(page.losses)]


def summed(rows: Iterable[Lost]) -> dict[LossKey, tuple[int, int, int]]:
    """Count, first and last of each loss."""
    found: dict[LossKey, Loss] = {}
    for row in rows:
        loss = Loss(row.amount, row.at_first, row.at_last)
        add_loss(found, (row.what, row.subject, row.cause), loss)
    return {key: (of.count, of.first, of.last) for key, of in found.items()}


class _Ledger:
    """What the writer does with losses, without its threads."""

    def __init__(self, path: Path) -> None:
        self.path, self.now, self.next = path, 0, 1
        self.told, self.losses = Told(1), Losses()
        self.database = Database(path, 1 << 30)

    def commit(self, *, held: bool = True, last: bool = False) -> None:
        """One transaction; one that does not hold leaves all as it was."""
        taken = self.told.take()
        due = self.losses.due(self.now, last=last)
        reports = self.losses.records(due, self.now)
        entries = []
        for record in reports:
            entries.append(Entry(Stored(self.next, record), record.kind, 1, 9, 1, 0))
            self.next += 1
        work = Transaction(entries, told=taken, reported=due)
        if not held:
            work.losses = {("rows", "a", "why"): None}  # type: ignore[dict-item]
            with suppress(AttributeError):
                self.database.commit(work)
            for key, loss in taken.items():
                self.told.add(key, loss, self.now)
            return
        self.database.commit(work)
        if due:
            self.losses.reported(self.now)
        self.losses.more(taken)

    def kill(self) -> None:
        """What was told and not written is gone; the rest is read again."""
        self.database.close()
        self.told, self.losses = Told(1), Losses()
        self.database = Database(self.path, 1 << 30)
        self.losses.known = self.database.ledger()


@given(st.lists(_steps, max_size=40))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_coalescing_is_exact_under_any_cut(steps: list[tuple[Any, ...]]) -> None:
    """However commits, failures, kills and reports fall, counts and ranges are kept."""
    folder = Path(tempfile.mkdtemp())
    ledger = _Ledger(folder / "store.db")
    expected: dict[LossKey, Loss] = {}
    waiting: dict[LossKey, Loss] = {}
    for word, *values in steps:
        if word == "told":
            key, count, one, other = values
            loss = Loss(count, min(one, other), max(one, other))
            ledger.told.add(key, loss, ledger.now)
            add_loss(waiting, key, loss)
        elif word == "minute":
            ledger.now += MINUTE
        elif word == "fail":
            ledger.commit(held=False)
        elif word == "kill":
            waiting.clear()
            ledger.kill()
        else:
            ledger.commit(last=word == "last")
            for key, loss in waiting.items():
                add_loss(expected, key, loss)
            waiting.clear()
    ledger.database.close()

    found = summed(kept(ledger.path))
    shutil.rmtree(folder)
    assert found == {k: (of.count, of.first, of.last) for k, of in expected.items()}


def test_what_is_written_down_and_not_told_is_added_up_on_disk(tmp_path: Path) -> None:
    """After a kill the report has the count and the range of all commits before."""
    ledger, key = _Ledger(tmp_path / "store.db"), ("samples", "a", "why")
    spans = [(9, 9), (7, 8), (3, 20), (5, 6)]
    for first, last in spans:
        ledger.told.add(key, Loss(2, first, last), 0)
        ledger.commit()
        ledger.commit()
    waiting = ledger.database.ledger()
    ledger.kill()
    ledger.commit(last=True)
    ledger.database.close()

    assert waiting == {key: Loss(6, 3, 20)}
    found = [(of.amount, of.at_first, of.at_last) for of in kept(ledger.path)]
    assert found == [(2, 9, 9), (6, 3, 20)]


def test_reports_of_one_loss_are_a_minute_apart(tmp_path: Path) -> None:
    """The first is told at once, what follows within a minute as one."""
    ledger = _Ledger(tmp_path / "store.db")
    for _ in range(150):
        ledger.told.add(("samples", "a", "why"), Loss(1, ledger.now, ledger.now), 0)
        ledger.commit()
        ledger.now += NANOSECONDS
    ledger.commit(last=True)
    ledger.commit(last=True)
    ledger.database.close()

    counts = [row.amount for row in kept(tmp_path / "store.db")]
    assert counts == [1, 60, 60, 29]


def test_a_flood_of_subjects_is_bounded_while_the_disk_fails() -> None:
    """Beyond a bound new subjects are others; the count stays exact."""
    told = Told(1)
    for number in range(5000):
        told.add(("messages", str(number), "bad"), Loss(1, 0, 0), 0)
    taken = told.take()

    assert len(taken) <= 2001
    assert sum(loss.count for loss in taken.values()) == 5000
    assert taken["messages", OTHERS, "bad"].count > 2000


def test_a_loss_that_goes_on_is_no_commit_every_second() -> None:
    """The first of its kind in a minute waits for one flush, the next for ten."""
    told, key = Told(100), ("samples", "a", "why")
    told.add(key, Loss(1, 0, 0), 1000)
    assert told.dues() == [1100]
    told.take()
    assert told.dues() == []
    told.add(key, Loss(1, 0, 0), 1200)
    assert told.dues() == [2200]
    told.add(("samples", "b", "why"), Loss(1, 0, 0), 1300)
    assert told.dues() == [1400]


def test_losses_stay_after_everybody_has_them(tmp_path: Path) -> None:
    """Told by any thread, sent, acknowledged, and still there, with their time."""
    path = tmp_path / "store.db"
    journal = made.journal(path)
    journal.start()
    journal._instruments.losses.add("samples", "P-101/flow", "full", 4, first=5, last=9)
    told = _reported(journal, 1)
    journal.acknowledge("scada", [one.id for one in told])
    running = journal.recall(Query(Of.LOSSES)).result(5)
    assert journal.stop(10)

    (report,) = (one.record for one in told)
    assert isinstance(report, LossRecord)
    assert report == LossRecord(report.at, "samples", "P-101/flow", 4, 5, 9, "full")
    assert running.oldest < report.at
    assert summed(running.losses) == {("samples", "P-101/flow", "full"): (4, 5, 9)}
    assert summed(kept(path)) == summed(running.losses)


def test_losses_are_kept_where_there_is_no_output(tmp_path: Path) -> None:
    """Nobody is told, and the ledger answers all the same."""
    journal = made.journal(tmp_path / "store.db", ())
    journal.start()
    journal._instruments.losses.add("samples", "a", "why", 2, first=1, last=1)
    made.settle(journal)
    journal.stop(10)

    assert summed(kept(tmp_path / "store.db")) == {("samples", "a", "why"): (2, 1, 1)}


def test_a_new_ledger_says_from_when_on_it_knows(tmp_path: Path) -> None:
    """Without a loss there is a beginning, and no row; a restart does not move it."""
    path = tmp_path / "store.db"
    began = made.journal(path)._clock.now()
    for _ in range(2):
        journal = made.journal(path)
        journal.start()
        journal.stop(10)
    (page,) = offline.pages(path, Query(Of.LOSSES))

    assert page.losses == ()
    assert 0 < page.oldest - began < 60 * NANOSECONDS


def test_a_full_ledger_forgets_its_oldest_and_says_how_far_back_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark of the beginning goes first, then the oldest losses."""
    monkeypatch.setattr(lost, "KEPT", 3)
    path = tmp_path / "store.db"
    with closing(Database(path, 1 << 30)) as database:
        clock = made.journal(path)._clock
        losses.begin(database, 1, clock, NOWHERE)
        for number in range(1, 6):
            record = LossRecord(number, "samples", "a", 1, number, number, "why")
            entry = Entry(Stored(1 << 44 | number, record), record.kind, 1, 9, 0, 0)
            database.commit(Transaction([entry]))
        forgotten = database.fill.forgotten["losses"]
    (page,) = offline.pages(path, Query(Of.LOSSES))

    assert forgotten == 3
    assert [row.at for row in page.losses] == [5, 4, 3]
    assert page.oldest == 3


def test_rows_nobody_could_write_at_stop_are_told_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full to the end: a note beside the store says what it cost."""

    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    path = tmp_path / "store.db"
    journal = made.journal(path)
    journal.start()
    made.settle(journal)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "commit", full)
        journal.submit([made.scores(7, at=3), made.alarm(4)], {})
        journal._instruments.losses.add("samples", "a", "why", 2, first=1, last=1)
        assert not journal.stop(10)
    again = made.journal(path)
    again.start()
    again.submit([made.event()], {})
    made.settle(again)
    again.stop(10)

    found = summed(kept(path))
    assert found["rows", "score", losses.AT_STOP] == (7, 3, 3)
    assert found["rows", "alarm", losses.AT_STOP] == (1, 4, 4)
    assert found["samples", "a", "why"] == (2, 1, 1)
    assert not path.with_name("store.db.lost").exists()


_VICTIM = """
import sys, time
from pathlib import Path
from edge_agent.store.history import Of, Query
from tests.store import made
journal = made.journal(Path(sys.argv[1]))
journal.start()
for number in range(40):
    journal._instruments.losses.add("samples", "a", "why", 1, first=number, last=number)
while sum(
    row.amount for row in journal.recall(Query(Of.LOSSES)).result(10).losses
) < 40:
    time.sleep(0.01)
print("told", flush=True)
time.sleep(60)
"""


@pytest.mark.crash
def test_what_was_told_outlives_a_kill(tmp_path: Path) -> None:
    """A loss is on disk a flush after it happened, reported yet or not."""
    path = tmp_path / "store.db"
    command = [sys.executable, "-c", _VICTIM, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"told\n"
        victim.send_signal(signal.SIGKILL)
    before = summed(kept(path))
    again = made.journal(path)
    again.start()
    again.submit([made.event()], {})  # what no report has yet is told with it
    made.settle(again)
    told = _reported(again, 1)
    again.stop(10)

    assert before == {("samples", "a", "why"): (40, 0, 39)}
    records = [one.record for one in told]
    assert sum(of.count for of in records if isinstance(of, LossRecord)) == 40
    assert summed(kept(path)) == before


def test_what_an_output_refuses_for_good_is_a_loss(tmp_path: Path) -> None:
    """A dead letter is in quarantine and in the ledger, by output, with its time."""
    path = tmp_path / "store.db"
    journal = made.journal(path)
    journal.start()
    (one,) = journal.submit([made.scores(5, at=7)], {})
    journal.quarantine("scada", one, "payload too large", [1, 3])
    journal.acknowledge("scada", [one.id])
    made.settle(journal)
    journal.stop(10)

    assert summed(kept(path)) == {("rows", "scada", losses.REFUSED): (2, 7, 7)}


@given(
    st.lists(
        st.sampled_from(["scores", "alarm", "ack", "refuse", "read", "restart"]),
        min_size=5,
        max_size=40,
    )
)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_submitted_is_delivered_and_counted(steps: list[str]) -> None:
    """Whatever is dropped, refused or sent: the ledger closes the balance."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "store.db"
    journal = made.journal(path, limit="12kB")
    journal.start()
    submitted = delivered = refused = 0
    for at, step in enumerate(steps):
        if step == "restart":
            assert journal.stop(10)
            journal = made.journal(path, limit="12kB")
            journal.start()
        elif step == "scores":
            for _ in range(4):
                journal.submit([made.scores(20, at=at)], {})
                submitted += 20
        elif step == "alarm":
            journal.submit([made.alarm(at)], {})
            submitted += 1
        else:
            owed = journal.backlog("scada", -1, 3).result(5)
            for one in owed:
                rows = _rows(one)
                if step == "read" or not rows:
                    continue
                if step == "refuse":
                    journal.quarantine("scada", one, "too large")
                    refused += rows
                else:
                    delivered += rows
            if step != "read":
                journal.acknowledge("scada", [one.id for one in owed])
        made.settle(journal)
    delivered += sum(_rows(one) for one in _owed(journal))
    assert journal.stop(10)

    counted = sum(row.amount for row in kept(path) if row.subject in _COUNTED)
    shutil.rmtree(folder)
    assert submitted == delivered + counted
    assert refused <= counted


_COUNTED = {"score", "alarm", "scada"}


def _rows(stored: Stored) -> int:
    """Of what the test submitted; not events and losses."""
    record = stored.record
    if isinstance(record, ScoreRecord):
        return len(record)
    return int(isinstance(record, AlarmRecord))


def _owed(journal: Journal) -> list[Stored]:
    urgent = journal.backlog("scada", -1, 10_000, urgent=True).result(5)
    return [*urgent, *journal.backlog("scada", -1, 10_000).result(5)]


def _reported(journal: Journal, count: int) -> list[Stored]:
    """Loss records that an output is owed, once there are so many."""
    give_up = time.monotonic() + 15
    while True:
        owed = journal.backlog("scada", -1, 1000, urgent=True).result(5)
        found = [one for one in owed if isinstance(one.record, LossRecord)]
        if len(found) >= count:
            return found
        assert time.monotonic() < give_up, "no report of a loss"
        time.sleep(0.01)  # who asks without a pause keeps the writer from committing


def test_a_damaged_store_is_a_loss_and_its_ledger_goes_on(tmp_path: Path) -> None:
    """What can be read of the ledger is carried over; what cannot, nobody counts."""
    path = tmp_path / "store.db"
    journal = made.journal(path)
    journal.start()
    journal.submit([made.loss(3), *(made.alarm(at) for at in range(200))], {})
    made.settle(journal)
    assert journal.stop(10)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 4096)
    again = made.journal(path)
    again.start()
    made.settle(again)
    assert again.stop(10)

    found = {(row.what, row.subject): row.amount for row in kept(path)}
    assert found["samples", "plc1"] == 3
    assert ("records", "outbox") in found


def test_an_event_is_no_loss(tmp_path: Path) -> None:
    """Of what is told only losses are in the ledger."""
    journal = made.journal(tmp_path / "store.db")
    journal.start()
    journal.submit([made.event(), made.loss(3)], {})
    made.settle(journal)
    (row,) = journal.recall(Query(Of.LOSSES)).result(5).losses
    journal.stop(10)

    assert (row.what, row.subject, row.amount) == ("samples", "plc1", 3)
    assert isinstance(made.event(), EventRecord)
    assert history.A_PAGE[Of.LOSSES] > 0
