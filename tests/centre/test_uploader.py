"""From the store to the archive: what is owed, planned, put and forgotten."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from tenacity import wait_fixed

from edge_agent.centre import plan, uploader
from edge_agent.centre.bucket import open_bucket
from edge_agent.centre.names import named, sha_of
from edge_agent.centre.rhythm import next_due, phase
from edge_agent.centre.uploader import appetite
from edge_agent.clock import SystemClock
from edge_agent.config.keeping import Centre
from edge_agent.errors import SinkLost
from edge_agent.records import AlarmRecord, LabelRecord, RawRecord, ScoreRecord
from edge_agent.records.appetites import CENTRAL
from edge_agent.supervision import supervise
from tests.centre import made
from tests.centre.servers import SECRET, Scripted, Server
from tests.store import made as records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from edge_agent.centre.uploader import Uploader
    from edge_agent.store.journal import Journal
    from tests.centre.conftest import Archive


@contextmanager
def _started(folder: Path) -> Iterator[Journal]:
    journal = made.journal(folder)
    journal.start()
    try:
        yield journal
    finally:
        journal.stop(5)


@asynccontextmanager
async def _running(upload: Uploader) -> AsyncIterator[asyncio.Task[None]]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(upload.run())
        yield task
        upload.finish(5)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not holds():  # noqa: ASYNC110 - many threads make it true
            await asyncio.sleep(0.02)


def _owed(journal: Journal) -> int:
    return sum(
        len(journal.backlog(CENTRAL, -1, 1000, urgent=urgent).result())
        for urgent in (True, False)
    )


def _fill(journal: Journal, turns: int = 20) -> None:
    for turn in range(turns):
        journal.submit([records.scores(3, at=made.DAY + turn * 10**9)], {})
    journal.submit([records.alarm(made.DAY), records.drift(made.DAY, made.DAY + 1)], {})
    records.settle(journal)


def _often(archive: Archive) -> Centre:
    return archive.settings.model_copy(update={"every": 0.1})


def _objects(share: Path) -> list[Path]:
    return sorted((share / "predictions").rglob("*.parquet"))


def _contradiction() -> LabelRecord:
    """Labels with a code that means nothing."""
    one = np.ones(1)
    code = np.full(1, 7, np.uint8)
    text = ("",)
    return LabelRecord(
        pipeline="p",
        model="m",
        at=made.DAY,
        assets=("P-101",),
        asset=np.zeros(1, np.int32),
        row_at=np.full(1, made.DAY),
        part=text,
        version=text,
        context=text,
        score=one,
        threshold=one,
        predicted=code,
        state=code,
        value=one,
        label=text,
        delay=one,
    )


async def test_everything_owed_is_put_and_forgotten(
    archive: Archive, tmp_path: Path
) -> None:
    """Every row is in the archive under its table, site, gateway and day, once."""
    with _started(tmp_path) as journal:
        _fill(journal)
        log = made.Log(3)
        upload = made.uploader(
            tmp_path, journal, _often(archive), archive.password, log=log
        )
        async with _running(upload):
            await _until(lambda: upload.status()["evidence"] == 3)
            await _until(lambda: _owed(journal) == 0)
        status = upload.status()
    folder = made.copied(archive.bucket, tmp_path / "copy")
    scores = made.rows(folder, "predictions")
    assert [row["seq"] for row in scores] == list(range(60))
    whose = {(row["site"], row["gateway"], row["day"]) for row in scores}
    assert whose == {("ham burg", "gw-07", "2026-09-22")}
    assert len(made.rows(folder, "alarms")) == 1
    assert [row["number"] for row in made.rows(folder, "evidence")] == [1, 2, 3]
    assert len(made.rows(folder, "drift")) > 0
    assert status["rows"] == 60 + 1 + 3 + len(made.rows(folder, "drift"))
    assert status["owed_rows"] == 0
    assert status["last_error"] == ""
    assert status["tables"]["predictions"]["bytes_per_row"] > 0


async def test_names_say_what_the_bytes_are(archive: Archive, tmp_path: Path) -> None:
    """Every object is named by the digest of its bytes and the ids of its rows."""
    with _started(tmp_path) as journal:
        _fill(journal)
        upload = made.uploader(tmp_path, journal, _often(archive), archive.password)
        async with _running(upload):
            await _until(lambda: upload.status()["objects"] >= 3)
    bucket = archive.bucket
    for name, _ in bucket.names():
        found = named(name)
        assert found is not None
        assert found.sha == sha_of(bucket.get(name))
        assert found.site == made.SITE
        assert found.first <= found.last


async def test_nothing_is_forgotten_before_it_is_there(tmp_path: Path) -> None:
    """While the archive cannot be written, every record stays owed; then it goes."""
    share = tmp_path / "share"
    share.mkdir()
    settings = Centre(path=share, every=0.1)
    with _started(tmp_path) as journal:
        _fill(journal)
        before = _owed(journal)
        upload = made.uploader(tmp_path, journal, settings)
        (share / "predictions").write_text("a file where a folder must be")
        with pytest.raises(SinkLost, match="share"):
            await upload.run()
        assert _owed(journal) == before
        assert upload.status()["state"] == "disconnected"
        assert "share" in upload.status()["last_error"]
        (share / "predictions").unlink()
        async with _running(upload):
            await _until(lambda: _owed(journal) == 0)
    assert len(made.rows(share, "predictions")) == 60


async def test_a_plan_stands_before_the_first_object(tmp_path: Path) -> None:
    """What is to be sent is on the disk first, and the same objects come of it."""
    share = tmp_path / "share"
    share.mkdir()
    settings = Centre(path=share, every=0.1)
    with _started(tmp_path) as journal:
        _fill(journal)
        (share / "predictions").write_text("in the way")
        first = made.uploader(tmp_path, journal, settings, log=made.Log(2))
        with pytest.raises(SinkLost):
            await first.run()
        body = (tmp_path / "centre/plan.json").read_bytes()
        planned = plan.decoded(body).plan
        assert planned is not None
        assert len(planned.objects) == 4
        journal.submit([records.scores(3, at=made.DAY)], {})  # not part of it
        (share / "predictions").unlink()
        # a new process knows the file alone
        second = made.uploader(tmp_path, journal, settings, log=made.Log(2))
        async with _running(second):
            await _until(lambda: _owed(journal) == 0)
        names = {
            path.relative_to(share).as_posix() for path in share.rglob("*.parquet")
        }
    assert {one.name for one in planned.objects} < names
    assert len(made.rows(share, "predictions")) == 63
    assert len(made.rows(share, "evidence")) == 2


async def test_rows_that_were_dropped_meanwhile_change_the_name(tmp_path: Path) -> None:
    """Where the store had to drop part of a plan, the rest has another name."""
    share = tmp_path / "share"
    share.mkdir()
    settings = Centre(path=share, every=0.1)
    with _started(tmp_path) as journal:
        _fill(journal)
        (share / "predictions").write_text("in the way")
        with pytest.raises(SinkLost):
            await made.uploader(tmp_path, journal, settings).run()
        planned = plan.decoded((tmp_path / "centre/plan.json").read_bytes()).plan
        assert planned is not None
        journal.acknowledge(CENTRAL, planned.ids[:5])  # as if they were evicted
        (share / "predictions").unlink()
        upload = made.uploader(tmp_path, journal, settings)
        async with _running(upload):
            await _until(lambda: _owed(journal) == 0)
    rows = made.rows(share, "predictions")
    assert [row["seq"] for row in rows] == list(range(15, 60))
    assert not any(
        (share / one.name).exists()
        for one in planned.objects
        if one.name.startswith("predictions")
    )


async def test_a_damaged_plan_stops_nothing(tmp_path: Path) -> None:
    """A plan that cannot be read is as none: all that is owed is sent."""
    share = tmp_path / "share"
    share.mkdir()
    (tmp_path / "centre").mkdir()
    (tmp_path / "centre/plan.json").write_bytes(b'{"ids": [1')
    with _started(tmp_path) as journal:
        _fill(journal)
        upload = made.uploader(tmp_path, journal, Centre(path=share, every=0.1))
        async with _running(upload):
            await _until(lambda: _owed(journal) == 0)
    assert len(made.rows(share, "predictions")) == 60


async def test_a_record_that_contradicts_itself_is_put_aside(tmp_path: Path) -> None:
    """One record that no object can hold goes to quarantine; all others arrive."""
    share = tmp_path / "share"
    share.mkdir()
    with _started(tmp_path) as journal:
        _fill(journal, turns=5)
        journal.submit([_contradiction()], {})
        records.settle(journal)
        upload = made.uploader(tmp_path, journal, Centre(path=share, every=0.1))
        async with _running(upload):
            await _until(lambda: _owed(journal) == 0)
        await _until(lambda: journal.status().get("quarantined", 0) == 1)
    assert len(made.rows(share, "predictions")) == 15
    assert not (share / "labels").exists()


async def test_many_rows_do_not_wait_for_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as there are enough rows for an object it is made, in bounded pieces."""
    monkeypatch.setattr(uploader, "ROWS", 30)
    monkeypatch.setattr("edge_agent.centre.underway.ROWS", 30)
    share = tmp_path / "share"
    share.mkdir()
    with _started(tmp_path) as journal:
        upload = made.uploader(tmp_path, journal, Centre(path=share, every=1e6))
        async with _running(upload):
            await _until(lambda: upload.status()["state"] == "connected")
            _fill(journal, turns=30)
            await _until(lambda: _owed(journal) == 0)
    assert len(made.rows(share, "predictions")) == 90
    sizes = [named(path.relative_to(share).as_posix()) for path in _objects(share)]
    assert len(sizes) >= 3
    assert all(one.last - one.first < 30 for one in sizes if one)


