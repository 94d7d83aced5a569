"""Many objects to one: no row more or less, whatever happens in between."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.centre.bucket import open_bucket
from edge_agent.centre.compaction import compact, compact_day, grouped
from edge_agent.centre.names import Named, named, sha_of
from edge_agent.centre.packing import packed
from edge_agent.config.keeping import Centre
from edge_agent.errors import SinkLost
from edge_agent.store.outbox import Stored
from tests.centre import made
from tests.store import made as records

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.centre.bucket import Bucket
    from tests.centre.conftest import Archive

WHOSE = (made.SITE, made.GATEWAY, "2026-09-22")


def _put(bucket: Bucket, *turns: int) -> None:
    """One object for each turn of three scores, and one with all its others."""
    for turn in turns:
        told = [
            Stored(1 << 44 | 10 * turn, records.scores(3, at=made.DAY)),
            Stored(1 << 44 | 10 * turn + 5, records.drift(made.DAY, made.DAY, (1.0,))),
        ]
        for one in packed(told, [made.entry(turn + 1)], *WHOSE[:2]).objects:
            bucket.put(str(one.named), one.body)


def _seqs(bucket: Bucket, folder: Path) -> list[int]:
    made.copied(bucket, folder)
    return [row["seq"] for row in made.rows(folder, "predictions")]


def test_a_day_becomes_one_object_a_table(archive: Archive, tmp_path: Path) -> None:
    """Every table's objects of a day are one afterwards, with the same rows."""
    bucket = archive.bucket
    _put(bucket, 3, 1, 2)
    before = _seqs(bucket, tmp_path / "before")
    done = compact_day(bucket, *WHOSE)
    assert (done.before, done.removed, done.put, done.twice) == (9, 9, 3, 0)
    names = [found for name, _ in bucket.names() if (found := named(name))]
    assert sorted(one.table for one in names) == ["drift", "evidence", "predictions"]
    assert all(sha_of(bucket.get(str(one))) == one.sha for one in names)
    assert _seqs(bucket, tmp_path / "after") == before
    assert compact_day(bucket, *WHOSE).put == 0


def test_rows_that_are_there_twice_are_told_by_their_key(tmp_path: Path) -> None:
    """What a crash left twice is once afterwards, in every table."""
    bucket = open_bucket(Centre(path=tmp_path), None)
    _put(bucket, 1, 2)
    told = [
        Stored(1 << 44 | 10 * turn, records.scores(3, at=made.DAY)) for turn in (1, 2)
    ]
    log = [made.entry(2), made.entry(3)]
    for one in packed(told, log, *WHOSE[:2]).objects:
        bucket.put(str(one.named), one.body)
    done = compact_day(bucket, *WHOSE)
    assert done.twice == 6 + 2
    assert [row["seq"] for row in made.rows(tmp_path, "predictions")] == [
        *(10, 11, 12, 20, 21, 22)
    ]
    assert [row["number"] for row in made.rows(tmp_path, "evidence")] == [2, 3]


class _Ended(Exception):
    pass


@pytest.mark.parametrize("step", range(5))
def test_an_end_at_any_step_loses_nothing(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended before or after the PUT or any removal, the next run comes to the same."""
    bucket = open_bucket(Centre(path=tmp_path / "a"), None) if _made(tmp_path) else None
    assert bucket is not None
    undisturbed = open_bucket(Centre(path=tmp_path / "b"), None)
    for one in (bucket, undisturbed):
        _put(one, 1, 2, 3)
    compact_day(undisturbed, *WHOSE)
    left = step
    put, remove = bucket.put, bucket.remove

    def counted() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise _Ended

    def putting(name: str, body: bytes) -> None:
        counted()
        put(name, body)

    def removing(names: list[str]) -> None:
        for name in names:
            counted()
            remove([name])

    with monkeypatch.context() as patch:
        patch.setattr(bucket, "put", putting)
        patch.setattr(bucket, "remove", removing)
        with pytest.raises(_Ended):
            compact_day(bucket, *WHOSE)
    rows = {row["seq"] for row in made.rows(tmp_path / "a", "predictions")}
    assert rows == {10, 11, 12, 20, 21, 22, 30, 31, 32}
    compact_day(bucket, *WHOSE)
    assert bucket.names() == undisturbed.names()


def _made(folder: Path) -> bool:
    for name in ("a", "b"):
        (folder / name).mkdir()
    return True


def test_what_cannot_be_read_is_left(tmp_path: Path) -> None:
    """Objects that are damaged or not ours stay, and the others are put together."""
    bucket = open_bucket(Centre(path=tmp_path), None)
    _put(bucket, 1, 2, 3)
    folder = Named("predictions", *WHOSE, 0, 0, "").folder
    name = next(n for n, _ in bucket.names(folder))
    (tmp_path / name).write_bytes(b"PAR1 damaged")
    bucket.put(f"{folder}/notes.txt", b"somebody's")
    done = compact(bucket, "predictions", *WHOSE)
    assert (done.removed, done.put, done.rows) == (2, 1, 6)
    assert {n for n, _ in bucket.names(folder)} > {name, f"{folder}/notes.txt"}


def test_columns_of_a_later_version_are_not_lost(tmp_path: Path) -> None:
    """An object with columns that are not known here is left as it is."""
    bucket = open_bucket(Centre(path=tmp_path), None)
    _put(bucket, 1, 2)
    name = next(n for n, _ in bucket.names("predictions"))
    later = tmp_path / "later.parquet"
    duckdb.sql(
        f"copy (select *, 1 as more from '{tmp_path / name}') to '{later}'"  # noqa: S608
    )
    body = later.read_bytes()
    later.unlink()
    found = named(name)
    assert found is not None
    bucket.remove([name])
    strange = str(replace(found, sha=sha_of(body)))
    bucket.put(strange, body)
    done = compact(bucket, "predictions", *WHOSE)
    assert (done.removed, done.put) == (0, 0)
    assert (tmp_path / strange).read_bytes() == body


def test_a_lost_store_is_told(tmp_path: Path) -> None:
    """A folder that goes away in between is a lost link, not a bug."""
    (tmp_path / "share").mkdir()
    bucket = open_bucket(Centre(path=tmp_path / "share"), None)
    _put(bucket, 1, 2)
    (tmp_path / "share").rename(tmp_path / "gone")
    with pytest.raises(SinkLost):
        compact(bucket, "predictions", *WHOSE)


_spans = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 20), st.integers(1, 40)), max_size=20
)


@given(_spans)
def test_groups_hold_every_object_once_and_are_bounded(
    spans: list[tuple[int, int, int]],
) -> None:
    """Every object is in one group, in order; none is larger than it may be."""
    found = [
        (Named("predictions", *WHOSE, first, first + long, f"{place:016x}"), size)
        for place, (first, long, size) in enumerate(spans)
    ]
    groups = grouped(found, together=30)
    assert sorted(one for group in groups for one in group) == sorted(
        one for one, _ in found
    )
    sizes = dict(found)
    for group in groups:
        assert len(group) == 1 or sum(sizes[one] for one in group) <= 4 * 30
    assert groups == grouped(found[::-1], together=30)
