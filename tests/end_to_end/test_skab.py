"""A real recording through real servers into the running agent, scored as offline.

The regular suite plays a few files; ``SKAB_FILES=16`` plays all and prints the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import peers
from tests.end_to_end import skab
from tests.end_to_end.listening import Historian
from tests.end_to_end.running import Agent, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

FILES = int(os.environ.get("SKAB_FILES", "3"))
RATE = 200
"""Rows a second of each file; recorded at 1."""

pytestmark = pytest.mark.timeout(420)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """A broker that queues for slow readers instead of dropping."""
    config = "max_queued_messages 0\nmax_inflight_messages 0"
    with peers.Mosquitto(tmp_path / "broker", config=config) as running:
        yield running


def configuration(
    runs: list[skab.Run], broker: peers.Mosquitto, folder: Path, source: dict[str, Any]
) -> dict[str, Any]:
    """One asset type, one model and one pipeline a file, rows on update."""
    kind = source["type"]
    for run in runs:
        detector = skab.fit(run.values[: skab.FITTED])
        skab.write_bundle(folder / "models", run, detector)
    return {
        "site": {"enterprise": "skab", "site": "lab"},
        "gateway": "gw",
        "sources": {"rig": source},
        "assets": [
            {"type": run.name, "ids": [run.name], "tags": tags(kind)} for run in runs
        ],
        "pipelines": {
            run.name: {
                "assets": run.name,
                "model": run.name,
                "score": {"on": "update", "settle": "2s"},
                "alarm": {"on_delay": "3s", "off_delay": "10s"},
            }
            for run in runs
        },
        "registry": {"type": "directory", "path": str(folder / "models")},
        "outputs": {
            "scada": {
                "type": "mqtt",
                "host": broker.host,
                "port": broker.port,
                "inflight": 500,
            }
        },
    }


def tags(kind: str) -> dict[str, dict[str, str]]:
    """The eight tags, from a node each or from one topic."""
    found = {}
    for tag, unit in zip(skab.TAGS, skab.UNITS, strict=True):
        where = {"topic": "rigs/{id}", "field": tag}
        if kind == "opcua":
            where = {"node": f"nsu=urn:edge:test;s={{id}}.{tag}"}
        found[tag] = {"source": "rig", "unit": unit, **where}
    return found


def through_mqtt(runs: list[skab.Run], broker: peers.Mosquitto) -> None:
    """Publish each file with mosquitto_pub, a JSON object a row."""
    program = str(peers.require("mosquitto_pub"))
    where = ["-h", broker.host, "-p", str(broker.port), "-q", "1", "-l"]
    publishers = [
        subprocess.Popen(
            [program, *where, "-t", f"rigs/{run.name}"],
            stdin=subprocess.PIPE,
            text=True,
        )
        for run in runs
    ]
    pace = threading.Event()
    for row in range(max(len(run.time) for run in runs)):
        for run, publisher in zip(runs, publishers, strict=True):
            if row < len(run.time):
                assert publisher.stdin is not None
                values = dict(zip(skab.TAGS, run.values[row].tolist(), strict=True))
                line = json.dumps({"ts": int(run.time[row]), **values})
                publisher.stdin.write(line + "\n")
                publisher.stdin.flush()
        pace.wait(1 / RATE)
    for publisher in publishers:
        publisher.communicate(timeout=60)


class NodeServer:
    """tests/peers/node_opcua with every tag of the runs."""

    def __init__(self, runs: list[skab.Run]) -> None:
        folder = peers.require("node_opcua")
        self._process = subprocess.Popen(
            [str(peers.require("node")), "server.js"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        names = {f"{run.name}.{tag}": "Double" for run in runs for tag in skab.TAGS}
        self._send({"variables": names})
        self.endpoint = str(self._answer()["ready"])

    def begin(self, runs: list[skab.Run]) -> None:
        """Set the first row, so that a client finds it as the initial values."""
        self._set(runs, 0)
        self._settled()

    def play(self, runs: list[skab.Run]) -> None:
        """Set all values of all files, row by row, from the second on."""
        pace = threading.Event()
        for row in range(1, max(len(run.time) for run in runs)):
            self._set([run for run in runs if row < len(run.time)], row)
            pace.wait(1 / RATE)
        self._settled()

    def _set(self, runs: list[skab.Run], row: int) -> None:
        for run in runs:
            cells = zip(skab.TAGS, run.values[row].tolist(), strict=True)
            values = {f"{run.name}.{tag}": value for tag, value in cells}
            self._send({"time": int(run.time[row]) // 10**6, "values": values})

    def _settled(self) -> None:
        """Wait until the server has worked off every line."""
        self._send({"sync": 1})
        self._answer()

    def end(self) -> None:
        """Stop the server."""
        self._process.kill()
        self._process.communicate()

    def _send(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


def scored(agent: Agent) -> int:
    """Rows the agent has scored."""
    pipelines = agent.status()["pipelines"]
    return sum(int(of["rows_scored"]) for of in pipelines.values())


def complete(agent: Agent, historian: Historian, rows: int) -> Callable[[], bool]:
    """All rows are scored and heard of."""

    def done() -> bool:
        return scored(agent) >= rows and len(historian.rows()) >= rows

    return done


def heard(historian: Historian, run: skab.Run) -> NDArray[np.float64]:
    """The score of each row of a file, by its stamp; every row exactly once.

    Raises:
        AssertionError: a row is missing, came twice, or has no score.
    """
    mine = [
        payload
        for topic, payload in historian.messages()
        if topic.endswith(("/state", "/history")) and payload["model"] == run.name
    ]
    mine = [payload for payload in mine if payload["reason"] != "agent stopped"]
    assert [p["reason"] for p in mine if not p["score_valid"]] == []
    times = Counter(payload["ts_ms"] for payload in mine)
    assert times == Counter((run.time // 10**6).tolist())
    by_time = {payload["ts_ms"]: payload["score"] for payload in mine}
    return np.array([by_time[ms] for ms in (run.time // 10**6).tolist()])


def check(historian: Historian, runs: list[skab.Run], via: str) -> None:
    """Scores as offline, row by row and pooled; every message as the schema says."""
    found, offline = [], []
    for run in runs:
        expected = skab.fit(run.values[: skab.FITTED]).score(run.values)
        got = heard(historian, run)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=0)
        found.append((run, got))
        offline.append((run, expected))
    assert skab.pooled(found) == skab.pooled(offline)
    checked = historian.against_the_schema()
    rows = sum(len(run.time) for run in runs)
    print(f"\n{via}: {rows} rows, {checked} messages, {skab.pooled(found)}")


def test_skab_through_mosquitto(tmp_path: Path, broker: peers.Mosquitto) -> None:
    """Every row published over MQTT is scored once, as offline."""
    runs = skab.runs(FILES)
    source = {
        "type": "mqtt",
        "host": broker.host,
        "port": broker.port,
        "time_field": "ts",
        "time": "recorded",
    }
    config = configuration(runs, broker, tmp_path, source)
    rows = sum(len(run.time) for run in runs)
    with Agent(tmp_path / "agent", config) as agent:
        until(agent.connected, "links")
        with Historian(tmp_path, broker) as historian:
            through_mqtt(runs, broker)
            until(complete(agent, historian, rows), "all rows", 180)
            code, seconds = agent.stop()

    assert code == 0
    assert seconds < 5
    check(historian, runs, "mosquitto")


def test_skab_through_node_opcua(tmp_path: Path, broker: peers.Mosquitto) -> None:
    """Every row set at an OPC UA server of another make is scored once, as offline."""
    runs = skab.runs(FILES)
    server = NodeServer(runs)
    try:
        source = {
            "type": "opcua",
            "endpoint": server.endpoint,
            "security": "None",
            "publishing": "100ms",
            "sampling": "0s",
            "queue": 2000,
            "report": "every-write",
            "time": "recorded",
        }
        config = configuration(runs, broker, tmp_path, source)
        rows = sum(len(run.time) for run in runs)
        server.begin(runs)
        with (
            Historian(tmp_path, broker) as historian,
            Agent(tmp_path / "agent", config) as agent,
        ):
            until(agent.connected, "links")
            server.play(runs)
            until(complete(agent, historian, rows), "all rows", 240)
        check(historian, runs, "node-opcua")
    finally:
        server.end()
