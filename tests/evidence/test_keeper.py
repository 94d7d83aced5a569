"""From the journal into the log, with a real journal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from edge_agent.clock import SystemClock
from edge_agent.errors import SinkLost
from edge_agent.evidence import entries
from edge_agent.evidence.keeper import STOPPED, Keeper
from edge_agent.evidence.log import Log
from edge_agent.evidence.places import checked, place_of
from edge_agent.records import EventRecord, EvidenceRecord
from edge_agent.records.appetites import EVIDENCE_LOG
from tests.evidence.booked import SECOND, WallClock
from tests.evidence.victim import journal_of
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge_agent.records import Record

ROOT = Path(__file__).parents[2]
#: EDGE_AGENT_KILLS=500 is the long run.
KILLS = int(os.environ.get("EDGE_AGENT_KILLS", "10"))
SEED = int(os.environ.get("EDGE_AGENT_SEED", "1"))


class _House:
    """A journal, a keeper, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = journal_of(folder)
        self.journal.start()
        self.told: list[Record] = []
        self.clock = SystemClock()
        self.log = Log(folder / "evidence", "gw-1", self.clock)
        self.keeper = Keeper(self.log, self.journal, "gw-1", self.clock, self.tell)

    def tell(self, record: Record) -> None:
        """As the agent does."""
        self.told.append(record)
        self.journal.submit([record], {})

    def names(self) -> list[str]:
        """Of the events that were told."""
        return [one.name for one in self.told if isinstance(one, EventRecord)]

    async def owed(self) -> int:
        """Records the log has not acknowledged."""
        asked = self.journal.backlog(EVIDENCE_LOG, -1, 10_000, urgent=True)
        found = await asyncio.wrap_future(asked)
        return len(found)

    async def opened(self) -> None:
        """Wait until the log is open."""
        async with asyncio.timeout(20):
            while self.keeper.status()["state"] == "opening":  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def settled(self) -> None:
        """Wait until nothing is owed."""
        await self.opened()
        # what is not committed yet is not owed yet
        await asyncio.to_thread(made.settle, self.journal)
        async with asyncio.timeout(20):
            while await self.owed():  # noqa: ASYNC110 - the journal has no such event
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(house: _House) -> AsyncIterator[asyncio.Task[None]]:
    """The keeper at work; stopped in order at the end."""
    task = asyncio.get_running_loop().create_task(house.keeper.run())
    try:
        yield task
        house.keeper.finish(2.0)
        await asyncio.wait_for(task, 10)
    finally:
        task.cancel()
        house.journal.stop(5)


async def test_records_go_into_the_log_and_then_out_of_the_journal(
    tmp_path: Path,
) -> None:
    """Every kind is written, acknowledged, and said to have stopped at the end."""
    house = _House(tmp_path)
    window = EvidenceRecord(1, "pump-anomaly/0/1", "pump-anomaly", "P-101", b"{}")
    async with running(house):
        given: list[Record] = [
            made.alarm(1),
            window,
            made.event(),
            made.loss(),
            made.finding(),
        ]
        house.journal.submit([*given, made.scores(5)], {})
        await house.settled()

    kinds = [one.kind for one in entries(tmp_path / "evidence")]
    counted = {kind: kinds.count(kind) for kind in set(kinds)}
    expected = {"alarm": 1, "window": 1, "event": 3, "loss": 1, "finding": 1}
    assert counted == expected | {"opening": 1, "anchor": 1}
    assert kinds[-1] == "anchor"
    assert house.names() == ["evidence begun", STOPPED]
    assert checked(place_of([tmp_path / "evidence"]), [], None).good
    head = house.keeper.head()
    assert head is not None
    assert head.number == len(kinds)


async def test_what_is_owed_from_before_is_taken_once(tmp_path: Path) -> None:
    """Records acknowledged in no file yet are skipped, the others follow."""
    house = _House(tmp_path)
    house.journal.submit([made.alarm(at) for at in range(300)], {})
    async with running(house):
        await house.settled()

    again = _House(tmp_path)
    async with running(again):
        again.journal.submit([made.alarm(400)], {})
        await again.settled()

    alarms = [one for one in entries(tmp_path / "evidence") if one.kind == "alarm"]
    assert len(alarms) == 301
    assert len({(one.boot, one.seq) for one in alarms}) == 301


