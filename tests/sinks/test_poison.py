"""What a peer will never take does not stop what comes behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge_agent.clock import SystemClock
from edge_agent.instruments import Instruments
from edge_agent.sinks import dispatch
from edge_agent.sinks.mqtt import MqttSink
from edge_agent.status import kept_aside
from tests import peers
from tests.sinks.choking import Choking
from tests.sinks.doubles import MemorySink
from tests.sinks.made import forwarding, output, until
from tests.store import made

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from edge_agent.config.schema import MqttOutput

NOW = SystemClock().now()


def _sink(settings: MqttOutput) -> MqttSink:
    return MqttSink(
        "scada",
        settings,
        client_id="edge-agent-gw-07",
        clock=SystemClock(),
        instruments=Instruments(),
    )


async def test_row_that_makes_a_broker_hang_up_is_found_and_kept_aside(
    tmp_path: Path,
) -> None:
    """A 3.1.1 broker drops us for one row: that row alone goes, after three times."""
    broker = Choking(lambda _, payload: b'"seq":7,' in payload)
    async with broker.serving():
        settings = output(broker.port, version="3.1.1")
        async with forwarding(tmp_path, _sink(settings), settings) as (journal, _):
            journal.submit([made.scores(3, at=NOW + at) for at in range(6)], {})
            await until(lambda: journal.status()["quarantined"], 20)
            await until(lambda: journal.status()["rows"] == 0, 20)
            found = kept_aside.answer(tmp_path, journal, "")
    rows = [
        (said["seq"])
        for topic, payload in broker.taken
        if topic.endswith((b"/state", b"/history"))
        and (said := json.loads(payload))["score_valid"]
    ]

    (kept,) = found["refused"]
    assert (kept["seq"], kept["rows"], kept["kind"]) == (7, 1, "score")
    assert kept["content"]["asset"] == ["P-102"]
    assert set(rows) == set(range(18)) - {7}
    assert 3 <= len(broker.choked) <= 6


async def test_broker_that_dies_is_no_reason_to_blame_a_record(tmp_path: Path) -> None:
    """Five broken connections with the same record under way: nothing is kept aside."""
    sink = MemorySink()
    async with forwarding(tmp_path, sink) as (journal, _):
        await until(lambda: sink.peer.kept("status"))
        sink.peer.answering = False
        journal.submit([made.alarm(NOW)], {})
        for _ in range(5):
            links = len(sink.links)
            sink.links[-1].cut()
            await until(lambda: len(sink.links) > links)  # noqa: B023
        sink.peer.answering = True
        sink.links[-1].cut()
        await until(lambda: journal.status()["rows"] == 0)
        quarantined = journal.status()["quarantined"]

    assert quarantined == 0
    assert sink.peer.read("alarm")


async def test_burst_of_refusals_is_one_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two thousand refused rows: the newest are kept, the rest a loss, one event."""
    monkeypatch.setattr(dispatch, "AGAIN_AFTER", 0.0)
    sink = MemorySink(window=500)
    sink.peer.refuse = lambda frame: 0x99 * frame[0].endswith((b"/state", b"/history"))
    async with forwarding(tmp_path, sink) as (journal, _):
        await until(lambda: sink.peer.kept("status"))
        for _ in range(20):
            journal.submit([made.scores(100, at=NOW)], {})
        await until(lambda: journal.status()["rows"] == 0, 20)
        kept = journal.status()["quarantined"]
        events = [m["event"] for m in sink.peer.read("events")]

    assert kept == 1000
    assert events.count("record refused") == 1
    assert "records lost" in events


async def test_message_larger_than_the_broker_takes_is_kept_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker with a small limit (MQTT 5): the large row goes aside, others arrive."""
    monkeypatch.setattr(dispatch, "AGAIN_AFTER", 0.01)
    with peers.Mosquitto(tmp_path / "m", config="max_packet_size 900") as broker:
        settings = output(broker.port)
        async with forwarding(tmp_path, _sink(settings), settings) as (journal, _):
            large = made.event("x" * 1500, at=NOW)
            journal.submit([made.scores(3, at=NOW), large, made.alarm(NOW)], {})
            await until(lambda: journal.status()["quarantined"] >= 1)
            found = kept_aside.answer(tmp_path, journal, "")

    assert "too large" in found["refused"][-1]["reason"]
    assert found["refused"][-1]["kind"] in ("event", "alarm")
