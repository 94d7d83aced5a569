"""Lineage asked of an agent that runs, has stopped, or was killed."""

from __future__ import annotations

import json
import os
import socket as sockets
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.status import socket
from tests.end_to_end import pumps
from tests.end_to_end.listening import Historian
from tests.end_to_end.pumps import Hall
from tests.end_to_end.running import Agent, command
from tests.end_to_end.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests import peers

pytestmark = pytest.mark.timeout(180)
UNAVAILABLE = 69


def asked(agent: Agent, what: str) -> dict[str, Any]:
    """What the command says."""
    done = command("lineage", what, "--json", *where(agent))
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def where(agent: Agent) -> tuple[str, ...]:
    """The folders of an agent."""
    return (
        *("--state-dir", str(agent.store.parent)),
        *("--runtime-dir", str(agent.runtime)),
    )


def transitions(historian: Historian) -> list[dict[str, Any]]:
    """Messages of SCADA's topic ``alarm`` so far."""
    return [one.payload for one in historian.messages("alarm")]


def matches(found: dict[str, Any], payload: dict[str, Any]) -> bool:
    """The document has the transition that SCADA was told."""
    (alarm,) = [one for one in found["alarms"] if one["id"] == payload["id"]]
    same = {
        key: alarm[key] == payload[key]
        for key in ("occurrence", "asset", "pipeline", "state", "reason", "severity")
    }
    (model,) = found["models"]
    same["digest"] = model["digest"].startswith(payload["model_sha8"])
    same["approver"] = model["passport"]["approver"] == "Test Bench"
    same["time"] = alarm["time"] == payload["ts"]
    return all(same.values())


def test_the_same_lineage_running_stopped_and_killed(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """What SCADA shows leads to the approver, whatever has become of the agent."""
    config = pumps.configuration(tmp_path, mosquitto, mosquitto)
    with ExitStack() as stack:
        historian = stack.enter_context(Historian(tmp_path, mosquitto))
        agent = stack.enter_context(Agent(tmp_path / "agent", config))
        until(agent.connected, "links")
        with Hall(mosquitto):
            until(lambda: len(transitions(historian)) > 6, "alarms")
            one, other = transitions(historian)[0], transitions(historian)[-1]
            running = asked(agent, one["id"])
            by_score = asked(agent, historian.rows()[0]["model_sha8"])
        assert agent.status()["state"] == "ok"
        agent.kill()
        killed = asked(agent, one["id"])
        assert matches(asked(agent, other["id"]), other)
        assert (agent.store.with_name("store.db-wal")).stat().st_size > 0
        agent.start()
        assert agent.stop()[0] == 0
        stopped = asked(agent, one["occurrence"])

    assert matches(running, one)
    assert running["alarms"] == killed["alarms"] == stopped["alarms"]
    assert running["models"] == killed["models"] == stopped["models"]
    assert by_score["models"] == running["models"]


def test_an_agent_that_does_not_answer_is_not_gone_around(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """The store is open in an agent elsewhere: its file is left alone."""
    config = pumps.configuration(tmp_path, mosquitto, mosquitto)
    with Agent(tmp_path / "agent", config) as agent:
        state = ("--state-dir", str(agent.store.parent))
        done = command("lineage", "last", *state, "--runtime-dir", str(tmp_path))
        # and an agent that answers for another state folder is not believed
        empty = ("--state-dir", str(tmp_path), "--runtime-dir", str(agent.runtime))
        strange = command("lineage", "last", *empty)
        assert agent.stop()[0] == 0

    assert done.returncode == UNAVAILABLE
    assert "--runtime-dir" in done.stderr
    assert strange.returncode == UNAVAILABLE
    assert str(tmp_path / "store.db") in strange.stderr


def test_bad_manners_at_the_socket_do_not_reach_the_scores(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """Garbage, floods and hanging clients: every row is scored, the stop in order."""
    config = pumps.configuration(tmp_path, mosquitto, mosquitto)
    with Agent(tmp_path / "agent", config) as agent, ExitStack() as clients:
        until(agent.connected, "links")
        with Hall(mosquitto) as hall:
            for name in (socket.ASK_NAME, socket.SOCKET_NAME):
                for body in (b"", b"[" * 3000, os.urandom(5000) + b"\n", b"\n") * 5:
                    client = sockets.socket(sockets.AF_UNIX)
                    clients.enter_context(client).connect(str(agent.runtime / name))
                    client.setblocking(False)
                    try:
                        client.send(body)
                    except (BlockingIOError, ConnectionError):
                        continue
            until(lambda: len(hall.rows) > 100, "rows")
        rows = len(hall.rows)
        until(lambda: answers(agent) and agent.scored() == rows, "all rows")
        hanging = [
            clients.enter_context(sockets.socket(sockets.AF_UNIX)) for _ in "abc"
        ]
        for client in hanging:
            client.connect(str(agent.runtime / socket.ASK_NAME))
        code, _ = agent.stop()

    assert code == 0
    assert "Traceback" not in agent.log()


def answers(agent: Agent) -> bool:
    """It has room for somebody again."""
    try:
        agent.status()
    except ConnectionError:
        return False
    return True
