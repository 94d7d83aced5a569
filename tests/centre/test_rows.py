"""Records to rows to Parquet: nothing changes on the way, and bytes never differ."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from arro3.io import read_parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.centre import parquet
from edge_agent.centre.columns import rows_of
from edge_agent.centre.packing import packed
from edge_agent.centre.rows import Rows, by_day, date, joined, microseconds, moment
from edge_agent.centre.tables import TABLES
from edge_agent.records import (
    AlarmRecord,
    DriftRecord,
    LabelRecord,
    LossRecord,
    NoScore,
    RawRecord,
    ScoreRecord,
    SnapshotRecord,
)
from edge_agent.store.outbox import Stored
from edge_agent.store.plain import plain
from tests.centre import made
from tests.store import drawn
from tests.store import made as records

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.records import Record

_TYPES = {
    "string": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "list<int64>": "BIGINT[]",
    "list<float64>": "DOUBLE[]",
}
#: Records are large; a busy machine is no defect.
_SLOW = (HealthCheck.data_too_large, HealthCheck.too_slow)
_stored = st.tuples(
    st.integers(0, 500), st.integers(0, 2**40), st.integers(-(2**60), 2**60)
)


def _read(body: bytes) -> list[dict[str, Any]]:
    reader = read_parquet(body).read_all()
    names = reader.column_names
    columns = [reader.column(name).to_pylist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _equal(got: object, wanted: object) -> bool:
    if isinstance(wanted, float) and isinstance(got, float):
        return got == wanted
    if isinstance(wanted, float) and math.isnan(wanted):
        return got is None
    return got == wanted


def _us(at: int, offset: int) -> int:
    return (at + offset) // 1000


def _wanted(stored: Stored, record: Record, row: int) -> dict[str, Any]:  # noqa: PLR0911
    """A few columns of a row, worked out plainly."""
    seq = stored.seq
    match record:
        case ScoreRecord():
            scored = record.no_score[row] == NoScore.NONE
            return {
                "seq": seq + row,
                "asset": record.info.assets[record.asset[row]],
                "score": float(record.score[row]) if scored else math.nan,
                "threshold": float(record.threshold[row]),
                "severity": int(record.severity[row]),
                "alarm": bool(record.alarm[row]),
                "part": record.part[row] if record.part else "",
                "age_s": float(record.age[row]),
            }
        case AlarmRecord():
            return {"seq": seq, "reason": record.reason, "score": record.score}
        case LabelRecord():
            return {
                "seq": seq + row,
                "asset": record.assets[record.asset[row]],
                "value": float(record.value[row]),
                "label": record.label[row],
                "predicted": ("good", "bad", "")[record.predicted[row]],
            }
        case DriftRecord():
            bins = int(record.bins[row])
            return {
                "seq": seq,
                "feature": record.columns[row],
                "n": int(record.n[row]),
                "total": float(record.total[row]),
                "low": float(record.low[row]),
                "counts": record.counts[row, :bins].tolist(),
            }
        case RawRecord():
            return {
                "seq": seq + row,
                "tag": record.tags[record.tag[row]],
                "value": float(record.value[row]),
                "quality": int(record.quality[row]),
            }
        case LossRecord():
            return {"seq": seq, "cause": record.cause, "count": record.count}
        case _:
            return {"seq": seq}


@settings(max_examples=100, suppress_health_check=_SLOW)
@given(drawn.records, _stored)
def test_any_record_comes_back_row_for_row(
    record: Record, at: tuple[int, int, int]
) -> None:
    """Every row of any record is read from Parquet with the values it had."""
    boot, seq, offset = at
    stored = Stored(boot << 44 | seq, plain(record), offset)
    rows = rows_of(stored)
    if rows is None:
        return
    found = _read(parquet.written(rows))
    assert len(found) == len(rows)
    for place, row in enumerate(found):
        assert row["boot"] == boot
        assert list(row) == [one.name for one in TABLES[rows.table].columns]
        for name, value in _wanted(stored, stored.record, place).items():
            assert _equal(row[name], value), name


@settings(max_examples=50, suppress_health_check=_SLOW)
@given(st.lists(drawn.records, max_size=6))
def test_objects_of_any_records_hold_each_row_once(given_: list[Record]) -> None:
    """Whatever is packed, every row is in one object of its day, in the right order."""
    all_ = [
        Stored(1 << 44 | 10 * place, plain(record))
        for place, record in enumerate(given_)
    ]
    found = packed(all_, [], made.SITE, made.GATEWAY)
    assert not found.refused
    assert packed(all_, [], made.SITE, made.GATEWAY) == found
    wanted = sum(len(rows) for one in all_ if (rows := rows_of(one)) is not None)
    assert sum(one.rows for one in found.objects) == wanted
    for one in found.objects:
        seqs = [row["seq"] for row in _read(one.body)]
        assert seqs == sorted(seqs)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**62), 2**62))
def test_times_are_rounded_down_and_never_overflow(at: int, offset: int) -> None:
    """Microseconds of a column are those of whole numbers, at every end of time."""
    found = microseconds(np.array([at]), offset)
    assert found.tolist() == [(at + offset) // 1000] == [moment(at, offset)]
    day = int(found[0]) // 86_400_000_000
    assert len(date(day)) == 10


def test_rows_of_two_days_are_two_objects() -> None:
    """A record over midnight, UTC, is in both days, each row in its own."""
    midnight = made.DAY
    record = replace(records.scores(4), at=np.arange(midnight - 2, midnight + 2))
    found = packed([Stored(1 << 44, record)], [], "s", "g").objects
    assert [(one.named.day, one.rows) for one in found] == [
        ("2026-09-21", 2),
        ("2026-09-22", 2),
    ]
    assert [one.named.first for one in found] == [1 << 44, 1 << 44 | 2]


def test_half_characters_stop_nothing() -> None:
    """A part id that is no text is written with a replacement."""
    record = replace(records.scores(2), part=("\ud800", "ä"))
    found = packed([Stored(1, record)], [], "s", "g")
    assert not found.refused
    assert [row["part"] for row in _read(found.objects[0].body)] == ["?", "ä"]


def test_a_number_too_large_puts_one_record_aside() -> None:
    """What Arrow cannot hold is found out and named; the others are written."""
    loss = LossRecord(made.DAY, "rows", "s", 2**63, 0, 0, "c")
    good = replace(loss, count=1)
    found = packed([Stored(1, good), Stored(2, loss), Stored(3, good)], [], "s", "g")
    assert [one.id for one, _ in found.refused] == [2]
    assert [one.rows for one in found.objects] == [2]


def test_snapshots_become_rows_by_their_keys() -> None:
    """Health is a row, a baseline a row a feature; any other snapshot is left out."""
    health = SnapshotRecord(
        made.DAY, "health", "p", "", {"state": "scoring", "assets": 3, "uptime_s": 1}
    )
    row = _only(health)[0]
    assert (row["pipeline"], row["state"], row["assets"]) == ("p", "scoring", 3)
    assert row["uptime_s"] == 1.0
    assert row["kept_s"] is None
    body = {
        "feature": ["f1", "f2"],
        "baseline_id": "b",
        "edges": [[0.0, 1.0], [2.0]],
        "counts": [[1, 2, 3], [4, 5]],
        "n": [6, 9],
    }
    first, second = _only(SnapshotRecord(made.DAY, "baseline", "p", "", body))
    assert (first["feature"], first["edges"], first["n"]) == ("f1", [0.0, 1.0], 6)
    assert (second["counts"], second["baseline_id"]) == ([4, 5], "b")
    one = {"feature": "f1", "edges": [0.5], "counts": [1, 2]}
    assert _only(SnapshotRecord(1, "baseline", "p", "", one))[0]["edges"] == [0.5]
    odd = {"assets": "many", "site": "x", "seq": 9, "state": None}
    assert _only(SnapshotRecord(1, "health", "p", "", odd))[0]["seq"] == 5
    assert rows_of(Stored(5, SnapshotRecord(1, "accuracy", "p", "", {}))) is None


def _only(record: Record) -> list[dict[str, Any]]:
    rows = rows_of(Stored(5, record))
    assert rows is not None
    return _read(parquet.written(rows))


def _one_of_each() -> list[Rows]:
    told: list[Record] = [
        records.scores(3),
        records.alarm(1),
        records.drift(0, 1, (1.0, 2.0)),
        LossRecord(1, "rows", "score", 3, 0, 1, "disk full"),
        SnapshotRecord(1, "health", "p", "", {}),
        SnapshotRecord(1, "baseline", "p", "", {"feature": "f", "edges": [1.0]}),
    ]
    found = [rows_of(Stored(1 << 44 | 7, record)) for record in told]
    return [one for one in found if one is not None]


@pytest.mark.parametrize("table", sorted(TABLES))
def test_duckdb_reads_each_table_as_it_is_declared(table: str, tmp_path: Path) -> None:
    """Names and types in DuckDB are those of the one place that declares them."""
    given_ = {rows.table: rows for rows in _one_of_each()}
    rows = given_.get(table) or Rows(table, {"ts": [1], "boot": [1], "seq": [1]})
    path = tmp_path / "x.parquet"
    path.write_bytes(parquet.written(rows))
    asked = duckdb.sql(f"describe select * from '{path}'")  # noqa: S608
    assert asked is not None
    found = asked.fetchall()
    wanted = [(one.name, _TYPES[one.type]) for one in TABLES[table].columns]
    assert [(name, kind) for name, kind, *_ in found] == wanted


_AGAIN = """
import hashlib, sys
from tests.centre.test_rows import _one_of_each, parquet
for rows in _one_of_each():
    print(rows.table, hashlib.sha256(parquet.written(rows)).hexdigest())
