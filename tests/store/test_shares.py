from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.clock import SystemClock
from edge_agent.records import EvidenceRecord, RawRecord, Record, RecordClass
from edge_agent.records.appetites import EVIDENCE
from edge_agent.store import codec, shares
from edge_agent.store.database import Database
from edge_agent.store.ledger import ROW
from edge_agent.store.outbox import Entry, Loss, Stored, Waiting
from edge_agent.store.rows import Transaction
from edge_agent.store.tray import Tray
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HELD = st.lists(st.integers(0, 10**12), min_size=5, max_size=5)
_LIMIT = 40_000


def _raw(at: int) -> RawRecord:
    """Eight samples of one tag."""
    dice = np.random.default_rng(at)
    return RawRecord(
        at=at,
        tags=("pump.flow",),
        tag=np.zeros(8, np.int32),
        time=np.full(8, at, np.int64),
        value=dice.random(8),
        quality=np.zeros(8, np.uint8),
    )


def _of(kind: RecordClass, at: int) -> Record:
    """A record of a class, about as large as the others."""
    makers: dict[RecordClass, Callable[[int], Record]] = {
        RecordClass.ALARM: made.alarm,
        RecordClass.AUDIT: lambda at: made.event("x" * 150, at),
        RecordClass.DRIFT: lambda at: made.drift(at, at + 1),
        RecordClass.SCORE: lambda at: made.noisy(2, at=at),
        RecordClass.RAW: _raw,
    }
    record = makers[kind](at)
    assert record.kind is kind
    return record


@given(_HELD, st.integers(0, 10**13))
def test_room_is_made_by_the_lowest_above_its_share(
    held: list[int], excess: int
) -> None:
    """Exactly what is asked becomes free, nobody goes below its share, in order."""
    wanted = shares.to_drop(held, excess)

    asked = min(excess, sum(held))
    after = [h - w for h, w in zip(held, wanted, strict=True)]
    reserved = shares.reserves(sum(held) - asked)
    assert sum(wanted) == asked
    assert min(wanted) >= 0
    for kind, gone in enumerate(wanted):
        if gone:
            assert after[kind] >= reserved[kind]
            # every class below had no more to give
            assert all(
                after[low] <= reserved[low] for low in range(kind + 1, len(held))
            )


def test_the_shares_are_the_whole() -> None:
    """What is reserved for all classes together is all there is, and not more."""
    assert sum(shares.SHARES.values()) == 100
    assert set(shares.SHARES) == set(RecordClass)


_STEPS = st.lists(
    st.tuples(st.sampled_from(RecordClass), st.integers(1, 60)), min_size=1, max_size=12
)


