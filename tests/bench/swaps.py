"""Models that are swapped while hundreds of others score, in real time.

``python -m tests.bench.swaps N [SECONDS]``: N pipelines with N different models over
1,000 assets, each scored once a second, brought by the agent's own supply (fetched,
verified, vetted, loaded). Then every ten seconds one model gets a newer version. A gap
is the time between two score records of a pipeline less its period of a second.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from edge_agent.assembly import core
from edge_agent.clock import SystemClock
from edge_agent.config import loading
from edge_agent.inbox import Inbox
from edge_agent.inference import Inference
from edge_agent.instruments import Instruments
from edge_agent.records import Fallback
from edge_agent.scoring.resident import resident_memory
from edge_agent.supply import Supply
from tests.bench import small_models
from tests.bench.many import plant

if TYPE_CHECKING:
    from edge_agent.config.loading import Loaded
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.pipeline import Pipeline
    from edge_agent.samples import TagTable
    from edge_agent.scores import Scores

_EVERY = 10.0
_WARM = 15.0


class Watch:
    """When each pipeline scored, and with which version."""

    def __init__(self) -> None:
        self.at: dict[str, list[float]] = defaultdict(list)
        self.version: dict[str, list[str]] = defaultdict(list)
        self.rungs: dict[str, int] = defaultdict(int)

    def __call__(self, pipeline: Pipeline, _: FeatureRows, __: Scores) -> None:
        """Note a pipeline's rows of a turn."""
        name = pipeline.info.pipeline
        self.at[name].append(time.monotonic())
        self.version[name].append(pipeline.info.model_version)
        self.rungs[Fallback(pipeline.fallback).name] += 1

    def gap(self, name: str, since: float) -> float:
        """Longest time between two turns of a pipeline, less its second, in ms."""
        at = np.array([moment for moment in self.at[name] if moment >= since])
        return float((np.diff(at).max(initial=1.0) - 1.0) * 1e3)


def measured(file: Path, count: int, seconds: float) -> dict[str, object]:
    """Start twice, then swap under way."""
    loaded = loading.read(file)
    first = _start(loaded)
    second, supply, rss = _started(loaded)
    watch, clock = Watch(), SystemClock()
    inbox = Inbox(loaded.plant.tags)
    made = core(loaded, supply.manned, clock.now(), 60 * 10**9)
    inference = Inference(
        made.lines,
        inbox,
        made.stamps,
        lambda *_: None,
        clock,
        Instruments(),
        observe=watch,
    )
    supply.open(inference.seats)
    stop = threading.Event()
    threads = [
        threading.Thread(target=inference.run),
        threading.Thread(target=supply.adoption.run),
        threading.Thread(target=_plc, args=(inbox, loaded.plant.tags, clock, stop)),
    ]
    for thread in threads:
        thread.start()
    stop.wait(_WARM)
    calm = time.monotonic()
    stop.wait(seconds)
    began = time.monotonic()
    calm_gaps = {name: _within(watch, name, calm, began) for name in watch.at}
    swapped = _swaps(file, count, seconds, stop)
    stop.set()
    inference.stop()
    supply.close()
    for thread in threads:
        thread.join()
    others = [watch.gap(name, began) for name in watch.at if name not in swapped]
    return {
        "models": count,
        "first_start_s": round(first, 1),
        "start_s": round(second, 1),
        "rss_mb": round(resident_memory() / 2**20),
        "kb_model": round((resident_memory() - rss) / 1024 / count),
        "swaps": len(swapped),
        "swapped": sum(len(set(watch.version[name])) > 1 for name in swapped),
        "calm_gap_ms": round(max(calm_gaps.values()), 1),
        "gap_others_ms": round(max(others), 1),
        "gap_swapped_ms": round(max(watch.gap(n, began) for n in swapped), 1),
        "rungs": dict(watch.rungs),
    }


def _within(watch: Watch, name: str, first: float, last: float) -> float:
    at = np.array([moment for moment in watch.at[name] if first <= moment < last])
    return float((np.diff(at).max(initial=1.0) - 1.0) * 1e3)


def _started(loaded: Loaded) -> tuple[float, Supply, int]:
    before, began = resident_memory(), time.perf_counter()
    supply = Supply.of(loaded, SystemClock(), lambda _: None, 60 * 10**9)
    return time.perf_counter() - began, supply, before


def _start(loaded: Loaded) -> float:
    """The first start: every version is fetched, verified and vetted."""
    began = time.perf_counter()
    supply = Supply.of(loaded, SystemClock(), lambda _: None, 60 * 10**9)
    while any(life.active is None for life in supply.adoption.manning.lives.values()):
        supply.adoption.turn()
        time.sleep(0.05)
    took = time.perf_counter() - began
    supply.close()
    return took


def _swaps(file: Path, count: int, seconds: float, stop: threading.Event) -> list[str]:
    swapped = []
    for number in range(max(int(seconds // _EVERY), 1)):
        which = number * (count // 10 + 1) % count
        bundle = small_models.write(file.parent / "newer", which)
        target = file.parent / "models" / f"m{which:03d}" / "1.1.0"
        text = yaml.safe_load((bundle.path / "passport.yaml").read_text())
        text["version"] = "1.1.0"
        (bundle.path / "passport.yaml").write_text(yaml.safe_dump(text))
        bundle.path.rename(target)
        swapped.append(f"p{which:03d}")
        stop.wait(_EVERY)
    return swapped


def _plc(
    inbox: Inbox, tags: TagTable, clock: SystemClock, stop: threading.Event
) -> None:
    """Every tag reports a new value each second."""
    random = np.random.default_rng(0)
    every = np.arange(len(tags), dtype=np.int32)
    good = np.zeros(len(tags), np.uint8)
    while not stop.wait(1.0 - (clock.now() / 1e9 + 0.5) % 1.0):
        now = clock.now()
        values = random.normal(10, 1, len(tags))
        inbox.push(every, np.full(len(tags), now), values, good, now)


def main() -> None:
    """Measure N models."""
    count = int(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as place:
        file = plant(Path(place), count)
        content = yaml.safe_load(file.read_text())
        content["state_dir"] = str(Path(place) / "state")
        content["registry"]["poll"] = "1s"
        for pipeline in content["pipelines"].values():
            pipeline["promotion"] = {"policy": "at-once"}
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        print(json.dumps(measured(file, count, seconds), indent=1))


if __name__ == "__main__":
    main()
