"""One transmitter is wrong, an alarm comes: does its sentence name the transmitter?

A quick part of ``python -m tests.monitoring.explanation_bench``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from sklearn.ensemble import IsolationForest

from edge_agent.bundle import build
from edge_agent.bundle.contents import open_bundle
from edge_agent.cli import replay
from edge_agent.config import loading
from edge_agent.demo.equipment import INSTRUMENTS, ROLES
from edge_agent.recording import Recording
from models.pump_hall import EPOCH, PUMP
from tests.monitoring import explained_models as models
from tests.monitoring.explanation_bench import SHIPPED, Asked, as_seen, hits
from tests.monitoring.faulty import Trial, pump_samples, pump_trials
from tests.publish import material

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.bundle.contents import Bundle

ENOUGH = 0.95
FAULTS = [
    *(
        (tag, "offset", strength)
        for tag in range(len(ROLES))
        for strength in (0.1, 0.3)
    ),
    *((tag, "scale", 0.3) for tag in range(len(ROLES))),
    *((tag, "drift", 0.2) for tag in range(len(ROLES))),
    *((tag, "stuck", 1.0) for tag in range(len(ROLES))),
]


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    """Every tag wrong in every way."""
    return [*pump_trials(FAULTS, seed=700)]


def rates(bundle: Bundle, trials: list[Trial]) -> tuple[dict[str, float], int]:
    """How often the wrong tag is first, by way of explaining; of how many alarms."""
    asked = Asked(bundle)
    alarms = asked.alarms([as_seen(t, asked) for t in trials], 3)
    found = asked.usual_ways(alarms).items()
    first = {way: float(hits(parts, alarms.tag)[0].mean()) for way, parts in found}
    return first, len(alarms.tag)


def test_the_shipped_autoencoder_names_the_wrong_transmitter(
    trials: list[Trial],
) -> None:
    """In at least 95 of 100 alarms."""
    first, count = rates(open_bundle(SHIPPED), trials)

    assert count >= 20
    assert first["agent"] >= ENOUGH


def test_a_pca_names_the_wrong_transmitter_though_its_residuals_smear(
    trials: list[Trial], tmp_path: Path
) -> None:
    """Its own word alone would send people to another instrument."""
    learning, aside = (models.healthy([seed], 0.2) for seed in (100, 200))

    first, count = rates(models.pump_pca(tmp_path, learning, aside), trials)

    assert count >= 20
    assert first["agent"] >= ENOUGH
    assert first["own word"] < first["agent"]


def test_a_forest_names_the_wrong_transmitter(tmp_path: Path) -> None:
    """It tells no parts of its own; rows of a bench, one tag far off in each."""
    learning, aside = material.table(2000, 1), material.table(1600, 2)
    forest = IsolationForest(n_estimators=100, max_samples=256, random_state=0)
    forest.fit(learning)
    limit = float(np.quantile(-forest.score_samples(aside), 0.98))
    given = material.words(tmp_path, budget=None, holdout=aside)
    levels = [{"value": limit, "severity": 500}]
    bundle = build(forest, learning, thresholds=levels, **given).bundle
    trials = []
    for row in range(400):
        healthy, tag = aside[row : row + 1], row % material.FEATURES
        values = healthy.copy()
        values[:, tag] += 6 * learning[:, tag].std() * (-1) ** row
        trials.append(Trial(tag, "offset", 6.0, np.zeros(1), values, healthy))

    asked = Asked(bundle)
    alarms = asked.alarms(trials, 0)
    first, _ = hits(asked.usual_ways(alarms)["agent"], alarms.tag)

    assert len(first) >= 50
    assert first.mean() >= ENOUGH


def configuration(folder: Path, language: str) -> Path:
    """The hall over MQTT, with the shipped model."""
    tags = {
        role: {"source": "plant", "topic": f"hall/{{id}}/{role}", "unit": one.unit}
        for role, one in INSTRUMENTS.items()
    }
    source = {"type": "mqtt", "host": "127.0.0.1", "payload": "number"}
    content: dict[str, Any] = {
        "site": {"enterprise": "acme"},
        "gateway": "gw",
        "language": language,
        "sources": {"plant": source},
        "assets": [{"type": PUMP.name, "ids": list(PUMP.assets), "tags": tags}],
        "pipelines": {
            "anomaly": {
                "assets": PUMP.name,
                "model": "pump-anomaly",
                "score": {"every": "1s"},
            }
        },
        "registry": {"type": "directory", "path": str(SHIPPED.parents[1])},
        "outputs": {"scada": {"type": "mqtt", "host": "127.0.0.1"}},
        "state_dir": str(folder / "state"),
    }
    file = folder / f"agent-{language}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def replayed(file: Path, out: Path) -> Iterator[str]:
    """Reasons of the alarms that come in a replay of three minutes of the hall."""
    recording = Recording(pump_samples([(2, "offset", 0.3)] * 20, 900), ())
    with out.open("w", encoding="utf-8") as lines:
        replay.replay(loading.read(file), recording, lines)
    for line in out.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        if told.get("alarm") == "ACTIVE":
            yield f"{told['ts_ns'] - EPOCH} {told['asset']} {told['reason']}"


def test_a_replay_says_the_same_words_however_it_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty alarms within a second: more than the model is asked about."""
    file = configuration(tmp_path, "de")
    once = [*replayed(file, tmp_path / "once")]
    monkeypatch.setattr(replay, "CHUNK", 777)
    often = [*replayed(file, tmp_path / "often")]

    assert len(once) >= 18
    assert once == often
    assert all("Modellwert " in line for line in once)
    named = [line for line in once if "Grenzwert 5,4: flow " in line]
    assert len(named) >= ENOUGH * len(once)
    assert all(" m3/h, üblich 0,32 bis 0,82" in line for line in named)


def test_the_sentence_is_the_same_in_another_language(tmp_path: Path) -> None:
    """Same alarms, same tags, other words."""
    german = [*replayed(configuration(tmp_path, "de"), tmp_path / "de")]
    english = [*replayed(configuration(tmp_path, "en"), tmp_path / "en")]

    assert [line.split()[:2] for line in german] == [
        line.split()[:2] for line in english
    ]
    assert all("Score " in line and " limit " in line for line in english)
    assert all("flow " in line for line in (*german, *english))
