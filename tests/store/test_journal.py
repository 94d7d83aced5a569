from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from structlog.testing import capture_logs

from edge_agent.clock import SystemClock
from edge_agent.config.keeping import Store
from edge_agent.errors import StoreInUse
from edge_agent.instruments import Instruments
from edge_agent.records import EventRecord, LossRecord, ScoreRecord
from edge_agent.store import tray
from edge_agent.store.journal import Journal
from tests.store import made

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.records import Record
    from edge_agent.store.outbox import Stored


class _Heard:
    """Collects what a listener is told."""

    def __init__(self) -> None:
        self.records: list[Stored] = []
        self._some = threading.Condition()

    def __call__(self, records: list[Stored]) -> None:
        with self._some:
            self.records += records
            self._some.notify_all()

    def wait(self, count: int) -> list[Record]:
        with self._some:
            assert self._some.wait_for(lambda: len(self.records) >= count, 10)
            return [stored.record for stored in self.records]


def test_owed_records_survive_a_restart(tmp_path: Path) -> None:
    """What was not acknowledged is there again, in order, with the checkpoint."""
    first = made.journal(tmp_path / "outbox.db")
    assert first.start().boot == 1
    first.submit([made.scores(3, at=1), made.alarm(2)], {"alarms": b"one"})
    first.submit([made.scores(2, at=3), made.event()], {"alarms": b"two"})
    assert first.stop(10)

    second = made.journal(tmp_path / "outbox.db")
    recovered = second.start()

    assert (recovered.boot, recovered.checkpoint) == (2, {"alarms": b"two"})
    expected: list[Record] = [
        made.alarm(2),
        made.event(),
        made.scores(3, at=1),
        made.scores(2, at=3),
    ]
    found = made.everything(second)
    assert len(found) == len(expected)
    assert all(made.same(*pair) for pair in zip(found, expected, strict=True))
    second.stop(10)


def test_acknowledged_records_are_gone(tmp_path: Path) -> None:
    """A record leaves when every output has it, not before."""
    first = made.journal(tmp_path / "outbox.db", ("scada", "historian"))
    first.start()
    (one, two) = first.submit([made.alarm(1), made.alarm(2)], {})
    made.everything(first)
    first.acknowledge("scada", [one.id, two.id])
    first.acknowledge("historian", [two.id])
    first.stop(10)

    second = made.journal(tmp_path / "outbox.db", ("scada", "historian"))
    second.start()

    assert made.everything(second, "scada") == []
    assert made.everything(second, "historian") == [made.alarm(1)]
    second.stop(10)


def test_outputs_keep_their_debts_when_reordered(tmp_path: Path) -> None:
    """An output's records stay its own whatever order the configuration has."""
    first = made.journal(tmp_path / "outbox.db", ("a", "b"))
    first.start()
    (one,) = first.submit([made.alarm(1)], {})
    first.acknowledge("a", [one.id])
    first.stop(10)

    second = made.journal(tmp_path / "outbox.db", ("c", "b", "a"))
    second.start()

    owed = {name: len(made.everything(second, name)) for name in ("a", "b", "c")}
    assert owed == {"a": 0, "b": 1, "c": 0}
    second.stop(10)


def test_removed_output_is_told_and_counted(tmp_path: Path) -> None:
    """Taking an output out of the configuration cancels its records, visibly."""
    first = made.journal(tmp_path / "outbox.db", ("a", "b"))
    first.start()
    (one,) = first.submit([made.scores(3, at=7)], {})
    first.acknowledge("a", [one.id])
    first.stop(10)

    second = made.journal(tmp_path / "outbox.db", ("a",))
    events = second.start().events
    second.submit([made.event()], {})
    second.stop(10)
    third = made.journal(tmp_path / "outbox.db", ("a",))
    third.start()

    assert [e.name for e in events] == ["output removed"]
    losses = [r for r in made.everything(third, "a") if isinstance(r, LossRecord)]
    assert [(x.count, x.first, x.last, x.subject) for x in losses] == [(3, 7, 7, "b")]
    third.stop(10)


