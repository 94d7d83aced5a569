"""What is kept for reports: findings, drift, snapshots; and how it is read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.errors import QuestionWrong
from edge_agent.records import FindingState, RecordClass
from edge_agent.samples import NANOSECONDS
from edge_agent.store import (
    archive,
    disk,
    drifts,
    findings,
    history,
    offline,
    pages,
    rings,
    snapshots,
)
from edge_agent.store.archive import Fill, Left
from edge_agent.store.database import Database
from edge_agent.store.drifts import Calendar, Drift
from edge_agent.store.history import Of, Page, Query
from edge_agent.store.looking import Query as Look
from edge_agent.store.outbox import Entry, Stored
from edge_agent.store.rows import Transaction
from edge_agent.store.schema import APPLICATION_ID, MIGRATIONS, migrate
from edge_agent.store.traces import Origin
from tests.store import drawn, made

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge_agent.records import DriftRecord, FindingRecord, Record
    from edge_agent.store.journal import Journal

ORIGIN = Origin("gw-07", "c" * 64)
OPEN, CLOSED = FindingState.OPEN, FindingState.CLOSED
HOUR, DAY = 3600 * NANOSECONDS, 86_400 * NANOSECONDS


@pytest.fixture
def sql() -> Iterator[sqlite3.Connection]:
    """An empty store in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as one:
        one.text_factory = lambda raw: raw.decode("utf-8", "replace")
        migrate(one)
        yield one


def asked(journal: Journal, of: Of, **query: Any) -> Page:  # noqa: ANN401
    """A page of the running journal."""
    return journal.recall(Query(of, **query)).result(10)


def read(path: Path, of: Of, **query: Any) -> list[Any]:  # noqa: ANN401
    """Everything of a store that nobody has open, newest first."""
    return [
        row for page in offline.pages(path, Query(of, **query)) for row in page.of(of)
    ]


def hours(count: int, *, context: str = "recipe A", first: int = 0) -> list[Stored]:
    """Blocks of some hours, each with other values."""
    return [
        Stored(
            number + 1,
            made.drift(
                number * HOUR,
                (number + 1) * HOUR,
                (0.25 * number, 1.5, 7.0),
                context=context,
            ),
        )
        for number in range(first, first + count)
    ]


def write_all(
    sql: sqlite3.Connection, records: Sequence[Stored], limit: int = 1 << 30
) -> Fill:
    """One commit a record."""
    fill = archive.measured(sql)
    for one in records:
        fill = archive.write(sql, Left.by([one], ORIGIN), fill, limit)
    return fill


def drift_rows(sql: sqlite3.Connection) -> list[Drift]:
    """Intact rows of the table, oldest first."""
    return rings.read(sql, drifts.TABLE, "ORDER BY id")[0]


def total_of(rows: Sequence[Drift]) -> DriftRecord | Any:  # noqa: ANN401
    """Everything added up."""
    return drifts.merged(rows).block


def test_an_acknowledged_finding_is_still_known(tmp_path: Path) -> None:
    """The outbox forgets what was sent; what was found stays, with all that matters."""
    journal = made.journal(tmp_path / "store.db", origin=ORIGIN)
    journal.start()
    (one,) = journal.submit([made.finding(5)], {})
    made.settle(journal)
    journal.acknowledge("scada", [one.id])
    assert journal.stop(10)
    again = made.journal(tmp_path / "store.db", origin=ORIGIN)
    recovered = again.start()
    (row,) = asked(again, Of.FINDINGS).findings
    owed = made.everything(again)
    again.stop(10)

    assert owed == []
    assert [stored.record for stored in recovered.findings] == [made.finding(5)]
    assert (row.event, row.gateway) == ("gw-07-1-0", "gw-07")
    assert (row.episode, row.what, row.cause) == (
        "pump-anomaly-drift-flow-1",
        "input drift",
        "process change",
    )
    assert findings.evidence_of(row) == {"psi": 0.31, "rows": 86_400}
    assert row.configuration == "c" * 64