async def test_a_failing_disk_is_told_once_and_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records stay owed while the disk fails; an event says so, one that it is over."""
    house = _House(tmp_path)
    broken = True

    def sync(descriptor: int) -> None:
        if broken:
            raise OSError(28, "No space left on device")
        os.fsync(descriptor)

    monkeypatch.setattr("edge_agent.evidence.tail.os.fdatasync", sync)
    house.journal.submit([made.alarm(1), made.alarm(2)], {})
    with capture_logs():
        for _ in range(3):
            with pytest.raises(SinkLost, match="No space left"):
                await house.keeper.run()
    assert house.keeper.status()["state"] == "failing"
    await asyncio.to_thread(made.settle, house.journal)
    assert await house.owed() >= 2

    broken = False
    async with running(house):
        await house.settled()
        assert house.keeper.status()["state"] == "running"

    failing = [name for name in house.names() if name.startswith("evidence")]
    expected = ["evidence failing", "evidence begun", "evidence works again"]
    assert sorted(failing) == sorted(expected)
    alarms = [one for one in entries(tmp_path / "evidence") if one.kind == "alarm"]
    assert len(alarms) == 2


async def test_damage_is_an_event_and_a_state(tmp_path: Path) -> None:
    """A log that was edited while the agent was off is told, and records go on."""
    house = _House(tmp_path)
    async with running(house):
        house.journal.submit([made.alarm(at) for at in range(5)], {})
        await house.settled()
    path = tmp_path / "evidence" / "000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"3.0", b"1.0", 1))

    again = _House(tmp_path)
    with capture_logs():
        async with running(again):
            again.journal.submit([made.alarm(9)], {})
            await again.settled()
            status = again.keeper.status()
            assert status["state"] == "damaged"
            assert "000001.jsonl:" in status["last_error"]
            assert "edge-agent evidence verify" in status["last_error"]

    event = next(
        one
        for one in again.told
        if isinstance(one, EventRecord) and one.name == "evidence damaged"
    )
    assert "000001.jsonl:" in event.message
    written = [one for one in entries(tmp_path / "evidence") if one.kind == "alarm"]
    assert len(written) == 6


async def test_a_lost_key_is_told(tmp_path: Path) -> None:
    """A key that is gone is replaced; log and SCADA hear of it, with the new id."""
    house = _House(tmp_path)
    async with running(house):
        await house.opened()
    former = house.log.key
    (tmp_path / "evidence" / "gateway.key").unlink()

    again = _House(tmp_path)
    with capture_logs() as logged:
        async with running(again):
            await again.opened()

    assert again.log.key != former
    told = [one for one in again.told if isinstance(one, EventRecord)]
    (event,) = (one for one in told if one.name == "evidence key changed")
    assert former[:16] in event.message
    assert event.details == {"key": again.log.key}
    assert [one["log_level"] for one in logged if "key" in one] == ["warning"]


async def test_a_key_that_cannot_be_made_names_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first start on a full disk the reason is the disk's, in its own words."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_agent.bundle.keys.write_new", full)
    house = _House(tmp_path)
    with capture_logs(), pytest.raises(SinkLost) as caught:
        await house.keeper.run()
    house.journal.stop(5)

    assert str(caught.value) == f"{tmp_path / 'evidence'}: No space left on device"


async def test_a_step_of_the_clock_is_in_the_log(tmp_path: Path) -> None:
    """Whoever sets the gateway's clock leaves an entry with how far."""
    house = _House(tmp_path)
    clock = WallClock()
    house.keeper = Keeper(house.log, house.journal, "gw-1", clock, house.tell)
    async with running(house):
        clock.offset = -90 * SECOND
        house.journal.submit([made.alarm(1)], {})
        await house.settled()

    steps = [one for one in entries(tmp_path / "evidence") if one.what == "clock step"]
    assert len(steps) == 1
    assert b'"step_s":-90.0' in steps[0].body


@pytest.mark.crash
def test_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """Killed at random moments, every committed alarm is in the log, once, in order."""
    dice = Random(SEED)
    command = [sys.executable, "-m", "tests.evidence.victim", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as victims:
        assert victims.stdin is not None
        assert victims.stdout is not None
        for _ in range(KILLS):
            victims.stdin.write(b"live\n")
            victims.stdin.flush()
            pid = int(victims.stdout.readline())
            time.sleep(dice.uniform(0.0, 0.4))
            os.kill(pid, signal.SIGKILL)
            while victims.stdout.readline() != b"dead\n":
                pass  # what it logged
        victims.stdin.close()
    asyncio.run(_drained(tmp_path))

    committed = [int(one) for one in (tmp_path / "diary").read_text().split()]
    found = [one.at for one in entries(tmp_path / "evidence") if one.kind == "alarm"]
    assert committed
    assert len(found) == len(set(found))
    assert set(committed) <= set(found)
    assert found == sorted(found)
    assert checked(place_of([tmp_path / "evidence"]), [], None).good


async def _drained(folder: Path) -> None:
    house = _House(folder)
    async with running(house):
        await house.settled()