def test_live_scores_are_told_at_once_alarms_after_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live listener has the scores when submit returns; the alarm is on disk."""
    monkeypatch.setattr(tray, "OVERDUE", 60 * 10**9)  # however slow the disk is
    heard, journal = _Heard(), made.journal(tmp_path / "outbox.db", flush="1h")
    journal.start()
    journal.listen("scada", heard)

    journal.submit([made.scores()], {})
    assert [type(s.record) for s in heard.records] == [ScoreRecord]
    journal.submit([made.alarm(5)], {})
    assert heard.wait(2)[1] == made.alarm(5)
    assert journal.status()["memory_rows"] == 0

    journal.stop(10)


def test_committed_listener_waits_for_the_disk(tmp_path: Path) -> None:
    """In committed mode a score is told only when a restart would find it."""
    heard, journal = _Heard(), made.journal(tmp_path / "outbox.db", flush="1h")
    journal.start()
    journal.listen("scada", heard, live=False)

    journal.submit([made.scores()], {})
    assert heard.records == []
    assert journal.backlog("scada", -1, 10).result(10) == []
    journal.submit([made.event()], {})
    assert len(heard.wait(2)) == 2

    journal.stop(10)


def test_score_acknowledged_in_time_is_never_written(tmp_path: Path) -> None:
    """A healthy link costs no flash: acknowledged scores are left out."""
    journal = made.journal(tmp_path / "outbox.db", flush="1h")
    journal.start()
    (one,) = journal.submit([made.scores(3)], {})
    journal.acknowledge("scada", [one.id])
    assert journal.stop(10)

    assert journal.status()["rows_never_written"] == 3
    rows = sqlite3.connect(tmp_path / "outbox.db")
    assert rows.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    rows.close()


def test_waiting_records_are_in_the_backlog(tmp_path: Path) -> None:
    """A reader sees scores that are not on disk yet, after those that are."""
    journal = made.journal(tmp_path / "outbox.db", flush="1h")
    journal.start()
    journal.listen("scada", lambda _: None)
    journal.submit([made.scores(2, at=1), made.event()], {})
    journal.submit([made.scores(2, at=2)], {})

    found = [r for r in made.everything(journal) if isinstance(r, ScoreRecord)]

    assert [int(r.at[0]) for r in found] == [1, 2]
    journal.stop(10)


def test_ids_rise_by_rows_and_over_boots(tmp_path: Path) -> None:
    """Every row has its own number, and no opening repeats an earlier one."""
    first = made.journal(tmp_path / "outbox.db")
    first.start()
    (one, two) = first.submit([made.scores(3), made.event()], {})
    spare = first.reserve(4)
    (three,) = first.submit([made.event()], {})
    first.stop(10)
    (tmp_path / "outbox.db").unlink()
    second = made.journal(tmp_path / "outbox.db")
    second.start()
    (four,) = second.submit([made.event()], {})
    second.stop(10)

    assert [(s.boot, s.seq) for s in (one, two, three)] == [(1, 0), (1, 3), (1, 8)]
    assert spare == two.id + 1
    assert four.boot == 2, "the boot is remembered beside a lost file"


def test_second_connection_is_refused(tmp_path: Path) -> None:
    """SQLite itself keeps a second writer out: the WAL-reset bug needs two."""
    journal = made.journal(tmp_path / "outbox.db")
    journal.start()
    journal.submit([made.event()], {})
    made.everything(journal)

    other = sqlite3.connect(tmp_path / "outbox.db", timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("SELECT * FROM outbox").fetchall()
    other.close()
    journal.stop(10)


def test_second_agent_is_told_why(tmp_path: Path) -> None:
    """An agent on the same state_dir ends with a sentence, not with two writers."""
    journal = made.journal(tmp_path / "outbox.db")
    journal.start()

    with pytest.raises(StoreInUse, match="another edge-agent"):
        made.journal(tmp_path / "outbox.db").start()
    journal.stop(10)


def test_full_outbox_drops_scores_before_alarms_and_counts(tmp_path: Path) -> None:
    """Beyond the limit the oldest scores go, each in a loss record; alarms stay."""
    journal = made.journal(tmp_path / "outbox.db", limit="20kB")
    journal.start()
    journal.submit([made.alarm(1)], {})
    for at in range(30):
        journal.submit([made.noisy(10, at=at), made.event(at=at)], {})
        made.settle(journal)
    journal.stop(10)
    again = made.journal(tmp_path / "outbox.db", limit="1MB")
    again.start()
    # what the last commit dropped is in the ledger, and told with the next one
    again.submit([made.event()], {})
    made.settle(again)
    found = made.everything(again)
    again.stop(10)

    kept = [int(r.at[0]) for r in found if isinstance(r, ScoreRecord)]
    lost = [r for r in found if isinstance(r, LossRecord)]
    assert found[0] == made.alarm(1)
    assert len([r for r in found if isinstance(r, EventRecord)]) == 30 + 1
    assert kept == list(range(30 - len(kept), 30))
    assert 0 < len(kept) < 15
    assert sum(x.count for x in lost) == 10 * (30 - len(kept))
    assert (min(x.first for x in lost), max(x.last for x in lost)) == (
        0,
        29 - len(kept),
    )


def test_refused_rows_are_kept_aside_and_told(tmp_path: Path) -> None:
    """What an output will never take is out of the way, but not thrown away."""
    journal = made.journal(tmp_path / "outbox.db")
    journal.start()
    (one,) = journal.submit([made.scores(3)], {})
    journal.quarantine("scada", one, "payload too large", [1])
    journal.acknowledge("scada", [one.id])
    journal.stop(10)

    file = sqlite3.connect(tmp_path / "outbox.db")
    kept = file.execute("SELECT output, reason, rows FROM quarantine").fetchall()
    file.close()
    assert kept == [("scada", "payload too large", 1)]


def test_without_outputs_only_the_checkpoint_is_kept(tmp_path: Path) -> None:
    """An agent that sends nowhere still remembers its alarms."""
    first = made.journal(tmp_path / "outbox.db", ())
    first.start()
    first.submit([made.scores(), made.alarm()], {"alarms": b"x"})
    first.stop(10)
    second = made.journal(tmp_path / "outbox.db", ())

    assert second.start().checkpoint == {"alarms": b"x"}
    assert second.status()["rows"] == 0
    second.stop(10)


def test_unchanged_checkpoint_costs_no_commit(tmp_path: Path) -> None:
    """A calm machine writes nothing: same checkpoint, acknowledged scores."""
    journal = made.journal(tmp_path / "outbox.db", flush="1ms")
    journal.start()
    journal.submit([made.event()], {"alarms": b"x"})
    made.settle(journal)
    before = journal.status()["commits"]
    for _ in range(50):
        journal.submit([], {"alarms": b"x"})
        made.everything(journal)

    assert journal.status()["commits"] == before
    journal.stop(10)


class _SteppedClock:
    """A clock whose wall was set right after the agent had started."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def now(self) -> int:
        """Agent time does not care."""
        return SystemClock().now()

    def wall_offset(self) -> int:
        """What the wall clock was moved by."""
        return self._offset