@settings(max_examples=40, deadline=None)
@given(_STEPS)
def test_no_flood_in_memory_reaches_below_a_share(
    floods: Sequence[tuple[RecordClass, int]],
) -> None:
    """The buffer stays within its limit; who holds its share at most loses nothing."""
    waiting, number = Waiting(_LIMIT), 0
    for kind, count in floods:
        for _ in range(count):
            number += 1
            record = _of(kind, number)
            size = codec.size_of(record)
            before = [*waiting.held]
            waiting.add(Entry(Stored(number, record), kind, 1, size, 1, 0))
            before[kind] += size
            assert waiting.size <= _LIMIT
            for other in RecordClass:
                if waiting.held[other] < before[other]:
                    # by less than one record below what it has for itself
                    least = shares.reserves(_LIMIT * 9 // 10)[other] - 1000
                    assert waiting.held[other] > least
    lost = sum(loss.count for loss in waiting.losses.values())
    assert lost + waiting.rows == number


def test_a_hanging_disk_leaves_room_for_alarms() -> None:
    """While a whole limit's worth is being written, what comes meanwhile is bounded."""
    waiting = Waiting(_LIMIT)
    for number in range(1, 200):
        record = _of(RecordClass.SCORE, number)
        size = codec.size_of(record)
        waiting.add(Entry(Stored(number, record), record.kind, 2, size, 1, 0))
    waiting.begin()
    for number in range(200, 600):
        kind = RecordClass.ALARM if number < 210 else RecordClass.SCORE
        record = _of(kind, number)
        size = codec.size_of(record)
        waiting.add(Entry(Stored(number, record), kind, 1, size, 1, 0))

    assert waiting.size <= _LIMIT * 5 // 4
    alarms = [e for e in waiting.entries.values() if e.kind is RecordClass.ALARM]
    assert len(alarms) == 10


@settings(max_examples=15, deadline=None)
@given(_STEPS)
def test_no_flood_on_disk_reaches_below_a_share(
    floods: Sequence[tuple[RecordClass, int]],
) -> None:
    """The file holds its limit at most; the oldest of a class go, all are counted."""
    with tempfile.TemporaryDirectory() as folder, closing(_opened(folder)) as database:
        number, total = 0, dict.fromkeys(RecordClass, 0)
        lost = dict.fromkeys(RecordClass, 0)
        for kind, count in floods:
            entries = []
            for _ in range(count):
                number += 10
                total[kind] += codec.rows_of(_of(kind, number))
                entries.append(_entry(number, _of(kind, number)))
            before = [*database.held.kinds]
            losses = database.commit(Transaction(entries))
            _count(losses, lost)
            assert database.held.bytes <= _LIMIT
            for other in RecordClass:
                if other is not kind and database.held.kinds[other] < before[other]:
                    # less one bite, and by less than one record
                    least = shares.reserves(_LIMIT)[other] * 98 // 100 - 1000
                    assert database.held.kinds[other] > least
        for kind in RecordClass:
            kept = _kept(database, kind)
            assert sum(rows for _, rows in kept) + lost[kind] == total[kind]


def test_an_alarm_storm_ends_at_its_own_expense(tmp_path: Path) -> None:
    """Three thousand alarms: events, drift and scores keep their shares."""
    with closing(_opened(str(tmp_path))) as database:
        for at in range(1, 200):
            kinds = (RecordClass.AUDIT, RecordClass.DRIFT, RecordClass.SCORE)
            entries = [_entry(at * 100 + k, _of(k, at)) for k in kinds]
            database.commit(Transaction(entries))
        for start in range(0, 3_000, 500):
            alarms = range(start, start + 500)
            database.commit(
                Transaction([_entry(10**6 + 10 * at, made.alarm(at)) for at in alarms])
            )

        held = database.held.kinds
        assert database.held.bytes <= _LIMIT
        for kind in (RecordClass.AUDIT, RecordClass.DRIFT, RecordClass.SCORE):
            assert held[kind] >= shares.reserves(_LIMIT)[kind] * 98 // 100 - 1000
        newest = _kept(database, RecordClass.ALARM)[-1][0]
        assert newest == 10**6 + 10 * 2_999


def test_evidence_goes_last_with_alarms() -> None:
    """The evidence log is of the class that is dropped last and written at once."""
    evidence = EvidenceRecord(0, "pump/1/0", "pump", "P-101", b"{}")
    assert evidence.kind is RecordClass.ALARM
    tray = Tray(3600.0, 1 << 20, [EVIDENCE], SystemClock())
    tray.begin(1, 0, {})
    tray.put([evidence], {})
    work = tray.next(0)
    assert work is not None
    (entry,) = work.entries
    assert entry.stored.record == evidence, "it does not wait an hour"


def _opened(folder: str) -> Database:
    database = Database(Path(folder) / "outbox.db", _LIMIT)
    database.set_outputs(["scada"])
    return database


def _entry(number: int, record: Record) -> Entry:
    return Entry(Stored(number, record), record.kind, codec.rows_of(record), 0, 1, 0)


def _count(
    losses: dict[tuple[str, str, str], Loss], into: dict[RecordClass, int]
) -> None:
    for (_, subject, _), loss in losses.items():
        into[RecordClass[subject.upper()]] += loss.count


def _kept(database: Database, kind: RecordClass) -> list[tuple[int, int]]:
    """Ids and rows of a class; what is held of it is what is counted."""
    found = database._sql.execute(
        "SELECT id, rows, length(body) FROM outbox WHERE class = ? ORDER BY id",
        (int(kind),),
    ).fetchall()
    assert database.held.kinds[kind] == sum(size + ROW for _, _, size in found)
    assert database.held.records[kind] == len(found)
    return [(int(id_), int(rows)) for id_, rows, _ in found]
