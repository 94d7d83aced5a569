"""What the archive costs a gateway: ``python -m tests.centre.measure``.

Scores of ten assets a second (14,400 are 24 minutes), and of a day drift, labels,
health and samples as a gateway makes them: CPU to build and write, bytes a row, memory.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.centre.bucket import open_bucket
from edge_agent.centre.compaction import compact_day
from edge_agent.centre.names import named
from edge_agent.centre.packing import Made, packed, weight
from edge_agent.config.keeping import Centre
from edge_agent.records import (
    LabelRecord,
    LossRecord,
    PipelineInfo,
    RawRecord,
    Record,
    ScoreRecord,
    SnapshotRecord,
)
from edge_agent.store.outbox import Stored
from tests.centre import made
from tests.store import made as records

if TYPE_CHECKING:
    from edge_agent.centre.bucket import Bucket

_SECOND = 10**9


@lru_cache
def _info(assets: int) -> PipelineInfo:
    names = tuple(f"P-{number:04}" for number in range(assets))
    roles = tuple(f"role{number}" for number in range(20))
    return replace(
        records.PUMPS,
        assets=names,
        roles=roles,
        units=("",) * 20,
        model_digest="ab" * 32,
    )


def scored(assets: int, turn: int, dice: np.random.Generator) -> ScoreRecord:
    """A turn as a forest would score it."""
    base = records.scores(assets, at=made.DAY + turn * _SECOND, info=_info(assets))
    top = dice.integers(0, 20, (assets, 3)).astype(np.int16)
    top[dice.random(assets) < 0.9] = -1  # explained at alarms only
    return replace(
        base,
        asset=np.arange(assets, dtype=np.int32),
        score=dice.gamma(2.0, 0.3, assets),
        age=np.round(dice.random(assets), 3),
        top_role=top,
        top_value=dice.normal(5.0, 1.0, (assets, 3)),
        top_share=dice.random((assets, 3)),
    )


def others(dice: np.random.Generator) -> list[Record]:
    """A day's records of all other kinds, of twenty features."""
    found: list[Record] = []
    for hour in range(24):
        at = made.DAY + hour * 3600 * _SECOND
        values = tuple(dice.normal(5, 1, 3600).tolist())
        found += [records.drift(at, at + 3600 * _SECOND, values)] * 21
        count = 20
        found.append(_labels(at, count, dice))
        found += [_health(at + quarter * 900 * _SECOND) for quarter in range(4)]
        found.append(LossRecord(at, "rows", "score", 3, at, at, "disk full"))
        found.append(records.alarm(at))
        tag = np.arange(3600, dtype=np.int32) % 10
        raw = RawRecord(
            *(at, tuple(f"P-{n}.flow" for n in range(10)), tag),
            *(at + np.arange(3600) * _SECOND, dice.normal(5, 1, 3600)),
            np.zeros(3600, np.uint8),
        )
        found.append(raw)
    return found


def _labels(at: int, count: int, dice: np.random.Generator) -> LabelRecord:
    bad = dice.integers(0, 2, count).astype(np.uint8)
    texts = ("",) * count
    return LabelRecord(
        pipeline="press-quality",
        model="press-quality",
        at=at,
        assets=("press-1",),
        asset=np.zeros(count, np.int32),
        row_at=at - np.arange(count) * _SECOND,
        part=tuple(f"C{at % 10**6}-{n}" for n in range(count)),
        version=("3",) * count,
        context=texts,
        score=dice.random(count),
        threshold=np.full(count, 0.5),
        predicted=bad,
        state=bad,
        value=np.full(count, np.nan),
        label=texts,
        delay=dice.random(count) * 3600,
    )


def _health(at: int) -> SnapshotRecord:
    body = {
        "model": "pump-anomaly",
        "model_version": "3",
        "model_digest": "ab" * 32,
        "state": "scoring",
        "because": "",
        "agent_version": "0.1.0",
        "assets": 10,
        "uptime_s": 3.5,
        "rows_scored": at % 10**6,
    }
    return SnapshotRecord(at, "health", "pump-anomaly", "", body)


def _numbered(told: list[Record]) -> list[Stored]:
    seq, found = 0, []
    for record in told:
        found.append(Stored(1 << 44 | seq, record, 17))
        seq += len(record) if isinstance(record, ScoreRecord | LabelRecord) else 1
        seq += len(record) if isinstance(record, RawRecord) else 0
    return found