async def test_a_rate_is_kept(tmp_path: Path) -> None:
    """With max_rate the objects of a backlog come apart, by their size."""
    share = tmp_path / "share"
    share.mkdir()
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(0)

    with _started(tmp_path) as journal:
        _fill(journal)
        settings = Centre(path=share, every=0.1, max_rate=10_000)
        upload = made.uploader(tmp_path, journal, settings)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "sleep", sleep)
            task = asyncio.get_running_loop().create_task(upload.run())
            while upload.status()["objects"] < 3:
                await real(0.02)
            upload.finish(5)
            await task
    sizes = [path.stat().st_size for path in share.rglob("*.parquet")]
    assert sorted(slept)[-3:] == sorted(size / 10_000 for size in sizes)


async def test_it_leaves_within_its_time(tmp_path: Path) -> None:
    """A stop breaks off a store that hangs; everything stays owed."""
    with _started(tmp_path) as journal:
        _fill(journal)
        owed = _owed(journal)

        class Hanging:
            is_folder = True

            async def check(self) -> None:
                await asyncio.sleep(3600)

        upload = made.uploader(
            tmp_path,
            journal,
            Centre(path=tmp_path, every=0.1),
            bucket=Hanging(),  # type: ignore[arg-type]  # a store that hangs
        )
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            tasks.create_task(upload.run())
            await asyncio.sleep(0.1)
            upload.finish(0.2)
        assert _owed(journal) == owed


