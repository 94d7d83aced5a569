"""Killed between any two steps: every committed row arrives, and none counts twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from edge_agent.config.keeping import Centre
from edge_agent.records.appetites import CENTRAL
from tests.centre import made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.store.journal import Journal

    Victims = subprocess.Popen[bytes]

#: EDGE_AGENT_KILLS=500 is the long run whose figure is published.
KILLS = int(os.environ.get("EDGE_AGENT_KILLS", "0"))
SEED = int(os.environ.get("EDGE_AGENT_SEED", "1"))
STEPS = "plan:0 plan+:2 put:2 put+:0 done:0 done+:1 told:2 told+:0"

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    """A process whose forks live and die."""
    command = [sys.executable, "-m", "tests.centre.victim"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


def _die(
    victims: Victims, folder: Path, share: Path, step: str, after: float | None = None
) -> None:
    """One life, ended by itself at a step, or from here after some seconds."""
    assert victims.stdin is not None
    assert victims.stdout is not None
    victims.stdin.write(f"{folder} {share} {step}\n".encode())
    victims.stdin.flush()
    pid = int(victims.stdout.readline())
    if after is not None:
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
    assert victims.stdout.readline() == b"dead 9\n", "it was to be killed"


async def _finish(folder: Path, share: Path) -> None:
    """One more life, which ends well."""
    journal = made.journal(folder)
    journal.start()
    upload = made.uploader(
        folder, journal, Centre(path=share, every=0.03), log=made.Log(7)
    )
    async with asyncio.timeout(25), asyncio.TaskGroup() as tasks:
        tasks.create_task(upload.run())
        while upload.status()["evidence"] < 7 or _owed(journal):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        upload.finish(5)
    assert journal.stop(5)


def _owed(journal: Journal) -> bool:
    asked = [journal.backlog(CENTRAL, -1, 1, urgent=urgent) for urgent in (True, False)]
    return any(one.result() for one in asked)


def _check(folder: Path, share: Path) -> int:
    """Nothing is lost, and nothing counts twice; rows that lie there twice."""
    lines = (folder / "diary").read_text().splitlines()
    committed = {(int(boot), int(seq)) for boot, seq in map(str.split, lines)}
    rows = [(row["boot"], row["seq"]) for row in made.rows(share, "predictions")]
    assert committed <= set(rows)
    assert [row["number"] for row in made.rows(share, "evidence")][:7] == [*range(1, 8)]
    return len(rows) - len(set(rows))


@pytest.mark.parametrize("step", STEPS.split())
async def test_killed_at_a_step(victims: Victims, step: str, tmp_path: Path) -> None:
    """Whatever the step, the next life finishes the plan: no row is there twice."""
    share = tmp_path / "share"
    share.mkdir()
    await asyncio.to_thread(_die, victims, tmp_path, share, step)
    await _finish(tmp_path, share)
    assert _check(tmp_path, share) == 0


@pytest.mark.skipif(not KILLS, reason="EDGE_AGENT_KILLS=N is the long run")
@pytest.mark.timeout(3600)
async def test_killed_at_random(victims: Victims, tmp_path: Path) -> None:
    """Over many lives nothing is lost; the key tells what is there twice."""
    share = tmp_path / "share"
    share.mkdir()
    dice = random.Random(SEED)
    began = time.monotonic()
    for _ in range(KILLS):
        after = dice.uniform(0.0, 0.6)
        await asyncio.to_thread(_die, victims, tmp_path, share, "never", after)
    await _finish(tmp_path, share)
    twice = _check(tmp_path, share)
    rows = len(made.rows(share, "predictions"))
    print(
        f"{KILLS} kills, {rows} rows, {twice} twice, {time.monotonic() - began:.0f} s"
    )
