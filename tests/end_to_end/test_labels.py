"""Labels that come late, in the real agent: what they say, and what it does then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from tests import peers
from tests.end_to_end import presses
from tests.end_to_end.figures import figure
from tests.end_to_end.listening import Historian
from tests.end_to_end.playing import Publisher
from tests.end_to_end.presses import PIPELINE, Parts
from tests.end_to_end.running import Agent, command
from tests.end_to_end.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)

#: Seconds until labels that came are judged, at most.
_JUDGED = 90.0
_WRITTEN = 15.0


def events_by_id(historian: Historian) -> dict[str, str]:
    """What was told: a kill lets what was not acknowledged come again, under its id."""
    heard = historian.messages("events")
    return {one.payload["id"]: one.payload["event"] for one in heard}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """One broker for the press, the laboratory and SCADA."""
    config = "max_queued_messages 0"
    with peers.Mosquitto(tmp_path / "broker", config=config) as running:
        yield running


def told(agent: Agent) -> dict[str, Any]:
    """What the status says of the one pipeline."""
    found: dict[str, Any] = agent.status()["pipelines"][PIPELINE]
    return found


def kept(agent: Agent) -> int:
    """Predictions that wait for a label, or have one."""
    return int(told(agent).get("labels", {}).get("predictions", 0))


def labels(agent: Agent) -> int:
    """Labels joined so far."""
    return int(told(agent).get("labels", {}).get("joined", 0))


def settle(agent: Agent) -> None:
    """Wait until predictions are on disk: they are written every 5 s."""
    began = time.monotonic()
    until(lambda: time.monotonic() - began > _WRITTEN, "written")
    assert told(agent)["labels"]["disk_error"] == ""


def first(agent: Agent) -> dict[str, Any]:
    """Accuracy of the version that scores; empty before it was judged."""
    found = told(agent).get("accuracy", [])
    return next((one for one in found if one["scores"]), {})


def judged(agent: Agent, count: int) -> dict[str, Any]:
    """The same once so many labels were judged."""
    until(
        lambda: first(agent).get("labels", 0) >= count,
        lambda: f"{count} labels judged: {told(agent)}",
        _JUDGED,
    )
    return first(agent)


def check(accuracy: dict[str, Any], parts: Parts, which: range) -> None:
    """Every measure is scikit-learn's on the same parts."""
    bad = np.array(parts.bad)[which]
    alarm = np.array(parts.flow)[which] > 0.5
    measures = {one["name"]: one for one in accuracy["measures"]}
    for name, score in (
        ("precision", precision_score),
        ("recall", recall_score),
        ("f1", f1_score),
        ("accuracy", accuracy_score),
    ):
        assert measures[name]["value"] == pytest.approx(score(bad, alarm), abs=1e-12)
        assert not measures[name]["estimated"]
        assert measures[name]["low"] <= measures[name]["value"]
    cells = (alarm & bad, alarm & ~bad, ~alarm & bad, ~alarm & ~bad)
    assert accuracy["confusion"] == [int(cell.sum()) for cell in cells]
    assert accuracy["labels"] == len(which)


