"""The same questions in SQL of other engines, and their answers here."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest

from edge_agent.centre.tables import TABLES
from edge_agent.fleet.accuracy import accuracy
from edge_agent.fleet.columns import ENGINES
from edge_agent.fleet.drift import drift, merged
from edge_agent.fleet.folder import Folder
from edge_agent.fleet.lake import Lake
from edge_agent.fleet.models import models
from edge_agent.fleet.statements import PARTS, shipped, statements, written
from tests import peers
from tests.fleet import tallied
from tests.fleet.made import BEGIN, EVER, HOUR_US, alarm, health, label, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Rows = list[tuple[Any, ...]]
    Ask = Callable[[str], Rows]

#: The last is what Spark itself reads as other letters.
SITES = ("north", "a/b c", "süd")


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """An archive of three sites with rows of every table, some of them twice."""
    folder = tmp_path / "archive"
    tallied.write(folder, tallied.hall(11, SITES, gateways=2, hours=3))
    for path in list((folder / "drift").rglob("*.parquet"))[:5]:
        shutil.copy(path, path.with_name(f"{'0' * 16}-{path.name[17:]}"))
    chance = np.random.default_rng(3)
    for place, site in enumerate(SITES):
        rows = [
            label(
                BEGIN + i,
                i,
                row_id=str(i % 70),
                predicted=("bad", "good", "")[int(chance.integers(3))],
                state=("bad", "good", "")[int(chance.integers(3))],
                score=float(chance.normal()),
                value=float(chance.normal()) if i % 4 else None,
            )
            for i in range(100)
        ]
        put(folder, "labels", site, "g0", rows)
        for gateway in ("g0", "g1"):
            told = [health(BEGIN + i * HOUR_US + place, i) for i in range(3)]
            put(folder, "health", site, gateway, told)
        written_above = {"drift", "baselines", "labels", "health"}
        for table in TABLES.keys() - written_above:
            row = {**alarm(BEGIN, 1), "hash": "h"}
            known = {c.name for c in TABLES[table].columns}
            mine = {k: v for k, v in row.items() if k in known}
            put(folder, table, site, "g0", [mine])
    return folder


def holds(ask: Ask, opened: Lake) -> None:
    """Every shipped question gives what the commands say."""
    found = ask("models")
    assert [row[:5] for row in found] == [
        (one.site, one.gateway, one.pipeline, one.model, one.model_version)
        for one in models(opened, 0)
    ]
    sums = merged(opened, 12)
    moved = {(f.site, f.feature): f for f in drift(opened) if f.site}
    rows = ask("drift")
    assert len(rows) == len(sums) == len(SITES) * len(tallied.FEATURES)
    for site, *_, feature, n, missing, low, high, psi in rows:
        one = moved[site, feature]
        kept = next(
            s for (w, k), s in sums.items() if (w, k.feature) == (site, feature)
        )
        assert (n, missing, low, high) == (kept.n, kept.missing, kept.low, kept.high)
        if one.because:  # constant in training: not told in SQL
            assert psi is None
        else:
            assert psi == pytest.approx(one.psi, rel=1e-12)
    told = {one.site: one for one in accuracy(opened) if one.site}
    for site, _, _, _, tp, fp, fn, tn, numbers, absolute in ask("accuracy"):
        mine = told[site]
        assert (tp, fp, fn, tn) == (mine.tp, mine.fp, mine.fn, mine.tn)
        assert absolute / numbers == pytest.approx(mine.mae.value, rel=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("part", PARTS)
def test_the_shipped_texts_are_those_of_the_tables(engine: Any, part: Any) -> None:  # noqa: ANN401
    """``python -m edge_agent.fleet.statements`` was run after the last change."""
    assert shipped(engine, part) == written(engine, part)


def test_duckdb_answers_them_alike(whole: Path, lake: Lake) -> None:
    """The texts read the archive as it lies there."""
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    for one in statements(shipped("duckdb", "tables", str(whole))):
        engine.execute(one)

    def ask(part: Any) -> Rows:  # noqa: ANN401
        return engine.execute(shipped("duckdb", part)).fetchall()

    holds(ask, lake)


@pytest.fixture
def lake(whole: Path) -> Iterator[Lake]:
    """The archive as our own commands see it."""
    opened = Lake(Folder(whole), EVER)
    yield opened
    opened.close()


@pytest.fixture
def spark(tmp_path: Path) -> Iterator[Any]:
    """One local session, in a process of its own JVM."""
    missing = find_spec("pyspark") is None or shutil.which("java") is None
    if missing and peers.in_ci():
        pytest.fail("pyspark or java is missing: pip install -e .[spark]", False)
    if missing:
        pytest.skip("pyspark or java is missing: pip install -e .[spark]")
    from pyspark.sql import SparkSession  # noqa: PLC0415 - not everywhere

    os.environ["SPARK_LOCAL_IP"] = peers.HOST
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": peers.HOST,
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(tmp_path / "warehouse"),
        "spark.driver.memory": "1g",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.mark.timeout(240)  # a JVM's start on a busy machine
@pytest.mark.filterwarnings("ignore")
def test_spark_answers_them_alike(whole: Path, lake: Lake, spark: Any) -> None:  # noqa: ANN401
    """Local-mode Spark over the same objects: counts exact, PSI to 1e-12."""
    for one in statements(shipped("spark", "tables", str(whole))):
        spark.sql(one)

    def ask(part: Any) -> Rows:  # noqa: ANN401
        return [tuple(row) for row in spark.sql(shipped("spark", part)).collect()]

    holds(ask, lake)
