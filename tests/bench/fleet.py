"""A fleet's archive, made and asked: ``python -m tests.bench.fleet --folder DIR``.

Makes the objects of many gateways and days, asks every question cold and warm, compacts
a day of small objects, and says on paper what the registry, the broker and the store
are asked. Not part of ``python -m tests.bench``: it takes minutes and gigabytes. Run it
on a machine that does nothing else; what it made is removed unless ``--keep``.

Assumed of a gateway: 5 pipelines of 20 features and a score, 50 assets, 10 scores a
second, an object each 15 minutes where there are rows, hourly drift rows, 20 alarms,
200 labels and 2 losses a day. Scores are made for one hour of one gateway and
multiplied. Gateways share the rows of ``--variants`` of them, in files of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.centre.names import Named, sha_of
from edge_agent.centre.tables import TABLES
from edge_agent.fleet.asked import Asked
from edge_agent.fleet.compaction import compact
from edge_agent.fleet.folder import Folder
from edge_agent.fleet.lake import Lake
from tests.fleet.made import BEGIN, DAY_US, HOUR_US, Row, alarm, health, label, parquet

if TYPE_CHECKING:
    from collections.abc import Iterator

PIPELINES, FEATURES, ASSETS, RATE = 5, 21, 50, 10
QUARTER = HOUR_US // 4
QUESTIONS = ("drift", "models", "silent", "alarms", "accuracy", "losses", "report")
_CHILD = """
import sys
from edge_agent.cli.main import main
code = main(sys.argv[1:])
with open("/proc/self/status") as status:
    kept = [line.split()[1] for line in status if line.startswith("VmHWM")]
print("KB", kept[0], file=sys.stderr)
sys.exit(code)
"""
#: Counted by `tests.registry.fleet`: one model, a poll each minute, nothing new.
REGISTRY_CALLS = 61
BINS = 22


def rows_of(table: str, day: int, chance: np.random.Generator) -> list[Row]:
    """A gateway's rows of a day."""
    at = BEGIN + day * DAY_US
    match table:
        case "drift":
            return [
                _drift(at + (hour + 1) * HOUR_US - 1, hour, p, f, chance)
                for hour in range(24)
                for p in range(PIPELINES)
                for f in range(FEATURES)
            ]
        case "baselines":
            return [
                _baseline(at, p, f) for p in range(PIPELINES) for f in range(FEATURES)
            ]
        case "health":
            return [
                health(
                    at + quarter * QUARTER,
                    quarter * PIPELINES + p,
                    pipeline=f"pipeline {p}",
                    model=f"model {p}",
                    model_version=f"1.{int(chance.random() < 0.2)}",
                    model_digest="d" * 64,
                    assets=ASSETS // PIPELINES,
                    uptime_s=float(quarter * 900),
                    rows_scored=quarter * 1800,
                )
                for quarter in range(96)
                for p in range(PIPELINES)
            ]
        case "alarms":
            return [
                alarm(
                    at + int(chance.integers(DAY_US)),
                    i,
                    pipeline=f"pipeline {i % PIPELINES}",
                    asset=f"asset {chance.integers(ASSETS)}",
                    state=("active", "normal")[i % 2],
                    occurrence=f"{day}-{i // 2}",
                    reason="outlet pressure is 12 % higher than usual",
                    top='[["outlet pressure", 4.1, 3.2, 3.9, 0.7]]',
                    model="model 0",
                )
                for i in range(40)
            ]
        case "labels":
            return [
                label(
                    at + int(chance.integers(DAY_US)),
                    i,
                    asset=f"asset {chance.integers(ASSETS)}",
                    pipeline=f"pipeline {i % PIPELINES}",
                    model=f"model {i % PIPELINES}",
                    predicted=("good", "bad")[int(chance.random() < 0.1)],
                    state=("good", "bad")[int(chance.random() < 0.1)],
                    score=float(chance.random()),
                )
                for i in range(200)
            ]
        case _:
            return [
                {
                    "ts": at + i * HOUR_US,
                    "boot": 1,
                    "seq": i,
                    "what": "rows",
                    "subject": "score",
                    "cause": "no room",
                    "count": 100 * i + 1,
                }
                for i in range(2)
            ]


def _drift(
    at: int, hour: int, pipeline: int, feature: int, chance: np.random.Generator
) -> Row:
    n = 7200 * RATE // 10
    shares = np.r_[0.001, np.full(BINS - 2, 1.0), 0.001] * chance.gamma(20, 1, BINS)
    counts = chance.multinomial(n, shares / shares.sum())
    return {
        **_whose(at, hour, pipeline, feature),
        "since": at - HOUR_US,
        "rows": n,
        "gated": 0,
        "n": n,
        "missing": 0,
        "total": round(float(chance.normal()) * 2**20) / 2**10,
        "square": round(float(chance.random()) * 2**20) / 2**6,
        "low": float(np.float32(chance.normal())),
        "high": float(np.float32(chance.normal() + 8)),
        "counts": counts.tolist(),
    }