async def test_finished_days_are_put_together_in_a_folder(tmp_path: Path) -> None:
    """Objects of a day that is over become one a table, without a row more or less."""
    share = tmp_path / "share"
    share.mkdir()
    yesterday = SystemClock().now() - 2 * 86_400 * 10**9
    with _started(tmp_path) as journal:
        settings = Centre(path=share, every=0.05)
        upload = made.uploader(tmp_path, journal, settings, clock=SystemClock())
        async with _running(upload):
            for turn in range(4):
                journal.submit([records.scores(3, at=yesterday + turn)], {})
                await _until(
                    lambda turn=turn: upload.status()["rows"] == 3 * (turn + 1)  # type: ignore[misc]
                )
            await _until(lambda: upload.status()["days_to_put_together"] == 0)
            await _until(lambda: len(list(share.rglob("*.parquet"))) == 1)
    assert [row["seq"] for row in made.rows(share, "predictions")] == list(range(12))


@given(st.text(min_size=1), st.integers(1, 10**15), st.integers(0, 2**62))
def test_a_gateway_comes_at_its_own_moment(name: str, every: int, now: int) -> None:
    """The next moment is after now, one interval on at most, and of one phase."""
    start = phase(name, every)
    due = next_due(now, every, start)
    assert now < due <= now + every
    assert (due - start) % every == 0


