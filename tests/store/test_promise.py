from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.cli.status import _store
from edge_agent.clock import SystemClock
from edge_agent.config.keeping import Store
from edge_agent.instruments import Instruments
from edge_agent.records import EventRecord, RecordClass
from edge_agent.samples import NANOSECONDS
from edge_agent.status.report import report
from edge_agent.store import codec, footprint, pages, pledge, rates
from edge_agent.store.database import Database
from edge_agent.store.flow import Flow
from edge_agent.store.journal import Journal
from edge_agent.store.outbox import Entry, Stored
from edge_agent.store.pledge import Pledge
from edge_agent.store.promise import (
    USUAL,
    Promise,
    Room,
    Standing,
    judged,
    limit_of,
    sentence,
)
from edge_agent.store.rates import Rate, Rates
from edge_agent.store.rows import Transaction
from edge_agent.store.wear import Wear
from tests.store import made

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0
MIB, GIB = 1 << 20, 1 << 30
_BIG = Room(100 * GIB, 200 * GIB)


class _Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 1_800_000_000 * NANOSECONDS

    def now(self) -> int:
        """Agent time."""
        return self.at

    def wall_offset(self) -> int:
        """None."""
        return 0


class _Bench:
    """A pledge with its store, a minute at a time."""

    def __init__(self, path: Path, **settings: str) -> None:
        self.clock, self.flow, self.told = _Hands(), Flow(), list[EventRecord]()
        chosen = Store.model_validate(settings)
        self.pledge = Pledge(path, chosen, self.flow, self.clock, self.told.append)
        self.pledge.begin()
        self.database = Database(path, self.pledge.limit)
        self.pledge.opened(self.database)

    def minutes(self, count: int, size: int) -> None:
        """Let time pass in which scores of some size in memory are made."""
        record = made.noisy(10)
        for _ in range(count):
            self.flow.count(Entry(Stored(1, record), RecordClass.SCORE, 10, size, 1, 0))
            self.clock.at += 60 * NANOSECONDS
            self.pledge.look(self.database)

    def close(self) -> None:
        """Write down what was learnt."""
        self.pledge.look(self.database, last=True)
        self.database.close()


def test_a_promise_is_broken_and_kept_again_once_each(tmp_path: Path) -> None:
    """A limit too small for the rate is told once; so is that it holds again."""
    bench = _Bench(tmp_path / "store.db", survive="1h", limit="1MiB")
    assert bench.pledge.promise is Promise.UNKNOWN
    bench.minutes(4, 10_000)
    assert bench.told == []
    bench.minutes(30, 100_000)
    (event,) = bench.told
    assert event.name == "store promise broken"
    assert "an outage of 60 min is promised but only" in event.message
    assert "Raise store.limit to" in event.message
    bench.minutes(60 * 30, 100)
    bench.close()

    names = [event.name for event in bench.told]
    assert names == ["store promise broken", "store promise kept"]


def test_nothing_is_told_of_a_promise_that_holds(tmp_path: Path) -> None:
    """An hour of calm: no event, and the status says how long is held."""
    bench = _Bench(tmp_path / "store.db", survive="72h")
    bench.minutes(60, 600)
    told = bench.pledge.told(bench.clock.now())
    bench.close()

    assert bench.told == []
    assert told["promise_state"] == "kept"
    assert told["holds_for_s"] > 72 * HOUR
    assert told["promise"].startswith("an outage of 72 h is promised and")


def test_rates_survive_a_restart(tmp_path: Path) -> None:
    """The next life knows at its start what the last one measured, and checks it."""
    first = _Bench(tmp_path / "store.db", survive="72h")
    first.minutes(60, 60_000)
    before = first.pledge.told(first.clock.now())["bytes_a_second"]
    first.close()

    again = _Bench(tmp_path / "store.db", survive="72h", limit="1MiB")
    after = again.pledge.told(again.clock.now())
    again.close()

    assert after["bytes_a_second"] == before
    assert after["bytes_a_second"]["score"] == pytest.approx(1000, rel=0.3)
    assert [event.name for event in again.told] == ["store promise broken"]