def test_labels_over_mqtt_give_the_accuracy_sklearn_does(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """By part id, after the parts, through a SIGKILL between parts and labels."""
    presses.publish(tmp_path / "models", "1.0.0")
    wanted = {"source": "cell", "topic": presses.LABELS, "groups": ["lot"]}
    config = presses.configuration(tmp_path, broker, **wanted)
    parts = Parts()
    with Agent(tmp_path / "agent", config) as agent:
        until(agent.connected, "links")
        pressed = parts.press(broker, 400)
        until(lambda: agent.scored() >= 400, "all parts")
        until(lambda: kept(agent) >= 400, "all kept")
        settle(agent)
        agent.kill()
        agent.start()
        until(agent.connected, "links again")
        parts.label(broker, pressed)
        until(lambda: labels(agent) >= 400, lambda: f"joined: {told(agent)}")
        accuracy = judged(agent, 400)
        check(accuracy, parts, pressed)
        assert accuracy["state"] == "met"
        assert accuracy["coverage"] == 1.0
        fairness = told(agent)["fairness"]
        assert {group["name"] for group in fairness[0]["groups"]} == {"L0", "L1"}
        agent.stop()
    figure("400 labels over MQTT behind a SIGKILL: measures equal scikit-learn's")


def test_a_list_dropped_in_a_folder_is_judged_too(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """A CSV file beside the agent: the same figures, and the command line adds more."""
    presses.publish(tmp_path / "models", "1.0.0")
    drop = tmp_path / "drop"
    drop.mkdir()
    config = presses.configuration(tmp_path, broker, folder=str(drop), groups=["lot"])
    parts = Parts()
    with Agent(tmp_path / "agent", config) as agent:
        until(agent.connected, "links")
        pressed = parts.press(broker, 200)
        until(lambda: kept(agent) >= 200, "all parts")
        (drop / "lab.csv").write_text(parts.csv(pressed), encoding="utf-8")
        check(judged(agent, 200), parts, pressed)
        assert (drop / "read" / "lab.csv").is_file()
        agent.stop()


def test_an_operator_rejects_and_confirms(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """Verdicts over SCADA's topic and the command line: labels, counts and answers."""
    presses.publish(tmp_path / "models", "1.0.0")
    config = presses.configuration(tmp_path, broker)
    del config["pipelines"][PIPELINE]["labels"]
    config["pipelines"][PIPELINE]["alarm"]["budget"] = "2 per week"
    with (
        Historian(tmp_path, broker) as historian,
        Agent(tmp_path / "agent", config) as agent,
    ):
        until(agent.connected, "links")
        Parts().press(broker, 60)

        def came() -> list[dict[str, Any]]:
            found = [one.payload for one in historian.messages("alarm")]
            active = [one for one in found if one["state"] == "ACTIVE"]
            return list({one["occurrence"]: one for one in active}.values())

        until(lambda: len(came()) > 1, "alarms")
        one, two = (alarm["occurrence"] for alarm in came()[:2])
        topic = f"edge/acme/lab/{presses.ASSET}/ml/{PIPELINE}/verdict"
        with Publisher(broker, topic) as scada:
            scada.send(presses.verdict(one, "reject"))
            scada.finish()
        runtime = ("--runtime-dir", str(tmp_path / "agent" / "run"))
        done = command("label", PIPELINE, "--occurrence", two, "--confirm", *runtime)
        assert done.returncode == 0, done.stderr

        def answered() -> tuple[int, int]:
            alarms = told(agent).get("alarms", {})
            return alarms.get("rejected", 0), alarms.get("confirmed", 0)

        until(lambda: answered() == (1, 1), lambda: f"{told(agent)}", _JUDGED)
        alarms = told(agent)["alarms"]
        assert alarms["budget"] == "2 an asset and week"
        assert "asset-weeks" in alarms["suggestion"]
        agent.kill()
        agent.start()
        until(lambda: answered() == (1, 1), "known after a kill", _JUDGED)
        agent.stop()
        events = list(events_by_id(historian).values())
        assert events.count("verdict taken") == 2


@pytest.mark.parametrize("deed", ["return", "limits"])
def test_a_broken_promise_has_consequences(
    tmp_path: Path, broker: peers.Mosquitto, deed: str
) -> None:
    """Told once, acted on once; a kill keeps it, and a person's word ends it."""
    presses.publish(tmp_path / "models", "1.0.0")
    wanted = {"source": "cell", "topic": presses.LABELS, "on_breach": deed}
    config = presses.configuration(tmp_path, broker, **wanted)
    parts = Parts()
    with (
        Historian(tmp_path, broker) as historian,
        Agent(tmp_path / "agent", config) as agent,
    ):
        until(agent.connected, "links")
        presses.publish(tmp_path / "models", "1.1.0")
        until(lambda: told(agent)["model"] == "quality@1.1.0", "the new version")
        pressed = parts.press(broker, 200, wrong=0.7)
        until(lambda: kept(agent) >= 200, "all parts")
        parts.label(broker, pressed)
        until(
            lambda: told(agent)["state"] != "scoring",
            lambda: f"the deed: {told(agent)}",
            _JUDGED,
        )
        what = "model given back" if deed == "return" else "limits judge"
        until(lambda: what in events_by_id(historian).values(), "the deed's event")
        agent.kill()
        agent.start()
        after = told(agent)
        if deed == "return":
            assert after["state"] == "last-known-good"
            assert after["model"] == "quality@1.0.0"
        else:
            assert after["state"] == "limits"
        assert "does not keep its promise" in after["error"]
        until(agent.connected, "links")
        until(lambda: bool(told(agent).get("accuracy")), "judged again", _JUDGED)

        state = str(tmp_path / "agent" / "state")
        words = ("activate", PIPELINE, "1.1.0", "--state-dir", state)
        done = command("model", *words)
        assert done.returncode == 0, done
        until(lambda: told(agent)["state"] == "scoring", "a person's word")
        assert told(agent)["model"] == "quality@1.1.0"
        # the same labels are no new evidence: it stays
        more = parts.press(broker, 30)
        until(lambda: kept(agent) >= 230, "more parts")
        parts.label(broker, more)
        assert judged(agent, 230)["state"] == "breached"
        assert told(agent)["state"] == "scoring"
        agent.stop()
        events = list(events_by_id(historian).values())
        assert events.count(what) == 1
        assert events.count("requirement broken") == (2 if deed == "return" else 1)
        historian.against_the_schema()
