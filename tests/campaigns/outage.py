"""An outage of 72 hours in some minutes: the real journal on a clock moved by hand.

Ten assets are scored every second, alarms and drift come now and then, and nobody
takes them; one commit a second, as in the field. Then everything is drained through a
real forwarder to mosquitto. Beside it, the same with a limit that is too small, and a
stretch on this disk for the bytes the flash gets.

``--count`` is rows; the store of the long part lies in memory where there is room
(/dev/shm), or waiting for syncs would take hours.
"""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.clock import ManualClock, SystemClock
from edge_agent.config.keeping import Store
from edge_agent.instruments import Instruments
from edge_agent.records import PipelineInfo, ScoreRecord
from edge_agent.samples import NANOSECONDS
from edge_agent.sinks.mqtt import MqttSink
from edge_agent.store.journal import Journal
from tests import peers
from tests.bench.measure import usage
from tests.campaigns.telling import Findings, Progress, quiet
from tests.sinks.made import forwarder, output
from tests.store import made

if TYPE_CHECKING:
    from edge_agent.records import Record

ROWS = 10
"""Scored every second."""
_ALARM, _DRIFT = 600, 3600
_NOW = 1_790_000_000 * NANOSECONDS
_WARM = 0.2
"""Part of the outage after which memory is held against what it was."""

_PUMPS = PipelineInfo(
    pipeline="pump-anomaly",
    asset_type="pump",
    assets=tuple(f"P-{number}" for number in range(101, 101 + ROWS)),
    roles=("suction_pressure", "vibration_rms", "flow", "temperature"),
    units=("bar", "mm/s", "m3/h", "degC"),
    model="pump-anomaly",
    model_version="3",
    model_sha8="0123abcd",
)


