"""A journal with a backlog, a forwarder on it, and live scores: driven by `drain`.

``python -m tests.bench.drain_agent PORT FOLDER SETTINGS`` (JSON). The score of a live
row is the moment it was submitted, CLOCK_MONOTONIC in seconds. Each line on stdin is
answered with the counters; ``0`` holds the backlog back, ``1`` lets it flow.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.clock import SystemClock
from edge_agent.config.keeping import Store
from edge_agent.config.languages import english
from edge_agent.config.schema import MqttOutput
from edge_agent.errors import SinkLost
from edge_agent.instruments import Instruments
from edge_agent.sinks.flat import FlatProfile
from edge_agent.sinks.forwarder import Forwarder
from edge_agent.sinks.mqtt import MqttSink
from edge_agent.sinks.topics import Place
from edge_agent.store.journal import Journal
from tests.store import made

if TYPE_CHECKING:
    from edge_agent.records import ScoreRecord

ASSETS = tuple(f"P-{number}" for number in range(1000))
HALL = replace(made.PUMPS, assets=ASSETS)


def _rows(rows: int, first: int, score: float) -> ScoreRecord:
    record = made.scores(rows, SystemClock().now(), HALL)
    asset = ((np.arange(rows) + first) % len(ASSETS)).astype(np.int32)
    return replace(record, asset=asset, score=np.full(rows, score))


async def _live(journal: Journal, records: int, rows: int) -> None:
    loop, first = asyncio.get_running_loop(), 0
    due = loop.time()
    while True:
        due += 1 / records
        await asyncio.sleep(max(due - loop.time(), 0))
        journal.submit([_rows(rows, first, time.monotonic())], {})
        first += rows


async def _answer(forwarder: Forwarder, journal: Journal, held: list[bool]) -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        held[0] = line.strip() == b"0"
        used = time.process_time()
        said = {"status": forwarder.status(), "cpu": used, "at": time.monotonic()}
        print(json.dumps(said | {"rows": journal.status()["rows"]}), flush=True)


def _hold_back(forwarder: Forwarder, held: list[bool]) -> None:
    """The switch of the comparison: no setting holds a backlog back."""
    pace = forwarder._to.pace
    allowed = pace.allowed
    pace.allowed = lambda now: 0 if held[0] else allowed(now)  # type: ignore[method-assign]


async def _main(port: int, folder: Path, given: dict[str, Any]) -> None:
    clock, instruments = SystemClock(), Instruments()
    settings = MqttOutput.model_validate(
        {"type": "mqtt", "host": "127.0.0.1", "port": port, **given["output"]}
    )
    store = Store.model_validate({"limit": "2 GiB"})
    journal = Journal(
        folder / "store.db",
        sinks=["scada"],
        settings=store,
        clock=clock,
        instruments=instruments,
    )
    journal.start()
    rows = given["rows"]
    for first in range(0, given["backlog"], rows):
        journal.submit([_rows(rows, first, 0.0)], {})
        if first // rows % 500 == 0:
            while journal.status()["memory_rows"] > 20_000:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    sink = MqttSink(
        "scada", settings, client_id="drain", clock=clock, instruments=instruments
    )
    place = Place.of("edge", ["acme"], "gw")
    profile = FlatProfile(place, {"pump-anomaly": 60.0}, english())
    forwarder = Forwarder(
        sink,
        journal,
        profile,
        settings,
        clock=clock,
        instruments=instruments,
        version="0",
    )
    held = [given["held"]]
    _hold_back(forwarder, held)
    print("ready", flush=True)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_answer(forwarder, journal, held))
        if given["records"]:
            tasks.create_task(_live(journal, given["records"], rows))
        while True:
            with contextlib.suppress(SinkLost):
                await forwarder.run()
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])))