@pytest.mark.parametrize(
    ("stepped", "label"), [(3600 * 10**9, 3600 * 10**9), (40_000_000, 0)]
)
def test_records_are_labelled_with_the_wall_clock_at_their_time(
    tmp_path: Path, stepped: int, label: int
) -> None:
    """A stepped wall clock shifts dates, not order; slew leaves whole seconds whole."""
    journal = Journal(
        tmp_path / "outbox.db",
        sinks=("scada",),
        settings=Store(),
        clock=_SteppedClock(stepped),
        instruments=Instruments(),
    )
    journal.start()
    (one,) = journal.submit([made.event()], {})
    journal.stop(10)

    assert one.offset == label


def test_records_of_machines_are_made_plain(tmp_path: Path) -> None:
    """Half a character or a numpy number in a record cannot stop the journal."""
    journal = made.journal(tmp_path / "outbox.db")
    journal.start()
    journal.submit(
        [
            EventRecord(1, "odd", "plc\ud800", "x", {"n": np.float64(2.5), "o": {1}}),
            replace(made.alarm(), score=np.float64(3.5), at=np.int64(7)),  # type: ignore[arg-type]
        ],
        {},
    )
    made.settle(journal)
    event, alarm = made.everything(journal)
    journal.stop(10)

    assert event == EventRecord(1, "odd", "plc?", "x", {"n": 2.5, "o": "{1}"})
    assert alarm == replace(made.alarm(), score=3.5, at=7)


def test_last_words_are_written_too(tmp_path: Path) -> None:
    """A disk that works again only for the last commit: that, too, is on record."""
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    journal = made.journal(blocked / "outbox.db")
    journal.start()
    journal.submit([made.alarm(1)], {})
    blocked.unlink()

    assert journal.stop(10)
    again = made.journal(blocked / "outbox.db")
    again.start()
    found = made.everything(again)
    again.stop(10)
    names = [r.name for r in found if isinstance(r, EventRecord)]
    assert names == ["store failing", "store works again"]


def test_stop_on_a_dead_disk_says_what_was_lost(tmp_path: Path) -> None:
    """When the disk never came back, the log has the number of records lost."""
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    journal = made.journal(blocked / "outbox.db")
    journal.start()
    journal.submit([made.scores(7)], {})
    with capture_logs() as logs:
        assert not journal.stop(10)

    (last,) = [entry for entry in logs if entry["event"] == "records lost at stop"]
    assert last["rows"] == 8


def test_status_tells_how_long_an_outage_may_last(tmp_path: Path) -> None:
    """The limit is shown as time, beside what the operator asked for."""
    journal = made.journal(tmp_path / "outbox.db", limit="1MB")
    journal.start()
    assert journal.status()["holds_for_s"] is None
    journal.submit([made.scores(100)], {})
    made.settle(journal)
    status = journal.status()
    journal.stop(10)

    assert 0 < status["holds_for_s"] < status["survive_s"]


def test_backlog_has_no_gap_between_disk_and_memory(tmp_path: Path) -> None:
    """Acknowledged but undeleted records do not let a reader skip others."""
    journal = made.journal(tmp_path / "outbox.db", flush="1h")
    journal.start()
    journal.listen("scada", lambda _: None)
    on_disk = journal.submit([made.scores(2, at=at) for at in range(60)], {})
    journal.submit([made.event()], {})
    made.settle(journal)
    journal.acknowledge("scada", [one.id for one in on_disk[:5]])
    in_memory = journal.submit([made.scores(2, at=at) for at in range(60, 65)], {})

    found, after = list[int](), -1
    while chunk := journal.backlog("scada", after, 10).result(10):
        after = chunk[-1].id
        found += [one.id for one in chunk]
    journal.stop(10)

    assert found == [one.id for one in [*on_disk[5:], *in_memory]]
