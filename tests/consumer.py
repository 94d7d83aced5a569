"""npm's mqtt as the reader of our topics: another make than the one that wrote."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tests import peers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Message(NamedTuple):
    """One message as an independent client saw it."""

    topic: str
    payload: str
    qos: int
    retain: bool


class Consumer:
    """Messages of a running consumer, in order of arrival."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: list[Message] = []

    async def ready(self) -> None:
        """Wait until the broker has granted every filter."""
        while (line := await self._line()).get("ready") is None:
            self._waiting.append(Message(**line))

    async def next(self, seconds: float = 10.0) -> Message:
        """Return the next message.

        Raises:
            TimeoutError: none came within so many seconds.
        """
        if self._waiting:
            return self._waiting.pop(0)
        return Message(**await asyncio.wait_for(self._line(), seconds))

    async def _line(self) -> dict[str, Any]:
        process = self._process
        if process.stdout is None or process.stderr is None:
            raise RuntimeError("the consumer has no pipes")
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError((await process.stderr.read()).decode())
        found: dict[str, Any] = json.loads(line)
        return found


@contextlib.asynccontextmanager
async def consuming(
    url: str, *filters: str, version: int = 5
) -> AsyncIterator[Consumer]:
    """Run npm's mqtt on ``filters``; it is subscribed when the block begins."""
    script = peers.require("node_mqtt") / "consumer.js"
    process = await asyncio.create_subprocess_exec(
        peers.require("node"),
        script,
        url,
        *filters,
        "--version",
        str(version),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    try:
        consumer = Consumer(process)
        await asyncio.wait_for(consumer.ready(), peers.START_TIMEOUT)
        yield consumer
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()
