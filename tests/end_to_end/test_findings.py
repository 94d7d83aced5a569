"""What was found before the agent began anew: in SCADA, and in the command."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.store.traces import Origin
from tests.end_to_end import pumps
from tests.end_to_end.listening import Historian
from tests.end_to_end.running import Agent, command
from tests.end_to_end.waiting import until
from tests.store import made

if TYPE_CHECKING:
    from pathlib import Path

    from tests import peers

pytestmark = pytest.mark.timeout(180)


def found(agent: Agent) -> list[dict[str, Any]]:
    """What `edge-agent findings` says."""
    folders = ("--state-dir", str(agent.store.parent))
    done = command("findings", "--json", *folders, "--runtime-dir", str(agent.runtime))
    assert done.returncode == 0, done.stderr
    said: list[dict[str, Any]] = json.loads(done.stdout)
    return said


def test_a_finding_outlives_the_agent_that_made_it(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """Told to a broker that never heard of it, and listed live, killed and stopped."""
    config = pumps.configuration(tmp_path, mosquitto, mosquitto)
    agent = Agent(tmp_path / "agent", config)
    agent.store.parent.mkdir()
    before = made.journal(agent.store, origin=Origin("gw-07", "c" * 64))
    before.start()
    now = before._clock.now()
    (one,) = before.submit([made.finding(now, id="flow", since=now)], {})
    made.settle(before)
    before.acknowledge("scada", [one.id])
    assert before.stop(10)
    offline = found(agent)
    with ExitStack() as stack:
        historian = stack.enter_context(Historian(tmp_path, mosquitto))
        stack.enter_context(agent)
        until(lambda: bool(historian.messages("diagnostic")), "the finding")
        told = historian.messages("diagnostic")[-1]
        live = found(agent)
        agent.kill()
        killed = found(agent)
        assert historian.against_the_schema() > 0

    assert [one["episode"] for one in live] == ["flow"]
    assert told.topic.endswith("/P-101/ml/pump-anomaly/diagnostic")
    assert told.payload["episode"] == "flow"
    assert (offline[0]["since"], offline[0]["what"]) == (
        live[0]["since"],
        "input drift",
    )
    assert killed == live