"""


def test_another_process_writes_the_same_bytes() -> None:
    """The bytes of the same rows do not depend on the process that writes them."""
    here = [
        f"{rows.table} {hashlib.sha256(parquet.written(rows)).hexdigest()}"
        for rows in _one_of_each()
    ]
    there = subprocess.run(
        [sys.executable, "-c", _AGAIN],
        check=True,
        capture_output=True,
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": "."},
    )
    assert there.stdout.decode().split("\n")[:-1] == here


def test_what_was_read_is_written_again_byte_for_byte() -> None:
    """An object that is loaded and encoded again is the same object."""
    for rows in _one_of_each():
        body = parquet.written(rows)
        assert parquet.encoded(rows.table, parquet.loaded(rows.table, body)) == body


def test_rows_joined_in_pieces_are_the_rows() -> None:
    """Joining what days had separated gives every row back."""
    rows = next(iter(_one_of_each()))
    parts = [part for _, part in by_day(joined([rows, rows]))]
    assert sum(len(part) for part in parts) == 2 * len(rows)


def test_an_object_that_would_fill_memory_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a few bytes may unfold to is bounded, and told."""
    record = replace(records.scores(3000), part=("x" * 1000,) * 3000)
    body = packed([Stored(1, record)], [], "s", "g").objects[0].body
    assert len(body) < 200_000
    assert parquet.loaded("predictions", body).num_rows == 3000
    monkeypatch.setattr(parquet, "LARGEST", 1 << 20)
    with pytest.raises(ValueError, match="more than 1 MiB"):
        parquet.loaded("predictions", body)
