"""OPC UA servers to read from, and a source that reads from them."""

# ruff: noqa: ANN401  asyncua and hypothesis hand over what they like
from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from asyncua import Server, ua

from edge_agent.clock import SystemClock
from edge_agent.config.plant import Binding
from edge_agent.config.schema import OpcUaSource as Settings
from edge_agent.errors import SourceLost
from edge_agent.inbox import Inbox
from edge_agent.instruments import Instruments
from edge_agent.samples import AssetType, SampleBatch, Tag, TagTable
from edge_agent.sources.opcua import OpcUaSource
from edge_agent.sources.opcua.ids import node_id
from edge_agent.sources.opcua.item import Pace
from tests import peers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

URI = "urn:edge:test"
APPLICATION = "urn:test:edge-agent"
QUICK = Pace(0.3, 0.05, mute=5.0, first_retry=0.2, last_retry=1.0)
PATIENCE = 15.0


async def until(true: Callable[[], object], what: str = "it") -> None:
    """Wait for a condition, and fail in words when it does not come."""
    for _ in range(int(PATIENCE / 0.01)):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{what} did not happen within {PATIENCE} s")


class Plc:
    """An asyncua server in this process, whose address space a test builds."""

    def __init__(self, port: int | None = None, **variables: Any) -> None:
        self.port = port or peers.free_port()
        self.endpoint = f"opc.tcp://{peers.HOST}:{self.port}"
        self.variables = variables
        self.nodes: dict[str, Any] = {}
        self.before: tuple[str, ...] = ()
        self.server = Server()
        self.index = 0

    async def __aenter__(self) -> Self:
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)
        await self.server.init()
        self.server.set_endpoint(self.endpoint)
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await self.prepare()
        self.index = await self.server.register_namespace(URI)
        for name, value in self.variables.items():
            await self.add(name, value)
        await self.server.start()
        return self

    async def prepare(self) -> None:
        """What a test does before the namespace is registered."""
        for uri in self.before:
            await self.server.register_namespace(uri)

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop()

    async def add(self, name: str, value: Any) -> None:
        """A variable, with an initial value or Variant."""
        self.nodes[name] = await self.server.nodes.objects.add_variable(
            node_id(name, self.index), ua.QualifiedName(name, self.index), value
        )

    async def have(self, **variables: Any) -> None:
        """Several variables."""
        for name, value in variables.items():
            await self.add(name, value)

    async def clear(self) -> None:
        """Delete every variable, and first what still monitors it.

        asyncua's server forgets to await its own callback for an item whose node goes.
        """
        service = self.server.iserver.subscription_service
        await service.delete_subscriptions(list(service.subscriptions))
        await self.server.delete_nodes(self.nodes.values())
        self.nodes.clear()

    async def set(self, name: str, value: Any, **data: Any) -> None:
        """A new value, possibly with status and times."""
        if not isinstance(value, ua.Variant):
            value = ua.Variant(value)
        await self.nodes[name].write_value(ua.DataValue(value, **data))