def run(count: int, seed: int, kept: Path) -> Findings:
    """Keep so many rows that nobody takes, then give them away.

    Args:
        count: rows; 2.6 million are 72 hours.
        seed: of their values.
        kept: not used.
    """
    del kept
    quiet()
    found = Findings("outage", seed)
    memory = Path("/dev/shm")  # noqa: S108 - a file system in memory, by its name
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        path = Path(place) / "store.db"
        whole = _outage(path, count, seed, "1GiB", found, "72 h")
        size = sum(f.stat().st_size for f in path.parent.glob("store.db*"))
        found.figures["bytes a row on disk"] = round(size / max(whole["rows"], 1), 1)
        found.figures["file after it, MiB"] = round(size / 2**20, 1)
        found.promise(not whole["lost"], "72 h fit into the default limit")
        _drain(path, found, 30.0 if count > 100_000 else 3.0)
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        path = Path(place) / "store.db"
        # an eighth of what these rows need
        each = size / max(whole["rows"], 1)
        kept_rows = max(int(count // 2 * each / 8) >> 10, 64)
        bound, tight = kept_rows / 1024, f"{kept_rows}KiB"
        _outage(path, count // 2, seed, tight, found, tight)
        largest = found.figures[f"{tight}: largest file, MiB"]
        # beside the bodies: indices, pages half full, rings, and the log
        found.promise(largest < bound * 5 / 4 + 40, f"bound of {tight}")
        lost = found.figures[f"{tight}: score rows kept + lost"][1]
        found.promise(lost, "the campaign makes something be lost")
    with tempfile.TemporaryDirectory() as place:
        _flash(Path(place) / "store.db", min(count, 12_000), seed, found)
    return found


def _outage(
    path: Path, rows: int, seed: int, limit: str, found: Findings, name: str
) -> dict[str, int]:
    """Nobody takes anything; every row must be there or be counted."""
    clock, dice = ManualClock(_NOW), np.random.default_rng(seed)
    journal, progress = _journal(path, clock, limit), Progress(f"outage {name}", rows)
    journal.start()
    gc.collect()  # what others left in this process would be given back meanwhile
    memory: list[float] = []
    largest, seconds = 0.0, rows // ROWS
    began = time.monotonic()
    for second in range(seconds):
        _turn(journal, clock, dice, second)
        if second % 500 == 0:
            _settle(journal, clock)
            largest = max(largest, _size(path))
            memory.append(usage(os.getpid()).rss_mb)
            progress.step(second * ROWS, f"{memory[-1]:.0f} MB")
    _settle(journal, clock)
    took = time.monotonic() - began
    status = journal.status()
    warm = memory[int(len(memory) * _WARM) :]
    spread = (max(warm) - min(warm)) / min(warm)
    assert journal.stop(60)
    # the last reports of losses take room too. Reported or not: what the ledger
    # counted, by the counter of the drops
    lost = _lost(journal)
    figures = found.figures
    figures[f"{name}: rows submitted"] = seconds * ROWS
    figures[f"{name}: rows kept / lost and counted"] = [status["rows"], lost]
    figures[f"{name}: hours of agent time"] = round(seconds / 3600, 1)
    figures[f"{name}: took, s"] = round(took)
    figures[f"{name}: largest file, MiB"] = round(max(largest, _size(path)), 1)
    figures[f"{name}: RSS after warm-up, MB"] = f"{min(warm):.0f} to {max(warm):.0f}"
    found.promise(spread <= 0.1, f"{name}: RSS flat within 10 % ({spread:.1%})")
    scores = _scores_kept(path)
    figures[f"{name}: score rows kept + lost"] = [scores, lost]
    found.promise(
        scores + lost == seconds * ROWS, f"{name}: every row is accounted for"
    )
    return {"rows": status["rows"], "lost": lost}


def _turn(
    journal: Journal, clock: ManualClock, dice: np.random.Generator, second: int
) -> None:
    clock.time = _NOW + second * NANOSECONDS
    records: list[Record] = [_scores(clock.time, dice)]
    if second % _ALARM == 0:
        records.append(made.alarm(clock.time, second // _ALARM % 3))
    if second % _DRIFT == 0:
        at = clock.time
        records.append(made.drift(at, at + _DRIFT * NANOSECONDS))
    journal.submit(records, {"core": str(second).encode() * 50})
    clock.time += NANOSECONDS - 1
    # asking wakes the writer, which then sees that a second is over
    journal.backlog("scada", 1 << 62, 1).result(60)


def _scores(at: int, dice: np.random.Generator) -> ScoreRecord:
    """Ten rows with numbers as models make them; one in fifty explained."""
    score = dice.gamma(2.0, 0.4, ROWS)
    told = dice.random(ROWS) < 0.02
    top = np.full((ROWS, 3), -1, np.int16)
    top[told] = (0, 1, 2)
    values = np.where(top >= 0, dice.normal(5.0, 1.0, (ROWS, 3)), np.nan)
    return ScoreRecord(
        info=_PUMPS,
        asset=np.arange(ROWS, dtype=np.int32),
        at=np.full(ROWS, at, np.int64),
        score=score,
        threshold=np.full(ROWS, 2.5),
        severity=np.zeros(ROWS, np.int32),
        alarm=np.zeros(ROWS, np.uint8),
        quality=np.zeros(ROWS, np.uint8),
        completeness=np.ones(ROWS),
        age=dice.uniform(0.0, 0.9, ROWS),
        no_score=np.zeros(ROWS, np.uint8),
        fallback=np.zeros(ROWS, np.uint8),
        top_role=top,
        top_value=values,
        top_low=values - 1.0,
        top_high=values + 1.0,
        top_share=np.where(top >= 0, 0.3, 0.0),
        inputs_good=np.full(ROWS, 4, np.int16),
        inputs_total=4,
    )


def _journal(path: Path, clock: ManualClock | SystemClock, limit: str) -> Journal:
    return Journal(
        path,
        sinks=("scada",),
        settings=Store.model_validate({"flush": "1s", "limit": limit}),
        clock=clock,
        instruments=Instruments(),
    )


def _settle(journal: Journal, clock: ManualClock) -> None:
    """Until all that was submitted is on disk."""
    give_up = time.monotonic() + 60
    while journal.status()["memory_rows"]:
        clock.time += 1
        journal.backlog("scada", 1 << 62, 1).result(60)
        assert time.monotonic() < give_up


def _lost(journal: Journal) -> int:
    return int(journal.status()["rows_lost"])


def _scores_kept(path: Path) -> int:
    """Rows of scores in a store that is closed."""
    journal = _journal(path, SystemClock(), "1GiB")
    journal.start()
    after, rows = -1, 0
    while chunk := journal.backlog("scada", after, 2000).result(60):
        after = chunk[-1].id
        rows += sum(len(s.record) for s in chunk if isinstance(s.record, ScoreRecord))
    journal.stop(60)
    return rows


def _size(path: Path) -> float:
    return sum(f.stat().st_size for f in path.parent.glob(f"{path.name}*")) / 2**20


def _drain(path: Path, found: Findings, seconds: float) -> None:
    """How fast a broker that is back gets it, for some seconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        peers.Mosquitto(Path(folder)) as broker,
    ):
        sent, took = asyncio.run(_forwarded(path, broker, seconds))
    found.figures["drained to mosquitto, rows a second"] = round(sent / took)
    found.figures["... of 10 live rows a second, times"] = round(sent / took / ROWS)
    found.promise(sent / took >= 5 * ROWS, "drain at 5 times the live rate")


async def _forwarded(
    path: Path, broker: peers.Mosquitto, seconds: float
) -> tuple[int, float]:
    journal = _journal(path, SystemClock(), "1GiB")
    journal.start()
    settings = output(broker.port, inflight=100)
    sink = MqttSink(
        "scada",
        settings,
        client_id="edge-agent-outage",
        clock=SystemClock(),
        instruments=Instruments(),
    )
    one = forwarder(sink, journal, settings)
    task = asyncio.create_task(one.run())
    before, began = journal.status()["rows"], time.monotonic()
    for _ in range(int(seconds * 5)):
        if not journal.status()["rows"]:
            break
        await asyncio.sleep(0.2)
    took, left = time.monotonic() - began, journal.status()["rows"]
    one.finish(1.0)
    await asyncio.wait_for(task, 20)
    await asyncio.to_thread(journal.stop, 60)
    return before - left, took


def _flash(path: Path, rows: int, seed: int, found: Findings) -> None:
    """Bytes this thread's commits cause to be written, on a real disk."""
    clock, dice = ManualClock(_NOW), np.random.default_rng(seed)
    journal = _journal(path, clock, "1GiB")
    journal.start()
    seconds = rows // ROWS
    before = journal.status()["bytes_written"]
    for second in range(seconds):
        _turn(journal, clock, dice, second)
        _settle(journal, clock)
    written = journal.status()["bytes_written"] - before
    commits = journal.status()["commits"]
    journal.stop(60)
    day = 86_400 / seconds
    found.figures["flash, MB a day at 10 scores/s, all kept"] = round(
        written * day / 1e6
    )
    found.figures["commits in the stretch of seconds"] = [commits, seconds]