def _packing(label: str, told: list[Record]) -> None:
    stored = _numbered(told)
    best, objects = float("inf"), list[Made]()
    for _ in range(3):
        began = time.process_time()
        objects = packed(stored, [], "hamburg", "gw-07").objects
        best = min(best, time.process_time() - began)
    rows = sum(one.rows for one in objects)
    print(f"{label}: {rows} rows, {best * 1e3:.0f} ms CPU, {rows / best:,.0f} rows/s")
    tables: dict[str, list[int]] = {}
    for one in objects:
        said = tables.setdefault(one.named.table, [0, 0, 0])
        for place, more in enumerate((one.rows, len(one.body), 1)):
            said[place] += more
    for table, (count, size, many) in tables.items():
        print(f"  {table:12} {count:7} rows {many:3} objects {size / count:7.1f} B/row")


def _six_hours() -> None:
    """Objects and bytes of six hours at ``every: 15m``, and after compaction."""
    dice = np.random.default_rng(1)
    rest = others(dice)
    rest = [one for one in rest if not isinstance(one, RawRecord)]
    with tempfile.TemporaryDirectory() as name:
        bucket = open_bucket(Centre(path=Path(name)), None)
        seq = 0
        for quarter in range(24):
            start = made.DAY + quarter * 900 * _SECOND
            told: list[Record] = []
            told += [scored(10, quarter * 900 + n, dice) for n in range(900)]
            told += [one for one in rest if start <= _at(one) < start + 900 * _SECOND]
            stored = []
            for record in told:
                stored.append(Stored(1 << 44 | seq, record))
                seq += weight(record)
            log = [made.entry(4 * quarter + n) for n in range(1, 5)]
            for one in packed(stored, log, made.SITE, made.GATEWAY).objects:
                bucket.put(str(one.named), one.body)
        _told("six hours of 10 scores/s, every 15 min", bucket)
        began = time.process_time()
        found = [named(path) for path, _ in bucket.names()]
        days = sorted({place.day for place in found if place is not None})
        for day in days:
            compact_day(bucket, made.SITE, made.GATEWAY, day)
        took = time.process_time() - began
        _told(f"put together in {took:.1f} s CPU", bucket)


def _at(record: Record) -> int:
    return int(record.at[0]) if isinstance(record, ScoreRecord) else record.at


def _told(label: str, bucket: Bucket) -> None:
    tables: dict[str, list[int]] = {}
    for path, size in bucket.names():
        said = tables.setdefault(path.split("/")[0], [0, 0])
        said[0] += 1
        said[1] += size
    many = sum(one for one, _ in tables.values())
    size = sum(one for _, one in tables.values())
    print(f"{label}: {many} objects, {size / 1e6:.1f} MB")
    for table, (count, total) in tables.items():
        print(f"  {table:12} {count:4} objects {total / 1e3:9.1f} kB")


async def _through(assets: int, turns: int) -> None:
    """Store to folder, as the agent does it."""
    dice = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "share").mkdir()
        journal = made.journal(folder)
        journal.start()
        for turn in range(turns):
            journal.submit([scored(assets, turn, dice)], {})
        records.settle(journal)
        upload = made.uploader(
            folder, journal, Centre(path=folder / "share", every=0.01)
        )
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, used = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(upload.run())
            while upload.status()["rows"] < assets * turns:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            upload.finish(5)
        took, cpu = time.perf_counter() - began, time.process_time() - used
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        status = upload.status()
        journal.stop(5)
    rows = assets * turns
    print(
        f"store to folder, {assets} a turn: {rows} rows in {took:.2f} s, {cpu:.2f} s"
        f" CPU, {rows / took:,.0f} rows/s, {status['objects']} objects, peak RSS +"
        f"{(after - before) / 1024:.0f} MB"
    )


def _imports() -> None:
    code = (
        "import time; began = time.process_time();"
        "size = lambda: int(open('/proc/self/statm').read().split()[1]) / 256;"
        "before = size(); import {0};"
        "print('import {0}', round((time.process_time() - began) * 1e3), 'ms CPU',"
        "round(size() - before, 1), 'MB')"
    )
    for name in ("numpy", "obstore", "arro3.io", "edge_agent.centre.uploader"):
        subprocess.run([sys.executable, "-c", code.format(name)], check=True)


def main() -> None:
    """Print the table."""
    dice = np.random.default_rng(1)
    _imports()
    _packing("14,400 scores, 10 a turn", [scored(10, n, dice) for n in range(1440)])
    _packing("9,000 scores, 15 minutes", [scored(10, n, dice) for n in range(900)])
    _packing("50,000 scores, 1,000 a turn", [scored(1000, n, dice) for n in range(50)])
    _packing("a day of all else", others(dice))
    _six_hours()
    asyncio.run(_through(10, 1440))
    asyncio.run(_through(1000, 300))


if __name__ == "__main__":
    main()
