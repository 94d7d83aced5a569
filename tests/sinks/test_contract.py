"""What every sink keeps to, the double of the other tests included."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import pytest

from edge_agent.clock import SystemClock
from edge_agent.errors import SinkLost
from edge_agent.instruments import Instruments
from edge_agent.sinks import mqtt
from edge_agent.sinks.sink import Callbacks
from tests import peers
from tests.mqtt.kinds import Kind, Log
from tests.sinks.doubles import MemorySink
from tests.sinks.made import output, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from edge_agent.sinks.sink import Frame, Sink

WINDOW = 5
WILL: Frame = (b"t/status", b"lost", 1, True)


@dataclass
class Told:
    """What a link told."""

    taken: list[int] = field(default_factory=list)
    refused: list[tuple[int, int]] = field(default_factory=list)

    @property
    def callbacks(self) -> Callbacks:
        """To be given to a sink."""

        def refused(ticket: int, code: int, reason: str) -> None:
            assert reason
            self.refused.append((ticket, code))

        return Callbacks(self.taken.extend, refused)


class Stage(Protocol):
    """A sink with its peer, and what happens to them."""

    @property
    def sink(self) -> Sink:
        """The sink."""
        ...

    async def arrived(self, count: int) -> list[tuple[bytes, bytes]]:
        """Wait for messages and give all that the peer has got."""
        ...

    async def kept(self, topic: bytes) -> bytes:
        """What somebody sees there who comes only now."""
        ...

    def break_link(self) -> None:
        """The link ends without a goodbye."""
        ...


class MemoryStage:
    """The double."""

    def __init__(self) -> None:
        self.sink = MemorySink(WINDOW)

    async def arrived(self, count: int) -> list[tuple[bytes, bytes]]:
        """Messages so far."""
        await until(lambda: len(self.sink.peer.taken) >= count)
        return [(topic, payload) for topic, payload, *_ in self.sink.peer.taken]

    async def kept(self, topic: bytes) -> bytes:
        """Retained there."""
        return self.sink.peer.retained[topic]

    def break_link(self) -> None:
        """Cut it."""
        self.sink.links[-1].cut()


class MqttStage:
    """A real broker with a subscriber."""

    def __init__(self, broker: peers.Mosquitto, log: Log) -> None:
        self.sink = mqtt.MqttSink(
            "scada",
            output(broker.port, inflight=WINDOW),
            client_id="tested",
            clock=SystemClock(),
            instruments=Instruments(),
        )
        self._broker = broker
        self._log = log

    async def arrived(self, count: int) -> list[tuple[bytes, bytes]]:
        """Messages so far."""
        await until(lambda: len(self._log.messages) >= count)
        return self._log.messages

    async def kept(self, topic: bytes) -> bytes:
        """Ask as another client."""
        taker = peers.require("mosquitto_sub")
        command = [taker, "-p", str(self._broker.port), "-t", topic.decode()]
        command += ["-C", "1", "-W", "10", "--retained-only"]
        return (await asyncio.to_thread(_run, command)).rstrip(b"\n")

    def break_link(self) -> None:
        """Another client takes our name: the broker drops us and tells our will."""
        taker = peers.require("mosquitto_pub")
        command = [taker, "-p", str(self._broker.port), "-i", "tested", "-t", "x"]
        asyncio.get_running_loop().run_in_executor(None, _run, [*command, "-n"])


def _run(command: Sequence[object]) -> bytes:
    import subprocess  # noqa: PLC0415

    words = [str(part) for part in command]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """A broker that lets anybody in."""
    with peers.Mosquitto(tmp_path / "mosquitto") as one:
        yield one


@pytest.fixture(params=["memory", "mqtt"])
async def stage(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """A sink and its peer."""
    monkeypatch.setattr(mqtt, "WILL_DELAY", 0)
    if request.param == "memory":
        yield MemoryStage()
        return
    server = request.getfixturevalue("broker")
    log, kind = Log(), Kind(fast=True, version="5")
    watcher = kind.session(
        server.port, log, client_id="watcher", subscriptions=[("t/#", 1)]
    )
    async with watcher:
        yield MqttStage(server, log)


def _frames(count: int, start: int = 0) -> list[Frame]:
    return [(b"t/%d" % i, b"%d" % i, 1, False) for i in range(start, start + count)]


async def test_each_message_is_taken_once_in_order(stage: Stage) -> None:
    """Every ticket is told exactly once, and the peer has the messages in order."""
    told = Told()
    link = await stage.sink.connect(WILL, told.callbacks)
    tickets: list[int] = []
    for start in range(0, 20, WINDOW):
        await until(lambda: link.room == WINDOW)
        tickets += link.send(_frames(WINDOW, start), None)
    arrived = await stage.arrived(20)
    await until(lambda: len(told.taken) == 20)
    await link.close()

    assert sorted(told.taken) == sorted(tickets)
    assert len(set(tickets)) == 20
    assert arrived == [(topic, payload) for topic, payload, *_ in _frames(20)]


async def test_room_is_what_is_left_of_the_window(stage: Stage) -> None:
    """Room shrinks with what is open and comes back with what was taken."""
    told = Told()
    link = await stage.sink.connect(WILL, told.callbacks)
    assert link.room == WINDOW
    link.send(_frames(3), 60)
    assert link.room == WINDOW - 3
    await until(lambda: len(told.taken) == 3)
    assert link.room == WINDOW
    await link.close()


async def test_a_newcomer_sees_the_newest_retained_message(stage: Stage) -> None:
    """What is so stays visible, also behind messages that are not retained."""
    told = Told()
    link = await stage.sink.connect(WILL, told.callbacks)
    said = [(b"open", True), (b"open 2", True), (b"passing", False)]
    link.send([(b"t/diagnostic", text, 1, retain) for text, retain in said], None)
    await until(lambda: len(told.taken) == 3)

    assert await stage.kept(b"t/diagnostic") == b"open 2"
    await link.close()


async def test_lost_link_is_told_and_its_will_announced(stage: Stage) -> None:
    """A broken link raises SinkLost for who waits and who sends; the peer says so."""
    link = await stage.sink.connect(WILL, Told().callbacks)
    stage.break_link()
    with pytest.raises(SinkLost):
        await asyncio.wait_for(link.until_lost(), 10)

    assert await stage.arrived(1) == [WILL[:2]]
    with pytest.raises(SinkLost):
        link.send(_frames(1), None)
    await link.close()


async def test_closed_link_has_no_will(stage: Stage) -> None:
    """A goodbye keeps the will back."""
    link = await stage.sink.connect(WILL, Told().callbacks)
    link.send(_frames(1), None)
    await stage.arrived(1)
    await link.close()
    again = await stage.sink.connect(WILL, Told().callbacks)
    again.send(_frames(1, 1), None)
    arrived = await stage.arrived(2)
    await again.close()

    assert [payload for _, payload in arrived] == [b"0", b"1"]


async def test_unreachable_broker_is_a_lost_sink() -> None:
    """Nobody there is a reason to try later, in a sentence with the address."""
    port = peers.free_port()
    sink = mqtt.MqttSink(
        "scada",
        output(port),
        client_id="tested",
        clock=SystemClock(),
        instruments=Instruments(),
    )
    with pytest.raises(SinkLost, match=str(port)):
        await sink.connect(WILL, Told().callbacks)
