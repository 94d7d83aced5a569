"""A quality model at a line: a verdict a part, with its id, as right as offline.

The regular suite has one line with the first of ten folds; ``EDGE_AGENT_FULL=1`` has
ten lines, so that every plate is judged by a forest that has not seen it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.end_to_end import plates
from tests.end_to_end.figures import FULL, figure
from tests.end_to_end.listening import Dashboard, Historian
from tests.end_to_end.playing import Pace, Publisher
from tests.end_to_end.running import Agent
from tests.end_to_end.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests import peers
    from tests.end_to_end.plates import Fold, Plates

LINES = plates.FOLDS if FULL else 1
RATE = 100
"""Plates a second of each line."""

pytestmark = pytest.mark.timeout(600 if FULL else 180)


def configuration(
    steel: Plates, folds: list[Fold], broker: peers.Mosquitto, folder: Path
) -> dict[str, Any]:
    """A line, a model and a pipeline a fold; a row when a part's id comes."""
    for fold in folds:
        plates.write_bundle(folder / "models", steel, fold)
    where = {"host": broker.host, "port": broker.port}
    binding = {"source": "cell", "topic": "lines/{id}/plate"}
    tags: dict[str, dict[str, Any]] = {
        tag: {**binding, "field": tag} for tag in steel.tags
    }
    tags["plate"] = {**binding, "field": "plate_id", "text": True}
    return {
        "site": {"enterprise": "steel", "site": "mill"},
        "gateway": "gw",
        "sources": {"cell": {"type": "mqtt", **where}},
        "assets": [{"type": f.name, "ids": [f.name], "tags": tags} for f in folds],
        "pipelines": {
            fold.name: {
                "assets": fold.name,
                "model": fold.name,
                "score": {"on": "cycle", "part": "plate"},
                "alarm": {"on_delay": "0s", "off_delay": "0s"},
            }
            for fold in folds
        },
        "registry": {"type": "directory", "path": str(folder / "models")},
        "outputs": {"scada": {"type": "mqtt", **where}},
    }


def roll(steel: Plates, folds: list[Fold], broker: peers.Mosquitto) -> None:
    """Publish each line's plates, one message a plate."""
    publishers = [Publisher(broker, f"lines/{fold.name}/plate") for fold in folds]
    pace = Pace(RATE)
    for turn in range(max(len(fold.unseen) for fold in folds)):
        for fold, publisher in zip(folds, publishers, strict=True):
            if turn < len(fold.unseen):
                plate = int(fold.unseen[turn])
                numbers = steel.row(plate)
                publisher.publish({"plate_id": f"plate-{plate:04}", **numbers})
        pace.step()
    for publisher in publishers:
        publisher.finish()


def test_each_plate_is_judged_once_and_as_offline(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """One verdict a plate, under its id: score, class and accuracy as offline."""
    steel = plates.read()
    folds = plates.folds(steel, LINES)
    count = sum(len(fold.unseen) for fold in folds)
    config = configuration(steel, folds, mosquitto, tmp_path)
    with (
        Historian(tmp_path, mosquitto) as historian,
        Dashboard(tmp_path, mosquitto) as dashboard,
        Agent(tmp_path / "agent", config) as agent,
    ):
        until(agent.connected, "links")
        roll(steel, folds, mosquitto)
        until(lambda: len(historian.rows()) >= count, "all plates")
        agent.stop()
        until(lambda: len(dashboard.messages()) >= len(historian.messages()), "npm")

    rows = historian.rows()
    expected = {f"plate-{plate:04}" for fold in folds for plate in fold.unseen}
    assert Counter(row["part"] for row in rows) == Counter(expected)
    judged = {row["part"]: row for row in rows}
    right = sum(check_fold(steel, fold, judged) for fold in folds)
    check_replay(agent, judged)
    checked = historian.against_the_schema() + dashboard.against_the_schema()
    offline = np.mean(np.concatenate([correct(steel, fold) for fold in folds]))
    assert right / count == offline
    figure(
        f"steel plates, on: cycle: {len(folds)} models, {count} parts judged once under"
        f" their ids, accuracy {right / count:.4f}, offline {offline:.4f};"
        f" {checked} messages as the schema says"
    )


def check_fold(steel: Plates, fold: Fold, judged: dict[str, dict[str, Any]]) -> int:
    """Scores and classes of a fold's plates as scikit-learn's; how many are right."""
    mine = [judged[f"plate-{plate:04}"] for plate in fold.unseen]
    assert {(row["model"], row["quality"]) for row in mine} == {(fold.name, "GOOD")}
    table = fold.forest.predict_proba(steel.values[fold.unseen])
    ordinary = fold.forest.classes_.tolist().index(plates.ORDINARY)
    score = [row["score"] for row in mine]
    np.testing.assert_allclose(score, 1 - table[:, ordinary], atol=1e-5)
    label = [row["label"] for row in mine]
    assert label == fold.forest.predict(steel.values[fold.unseen]).tolist()
    return sum(np.array(label) == steel.faults[fold.unseen])


def correct(steel: Plates, fold: Fold) -> Any:  # noqa: ANN401  (bool[k])
    """Which plates the forest itself is right about."""
    return fold.forest.predict(steel.values[fold.unseen]) == steel.faults[fold.unseen]


def check_replay(agent: Agent, judged: dict[str, dict[str, Any]]) -> None:
    """The recording, with its part ids, gives the same verdicts bit for bit."""
    lines = [line for line in agent.replayed() if "score" in line]
    assert len(lines) == len(judged)
    assert {line["part"]: (line["score"], line["label"]) for line in lines} == {
        part: (row["score"], row["label"]) for part, row in judged.items()
    }
