"""Our OPC UA source alone: notifications into an inbox that is drained and forgotten.

``python -m tests.bench.opcua_client ENDPOINT FOLDER``; a line on stdin prints the
count.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from edge_agent.clock import SystemClock
from edge_agent.config.plant import resolve
from edge_agent.config.schema import AgentConfig
from edge_agent.inbox import Inbox
from edge_agent.instruments import Instruments
from edge_agent.sources.opcua.source import OpcUaSource
from tests.bench.agent import configuration, opcua_source
from tests.bench.mqtt_clients import Count, answer

_DRAIN_S = 0.005


async def main() -> None:
    """Receive until stdin closes."""
    endpoint, folder = sys.argv[1:]
    config = AgentConfig.model_validate(configuration(opcua_source(endpoint)))
    plant = resolve(config)
    settings: Any = config.sources["plant"]
    inbox, count = Inbox(plant.tags), Count()
    source = OpcUaSource(
        "plant",
        0,
        settings,
        plant.bindings["plant"],
        clock=SystemClock(),
        instruments=Instruments(),
        pki_dir=Path(folder),
        application_uri="urn:edge-agent:bench:client",
        password=None,
    )

    async def drain() -> None:
        while True:
            await asyncio.sleep(_DRAIN_S)
            count.items += len(inbox.drain())

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(source.run(inbox)), tasks.create_task(drain())]
        await answer(count)
        for task in running:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main())
