"""What an agent did can be accounted for: at its gateway, at the centre, on a stick."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.end_to_end import pumps
from tests.end_to_end.listening import Historian
from tests.end_to_end.pumps import Hall
from tests.end_to_end.running import Agent, command
from tests.end_to_end.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests import peers

pytestmark = pytest.mark.timeout(180)


def rows(archive: Path, table: str) -> list[dict[str, Any]]:
    """All rows of a table, oldest first."""
    pattern = f"{archive}/{table}/*/*/*/*.parquet"
    asked = "SELECT * FROM read_parquet(?) ORDER BY boot, seq"
    found = duckdb.execute(asked, [pattern])
    names = [one[0] for one in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def test_an_alarm_is_proven_computed_again_and_archived(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """Though it was killed: evidence holds, numbers are the same, rows are there."""
    archive = tmp_path / "archive"
    archive.mkdir()
    config = pumps.configuration(tmp_path, mosquitto, mosquitto)
    config["centre"] = {
        "type": "directory",
        "path": str(archive),
        "every": "1s",
        "raw": ["pump.flow"],
    }
    with ExitStack() as stack:
        historian = stack.enter_context(Historian(tmp_path, mosquitto))
        agent = stack.enter_context(Agent(tmp_path / "agent", config))
        until(agent.connected, "links")
        with Hall(mosquitto) as hall:
            until(lambda: len(list(historian.messages("alarm"))) > 6, "alarms")
            agent.kill()
            agent.start()
            until(agent.connected, "links")
            until((archive / "samples").exists, "samples")
            published = len(hall.finish())
        until(lambda: agent.status()["store"]["rows"] == 0, "everything is settled")
        status = agent.status()
        assert agent.stop()[0] == 0

    assert status["state"] == "ok", status["summary"]
    state = ("--state-dir", str(agent.store.parent))
    verified = command("evidence", "verify", *state)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    told = [one.payload for one in historian.messages("alarm")]
    for payload in told[:3]:
        again = command("replay", "--alarm", payload["occurrence"], *state, "--json")
        assert again.returncode == 0, again.stdout + again.stderr

    scored = {(one["boot"], one["seq"]) for one in rows(archive, "predictions")}
    assert len(scored) == len(rows(archive, "predictions"))
    assert published / 2 < len(scored) <= published
    kept = {one["occurrence"] for one in rows(archive, "alarms")}
    assert {payload["occurrence"] for payload in told} <= kept
    assert {one["pipeline"] for one in rows(archive, "health")} == {"small"}
    assert {one["tag"] for one in rows(archive, "samples")} == {"P-1.flow", "P-2.flow"}
    chain = rows(archive, "evidence")
    assert {"alarm", "window", "event"} <= {one["kind"] for one in chain}
    occurrences = {
        json.loads(one["body"])["body"]["occurrence"]
        for one in chain
        if one["kind"] == "alarm"
    }
    assert occurrences >= {payload["occurrence"] for payload in told[:3]}

    stick = tmp_path / "stick"
    stick.mkdir()
    packed = command("bundle", "export", str(stick), "--config", str(agent.path))
    assert packed.returncode == 0, packed.stdout + packed.stderr