@settings(max_examples=50, deadline=None)
@given(drawn.finding_records, st.integers(-(2**60), 2**60))
def test_a_row_gives_the_record_back(record: FindingRecord, offset: int) -> None:
    """What an output must know after a restart is what it was told before."""
    # what is no number is null in every text of JSON, SCADA's too
    evidence = msgspec.json.decode(msgspec.json.encode(record.evidence))
    record = replace(record, strength=2.5, state=OPEN, evidence=evidence)
    stored = Stored(7, record, offset)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as sql:
        migrate(sql)
        write_all(sql, [stored])
        rows, damaged = findings.open_now(sql)

    assert damaged == 0
    assert [findings.stored_of(row) for row in rows] == [stored]


def test_only_what_nothing_has_closed_is_open(sql: sqlite3.Connection) -> None:
    """Closed on disk, in memory or both: over; the rest is open, oldest first."""
    write_all(
        sql,
        [
            Stored(1, made.finding(id="over")),
            Stored(2, made.finding(id="open")),
            Stored(3, made.finding(id="closing")),
            Stored(4, made.finding(id="over", state=CLOSED)),
        ],
    )
    waiting = Left.by(
        [
            Stored(5, made.finding(id="closing", state=CLOSED)),
            Stored(6, made.finding(id="new")),
            Stored(7, made.finding(id="short")),
            Stored(8, made.finding(id="short", state=CLOSED)),
        ],
        ORIGIN,
    )
    page = history.read(sql, Query(Of.FINDINGS, open=True), waiting)

    assert [one.episode for one in page.findings] == ["new", "open"]
    assert [one.episode for one in findings.open_now(sql)[0]] == ["open", "closing"]


def test_drift_is_kept_and_owed_to_nobody(tmp_path: Path) -> None:
    """It never waits for SCADA, which takes none; an output of the centre does."""
    journal = made.journal(
        tmp_path / "store.db", ("scada", "centre"), origin=ORIGIN, central=("centre",)
    )
    journal.start()
    told: dict[str, list[Stored]] = {"scada": [], "centre": []}
    for name, heard in told.items():
        journal.listen(name, heard.extend)
    journal.submit([made.drift(), made.snapshot()], {})
    made.settle(journal)
    (row,) = asked(journal, Of.DRIFT).drift
    owed = {name: made.everything(journal, name) for name in told}
    journal.stop(10)

    assert (owed["scada"], told["scada"]) == ([], [])
    assert [type(one).__name__ for one in owed["centre"]] == [
        "DriftRecord",
        "SnapshotRecord",
    ]
    for one, found in zip(told["centre"], owed["centre"], strict=True):
        assert made.same(one.record, found)
    assert made.same(owed["centre"][0], made.drift())
    assert (row.pipeline, row.context, row.rows, row.gated) == (
        "pump-anomaly",
        "recipe A",
        2,
        1,
    )


def test_an_agent_without_an_output_of_the_centre_never_stores_drift_twice(
    tmp_path: Path,
) -> None:
    """With SCADA alone a drift row is one row of the table, and none of the outbox."""
    journal = made.journal(tmp_path / "store.db", origin=ORIGIN)
    journal.start()
    journal.submit([made.drift(), made.snapshot()], {})
    made.settle(journal)
    status = journal.status()
    journal.stop(10)

    assert (status["rows"], status["drift_kept"], status["snapshots_kept"]) == (0, 1, 1)


