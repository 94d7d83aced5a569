"""Hundreds of small models on one gateway: start, memory, turns, and a rest.

``python -m tests.bench.many N [TURNS]`` measures N models alone.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from edge_agent.assembly import core
from edge_agent.clock import ManualClock
from edge_agent.config import loading
from edge_agent.inbox import Inbox
from edge_agent.inference import Inference
from edge_agent.instruments import Instruments
from edge_agent.rehearsal import manned
from edge_agent.samples import NANOSECONDS
from edge_agent.scoring import OnnxScorer, Sessions
from edge_agent.scoring.resident import resident_memory
from tests.bench import small_models
from tests.bench.measure import Child, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.assembly import Core
    from edge_agent.samples import TagTable
    from tests.bench.measure import Figures

MODELS, ASSETS = 300, 1000
_TURNS, _WARM = 60, 12
_START = 1_700_000_000 * NANOSECONDS
_WHAT = (
    "N different small models (a third each autoencoders, PCA residuals and forests of "
    f"12,700 nodes) over {ASSETS} assets, each scored once a second; in process, no "
    "network, 4 to 8 tags an asset. start_s: bundles opened, loaded and proven; "
    "kb_model: memory that added to the process, with features, windows and turns; "
    "kb_rest: the same after all sessions were given up; wake_ms: the turn that loads "
    "them all again."
)


def run(repeats: int, seconds: float) -> Table:
    """A fresh process each repeat, with few models and with many."""
    table = Table("many", _WHAT)
    turns = max(_TURNS, round(10 * seconds))
    counts = (MODELS // 10, MODELS)
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as place:
        plants = {count: plant(Path(place) / str(count), count) for count in counts}
        for _ in range(repeats):
            for count, file in plants.items():
                table.add(f"{count} models", _apart(file, turns))
    many = table.median(f"{MODELS} models")
    table.at_most("p99 of a turn, of its second", many["p99_ms"] / 1000, 1)
    table.at_most("MB a model", many["kb_model"] / 1024, 1.5)
    return table


def plant(folder: Path, count: int) -> Path:
    """Models and the operator's file for a plant of `ASSETS` assets."""
    tags = {}
    for number in range(count):
        small_models.write(folder / "models", number)
        tags[number] = {
            role: {"source": "plant", "topic": "x/{id}", "field": role, "unit": "bar"}
            for role in small_models.roles(number)
        }
    shares = np.array_split(np.arange(ASSETS), count)
    content = {
        "site": {"enterprise": "bench"},
        "gateway": "gw-bench",
        "sources": {"plant": {"type": "mqtt", "host": "127.0.0.1", "payload": "json"}},
        "assets": [
            {
                "type": f"kind-{number:03d}",
                "ids": [f"A{asset:04d}" for asset in shares[number].tolist()],
                "tags": tags[number],
            }
            for number in range(count)
        ],
        "pipelines": {
            f"p{number:03d}": {
                "assets": f"kind-{number:03d}",
                "model": f"m{number:03d}",
                "score": {"every": "1s"},
            }
            for number in range(count)
        },
        "registry": {"type": "directory", "path": str(folder / "models")},
        "outputs": {"scada": {"type": "mqtt", "host": "127.0.0.1"}},
    }
    file = folder / "agent.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def measured(file: Path, turns: int) -> Figures:
    """Start, memory and turns of this process."""
    loaded = loading.read(file)
    gc.collect()
    before, began, cpu = resident_memory(), time.perf_counter(), time.process_time()
    seated = manned(loaded)
    made = core(loaded, seated, _START)
    start, cpu = time.perf_counter() - began, time.process_time() - cpu
    scorers = [one.pipeline.scorer for one in seated.values()]
    models = [scorer for scorer in scorers if isinstance(scorer, OnnxScorer)]
    if len(models) < len(scorers):
        raise RuntimeError("a model was refused: see edge-agent check")
    instruments = Instruments()
    second = _turner(made, loaded.plant.tags, instruments)
    for _ in range(_WARM):
        second()
    scored = instruments.counter("rows_scored_total")
    took = np.array([second() for _ in range(turns)])
    scored = instruments.counter("rows_scored_total") - scored
    gc.collect()
    full = resident_memory()
    sessions = Sessions(0, idle=0.0)
    for model in models:
        sessions.add(model)
    sessions.tend()
    resting = resident_memory()
    return {
        "start_s": round(start, 2),
        "start_cpu_s": round(cpu, 2),
        "rss_mb": round(full / 2**20, 1),
        "kb_model": round((full - before) / 1024 / len(models), 1),
        "kb_rest": round((resting - before) / 1024 / len(models), 1),
        "scored_turn": scored / turns,
        "p50_ms": round(1e3 * float(np.percentile(took, 50)), 2),
        "p99_ms": round(1e3 * float(np.percentile(took, 99)), 2),
        "longest_ms": round(1e3 * float(took.max()), 2),
        "wake_ms": round(1e3 * second(), 1),
    }


def _turner(
    made: Core, tags: TagTable, instruments: Instruments
) -> Callable[[], float]:
    """One second of the plant: every tag reports, a turn is made; seconds it took."""
    clock, random = ManualClock(_START), np.random.default_rng(0)
    inbox = Inbox(tags)
    inference = Inference(
        made.lines, inbox, made.stamps, lambda *_: None, clock, instruments
    )
    every = np.arange(len(tags), dtype=np.int32)
    good = np.zeros(len(tags), np.uint8)

    def second() -> float:
        clock.time += NANOSECONDS
        now = clock.time - NANOSECONDS // 10
        values = random.normal(10, 1, len(tags))
        inbox.push(every, np.full(len(tags), now), values, good, now)
        began = time.perf_counter()
        inference.turn(clock.time)
        return time.perf_counter() - began

    return second


def _apart(file: Path, turns: int) -> dict[str, Any]:
    """The same, of a fresh process."""
    with Child("-m", "tests.bench.many", str(file), str(turns)) as child:
        return child.ask()


def main() -> None:
    """Measure a plant that is there, or N models in one made for them."""
    which, turns = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else _TURNS
    if not which.isdecimal():
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(measured(Path(which), turns)), flush=True)
        return
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as place:
        table = Table("many", _WHAT)
        figures = _apart(plant(Path(place), int(which)), turns)
        table.add(f"{which} models", figures)
        print(table.text())


if __name__ == "__main__":
    main()
