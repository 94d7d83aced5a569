"""What a plant sent is scored or in the ledger; SCADA and the command say the same."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end import pumps
from tests.end_to_end.listening import Historian
from tests.end_to_end.playing import Publisher
from tests.end_to_end.running import Agent, command
from tests.end_to_end.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests import peers

pytestmark = pytest.mark.timeout(180)


def losses(agent: Agent, *words: str, state: Path | None = None) -> dict[str, Any]:
    """What `edge-agent losses` says, by cause's first words."""
    folder = ("--state-dir", str(state or agent.store.parent))
    where = (*folder, "--runtime-dir", str(agent.runtime))
    done = command("losses", "--json", *where, *words)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def counted(document: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Counts by subject and cause."""
    found: dict[tuple[str, str], int] = {}
    for one in document["losses"]:
        found[one["subject"], one["cause"]] = one["count"]
    return found


def test_what_was_sent_is_scored_or_counted(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """Gaps, unreadable messages, a broker that forgot us, a kill: nothing is silent."""
    config = pumps.configuration(tmp_path, mosquitto, mosquitto)
    config["sources"]["cell"]["sequence_field"] = "n"
    agent = Agent(tmp_path / "agent", config)
    numbers = [n for n in range(1, 61) if n % 10]

    def row(n: int) -> dict[str, float]:
        return {"ts": time.time_ns(), "n": n, "flow": 0.1, "pressure": 0.2}

    with ExitStack() as stack:
        historian = stack.enter_context(Historian(tmp_path, mosquitto))
        stack.enter_context(agent)
        until(agent.connected, "all links")
        with Publisher(mosquitto, "hall/P-1") as out:
            for n in numbers:
                if n % 10 == 5:
                    out.send('{"n": ')
                else:
                    out.publish(row(n))
                time.sleep(0.005)
            out.finish()
        until(lambda: sum(losses(agent)["sums"].values()) >= 11, "the losses")
        until(lambda: agent.scored() >= 48, "the rows")
        scored, live = agent.scored(), losses(agent)
        told = [
            json.loads(heard.payload["details"])
            for heard in historian.messages("events")
            if heard.payload["event"] == "records lost"
        ]
        assert historian.against_the_schema() > 0
        agent.kill()
        killed = losses(agent)
        copy = shutil.copytree(agent.store.parent, tmp_path / "copy")
        agent.start()
        until(
            lambda: "all sources" in {key[0] for key in counted(losses(agent))},
            "what nobody saw while it was dead",
        )
        again = losses(agent)
        copied = losses(agent, state=copy)

    messages = {k: n for k, n in counted(live).items() if k[0] == "hall/P-1"}
    assert scored + sum(messages.values()) == max(numbers)
    assert sorted(messages.values()) == [5, 6]
    assert sum(one["count"] for one in told) <= sum(messages.values())
    assert told
    assert counted(killed) == counted(live)
    assert counted(copied) == counted(live)
    assert counted(live).items() <= counted(again).items()
    assert live["ledger_since"] == again["ledger_since"]