def _baseline(at: int, pipeline: int, feature: int) -> Row:
    return {
        **_whose(at, 0, pipeline, feature),
        "n": 20_000,
        "edges": [float(edge) for edge in range(BINS - 1)],
        "counts": [0, *[1000] * (BINS - 2), 0],
    }


def _whose(at: int, seq: int, pipeline: int, feature: int) -> Row:
    return {
        "ts": at,
        "boot": 1,
        "seq": seq * PIPELINES + pipeline,
        "context": "",
        "pipeline": f"pipeline {pipeline}",
        "model": f"model {pipeline}",
        "model_version": "1.0",
        "model_digest": "d" * 64,
        "baseline_id": f"{pipeline:016x}",
        "feature": f"feature {feature}.mean",
    }


def _score(at: int, seq: int, chance: np.random.Generator) -> Row:
    return {
        "ts": at,
        "boot": 1,
        "seq": seq,
        "pipeline": f"pipeline {seq % PIPELINES}",
        "asset": f"asset {seq % ASSETS}",
        "part": "",
        "model": f"model {seq % 5}",
        "model_version": "1.0",
        "model_digest": "d" * 64,
        "threshold": 0.9,
        "score": float(chance.random()),
        "alarm": False,
        "severity": 0,
        "quality": 0,
        "completeness": 1.0,
        "age_s": float(chance.random()),
        "no_score": "",
        "fallback": "model",
        "context": "",
        "label": "",
        "top1_tag": f"tag {chance.integers(20)}",
        "top1_share": 0.5,
        "top1_value": float(chance.normal()),
    }


