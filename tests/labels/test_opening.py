"""From a configuration to the desk and its links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.config import loading
from edge_agent.instruments import Instruments
from edge_agent.labels.opening import Office, opened
from tests.labels.made import START, WallClock

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
site: {{ enterprise: acme }}
gateway: gw-07
sources:
  cell: {{ type: mqtt, host: 127.0.0.1, user: lab, password_file: secret }}
assets:
  - type: press
    ids: [PR-1, PR-2]
    tags:
      force: {{ source: cell, topic: 'line3/{{id}}/force' }}
      part_id: {{ source: cell, topic: 'line3/{{id}}/part', text: true }}
pipelines:
  part-quality:
    assets: press
    model: part-quality
    score: {{ on: cycle, part: part_id }}
    labels: {labels}
  press-anomaly:
    assets: press
    model: press-anomaly
    score: {{ every: 1s }}
    alarm: {{ budget: {{ per_week: 2 }} }}
  unlabelled:
    assets: press
    model: press-anomaly
    score: {{ every: 1s }}
registry: {{ path: models }}
outputs:
  scada: {{ type: mqtt, host: 127.0.0.1 }}
state_dir: {state}
"""
LABELS = "{ source: cell, topic: 'line3/{id}/label', folder: drop, memory: 4MiB }"


def office(folder: Path, labels: str) -> Office:
    """What a configuration gives."""
    path = folder / "agent.yaml"
    path.write_text(CONFIG.format(labels=labels, state=folder / "state"))
    (folder / "secret").write_text("hidden\n")
    (folder / "secret").chmod(0o600)
    loaded = loading.read(path)
    names = ("part-quality", "press-anomaly", "unlabelled")
    topics = {
        f"edge/acme/{asset}/ml/{name}/verdict": (name, asset)
        for asset in ("PR-1", "PR-2")
        for name in names
    }
    found = opened(
        loaded.config,
        {"press": ("PR-1", "PR-2")},
        {"scada": topics},
        clock=WallClock(START),
        instruments=Instruments(),
        tell=lambda _: None,
    )
    assert found is not None
    return found


def test_each_place_that_labels_come_from_has_a_link(tmp_path: Path) -> None:
    """Source, output and folder; a budget alone keeps predictions for verdicts."""
    found = office(tmp_path, LABELS)
    status: dict[str, Any] = {link.name: link.status() for link in found.links}

    assert list(found.desk.books) == ["part-quality", "press-anomaly"]
    assert set(status) == {"labels:cell", "verdicts:scada", "labels:part-quality"}
    assert status["labels:cell"]["subscriptions"] == [
        "line3/PR-1/label",
        "line3/PR-2/label",
    ]
    asked = status["verdicts:scada"]["subscriptions"]
    assert sorted(asked) == [
        "edge/acme/PR-1/ml/part-quality/verdict",
        "edge/acme/PR-1/ml/press-anomaly/verdict",
        "edge/acme/PR-2/ml/part-quality/verdict",
        "edge/acme/PR-2/ml/press-anomaly/verdict",
    ]
    assert status["labels:part-quality"]["endpoint"] == str(tmp_path / "drop")
    assert (tmp_path / "state" / "labels" / "privacy.key").exists()


def test_client_ids_are_apart_from_those_of_telemetry(tmp_path: Path) -> None:
    """A broker would throw out the first of two with the same id."""
    found = office(tmp_path, LABELS)
    ids = {link.status().get("client_id") for link in found.links}

    assert {"edge-agent-gw-07-cell-labels", "edge-agent-gw-07-scada-verdicts"} <= ids


def test_memory_and_horizon_make_the_bucket(tmp_path: Path) -> None:
    """Two presses fit at one row a minute; parts have no bucket."""
    found = office(tmp_path, LABELS)

    assert found.desk.books["press-anomaly"].seconds == 60
    assert found.desk.books["part-quality"].seconds == 0
