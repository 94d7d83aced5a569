"""What the store writes in a day: flash wears by the byte and by the commit.

Ten scores a second for one output that takes them at once and one that takes them
every quarter of an hour, so each score is written. Time is compressed: the clock is
set forward by a second a turn and every commit is made at once, with the store's own
tray, file and settings on a real file system. ``write_bytes`` of the thread in /proc
counts pages of 4 KiB as they are made dirty; the journal of the file system itself and
what the flash does below it come on top.
"""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_agent.records import PipelineInfo, ScoreRecord
from edge_agent.records.appetites import CENTRE, SCADA
from edge_agent.samples import NANOSECONDS
from edge_agent.store.database import Database
from edge_agent.store.disk import written_by
from edge_agent.store.rows import Transaction
from edge_agent.store.tray import Tray
from tests.bench.measure import Figures, Table

SCORES = 10
EVERY = 900
DAY = 86_400
#: Seconds of agent time for a second of ``--seconds``.
_COMPRESSED = 450
_LIMIT = 1 << 30
_SCADA, _CENTRE = 1, 2
INFO = PipelineInfo(
    pipeline="pump-anomaly",
    asset_type="pump",
    assets=tuple(f"P-{i}" for i in range(SCORES)),
    roles=("pressure", "flow", "vibration"),
    units=("bar", "m3/h", "mm/s"),
    model="pump-anomaly",
    model_version="3",
    model_sha8="0123abcd",
)


class Stepped:
    """A clock that is set forward."""

    def __init__(self) -> None:
        self.at = 0

    def now(self) -> int:
        """Agent time."""
        return self.at

    def wall_offset(self) -> int:
        """None."""
        return 0


def scores(dice: np.random.Generator, at: int, assets: range) -> ScoreRecord:
    """Explained rows: what differs from row to row in a plant does so here."""
    rows = len(assets)
    return ScoreRecord(
        info=INFO,
        asset=np.array(assets, np.int32),
        at=np.full(rows, at, np.int64),
        score=dice.gamma(2.0, 0.5, rows),
        threshold=np.full(rows, 2.5),
        severity=np.zeros(rows, np.int32),
        alarm=np.zeros(rows, np.uint8),
        quality=np.zeros(rows, np.uint8),
        completeness=np.ones(rows),
        age=dice.random(rows),
        no_score=np.zeros(rows, np.uint8),
        fallback=np.zeros(rows, np.uint8),
        top_role=dice.permuted(
            np.tile(np.arange(3, dtype=np.int16), (rows, 1)), axis=1
        ),
        top_value=dice.normal(5.0, 1.0, (rows, 3)).astype(np.float32).astype(float),
        top_low=np.tile([1.0, 20.0, 0.2], (rows, 1)),
        top_high=np.tile([6.0, 80.0, 3.4], (rows, 1)),
        top_share=dice.dirichlet(np.ones(3), rows).astype(np.float32).astype(float),
        inputs_good=np.full(rows, 3, np.int16),
        inputs_total=3,
    )


def written(seconds: int, folder: Path, records: int) -> Figures:
    """Let some seconds pass and say what was written.

    Args:
        seconds: of agent time; whole quarters of an hour.
        folder: on the file system to measure.
        records: that a second's scores are made of.
    """
    clock, dice, thread = Stepped(), np.random.default_rng(1), threading.get_native_id()
    tray = Tray(1.0, 64 << 20, [SCADA, CENTRE], clock)
    tray.begin(1, 0, {})
    owed: list[int] = []
    commits, at_rest = 0, 0.0
    each = SCORES // records
    with closing(Database(folder / "store.db", _LIMIT)) as database:
        database.set_outputs(["scada", "@centre"])
        before = written_by(thread)
        for turn in range(seconds):
            made = [
                scores(dice, clock.at, range(i * each, (i + 1) * each))
                for i in range(records)
            ]
            state = {"alarms/pump": dice.bytes(400) + bytes(720)}
            if turn % 60 == 0:
                state["drift/pump/open"] = dice.bytes(600) + bytes(1000)
            ids = [stored.id for stored in tray.put(made, state)]
            tray.acknowledge(_SCADA, ids)
            owed += ids
            if turn % EVERY == EVERY - 1:
                at_rest = database.held.bytes / database.held.rows
                tray.acknowledge(_CENTRE, owed)
                owed.clear()
            clock.at += NANOSECONDS
            work = tray.next(0)
            assert work is not None
            database.commit(
                Transaction(work.entries, work.acks, work.checkpoint, origin=_ORIGIN)
            )
            tray.committed(work)
            commits += 1
        total = written_by(thread) - before
    return {
        "MB a day": total / seconds * DAY / 1e6,
        "KiB a commit": total / commits / 1024,
        "commits a day": commits / seconds * DAY,
        "bytes a score at rest": at_rest,
    }


def run(repeats: int, seconds: float) -> Table:
    """Bytes written in a day, as one record a second and as ten."""
    table = Table(
        "flash",
        f"{SCORES} scores/s, an output that takes them every {EVERY} s; time"
        " compressed, write_bytes of the thread, as a day.",
    )
    quarters = max(round(seconds * _COMPRESSED / EVERY), 2)
    for _ in range(repeats):
        for name, records in (("one record a second", 1), ("ten records", SCORES)):
            with tempfile.TemporaryDirectory(dir=_folder()) as folder:
                table.add(name, written(quarters * EVERY, Path(folder), records))
    for name in table.runs:
        table.at_most(f"MB a day, {name}", table.median(name)["MB a day"], 1000.0)
    return table


def _folder() -> str:
    """A folder on a disk: /tmp may be memory, where nothing is ever written."""
    return os.environ.get("FLASH_FOLDER", "/var/tmp")  # noqa: S108 - its own folder below


_ORIGIN = replace(Transaction().origin, gateway="gw")