class NodePlant:
    """The node-opcua server of ``tests/peers/node_opcua``, fed by JSON lines."""

    def __init__(self, variables: Any, **options: Any) -> None:
        self.folder = peers.require("node_opcua")
        self.options = {"variables": variables, **options}
        self.endpoint = ""
        self.names: set[str] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._synced = 0

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            str(peers.require("node")),
            str(self.folder / "server.js"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self.tell(self.options)
        self.endpoint = (await self._answer("ready"))["ready"]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        # the pipe's transport is closed by the loop's next round
        await asyncio.sleep(0)

    def tell(self, order: Mapping[str, Any]) -> None:
        """Send one line."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def have(self, variables: Any) -> None:
        """Several variables, by name or with their types."""
        kinds = variables
        if not isinstance(variables, dict):
            kinds = dict.fromkeys(variables, "Double")
        self.tell({"add": kinds})
        self.names |= set(kinds)
        await self.sync()

    async def clear(self) -> None:
        """Remove every variable."""
        self.tell({"remove": sorted(self.names)})
        self.names.clear()
        await self.sync()

    def set(self, values: Mapping[str, Any], **order: Any) -> None:
        """Set values, with ``time`` and ``status`` where given."""
        self.tell({"values": values, **order})

    async def sync(self) -> None:
        """Wait until every line so far has been obeyed."""
        self._synced += 1
        self.tell({"sync": self._synced})
        await self._answer("synced")

    async def ask(self, what: str) -> Any:
        """Answer to a question such as ``stats``."""
        self.tell({what: True})
        return (await self._answer(what))[what]

    async def _answer(self, key: str) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        while True:
            line = await asyncio.wait_for(self._process.stdout.readline(), 20)
            assert line, "the node-opcua server ended"
            found: dict[str, Any] = json.loads(line)
            if key in found:
                return found


class SteppedClock(SystemClock):
    """The system's clock, with a wall clock that a test may set."""

    offset = 0

    def wall_offset(self) -> int:
        """How far the test has set the wall clock ahead."""
        return self.offset


class Reading:
    """A source, its inbox, and what came out of it so far."""

    def __init__(
        self,
        endpoint: str,
        addresses: Sequence[str],
        folder: Path,
        *,
        texts: Sequence[int] = (),
        deadband: float | None = None,
        password: str | None = None,
        mute: float = QUICK.mute,
        hold: float | None = None,
        **settings: Any,
    ) -> None:
        roles = tuple(Tag(f"r{i}", text=i in texts) for i in range(len(addresses)))
        kind = AssetType("machine", ("M-1",), roles, 0)
        owners = np.zeros(len(addresses), np.int16)
        self.inbox = Inbox(TagTable((kind,), ("plc",), owners))
        self.clock, self.instruments = SteppedClock(), Instruments()
        plain = {"security": "None", "publishing": "50ms", "sampling": "0s"}
        self.source = OpcUaSource(
            "plc",
            0,
            Settings(type="opcua", endpoint=endpoint, **(plain | settings)),
            [
                Binding(i, "M-1", f"r{i}", a, text=i in texts, deadband=deadband)
                for i, a in enumerate(addresses)
            ],
            clock=self.clock,
            instruments=self.instruments,
            pki_dir=folder / "pki",
            application_uri=APPLICATION,
            password=password,
            pace=replace(QUICK, mute=mute),
            keepalive=None if hold is None else hold / 2,
        )
        self.batches: list[SampleBatch] = []
        self.gap = SampleBatch.of([], [], [])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run the source; a failure of its own is raised on leaving.

        What the inbox says about the end of the link is put aside as ``gap``.
        """
        task = asyncio.create_task(self.source.run(self.inbox))
        try:
            yield task
        finally:
            self.rows()
            if not task.done():
                task.cancel()
            await asyncio.wait([task])
            self.gap = self.inbox.drain()
        if not task.cancelled() and task.exception() is not None:
            raise task.exception()  # type: ignore[misc]

    async def lost(self) -> str:
        """Run the source until it fails, and give the text it fails with."""
        try:
            await asyncio.wait_for(self.source.run(self.inbox), PATIENCE)
        except SourceLost as error:
            return str(error)
        raise AssertionError("the source ended without saying why")

    def rows(self, tag: int | None = None) -> list[tuple[int, float, int, int]]:
        """Every sample so far: tag, value, quality, source time."""
        self.batches.append(self.inbox.drain())
        rows = [
            (int(t), float(v), int(q), int(at))
            for b in self.batches
            for t, v, q, at in zip(b.tag, b.value, b.quality, b.time, strict=True)
        ]
        return rows if tag is None else [row for row in rows if row[0] == tag]

    def values(self, tag: int = 0) -> list[float]:
        """Values of one tag so far."""
        return [row[1] for row in self.rows(tag)]

    def texts(self, tag: int) -> list[str]:
        """Texts of a text tag so far."""
        self.batches.append(self.inbox.drain())
        return [
            b.texts[int(v)]
            for b in self.batches
            for t, v in zip(b.tag, b.value, strict=True)
            if t == tag and not np.isnan(v)
        ]

    async def count(self, wanted: int) -> None:
        """Wait for a number of samples in all."""
        await until(lambda: len(self.rows()) >= wanted, f"{wanted} samples")

    async def has(self, value: float, tag: int = 0) -> None:
        """Wait for a value of a tag."""
        await until(lambda: value in self.values(tag), f"value {value} of tag {tag}")
