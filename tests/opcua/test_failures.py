"""What the network and servers do wrong, and what the source makes of it."""

# ruff: noqa: ANN401  asyncua and hypothesis hand over what they like
from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.uaerrors import BadMessageNotAvailable, BadTooManyPublishRequests

from edge_agent.sources.opcua import publishing
from edge_agent.sources.opcua.intake import Intake
from tests import peers
from tests.losing import taken
from tests.opcua.plants import NodePlant, Plc, Reading, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Cable:
    """A TCP relay that can go silent, as a pulled plug behind a switch does."""

    def __init__(self, endpoint: str) -> None:
        self.target = int(endpoint.rpartition(":")[2])
        self.cut = False
        self.endpoint = ""
        self._writers: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def plugged(self) -> AsyncIterator[Cable]:
        """Relay until left."""
        server = await asyncio.start_server(self._accept, peers.HOST, 0)
        self.endpoint = f"opc.tcp://{peers.HOST}:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for pump in self._pumps:
                pump.cancel()
            await asyncio.gather(*self._pumps, return_exceptions=True)
            for writer in self._writers:
                writer.transport.abort()
            await server.wait_closed()

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there_in, there_out = await asyncio.open_connection(peers.HOST, self.target)
        self._writers += [writer, there_out]
        for source, sink in ((reader, there_out), (there_in, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        while data := await source.read(65536):
            if not self.cut:
                sink.write(data)
        if not self.cut:
            sink.close()


class Lossy(publishing.Bulk):
    """Forgets the n-th message with notifications, as if it had never arrived."""

    def __init__(self, forget: set[int]) -> None:
        self.forget, self.count = forget, 0

    def read(self, answer: Any) -> Any:
        """A message, or an error in place of one to be forgotten."""
        found = super().read(answer)
        if not found.keep_alive:
            self.count += 1
            if self.count in self.forget:
                raise ValueError("forgotten")
        return found


@pytest.mark.parametrize("decoder", ["bulk", "stock"])
async def test_silence_is_noticed_in_time(
    plc: Plc, tmp_path: Path, decoder: str
) -> None:
    """A link that goes silent without being closed is lost after 2.5 keep-alives."""
    await plc.have(a=1.0)
    async with Cable(plc.endpoint).plugged() as cable:
        reading = Reading(
            cable.endpoint,
            ["ns=2;s=a"],
            tmp_path,
            decoder=decoder,
            keepalive="200ms",
            request_timeout="30s",
        )
        task = asyncio.create_task(reading.lost())
        await reading.has(1.0)
        cable.cut = True
        said = await asyncio.wait_for(task, 6)
    assert "nothing from the server" in said or "no answer in time" in said


async def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """Something that accepts connections and says nothing costs one time limit."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, peers.HOST, 0)
    port = server.sockets[0].getsockname()[1]
    reading = Reading(
        f"opc.tcp://{peers.HOST}:{port}",
        ["ns=2;s=a"],
        tmp_path,
        request_timeout="300ms",
    )
    said = await reading.lost()
    server.close()
    await server.wait_closed()
    assert "no answer in time" in said


async def test_a_lost_message_is_got_back(
    plant: NodePlant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that never arrived is republished, in its place and without loss."""
    monkeypatch.setitem(publishing.MAKERS, "bulk", lambda: Lossy({3, 4}))
    await plant.have(["a"])
    reading = Reading(plant.endpoint, ["ns=2;s=a"], tmp_path, keepalive="2s")
    async with reading.running():
        await reading.has(0.0)
        for k in range(1, 8):
            plant.set({"a": k})
            await plant.sync()
            await asyncio.sleep(0.12)
        await reading.has(7.0)

    assert [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0] == reading.values()
    counter = reading.instruments.counter
    assert 2 == counter("opcua_messages_republished_total", source="plc")
    assert 0 == counter("opcua_messages_lost_total")


async def test_a_message_gone_for_good_is_counted(
    plant: NodePlant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message the server has no more is a counted loss, and all tags are read."""

    async def gone(*_: Any) -> None:
        raise BadMessageNotAvailable

    monkeypatch.setitem(publishing.MAKERS, "bulk", lambda: Lossy({2}))
    monkeypatch.setattr(UaSession, "republish", gone)
    await plant.have(["a", "b"])
    reading = Reading(
        plant.endpoint, ["ns=2;s=a", "ns=2;s=b"], tmp_path, keepalive="1s"
    )
    lost = taken(reading.instruments)
    async with reading.running():
        await reading.has(0.0)
        began = reading.clock.now()
        plant.set({"a": 5.0})
        await reading.has(5.0)
    (one,) = lost
    assert ("messages", "plc", 1) == (one.what, one.subject, one.count)
    assert began - 5e9 < one.first <= one.last <= reading.clock.now()
    assert 1 == reading.instruments.counter("opcua_messages_lost_total", source="plc")
    assert 1 == reading.instruments.counter("opcua_sequence_gaps_total", source="plc")
    assert [0.0, 0.0] == reading.values(1)


async def test_fewer_publish_requests_for_a_small_server(
    plc: Plc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes one publish request gets one, and values go on."""
    sent: list[asyncio.Future[Any]] = []

    class Small(publishing.Bulk):
        def request(self, link: Any, done: Any) -> asyncio.Future[Any]:
            if sum(not future.done() for future in sent):
                refused = asyncio.get_running_loop().create_future()
                refused.set_exception(BadTooManyPublishRequests)
                return refused
            sent.append(super().request(link, done))
            return sent[-1]

    monkeypatch.setitem(publishing.MAKERS, "bulk", Small)
    await plc.have(a=1.0)
    reading = Reading(plc.endpoint, ["ns=2;s=a"], tmp_path)
    async with reading.running():
        await reading.has(1.0)
        for k in range(3):
            await plc.set("a", 10.0 + k)
            await reading.has(10.0 + k)


async def test_too_many_operations_halves_the_calls(
    plc: Plc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that says too much, without saying how much is right, gets less."""
    sizes: list[int] = []
    create = UaSession.create_monitored_items

    async def narrow(self: UaSession, params: Any) -> Any:
        sizes.append(len(params.ItemsToCreate))
        if sizes[-1] > 6:
            raise ua.uaerrors.BadTooManyOperations
        return await create(self, params)

    monkeypatch.setattr(UaSession, "create_monitored_items", narrow)
    names = [f"v{i}" for i in range(20)]
    await plc.have(**dict.fromkeys(names, 1.0))
    reading = Reading(plc.endpoint, [f"ns=2;s={n}" for n in names], tmp_path)
    async with reading.running():
        await until(lambda: len(reading.rows()) >= 20)
        assert 20 == reading.source.status()["running"]
    assert [21, 10, 5, 5, 5, 5, 1] == sizes


async def test_a_mute_item_is_made_anew(
    plc: Plc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An item that the server took and never reports is replaced."""
    create = UaSession.create_monitored_items
    calls = 0

    async def swapped(self: UaSession, params: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            params.ItemsToCreate[0].MonitoringMode = ua.MonitoringMode.Disabled
        return await create(self, params)

    monkeypatch.setattr(UaSession, "create_monitored_items", swapped)
    await plc.have(a=1.0, b=2.0)
    reading = Reading(plc.endpoint, ["ns=2;s=a", "ns=2;s=b"], tmp_path, mute=0.5)
    async with reading.running():
        await reading.has(2.0, 1)
        await reading.has(1.0, 0)
    assert 2 == calls


async def test_a_silent_subscription_is_given_up(
    plc: Plc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes all items and sends nothing of any is approached anew."""
    create = UaSession.create_monitored_items

    async def disabled(self: UaSession, params: Any) -> Any:
        for item in params.ItemsToCreate:
            item.MonitoringMode = ua.MonitoringMode.Disabled
        return await create(self, params)

    monkeypatch.setattr(UaSession, "create_monitored_items", disabled)
    await plc.have(a=1.0)
    reading = Reading(plc.endpoint, ["ns=2;s=a"], tmp_path, mute=0.5, keepalive="200ms")
    assert "sends no value of any" in await reading.lost()


async def test_changed_namespaces_end_the_session(plc: Plc, tmp_path: Path) -> None:
    """A namespace table that changes under us makes every node be looked up anew."""
    await plc.have(a=1.0)
    reading = Reading(plc.endpoint, ["ns=2;s=a"], tmp_path)
    task = asyncio.create_task(reading.lost())
    await reading.has(1.0)
    await plc.server.register_namespace("urn:appeared:later")
    assert "namespaces changed" in await task


async def test_a_bug_is_not_taken_for_a_bad_link(
    plc: Plc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that is neither network nor server ends the source undisguised."""

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    await plc.have(a=1.0)
    reading = Reading(plc.endpoint, ["ns=2;s=a"], tmp_path)
    monkeypatch.setattr(Intake, "take", broken)
    with pytest.raises(BaseExceptionGroup) as caught:
        await reading.source.run(reading.inbox)
    assert caught.group_contains(ZeroDivisionError)