def test_scada_sees_no_gap_where_drift_was_numbered(tmp_path: Path) -> None:
    """A gap in the numbers means a loss to those who look: these are numbered apart."""
    journal = made.journal(tmp_path / "store.db", origin=ORIGIN)
    journal.start()
    told = journal.submit(
        [made.scores(3), made.drift(), made.finding(), made.snapshot(), made.alarm()],
        {},
    )
    (later,) = journal.submit([made.event()], {})
    journal.stop(10)
    again = made.journal(tmp_path / "store.db", origin=ORIGIN)
    assert again.start().boot == 2
    again.stop(10)

    scores, drift, finding, snapshot, alarm = told
    assert [one.seq for one in (scores, finding, alarm, later)] == [0, 3, 4, 5]
    assert len({one.id for one in [*told, later]}) == 6
    assert {one.boot for one in (drift, snapshot)} == {1}


def test_hours_become_a_day_without_loss(sql: sqlite3.Connection) -> None:
    """Ten days of hours are seven days of them and days before, with the same sum."""
    records = [*hours(240), *hours(1, context="recipe B", first=240)]
    fill = write_all(sql, records)
    rows = drift_rows(sql)
    before = list(drifts.left_by(records, ORIGIN))
    days = [row for row in rows if row.whole]

    assert [(row.day, row.blocks, row.rows, row.gated) for row in days] == [
        (0, 24, 72, 24),
        (1, 24, 72, 24),
        (2, 24, 72, 24),
    ]
    assert [(row.since, row.until) for row in days[:2]] == [(0, DAY), (DAY, 2 * DAY)]
    assert len(rows) == 3 + 7 * 24 + 1
    assert fill.drift == rings.measured(sql, drifts.TABLE)
    assert fill.drift.forgotten == 0
    whole, kept = total_of(before), total_of(rows)
    for name in ("n", "missing", "total", "square", "low", "high", "counts"):
        assert made._same(getattr(kept, name), getattr(whole, name)), name


def test_other_contexts_models_and_bins_are_never_added_up(
    sql: sqlite3.Connection,
) -> None:
    """Only what has the same meaning makes one row."""
    other = replace(made.PUMPS, model_version="4")
    plain = made.drift(0, HOUR)
    kinds = [
        plain,
        replace(plain, context="recipe B"),
        replace(plain, baseline_id="b2"),
        replace(plain, info=other),
        replace(plain, columns=("pressure", "score")),
        replace(plain, since=-HOUR),
    ]
    records = [Stored(place, one) for place, one in enumerate(kinds * 2)]
    records.append(Stored(99, made.drift(20 * DAY, 21 * DAY)))
    write_all(sql, records)
    write_all(sql, [Stored(100, made.drift(20 * DAY, 21 * DAY))])

    assert [row.blocks for row in drift_rows(sql) if row.day < 20] == [2] * len(kinds)


