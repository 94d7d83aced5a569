"""What watching costs beside scoring: 1,000 assets of 20 features and 5 tags."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.commissioning import commission
from edge_agent.config.languages import english
from edge_agent.config.pipelines import Pipeline, Score
from edge_agent.features.feature_rows import FeatureRows
from edge_agent.instruments import Instruments
from edge_agent.monitoring.blocks import Cadence
from edge_agent.monitoring.sensors.facts import Facts
from edge_agent.monitors.counting import Counting
from edge_agent.monitors.sensors import SensorWatch
from edge_agent.samples import NANOSECONDS, AssetType, SampleBatch, Tag, TagTable
from tests.bench.measure import Table
from tests.bench.small_models import roles, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.commissioning import Commissioned

ASSETS = 1000
#: Models of 20 features: an autoencoder, a PCA residual and a forest.
NUMBERS = {"autoencoder": 6, "PCA": 1, "forest": 11}
_POOL, _LOOK = 8, 10
_START = 1_790_000_000 * NANOSECONDS


def run(repeats: int, seconds: float) -> Table:
    """CPU of one thread for a row of an asset each second, stage after stage."""
    table = Table(
        "monitoring",
        f"{ASSETS:,} assets a turn, 20 features from 5 tags, in process, one thread. "
        "Counting: features and score over the passport's bins, each asset's rows. "
        "Sensors: every sample taken in, all tags judged each tenth turn.",
    )
    slice_s = min(seconds, 2.0)
    with tempfile.TemporaryDirectory() as folder:
        made = {
            kind: _commissioned(Path(folder), number)
            for kind, number in NUMBERS.items()
        }
        features = len(made["PCA"].plan.specs)
        rows = [_rows(features, seed) for seed in range(_POOL)]
        for _ in range(repeats):
            for kind, one in made.items():
                table.add(f"scoring, {kind}", _timed(_scoring(one, rows), slice_s))
            table.add("counting", _timed(_counting(made["PCA"], rows), slice_s))
            table.add("sensors", _timed(_sensing(), slice_s))
    spent = {name: table.median(name)["cpu_us_row"] for name in ("counting", "sensors")}
    for kind in made:
        scoring = table.median(f"scoring, {kind}")["cpu_us_row"]
        share = spent["counting"] / scoring
        table.at_most(f"counting over scoring, {kind}", share, _ALLOWED[kind])
    return table


#: The aim is half of what scoring costs. It is missed beside models that are a few
#: small products of matrices: sorting 21 columns costs more than they do. What is held
#: here is that it gets no worse.
_ALLOWED = {"autoencoder": 2.0, "PCA": 3.0, "forest": 0.5}


def _commissioned(folder: Path, number: int) -> Commissioned:
    bundle = write(folder, number)
    names = roles(number)
    kind = AssetType(
        bundle.passport.asset_type,
        tuple(f"A-{i}" for i in range(ASSETS)),
        tuple(Tag(role, "bar", 0.0, 20.0) for role in names),
        0,
    )
    settings = Pipeline(
        assets=kind.name, model=bundle.passport.name, score=Score(every=1.0)
    )
    return commission("bench", settings, kind, bundle.path, phrases=english())


def _rows(features: int, seed: int) -> FeatureRows:
    random = np.random.default_rng(seed)
    values = random.normal(10, 1, (ASSETS, features)).astype(np.float32)
    return FeatureRows(
        asset=np.arange(ASSETS, dtype=np.int32),
        at=np.full(ASSETS, _START, np.int64),
        values=values,
        valid=np.ones(ASSETS, bool),
        missing=np.zeros((ASSETS, features), np.uint8),
        quality=np.zeros(ASSETS, np.uint8),
        completeness=np.ones(ASSETS),
        age=np.zeros(ASSETS),
        inputs_good=np.full(ASSETS, features, np.int16),
        cut_short=np.zeros(ASSETS, bool),
    )


def _scoring(made: Commissioned, pool: list[FeatureRows]) -> Callable[[int], object]:
    scorer = made.pipeline.scorer
    return lambda turn: scorer.score(pool[turn % _POOL].values)


def _counting(made: Commissioned, pool: list[FeatureRows]) -> Callable[[int], object]:
    pipeline = made.pipeline
    assert pipeline.yardstick is not None
    cadence = Cadence(3600.0, 86_400.0)
    counting = Counting(pipeline.yardstick, pipeline.info, cadence, _START)
    scores = pipeline.scorer.score(pool[0].values)

    def turn(number: int) -> None:
        counting.take(pipeline, pool[number % _POOL], scores)
        if counting.crowded:
            counting.fold(())

    return turn


def _sensing() -> Callable[[int], object]:
    kind = AssetType(
        "bench",
        tuple(f"A-{i}" for i in range(ASSETS)),
        tuple(Tag(f"t{i}", low=0.0, high=20.0) for i in range(5)),
        0,
    )
    tags = TagTable((kind,), ("plc",), np.zeros(kind.size, np.int16))
    facts = Facts.of(kind, tags, np.zeros(1, bool))
    watch = SensorWatch(facts, Instruments(), _START)
    random = np.random.default_rng(1)
    pool = [random.normal(10, 1, kind.size) for _ in range(_POOL)]
    every = np.arange(kind.size, dtype=np.int32)
    empty = SampleBatch.of(every, np.full(kind.size, _START), pool[0])

    def turn(number: int) -> None:
        now = _START + number * NANOSECONDS
        at = np.full(kind.size, now, np.int64)
        value = pool[number % _POOL]
        watch.take(replace(empty, time=at, received=at, value=value))
        watch.fold()
        if number % _LOOK == 0:
            watch.look(now, np.array([now], np.int64), None)

    return turn


def _timed(call: Callable[[int], object], seconds: float) -> dict[str, float]:
    for number in range(_LOOK):
        call(number)
    calls, cpu, began = 0, time.process_time(), time.monotonic()
    while time.monotonic() - began < seconds:
        for number in range(20):
            call(_LOOK + calls + number)
        calls += 20
    spent = time.process_time() - cpu
    return {"cpu_us_row": round(1e6 * spent / calls / ASSETS, 4)}
