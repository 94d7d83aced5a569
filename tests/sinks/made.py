"""A journal with a forwarder on it, driven as the supervisor does."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from edge_agent.clock import SystemClock
from edge_agent.config.languages import english
from edge_agent.config.schema import MqttOutput
from edge_agent.errors import SinkLost
from edge_agent.instruments import Instruments
from edge_agent.sinks.flat import FlatProfile
from edge_agent.sinks.forwarder import Forwarder
from edge_agent.sinks.topics import Place
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from edge_agent.sinks.sink import Sink
    from edge_agent.store.journal import Journal
    from edge_agent.store.outbox import Stored

PREFIX = "edge/acme/hamburg/line3"


def output(port: int = 1883, **more: object) -> MqttOutput:
    """Settings of an output."""
    given = {"type": "mqtt", "host": "127.0.0.1", "port": port, **more}
    return MqttOutput.model_validate(given)


def forwarder(
    sink: Sink,
    journal: Journal,
    settings: MqttOutput,
    findings: Sequence[Stored] = (),
) -> Forwarder:
    """A forwarder of the journal's records."""
    place = Place.of("edge", ["acme", "hamburg", "line3"], "gw-07")
    return Forwarder(
        sink,
        journal,
        FlatProfile(place, {"pump-anomaly": 10.0}, english(), findings),
        settings,
        clock=SystemClock(),
        instruments=Instruments(),
        version="0.1.0",
    )


@asynccontextmanager
async def forwarding(
    path: Path,
    sink: Sink,
    settings: MqttOutput | None = None,
    *,
    flush: str = "10ms",
    stop: bool = True,
    central: Sequence[str] = (),
) -> AsyncIterator[tuple[Journal, Forwarder]]:
    """A journal and its running forwarder, called again whenever it is lost."""
    journal = made.journal(path / "outbox.db", flush=flush, central=central)
    known = journal.start().findings
    one = forwarder(sink, journal, settings or output(), known)

    async def supervised() -> None:
        while True:
            try:
                await one.run()
            except SinkLost:
                await asyncio.sleep(0.02)
            else:
                return

    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(supervised())
            yield journal, one
            if stop:
                one.finish(5.0)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(task), 8)
            task.cancel()
    finally:
        await asyncio.to_thread(journal.stop, 10)


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - of anything, at once
            await asyncio.sleep(0.005)
