"""The agent as a service: how it starts, stops, refuses, and says how it is."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests import peers
from tests.end_to_end import pumps
from tests.end_to_end.figures import figure
from tests.end_to_end.listening import Dashboard, Historian
from tests.end_to_end.pumps import Hall
from tests.end_to_end.running import Agent, command
from tests.end_to_end.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)
EX_CONFIG, EX_UNAVAILABLE, DEGRADED = 78, 69, 3


def newest(dashboard: Dashboard, leaf: str) -> dict[str, dict[str, Any]]:
    """The last message of each topic."""
    return {one.topic: one.payload for one in dashboard.messages(leaf)}


def test_an_orderly_stop_drains_and_leaves_no_value_looking_well(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """SIGTERM: everything sent, states BAD, the agent offline, exit code 0."""
    config = pumps.configuration(tmp_path, mosquitto, mosquitto)
    with (
        Historian(tmp_path, mosquitto) as historian,
        Agent(tmp_path / "agent", config) as agent,
    ):
        until(agent.connected, "links")
        with Hall(mosquitto) as hall:
            until(lambda: len(historian.rows()) > 50, "rows")
        rows = len(hall.rows)
        until(lambda: agent.scored() == rows, "all rows")
        code, seconds = agent.stop()
        until(historian.heard_goodbye, "farewell")

    assert code == 0
    assert len(historian.rows()) == rows
    historian.against_the_schema()
    with Dashboard(tmp_path, mosquitto) as late_comer:
        until(
            lambda: (
                len(newest(late_comer, "state")) == len(pumps.IDS)
                and bool(newest(late_comer, "status"))
            ),
            "retained",
        )
        for state in newest(late_comer, "state").values():
            assert (state["quality"], state["no_score"]) == ("BAD", "agent stopped")
            assert state["score_valid"] is False
        (status,) = newest(late_comer, "status").values()
        assert (status["state"], status["reason"]) == ("offline", "stopped")
        late_comer.against_the_schema()
    figure(f"SIGTERM: drained and gone after {seconds:.2f} s, exit code {code}")


def test_a_stop_without_a_broker_keeps_the_rows_for_the_next_start(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """SIGTERM while SCADA is away: exit 0, and the next start sends what waited."""
    away = peers.Mosquitto(tmp_path / "scada")
    config = pumps.configuration(tmp_path, mosquitto, away)
    with Agent(tmp_path / "agent", config) as agent:
        until(lambda: agent.status()["sources"]["cell"]["state"] == "up", "source")
        with Hall(mosquitto) as hall:
            until(lambda: agent.scored() > 50, "rows")
        rows = len(hall.rows)
        until(lambda: agent.scored() == rows, "all rows")
        code, seconds = agent.stop()
        assert code == 0
        with away, Historian(tmp_path, away) as historian:
            agent.start()
            until(lambda: len(historian.rows()) >= rows, "rows of the last life")
            agent.stop()

    stamps = sorted(payload["ts_ms"] for payload in historian.rows())
    assert stamps == sorted(stamp // 10**6 for _, stamp in hall.rows)
    assert {payload["boot"] for payload in historian.rows()} == {1}
    figure(f"SIGTERM without a broker: gone after {seconds:.2f} s, 0 rows lost")


def test_a_wrong_configuration_ends_with_78_and_says_where(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """A first start with a typing error names file, line and what was meant."""
    agent = Agent(
        tmp_path / "agent", pumps.configuration(tmp_path, mosquitto, mosquitto)
    )
    text = agent.path.read_text("utf-8").replace("keepalive", "keepalife")
    agent.path.write_text(text, "utf-8")
    line = text[: text.index("keepalife")].count("\n") + 1

    for name in ("run", "check"):
        done = command(name, "--config", str(agent.path))
        assert done.returncode == EX_CONFIG
        said = done.stdout + done.stderr
        assert f"{agent.path.name}:{line}:" in said
        assert "keepalive" in said
    assert command("run", "--config", str(tmp_path / "none")).returncode == EX_CONFIG


def test_status_says_what_is_wrong(tmp_path: Path, mosquitto: peers.Mosquitto) -> None:
    """69 without an agent, 0 when all is well, 3 with the name of what is not."""
    scada = peers.Mosquitto(tmp_path / "scada")
    config = pumps.configuration(tmp_path, mosquitto, scada)
    with scada, Agent(tmp_path / "agent", config) as agent:
        where = ("--runtime-dir", str(agent.runtime))
        until(agent.connected, "links")
        well = command("status", *where)
        scada.stop()
        until(lambda: agent.status()["state"] == "degraded", "degraded")
        ill = command("status", *where)
        agent.stop()
        gone = command("status", *where)

    assert (well.returncode, ill.returncode, gone.returncode) == (
        0,
        DEGRADED,
        EX_UNAVAILABLE,
    )
    assert well.stdout.startswith("OK: ")
    assert "output scada" in ill.stdout.splitlines()[0]
    assert "is it running?" in gone.stderr


def test_a_missing_model_shows_in_scada_and_stops_nothing_else(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """Its pipeline says "no model" with quality BAD; the other one goes on scoring."""
    config = pumps.configuration(tmp_path, mosquitto, mosquitto)
    config["pipelines"]["orphan"] = pumps.pipeline("nobody-made-this", on="update")
    with (
        Dashboard(tmp_path, mosquitto) as dashboard,
        Agent(tmp_path / "agent", config) as agent,
    ):
        until(agent.connected, "links")
        with Hall(mosquitto):
            until(lambda: agent.scored() > 50, "rows of the other pipeline")
        until(lambda: len(states(dashboard, "orphan")) == len(pumps.IDS), "states")
        status = agent.status()
        assert agent.stop()[0] == 0

    for state in states(dashboard, "orphan").values():
        assert (state["quality"], state["score_valid"]) == ("BAD", False)
        assert (state["no_score"], state["fallback"]) == ("no model", "none")
        assert state["model"] == "nobody-made-this"
    assert status["state"] == "degraded"
    assert "nobody-made-this" in status["summary"]
    refused = [
        one.payload
        for one in dashboard.messages("events")
        if one.payload["event"] == "model missing"
    ]
    assert [event["subject"] for event in refused] == ["orphan"]
    dashboard.against_the_schema()


def states(dashboard: Dashboard, pipeline: str) -> dict[str, dict[str, Any]]:
    """The last state of each asset before the agent stopped."""
    return {
        one.topic: one.payload
        for one in dashboard.messages("state")
        if f"/{pipeline}/" in one.topic and one.payload["no_score"] != "agent stopped"
    }


def test_a_model_that_changed_on_the_disk_is_refused(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """A byte more in model.onnx: no score, and why; with the right file it is back."""
    config = pumps.configuration(tmp_path, mosquitto, mosquitto)
    model = next((tmp_path / "models").rglob("model.onnx"))
    shutil.copy(model, tmp_path / "kept.onnx")
    model.write_bytes(model.read_bytes() + b"\0")
    with Agent(tmp_path / "agent", config) as agent:
        (pipeline,) = agent.status()["pipelines"].values()
        assert pipeline["state"] == "no model"
        assert "model.onnx" in pipeline["error"]
        agent.stop()
        shutil.copy(tmp_path / "kept.onnx", model)
        agent.start()
        (pipeline,) = agent.status()["pipelines"].values()
        assert (pipeline["state"], pipeline["error"]) == ("scoring", "")
        agent.stop()