class Site:
    """Writes objects of gateways, and counts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects: dict[str, int] = defaultdict(int)
        self.bytes: dict[str, int] = defaultdict(int)
        self.rows: dict[str, int] = defaultdict(int)
        self.encoding = self.writing = 0.0

    def encode(self, table: str, rows: list[Row]) -> tuple[bytes, str, list[Row]]:
        """An object's bytes, with the time that takes."""
        begun = time.perf_counter()
        body = parquet(table, rows)
        made = body, sha_of(body), rows
        self.encoding += time.perf_counter() - begun
        return made

    def write(
        self, table: str, number: int, made: tuple[bytes, str, list[Row]]
    ) -> None:
        """An object of a gateway; twenty gateways are a site."""
        body, sha, rows = made
        begun = time.perf_counter()
        ids = [row["boot"] << 40 | row["seq"] for row in rows]
        day = str(np.datetime64(rows[0]["ts"] // DAY_US, "D"))
        where = f"site {number // 20:04}", f"gateway {number:05}"
        path = self.folder / str(Named(table, *where, day, min(ids), max(ids), sha))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        self.writing += time.perf_counter() - begun
        self.objects[table] += 1
        self.bytes[table] += len(body)
        self.rows[table] += len(rows)


def make_days(site: Site, gateways: int, days: int, variants: int) -> None:
    """One object a gateway, day and table: as compaction leaves them."""
    chance = np.random.default_rng(1)
    for day in range(days):
        for table in ("drift", "health", "alarms", "labels", "losses", "baselines"):
            if table == "baselines" and day:
                continue
            made = [
                site.encode(table, rows_of(table, day, chance)) for _ in range(variants)
            ]
            for number in range(gateways):
                if day == days - 1 and number % 500 == 499:
                    continue  # fell silent
                site.write(table, number, made[number % variants])
        said(f"day {day + 1} of {days}")


def make_small(site: Site, gateways: int, variants: int) -> None:
    """A day as gateways write it: an object each 15 minutes where there are rows."""
    chance = np.random.default_rng(2)
    for table in ("drift", "health", "alarms", "labels"):
        for variant in range(variants):
            by: dict[int, list[Row]] = defaultdict(list)
            for row in rows_of(table, 0, chance):
                by[row["ts"] // QUARTER].append(row)
            made = [site.encode(table, some) for some in by.values()]
            for number in range(variant, gateways, variants):
                for one in made:
                    site.write(table, number, one)


def ask(folder: Path, question: str, *words: str) -> dict[str, float]:
    """Wall and CPU seconds and memory of one command."""
    command = [sys.executable, "-c", _CHILD, "fleet", question, *words]
    command += ["--archive", str(folder), "--since", "2026-01-01", "--json"]
    command += ["--until", "2026-01-08"]
    begun, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    seconds, now = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    # of the process itself: what the kernel hands us counts its parent's memory, too
    peak = int(done.stderr.rpartition("KB ")[2] or 0) / 1024
    return {
        "s": round(seconds - begun, 2),
        "cpu_s": round(cpu, 2),
        "peak_mb": round(peak),
        "exit": done.returncode,
    }


def forget(folder: Path) -> None:
    """Have the files read from the disk again."""
    for path in folder.rglob("*.parquet"):
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def questions(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each one cold, warm, and warm without checking sums."""
    for question in QUESTIONS:
        forget(folder)
        found = {"cold": ask(folder, question)}
        if question != "report":
            found["warm"] = ask(folder, question)
        if question == "drift":
            found["unchecked"] = ask(folder, question, "--unchecked")
        said(f"{question}: {found}")
        yield question, found


def scores() -> dict[str, float]:
    """An hour of one gateway's scores, in objects and as one."""
    chance = np.random.default_rng(3)
    rows = [_score(BEGIN + i * 100_000, i, chance) for i in range(3600 * RATE)]
    quarter = len(rows) // 4
    small = [parquet("predictions", rows[i * quarter :][:quarter]) for i in range(4)]
    whole = parquet("predictions", rows)
    return {
        "rows_a_day": 24 * len(rows),
        "bytes_a_row_of_15_min": round(sum(map(len, small)) / len(rows), 1),
        "bytes_a_row_of_an_hour": round(len(whole) / len(rows), 1),
        "mb_a_gateway_and_day": round(sum(map(len, small)) * 24 / 1e6, 1),
    }


def compacted(folder: Path) -> dict[str, Any]:
    """Compact all of it, and how fast that goes."""
    begun = time.perf_counter()
    until = (BEGIN + 3 * DAY_US) * 1000
    lake = Lake(Folder(folder), Asked(BEGIN * 1000, until), checked=True)
    done = [compact(lake, table) for table in TABLES]
    lake.close()
    seconds = time.perf_counter() - begun
    before = sum(one.before for one in done)
    return {
        "objects": [before, sum(one.after for one in done)],
        "mb": [
            round(sum(n) / 1e6, 1)
            for n in zip(*((d.read, d.written) for d in done), strict=True)
        ],
        "s": round(seconds, 1),
        "objects_a_second": round(before / seconds),
    }


def paper(gateways: int, puts: float, mb: float) -> dict[str, float]:
    """What the servers are asked, by so many gateways."""
    return {
        "gateways": gateways,
        "registry_requests_a_second_poll_60s": round(
            gateways * REGISTRY_CALLS / 3600, 1
        ),
        "registry_requests_a_second_poll_600s": round(gateways * 7 / 3600, 1),
        "broker_messages_a_second_health_15_min": round(gateways * PIPELINES / 900, 1),
        "broker_messages_a_second_scores": gateways * RATE,
        "store_puts_a_second": round(gateways * puts / 86_400, 1),
        "store_objects_a_day": round(gateways * puts),
        "store_gb_a_day": round(gateways * mb / 1e3, 1),
    }


def said(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Make, ask, compact, remove."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet")
    parser.add_argument("--folder", type=Path, required=True, help="it is made")
    parser.add_argument("--gateways", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--variants", type=int, default=20)
    parser.add_argument(
        "--small", type=int, default=200, help="gateways of small objects"
    )
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    days, small = options.folder / "days", options.folder / "small"
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
    begun, site = time.perf_counter(), Site(days)
    make_days(site, options.gateways, options.days, options.variants)
    found["made"] = {
        "s": round(time.perf_counter() - begun, 1),
        "objects": dict(site.objects),
        "mb": {table: round(size / 1e6, 1) for table, size in site.bytes.items()},
        "rows": dict(site.rows),
        "objects_a_second_written": round(sum(site.objects.values()) / site.writing),
        "mb_a_second_written": round(sum(site.bytes.values()) / 1e6 / site.writing, 1),
        "encoding_s": round(site.encoding, 1),
    }
    said(json.dumps(found["made"]))
    found["questions"] = dict(questions(days))
    if not options.keep:
        shutil.rmtree(days)
    found["scores"] = scores()
    tiny = Site(small)
    make_small(tiny, options.small, min(options.variants, 10))
    found["small"] = {
        "gateways": options.small,
        "objects": dict(tiny.objects),
        "mb": round(sum(tiny.bytes.values()) / 1e6, 1),
        "drift": [ask(small, "drift"), ask(small, "drift", "--unchecked")],
        "models": ask(small, "models"),
        "compaction": compacted(small),
        "drift_after": [ask(small, "drift"), ask(small, "drift", "--unchecked")],
        "models_after": ask(small, "models"),
    }
    said(json.dumps(found["small"]))
    puts = 96 + 2 + sum(tiny.objects.values()) / options.small
    mb = found["scores"]["mb_a_gateway_and_day"]
    mb += sum(tiny.bytes.values()) / 1e6 / options.small
    found["a_gateway_and_day"] = {"puts": round(puts), "mb": round(mb, 1)}
    found["paper"] = [paper(n, puts, mb) for n in (options.gateways, 100_000)]
    text = json.dumps(found, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text)
    if not options.keep:
        shutil.rmtree(options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