def test_a_fleet_spreads_over_the_interval() -> None:
    """Of 2,000 gateways no more than 2 % come in the same hundredth of the interval."""
    every = 900 * 10**9
    phases = [phase(f"gw-{number:04}", every) * 100 // every for number in range(2000)]
    assert max(phases.count(slot) for slot in range(100)) <= 40


def test_only_what_is_wanted_is_taken() -> None:
    """Scores and raw samples are taken only where the operator wants them."""
    assert ScoreRecord in appetite(Centre())
    assert RawRecord not in appetite(Centre())
    assert RawRecord in appetite(Centre(raw=("pump.flow",)))
    assert ScoreRecord not in appetite(Centre(predictions=False))
    assert AlarmRecord in appetite(Centre(predictions=False))


_ids = st.sets(st.integers(0, 2**62), max_size=20).map(lambda s: tuple(sorted(s)))


@given(_ids, _ids, st.integers(0, 2**40), st.booleans())
def test_a_position_is_read_as_it_was_written(
    ids: tuple[int, ...], settled: tuple[int, ...], number: int, under: bool
) -> None:
    """A plan survives its file."""
    one = plan.Planned("predictions/x.parquet", 3, 99)
    planned = plan.Plan(ids, (number, number + 1), (one,)) if under else None
    position = plan.Position(planned, settled, number, ("2026-01-02",))
    body = plan.encoded(position)
    json.loads(body)
    assert plan.decoded(body) == position


async def test_a_retried_upload_is_byte_for_byte_the_same(tmp_path: Path) -> None:
    """After errors and lost replies the same names come with the same bytes."""
    answers: dict[int, int | None] = {0: 503, 1: 500, 3: 503}
    with _started(tmp_path) as journal, Scripted(lambda n: answers.get(n, 200)) as peer:
        _fill(journal)
        settings = peer.settings(every=0.1)
        upload = made.uploader(tmp_path, journal, settings, "secret")
        lives = 0
        async with asyncio.timeout(15):
            while _owed(journal):
                lives += 1
                try:
                    async with _running(upload):
                        await _until(lambda: _owed(journal) == 0)
                except* SinkLost:
                    pass
        names = [path for path, _ in peer.puts]
        assert len(names) > len(set(names))
        assert len({body for _, body in peer.puts}) == len(set(names))
    assert lives > 1


async def test_an_outage_of_the_store_costs_nothing(tmp_path: Path) -> None:
    """Killed and started again, the store gets every row once; status tells it."""
    with (
        Server(tmp_path / "rclone", "rclone") as server,
        _started(tmp_path) as journal,
    ):
        settings = server.settings(every=0.1)
        upload = made.uploader(tmp_path, journal, settings, SECRET)
        states: list[str] = []
        async with asyncio.TaskGroup() as tasks:
            life = supervise(
                "centre",
                upload.run,
                log=structlog.get_logger(),
                wait=wait_fixed(0.05),
                on_state=lambda state, _: states.append(state),
                is_up=lambda: upload.status()["state"] == "connected",
            )
            running = tasks.create_task(life)
            _fill(journal)
            await _until(lambda: _owed(journal) == 0)
            server.kill()
            _fill(journal)
            await _until(lambda: "lost" in states)
            owed = _owed(journal)
            assert upload.status()["state"] == "disconnected"
            assert upload.status()["last_error"]
            server.start()
            await _until(lambda: _owed(journal) == 0)
            upload.finish(5)
            await running
        assert owed > 0
        folder = made.copied(open_bucket(settings, SECRET), tmp_path / "copy")
        seqs = [row["seq"] for row in made.rows(folder, "predictions")]
    assert len(seqs) == len(set(seqs)) == 120


async def test_a_backlog_of_tiny_records_goes_in_one_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More records than one plan holds need no second moment of the gateway."""
    monkeypatch.setattr("edge_agent.centre.underway.RECORDS", 10)
    share = tmp_path / "share"
    share.mkdir()
    with _started(tmp_path) as journal:
        _fill(journal, turns=35)
        upload = made.uploader(tmp_path, journal, Centre(path=share, every=3600))
        async with _running(upload):
            await _until(lambda: upload.status()["state"] == "connected")
            upload._due = 1  # its moment has come
            upload._enough.set()
            await _until(lambda: _owed(journal) == 0)
    assert len(made.rows(share, "predictions")) == 105
    assert len(_objects(share)) >= 4


async def test_a_stop_of_an_idle_upload_is_at_once(tmp_path: Path) -> None:
    """Nothing is waited for where nothing is under way."""
    with _started(tmp_path) as journal:
        upload = made.uploader(tmp_path, journal, Centre(path=tmp_path, every=3600))
        async with asyncio.timeout(4), _running(upload):
            await _until(lambda: upload.status()["state"] == "connected")
            assert upload.status()["next_upload_in_s"] > 0


async def test_the_oldest_that_is_owed_is_told(tmp_path: Path) -> None:
    """The status says since when rows wait, also of those from before the start."""
    share = tmp_path / "share"
    share.mkdir()
    with _started(tmp_path) as journal:
        _fill(journal)  # at midnight; the wall's clock has noon
        upload = made.uploader(tmp_path, journal, Centre(path=share, every=0.1))
        (share / "predictions").write_text("in the way")
        with pytest.raises(SinkLost):
            await upload.run()
        status = upload.status()
    assert 11 * 3600 < status["oldest_age_s"] <= 12 * 3600
    assert status["underway_objects"] == 3