@given(st.binary(max_size=200))
def test_a_damaged_file_of_rates_begins_anew(body: bytes) -> None:
    """Whatever lies beside the store: rates are numbers that can be."""
    found = rates.unpacked(body)
    assert all(rate >= 0 for rate in found.stored)


def test_packed_rates_come_back() -> None:
    """What is written down is what was measured."""
    measured = Rates().after([1, 20, 300, 4000, 5], 60.0).weighed({3: 0.4})
    assert rates.unpacked(rates.packed(measured)) == measured
    assert rates.unpacked(rates.packed(measured)[:-4]) == Rates()


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0.5, 7200)), min_size=1))
def test_a_rate_stays_between_what_was_seen(steps: list[tuple[int, float]]) -> None:
    """Smoothing neither invents bytes nor forgets all of them."""
    rate, measured = Rate(), 0.0
    for amount, seconds in steps:
        measured += seconds
        rate = rate.after(amount, seconds, measured)
    each = [amount / seconds for amount, seconds in steps]
    assert min(each) * 0.999 <= rate.hour <= max(each) * 1.001
    assert min(each) * 0.999 <= rate.day <= max(each) * 1.001


def test_a_quiet_night_does_not_hide_what_the_day_needs() -> None:
    """The higher of the last hour and the last day counts."""
    of = Rates().after([0, 0, 0, 8 * 3_600_000, 0], 8 * HOUR)
    night = of.after([0, 0, 0, 0, 0], 2 * HOUR)
    assert night.stored[RecordClass.SCORE] > 700


@pytest.mark.parametrize("rows", [1, 10, 200])
def test_what_a_record_takes_is_measured(tmp_path: Path, rows: int) -> None:
    """The pages of a real file are what the footprint said, within a tenth."""
    database = Database(tmp_path / "store.db", GIB)
    database.set_outputs(["scada"])
    before = pages_used(database)
    count = 2000 // rows + 50
    kept = [Stored((1 << 44) + i * rows, made.noisy(rows, at=i)) for i in range(count)]
    database.commit(Transaction([Entry(s, s.record.kind, rows, 0, 1, 0) for s in kept]))
    taken = (pages_used(database) - before) / count
    record = kept[0].record
    body = footprint.weight(record) * codec.size_of(record)
    said = database.held.bytes * footprint.part_of(database.held) / count
    database.close()

    assert body == pytest.approx(taken, rel=0.1)
    assert said == pytest.approx(taken, rel=0.1)


def pages_used(database: Database) -> int:
    """Bytes of pages in use."""
    return pages.used(database._sql)


