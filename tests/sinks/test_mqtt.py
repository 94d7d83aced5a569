"""The forwarder and its MQTT sink against a real broker and a foreign consumer."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.clock import SystemClock
from edge_agent.instruments import Instruments
from edge_agent.records import FindingState
from edge_agent.sinks.mqtt import MqttSink
from tests import peers
from tests.sinks.made import PREFIX, forwarding, output, until
from tests.sinks.schema import validate
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.config.schema import MqttOutput
    from edge_agent.store.journal import Journal

NOW = SystemClock().now()


class Consumer:
    """mosquitto_sub: what a plant's own software would see."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.messages: list[tuple[str, bool, dict[str, Any]]] = []
        self._process = process
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            topic, retained, payload = line.rstrip("\n").split(" ", 2)
            self.messages.append((topic, retained == "1", json.loads(payload)))

    def of(self, leaf: str) -> list[dict[str, Any]]:
        """Payloads of all topics with this last level."""
        return [m for topic, _, m in list(self.messages) if topic.endswith(f"/{leaf}")]

    def seen(self, leaf: str) -> set[tuple[int, int]]:
        """Which rows arrived there."""
        return {(m["boot"], m["seq"]) for m in self.of(leaf)}


@contextmanager
def consumer(
    port: int, *, name: str = "historian", topic: str = "edge/#"
) -> Iterator[Consumer]:
    """A subscriber of everything; reconnects by itself, keeps its session."""
    command = [str(peers.require("mosquitto_sub")), "-p", str(port), "-t", topic]
    command += ["-q", "1", "-F", "%t %r %p", "-V", "5"]
    command += ["-i", name, "-c", "-x", "600"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    one = Consumer(process)
    try:
        yield one
    finally:
        process.terminate()
        process.wait(10)
        one._thread.join(10)
        assert process.stdout is not None
        process.stdout.close()


def _sink(settings: MqttOutput, *, fast: bool = True) -> MqttSink:
    return MqttSink(
        "scada",
        settings,
        client_id="edge-agent-gw-07",
        clock=SystemClock(),
        instruments=Instruments(),
        fast_path=fast,
    )


async def _empty(journal: Journal) -> None:
    await until(lambda: journal.status()["rows"] == 0, 20)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize("fast", [True, False])
async def test_consumer_sees_every_row_once(
    tmp_path: Path, mosquitto: peers.Mosquitto, version: str, *, fast: bool
) -> None:
    """A foreign subscriber gets each row once, in order, by the documented schema."""
    settings = output(mosquitto.port, version=version)
    with consumer(mosquitto.port) as scada:
        async with forwarding(tmp_path, _sink(settings, fast=fast), settings) as (
            journal,
            _,
        ):
            await until(lambda: scada.of("status"))
            for at in range(40):
                journal.submit([made.scores(5, at=NOW + at)], {})
            journal.submit([made.alarm(NOW), made.event(at=NOW), made.loss()], {})
            await _empty(journal)
            await until(lambda: len(scada.of("events")) == 3)
        await until(lambda: scada.of("status")[-1]["reason"] == "stopped")

    rows = [(m["boot"], m["seq"]) for m in scada.of("state") if m["score_valid"]]
    assert rows == [(1, seq) for seq in range(200)]
    assert len(scada.of("alarm")) == 1
    for topic, _, message in scada.messages:
        validate(topic, message)


@pytest.mark.timeout(60)
async def test_broker_killed_and_restarted_loses_nothing(tmp_path: Path) -> None:
    """Over three sudden deaths of the broker every row and alarm arrives."""
    folder = tmp_path / "mosquitto"
    autosave = "autosave_interval 1\nautosave_on_changes true"
    with peers.Mosquitto(folder, persistence=True, config=autosave) as broker:
        settings = output(broker.port, backlog_rate=100_000)
        with consumer(broker.port) as scada:
            async with forwarding(tmp_path, _sink(settings), settings) as (journal, _):
                await until(lambda: scada.of("status"))
                for cut in range(3):
                    for at in range(30):
                        journal.submit([made.scores(5, at=NOW + cut * 100 + at)], {})
                    journal.submit([made.alarm(NOW + cut)], {})
                    if cut % 2:
                        broker.pause()
                    broker.kill()
                    for at in range(30):
                        journal.submit([made.scores(5, at=NOW + cut * 100 + at)], {})
                    broker.start()
                await _empty(journal)
                acknowledged = journal.status()["rows"] == 0
                await until(lambda: len(_all_rows(scada)) == _ROWS, 15)
    assert acknowledged
    assert len(_all_rows(scada)) == _ROWS


_ROWS = 3 * 60 * 5


def _all_rows(scada: Consumer) -> set[tuple[int, int]]:
    valid = [m for m in scada.of("state") + scada.of("history") if m["score_valid"]]
    return {(m["boot"], m["seq"]) for m in valid}


async def test_open_findings_are_retained_and_right_after_a_restart(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """Who subscribes later sees what is open, also after the agent began anew."""
    settings = output(mosquitto.port)
    async with forwarding(tmp_path, _sink(settings), settings) as (journal, _):
        for name, strength in (("flow", 3.0), ("speed", 1.5)):
            record = made.finding(NOW, id=name, since=NOW, strength=strength)
            journal.submit([record, made.drift()], {})
        journal.submit([made.finding(NOW, id="all", asset="", since=NOW)], {})
        await _empty(journal)
    with consumer(mosquitto.port) as late:
        await until(lambda: late.of("diagnostic") and late.of("pump-anomaly"))
        before = [(topic, kept) for topic, kept, _ in list(late.messages)]
        (shown,) = late.of("diagnostic")
        async with forwarding(tmp_path, _sink(settings), settings) as (journal, _):
            closed = FindingState.CLOSED
            journal.submit([made.finding(NOW, closed, id="flow", since=NOW)], {})
            await _empty(journal)
            await until(lambda: late.of("events"))
    with consumer(mosquitto.port, name="later") as later:
        await until(lambda: later.of("diagnostic"))
        (now,) = later.of("diagnostic")

    assert (f"{PREFIX}/P-101/ml/pump-anomaly/diagnostic", True) in before
    assert (f"{PREFIX}/gw-07/agent/diagnostics/pump-anomaly", True) in before
    assert (shown["episode"], shown["open"]) == ("flow", 2)
    assert (now["episode"], now["state"], now["open"]) == ("speed", "OPEN", 1)
    for topic, _, message in late.messages + later.messages:
        validate(topic, message)


async def test_killed_agent_is_announced_lost(
    tmp_path: Path, mosquitto: peers.Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that vanishes is offline for everybody, with the reason."""
    monkeypatch.setattr("edge_agent.sinks.mqtt.WILL_DELAY", 0)
    settings = output(mosquitto.port)
    sink = _sink(settings)
    with consumer(mosquitto.port) as scada:
        async with forwarding(tmp_path, sink, settings, stop=False) as _:
            await until(lambda: scada.of("status"))
            with consumer_taking_over(mosquitto.port):
                await until(lambda: scada.of("status")[-1]["state"] == "offline")
            said = [(m["state"], m["reason"]) for m in scada.of("status")]
    assert ("offline", "lost") in said
    assert f"{PREFIX}/gw-07/agent/status" in {t for t, _, _ in scada.messages}


@contextmanager
def consumer_taking_over(port: int) -> Iterator[None]:
    """Another client with the agent's id: the broker ends the agent's session."""
    command = [str(peers.require("mosquitto_sub")), "-p", str(port), "-t", "none"]
    process = subprocess.Popen([*command, "-i", "edge-agent-gw-07"])
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


async def test_denied_topic_says_what_to_do(tmp_path: Path) -> None:
    """A broker that lets us in but not publish: nothing lost, the reason in words."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    (folder / "acl").write_text("topic read #\n")
    config = f"acl_file {folder / 'acl'}"
    with peers.Mosquitto(folder, config=config) as broker:
        settings = output(broker.port)
        async with forwarding(tmp_path, _sink(settings), settings, stop=False) as (
            journal,
            one,
        ):
            journal.submit([made.scores(3, at=NOW), made.alarm(NOW)], {})
            await until(lambda: "every message is refused" in _error(one))
            await until(lambda: journal.status()["rows"] == 4)
            assert "not authorized" in _error(one)


def _error(one: Any) -> str:  # noqa: ANN401 - a forwarder
    return str(one.status()["last_error"])