def test_a_day_of_many_blocks_is_added_up_in_steps(
    sql: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One commit reads a bounded number of rows; the day is whole in the end."""
    monkeypatch.setattr(drifts, "ROWS_AT_ONCE", 10)
    monkeypatch.setattr(drifts, "MERGES", 1)
    write_all(sql, hours(24))
    blocks_: list[list[int]] = []
    for late in range(5):
        write_all(sql, [Stored(100 + late, made.drift((20 + late) * DAY, 21 * DAY))])
        blocks_.append([row.blocks for row in drift_rows(sql) if row.day == 0])

    assert [len(one) for one in blocks_] == [15, 6, 1, 1, 1]
    assert blocks_[-1] == [24]


def test_without_room_the_oldest_blocks_are_added_up_before_any_goes(
    sql: sqlite3.Connection,
) -> None:
    """A small store keeps days instead of hours, and only then forgets the oldest."""
    limit = 8 * (40 << 10)
    room = drifts.share(limit)
    size = write_all(sql, hours(1)).drift.bytes
    count = 3 * room // size
    fill = write_all(sql, hours(count, first=1), limit)
    rows = drift_rows(sql)

    assert fill.drift.forgotten == 0
    assert sum(row.blocks for row in rows) == count + 1
    assert fill.drift.bytes <= room
    assert rows[-1].blocks == 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), max_size=4),
        max_size=12,
    ),
    st.integers(1, 12),
)
def test_the_ring_of_drift_stays_within_its_bounds(
    groups: list[list[tuple[int, int]]], most: int
) -> None:
    """Blocks in any order of ids and days: bounds held, and the count is the disk's."""
    limit = most * 500
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as sql:
        migrate(sql)
        ring, calendar = Fill().drift, Calendar()
        for group in groups:
            records = [Stored(i, made.drift(d * DAY, d * DAY + 1)) for i, d in group]
            rows = list(drifts.left_by(records, ORIGIN))
            ring, calendar = drifts.write(sql, rows, ring, calendar, limit)
            found = rings.measured(sql, drifts.TABLE)
            assert (ring.rows, ring.bytes) == (found.rows, found.bytes)
            assert ring.bytes <= limit or ring.rows == 1


def test_a_block_written_again_counts_once(tmp_path: Path) -> None:
    """Nobody knows whether a failed commit held: its records come again, even so."""
    path = tmp_path / "store.db"
    old = [Entry(s, RecordClass.DRIFT, 1, 300, 0, 0) for s in hours(48)]
    late = Stored(100, made.drift(30 * DAY, 30 * DAY + HOUR))
    with closing(Database(path, 1 << 30)) as database:
        database.commit(Transaction(old))
        # once more, all of it and some, and with what makes the first days due
        last = Entry(late, RecordClass.DRIFT, 1, 300, 0, 0)
        database.commit(Transaction([*old, last]))
    with closing(Database(path, 1 << 30)) as database:
        database.commit(Transaction([old[10], last]))
    with closing(Database(path, 1 << 30)) as database:
        database.commit(Transaction([last]))
        rows = drift_rows(database._sql)

    assert sum(row.rows for row in rows) == 3 * 48 + 2
    assert sorted(row.blocks for row in rows) == [1, 10, 14, 24]


def test_a_damaged_block_costs_only_itself(sql: sqlite3.Connection) -> None:
    """A flipped bit in one hour: the other 23 make the day, the loss is counted."""
    write_all(sql, hours(24))
    sql.execute("UPDATE drift SET rows = 1000000 WHERE id = 5")
    sql.execute("UPDATE drift SET context = CAST(x'ff41' AS TEXT) WHERE id = 7")
    fill = archive.measured(sql)
    for late in (Stored(99, made.drift(30 * DAY)), Stored(100, made.drift(30 * DAY))):
        fill = archive.write(sql, Left.by([late], ORIGIN), fill, 1 << 30)
    rows = drift_rows(sql)

    assert [(row.day, row.blocks) for row in rows if row.day == 0] == [(0, 22)]
    assert fill.drift.forgotten == 2


def test_the_newest_snapshot_of_a_day_is_kept(sql: sqlite3.Connection) -> None:
    """Every hour's accuracy makes one row a day, version and name: the last one."""
    records = [
        Stored(hour + 1, made.snapshot(hour * HOUR, f1=hour / 100))
        for hour in range(50)
    ]
    records.append(Stored(90, made.snapshot(0, subject="4")))
    fill = write_all(sql, records)
    # an older one that comes later, from a salvaged file
    fill = archive.write(
        sql, Left.by([Stored(2, made.snapshot(HOUR))], ORIGIN), fill, 1 << 30
    )
    rows, _ = rings.read(sql, snapshots.TABLE, "ORDER BY subject, day")

    assert [(r.subject, r.day, snapshots.body_of(r)["f1"]) for r in rows] == [
        ("3", 0, 0.23),
        ("3", 1, 0.47),
        ("3", 2, 0.49),
        ("4", 0, 0.9),
    ]
    assert fill.snapshots == rings.measured(sql, snapshots.TABLE)


def test_texts_without_end_are_cut(sql: sqlite3.Connection) -> None:
    """A sentence of a megabyte, evidence of more: rows stay small and readable."""
    long = "x" * 1_000_000
    write_all(
        sql,
        [
            Stored(1, made.finding(sentence=long, evidence={"all": long})),
            Stored(2, replace(made.snapshot(), body={"all": long})),
        ],
    )
    page = history.read(sql, Query(Of.FINDINGS))
    kept = history.read(sql, Query(Of.SNAPSHOTS)).snapshots

    assert len(page.findings[0].sentence) == 2000
    assert findings.evidence_of(page.findings[0]) == {"left_out": "too long"}
    assert snapshots.body_of(kept[0]) == {"left_out": "too long"}


@pytest.mark.parametrize("of", list(Of))
def test_pages_give_every_row_once_newest_first(
    sql: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, of: Of
) -> None:
    """However small a page is, and with rows that wait for the disk."""
    monkeypatch.setitem(history.A_PAGE, of, 3)
    makers: dict[Of, Any] = {
        Of.FINDINGS: lambda at: made.finding(at, id=str(at)),
        Of.DRIFT: lambda at: made.drift(at, at + 1),
        Of.ALARMS: made.alarm,
        Of.SNAPSHOTS: lambda at: made.snapshot(at, subject=str(at)),
        Of.LOSSES: lambda at: replace(made.loss(), at=at),
    }
    records = [Stored(at, makers[of](at)) for at in range(1, 12)]
    write_all(sql, [one for one in records[:9] if one.id != 2])
    in_memory = [records[1], *records[8:]]
    waiting, ids, before = Left.by(in_memory, ORIGIN), [], history.NEWEST
    while before >= 0:
        page = history.read(sql, Query(of, before=before), waiting)
        ids += [row.id for row in page.of(of)]
        before = page.before

    assert ids == list(range(11, 0, -1))


def test_a_query_chooses_by_pipeline_model_name_and_time(
    sql: sqlite3.Connection,
) -> None:
    """Times are the wall clock's; drift counts where it overlaps."""
    other = replace(made.PUMPS, pipeline="press", model="press-quality")
    records: list[tuple[Record, int]] = [
        (made.drift(0, 10), 0),
        (made.drift(10, 20), 100),
        (replace(made.drift(0, 10), info=other), 0),
        (made.finding(7, model="press-quality"), 0),
        (made.finding(8, pipeline=""), 0),
        (made.snapshot(5), 0),
        (replace(made.snapshot(6), name="parity"), 0),
    ]
    write_all(sql, [Stored(i, r, offset) for i, (r, offset) in enumerate(records)])

    def ids(of: Of, **query: Any) -> list[int]:  # noqa: ANN401
        return [row.id for row in history.read(sql, Query(of, **query)).of(of)]

    assert ids(Of.DRIFT) == [2, 1, 0]
    assert ids(Of.DRIFT, pipeline="press") == [2]
    assert ids(Of.DRIFT, model="pump-anomaly") == [1, 0]
    assert ids(Of.DRIFT, since=10) == [1]
    assert ids(Of.DRIFT, until=1) == [2, 0]
    assert ids(Of.DRIFT, since=9, until=111) == [2, 1, 0]
    assert ids(Of.FINDINGS, model="press-quality") == [3]
    assert ids(Of.FINDINGS, pipeline="pump-anomaly") == [3]
    assert ids(Of.SNAPSHOTS, name="parity") == [6]


@pytest.mark.parametrize(
    "typed",
    [
        *("", "last", "[]", "{}", '{"of":"tables"}', '{"of":"drift","limit":9}'),
        *('{"of":"drift","since":' + "9" * 30 + "}", "[" * 4000, "\ud800", "\0"),
        '{"of":"drift","before":1.5}',
    ],
)
def test_what_is_no_query_is_said_to_be_none(typed: str) -> None:
    """Whatever is asked at the socket: an error that says so."""
    with pytest.raises(QuestionWrong, match="no query"):
        history.query_of(typed)


def test_a_query_survives_its_way_through_the_socket() -> None:
    """Asked as JSON, it is the same query."""
    query = Query(Of.DRIFT, "pump", since=-5, open=True, before=9)

    assert history.query_of(msgspec.json.encode(query).decode()) == query


def test_findings_are_kept_and_told_while_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the disk works again they are known, and written once it does."""
    monkeypatch.setattr(disk, "RETRY", (0.05, 0.2))
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    journal = made.journal(blocked / "store.db", origin=ORIGIN)
    journal.start()
    (one, *_) = journal.submit([made.finding(5), made.drift(), made.snapshot()], {})
    journal.acknowledge("scada", [one.id])
    before = [len(asked(journal, of).of(of)) for of in Of]
    blocked.unlink()
    made.settle(journal)
    after = [len(asked(journal, of).of(of)) for of in Of]
    assert journal.stop(10)

    assert before == after == [1, 1, 0, 1, 0]
    assert [len(read(blocked / "store.db", of)) for of in Of] == [1, 1, 0, 1, 0]


def test_everything_kept_is_salvaged_from_a_damaged_file(tmp_path: Path) -> None:
    """A broken page costs what was on it; open findings are known at the start."""
    path = tmp_path / "store.db"
    journal = made.journal(path, origin=ORIGIN)
    journal.start()
    for at in range(60):
        journal.submit(
            [
                made.finding(at, id=str(at)),
                made.finding(at, id=str(at), state=CLOSED if at % 2 else OPEN),
                made.drift(at * HOUR, (at + 1) * HOUR),
                made.snapshot(at * DAY),
            ],
            {},
        )
    assert journal.stop(10)
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("UPDATE finding SET sentence = 'other' WHERE at = 30")
        sql.execute("PRAGMA writable_schema = ON")
        (root,) = sql.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'outbox'"
        ).fetchone()
        sql.commit()
    content = bytearray(path.read_bytes())
    content[(root - 1) * pages.PAGE : root * pages.PAGE] = b"\xff" * pages.PAGE
    path.write_bytes(content)

    again = made.journal(path, origin=ORIGIN)
    recovered = again.start()
    assert [event.name for event in recovered.events] == ["store damaged"]
    made.settle(again)
    again.submit([made.event()], {})
    made.settle(again)
    still = asked(again, Of.FINDINGS, open=True).findings
    again.stop(10)

    opened = {stored.record.id for stored in recovered.findings}  # type: ignore[union-attr]
    assert opened == {str(at) for at in range(0, 60, 2) if at != 30}
    assert {row.episode for row in still} == opened
    assert len(read(path, Of.FINDINGS)) == 118
    assert sum(row.blocks for row in read(path, Of.DRIFT)) == 60
    assert len(read(path, Of.SNAPSHOTS)) == 60


def test_salvaging_adds_up_no_block_twice(tmp_path: Path) -> None:
    """Days that were added up are carried over as days."""
    path = tmp_path / "store.db"
    with closing(Database(path, 1 << 30)) as database:
        for one in hours(240):
            entry = Entry(one, RecordClass.DRIFT, 1, 300, 0, 0)
            database.commit(Transaction([entry]))
        before = drift_rows(database._sql)
    with closing(Database(tmp_path / "new.db", 1 << 30)) as database:
        for first in range(0, len(before), 50):
            database.keep(Left(drift=before[first : first + 50]))
        after = drift_rows(database._sql)

    assert after == before


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_file_of_an_older_agent_is_taken_over(tmp_path: Path, version: int) -> None:
    """After an update its alarms are there, and what is found from now on is kept."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        for migration in MIGRATIONS[:version]:
            sql.executescript(migration)
        sql.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        sql.execute(f"PRAGMA user_version = {version}")
        sql.execute("INSERT INTO output VALUES (0, 'scada')")
        sql.execute("UPDATE boot SET number = 4")
        alarms = min(version - 1, 1)
        if alarms:
            write_alarm(sql)
    unknown = [len(read(path, of)) for of in Of]
    journal = made.journal(path, origin=ORIGIN)
    recovered = journal.start()
    left: list[Record] = [made.finding(5), made.drift(), made.snapshot(), made.loss()]
    journal.submit(left, {})
    made.settle(journal)
    known = [len(asked(journal, of).of(of)) for of in Of]
    assert journal.stop(10)

    assert (recovered.boot, recovered.findings) == (5, ())
    assert unknown == [0, 0, alarms, 0, 0]
    assert known == [1, 1, alarms, 1, 1]
    assert len(offline.look(path, Look.of("last")).traces) == alarms


def write_alarm(sql: sqlite3.Connection) -> None:
    """A trace as version 2 of the file has it."""
    left = Left.by([Stored(1, made.alarm(3))], ORIGIN)
    rings.add(sql, archive.TABLES["alarms"], left.alarms, rings.EMPTY)


def test_a_commit_that_fails_leaves_the_count_as_it_was(tmp_path: Path) -> None:
    """Sizes and the calendar in memory are those of the disk after a rollback."""
    with closing(Database(tmp_path / "store.db", 1 << 20)) as database:
        records = [*hours(24), Stored(50, made.finding())]
        entries = [Entry(s, s.record.kind, 1, 300, 0, 0) for s in records]
        database.commit(Transaction(entries))
        before = database.fill
        late = Entry(Stored(99, made.drift(30 * DAY)), RecordClass.DRIFT, 1, 9, 0, 0)
        with pytest.raises(AttributeError):
            database.commit(Transaction([late], losses={("a", "b", "c"): None}))  # type: ignore[dict-item]
        assert database.fill == before
        assert database.fill == replace(
            archive.measured(database._sql), calendar=before.calendar
        )
        database.commit(Transaction([late]))
        assert database.fill.drift.rows == 2


def test_a_changed_row_is_left_out_and_counted(tmp_path: Path) -> None:
    """A flipped bit must not tell of another model."""
    path = tmp_path / "store.db"
    journal = made.journal(path, origin=ORIGIN)
    journal.start()
    journal.submit([made.finding(5, id="a"), made.finding(6, id="b")], {})
    assert journal.stop(10)
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("UPDATE finding SET model = 'other' WHERE at = 5")
        sql.commit()
    (page,) = offline.pages(path, Query(Of.FINDINGS))

    assert [row.episode for row in page.findings] == ["b"]
    assert page.damaged == 1


def test_a_ring_of_findings_forgets_the_oldest(
    sql: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond its bound the oldest goes, counted."""
    monkeypatch.setattr(findings, "KEPT", 7)
    fill = write_all(sql, [Stored(at, made.finding(at)) for at in range(10)])

    assert (fill.findings.rows, fill.findings.forgotten) == (7, 3)
    assert [row.at for row in history.read(sql, Query(Of.FINDINGS)).findings] == [
        *range(9, 2, -1)
    ]


def test_drift_rows_hold_numbers_that_numpy_made(tmp_path: Path) -> None:
    """Whatever kind of number a record holds, it is stored and read as it was."""
    record = replace(
        made.drift(),
        rows=np.int64(2),  # type: ignore[arg-type]
        since=np.int64(3),  # type: ignore[arg-type]
        n=made.drift().n.astype(np.int32),
    )
    journal = made.journal(tmp_path / "store.db", ("centre",), central=("centre",))
    journal.start()
    journal.submit([record], {})
    made.settle(journal)
    (row,) = asked(journal, Of.DRIFT).drift
    (owed,) = made.everything(journal, "centre")
    journal.stop(10)

    assert (row.since, row.rows) == (3, 2)
    assert made.same(owed, replace(made.drift(), since=3))