@given(
    st.floats(0, 1e7),
    st.floats(1, 1e7),
    st.integers(0, 10**13),
    st.integers(1, 10**13),
    st.integers(0, 10**13),
)
def test_a_derived_limit_leaves_room_on_the_disk(
    rate: float, survive: float, free: int, total: int, file: int
) -> None:
    """Without store.limit: never more than the disk spares, nor less than a little."""
    total = max(total, free + file)
    limit = limit_of(rate, survive, Room(free, total, file), 0)
    assert MIB <= limit <= max(USUAL, rate * survive * 1.26)
    assert limit <= max(MIB, (free + file) * 3 // 4)


def test_a_derived_limit_grows_with_the_need_and_not_back() -> None:
    """What is held does not go because less is made now."""
    need = limit_of(10_000, 72 * HOUR, _BIG, 0)
    assert need == pytest.approx(10_000 * 72 * HOUR * 1.25, rel=0.001)
    assert limit_of(10, 72 * HOUR, _BIG, need) == need
    full = Room(GIB, 200 * GIB, file=GIB)
    assert limit_of(10, 72 * HOUR, full, need) == MIB


_PROMISED = Standing(72 * HOUR, 1000.0, GIB, room=_BIG)


def test_a_promise_does_not_flutter() -> None:
    """What is broken is kept again only with a tenth to spare."""
    exact = round(72 * HOUR * 1000)
    less, bit, more = (
        replace(_PROMISED, limit=round(exact * x)) for x in (0.99, 1.05, 1.11)
    )
    assert judged(Promise.KEPT, bit) is Promise.KEPT
    assert judged(Promise.KEPT, less) is Promise.BROKEN
    assert judged(Promise.BROKEN, bit) is Promise.BROKEN
    assert judged(Promise.BROKEN, more) is Promise.KEPT


def test_the_status_says_when_the_promise_breaks() -> None:
    """What is promised, what is held, when it is full, and what to do about it."""
    date = 1_800_000_000 * NANOSECONDS  # 2027-01-15 08:00 UTC
    limited = replace(_PROMISED, limit=GIB // 8, held=GIB // 80, age=HOUR, chosen=True)
    said = sentence(Promise.BROKEN, limited, date)
    assert said == (
        "an outage of 72 h is promised but only 35 h are held: it needs 247.2 MiB at"
        " the present rate and there are 128.0 MiB; if nothing is taken it is full in"
        " 34 h, on 2027-01-16 17:33 UTC. Raise store.limit to 309.0MiB, leave it out,"
        " or lower store.survive"
    )
    small = replace(limited, limit=GIB, room=Room(100 * MIB, GIB))
    assert sentence(Promise.BROKEN, small, date).endswith(
        "The disk has 100.0 MiB left: free some, take a larger one, or lower"
        " store.survive"
    )
    assert "would be held" in sentence(Promise.KEPT, _PROMISED, date)
    assert "not measured yet" in sentence(Promise.UNKNOWN, _PROMISED, date)
    nothing = replace(_PROMISED, rate=0.0)
    assert "nothing is stored" in sentence(Promise.KEPT, nothing, date)


def test_a_broken_promise_degrades_the_status() -> None:
    """The sentence is in the summary, and the page begins with it."""
    store = {
        "promise": "an outage of 72 h is promised but only 31 h are held",
        "promise_state": "broken",
        "bytes_a_second": {"alarm": 0.1, "score": 900.0},
        "full_in_s": None,
    }
    document = report(
        identity={},
        sources={},
        pipelines={},
        outputs={},
        archives={},
        store=store,
        registry={},
        counters={},
        complaint="",
    )
    assert document["state"] == "degraded"
    assert "only 31 h are held" in document["summary"]
    lines = _store(store)
    assert lines[0] == f"  {store['promise']}"
    assert "  bytes_a_second: alarm 0 B, score 900 B" in lines
    assert not any("full_in_s" in line for line in lines)


def test_bytes_written_are_told_as_a_day() -> None:
    """Over the run and over its last hour; not before a minute has passed."""
    wear, hour = Wear(), int(HOUR) * NANOSECONDS
    wear.note(0, 5_000)
    assert set(wear.told(NANOSECONDS, 9_000).values()) == {None}
    for minute in range(1, 181):
        wear.note(minute * 60 * NANOSECONDS, 5_000 + minute * 1000)
    told = wear.told(3 * hour, 5_000 + 180_000 + 60_000)

    assert told["bytes_written_per_day"] == 8 * 240_000
    assert told["bytes_written_per_day_last_hour"] == 24 * 120_000


def test_the_journal_keeps_its_promise_in_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running journal measures, judges and tells an output of a broken promise."""
    monkeypatch.setattr(pledge, "EVERY", NANOSECONDS // 50)
    monkeypatch.setattr(rates, "ENOUGH", 0.1)
    settings = Store.model_validate({"flush": "5ms", "limit": "200kB"})
    journal = Journal(
        tmp_path / "outbox.db",
        sinks=("scada",),
        settings=settings,
        clock=SystemClock(),
        instruments=Instruments(),
    )
    journal.start()
    heard: list[Stored] = []
    journal.listen("scada", heard.extend)
    give_up = time.monotonic() + 15
    while journal.status()["promise_state"] != "broken":
        assert time.monotonic() < give_up
        journal.submit([made.noisy(5, at=len(heard))], {})
        time.sleep(0.01)
    made.settle(journal)
    status = journal.status()
    journal.stop(10)

    events = [s.record for s in heard if isinstance(s.record, EventRecord)]
    assert [event.name for event in events] == ["store promise broken"]
    assert status["limit_bytes"] == 200_000
    assert status["need_bytes"] > 200_000
    assert 0 < status["holds_for_s"] < status["survive_s"]
    assert status["bytes_a_second"]["score"] > 0
