"""What gateways see of a model appears beside its version, once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.errors import RegistryUnavailable
from edge_agent.registry.listing import Gateway, ModelReport, Observed, Report
from edge_agent.registry.mlflow import answers
from edge_agent.registry.mlflow.metrics import Metrics
from tests.registry import made
from tests.registry.conftest import mlflow

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.registry.listing import Offer
    from edge_agent.registry.mlflow.registry import MlflowRegistry
    from tests.registry.mlflow_server import MlflowServer

#: The first test that needs MLflow waits for its start.
pytestmark = pytest.mark.timeout(120)

HOUR = 3_600_000_000_000
SEEN = Observed("met", "recall", 0.9, 0.8, 0.95, 400, "flow", 1.5, 2)


def told(offer: Offer, gateway: str, hour: int, seen: Observed = SEEN) -> Report:
    """A gateway that scores with a version."""
    model = ModelReport(offer.name, offer.version, "ab" * 32, 1, "active")
    at = hour * HOUR + 5
    return Report(Gateway(gateway), "0.2.0", at, (replace(model, observed=seen),))


def history(registry: MlflowRegistry, run: str, key: str) -> list[tuple[int, float]]:
    """Step and value of every point of a metric."""
    path, kind = "mlflow/metrics/get-history", dict[str, list[dict[str, Any]]]
    found = registry._client.get(path, kind, "READ", run_id=run, metric_key=key)
    return [(int(p["step"]), p["value"]) for p in found.get("metrics", [])]


def run_of(registry: MlflowRegistry, offer: Offer) -> str:
    """The run that made a version."""
    path, kind = "mlflow/model-versions/get", answers.VersionAnswer
    where = {"name": offer.name, "version": offer.version}
    return registry._client.get(path, kind, "READ", **where).model_version.run_id


def test_metrics_stand_beside_the_version(
    mlflow_open: MlflowServer, tmp_path: Path
) -> None:
    """One point an hour with what monitoring says; a restart in it adds none."""
    desk = mlflow(mlflow_open)
    offer = desk.push(made.bundle(tmp_path, made.unused_name()), {})
    gateway = made.unused_name()

    desk.report(told(offer, gateway, 100))
    desk.report(told(offer, gateway, 100, replace(SEEN, findings=3)))
    mlflow(mlflow_open).report(told(offer, gateway, 100))
    desk.report(told(offer, gateway, 101, replace(SEEN, strength=2.5)))

    run = run_of(desk, offer)
    mine = f"edge/{gateway}/"
    assert history(desk, run, f"{mine}drift_strength") == [(100, 1.5), (101, 2.5)]
    assert history(desk, run, f"{mine}recall_low") == [(100, 0.8), (101, 0.8)]
    assert history(desk, run, f"{mine}findings") == [(100, 2.0), (101, 2.0)]
    assert history(desk, run, f"{mine}scoring") == [(100, 1.0), (101, 1.0)]


def test_an_answer_that_was_lost_adds_no_point(
    mlflow_open: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server had it, the gateway does not know: the same is sent again."""
    desk = mlflow(mlflow_open)
    offer = desk.push(made.bundle(tmp_path, made.unused_name()), {})
    gateway = made.unused_name()
    once = Metrics._log

    def lost(*args: Any) -> None:  # noqa: ANN401
        once(*args)
        raise RegistryUnavailable("cut")

    monkeypatch.setattr(Metrics, "_log", lost)
    with pytest.raises(RegistryUnavailable, match="cut"):
        desk.report(told(offer, gateway, 7))
    monkeypatch.setattr(Metrics, "_log", once)
    desk.report(told(offer, gateway, 8))

    points = history(desk, run_of(desk, offer), f"edge/{gateway}/findings")
    assert points == [(7, 2.0), (8, 2.0)]


def test_who_may_not_write_there_writes_to_its_own_run(
    mlflow_guarded: MlflowServer, tmp_path: Path
) -> None:
    """A gateway that only reads models still shows what it sees, at its own state."""
    desk = mlflow(mlflow_guarded, "admin", mlflow_guarded.password)
    offer = desk.push(made.bundle(tmp_path, made.unused_name()), {})
    name = f"gw-{made.unused_name()}"
    gateway = mlflow(mlflow_guarded, name, mlflow_guarded.add_user(name))

    gateway.report(told(offer, name, 5))

    own = gateway._twin.write(told(offer, name, 5))
    key = f"{offer.name}/{offer.version}/drift_strength"
    assert history(gateway, own, key) == [(5, 1.5)]
    assert history(desk, run_of(desk, offer), f"edge/{name}/findings") == []
