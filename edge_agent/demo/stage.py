"""Everything that runs beside the demo itself: PLC, brokers, the agent."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

from edge_agent.demo import plc
from edge_agent.demo.broker import VERSIONS, broker
from edge_agent.demo.children import Child, DemoFailed, free_port
from edge_agent.demo.site import Site
from edge_agent.status import socket
from edge_agent.status.report import UP

_STARTING = 40.0  # seconds the agent may take to be up on a slow machine
_LOOK = 0.1
_HURRY = 0.5  # seconds a server gets to end


class Stage:
    """The processes of one run and their folder; all ended on leaving.

    Args:
        models: the registry.
        brokers: their kind, see `broker`.
        keep: leave the folder.

    Attributes:
        site: addresses and folders.
        status: the agent's newest answer; empty while it does not answer.
    """

    def __init__(self, models: Path, brokers: str, *, keep: bool) -> None:
        self.status: dict[str, Any] = {}
        self._keep = keep
        folder = Path(tempfile.mkdtemp(prefix="edge-agent-demo-"))
        self.monitor_broker = broker(brokers, "monitor-broker", folder)
        self.scada_broker = broker(brokers, "scada-broker", folder)
        self.site = Site(
            folder,
            models,
            free_port(),
            self.monitor_broker.port,
            self.scada_broker.port,
            VERSIONS[brokers],
        )
        port, pki = str(self.site.plc_port), str(folder / "plc")
        words = _python("edge_agent.demo.plc", port, pki)
        self._plc = Child("plc", words, folder, talks=True)
        self._plc_ready = False
        words = _python("edge_agent", "run", "--config", str(self.site.config))
        self._agent = Child("agent", words, folder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._agent.stop()
        async with asyncio.TaskGroup() as tasks:
            for one in (self.monitor_broker, self.scada_broker):
                tasks.create_task(one.child.stop(patience=_HURRY))
            tasks.create_task(self._plc.stop(patience=_HURRY))
        if not self._keep:
            shutil.rmtree(self.site.folder, ignore_errors=True)

    async def start_brokers(self) -> None:
        """Both, side by side."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.monitor_broker.start())
            tasks.create_task(self.scada_broker.start())

    async def start_plc(self) -> None:
        """Start it, or start it again, and wait until it serves."""
        await self._plc.start()
        await self._plc.answer()
        self._plc_ready = True

    async def kill_plc(self) -> None:
        """End it as a power cut does: no goodbye to any client."""
        self._plc_ready = False
        await self._plc.kill()

    def feed_plc(self, cycle: bytes) -> None:
        """Give the PLC a cycle's readings; while it is down they are gone."""
        if self._plc_ready:
            self._plc.tell(cycle)

    async def start_agent(self) -> None:
        """Start it, with the PLC's certificate trusted, and wait for its links.

        Raises:
            DemoFailed: it ends, or its links do not come up.
        """
        self.site.write()
        trusted = self.site.state / "pki" / "trusted"
        trusted.mkdir(parents=True)
        certificate = plc.identity(self.site.folder / "plc").path
        shutil.copy(certificate, trusted / "plc.der")
        await self._agent.start()
        try:
            async with asyncio.timeout(_STARTING):
                while not self.status or not all(self.links().values()):
                    await asyncio.sleep(_LOOK)
                    await self.look()
        except TimeoutError:
            down = ", ".join(k for k, up in self.links().items() if not up) or "all"
            raise DemoFailed(
                f"the agent's links are not up after {_STARTING:g} s: {down};"
                f" {self._agent.failure()}"
            ) from None
        for name, of in self.status["pipelines"].items():
            if of["error"]:
                raise DemoFailed(f"pipeline {name} has no model: {of['error']}")

    async def stop_agent(self) -> int:
        """SIGTERM, as systemd does; returns the exit code."""
        return await self._agent.stop()

    async def look(self) -> None:
        """Ask the agent how it is, and see that everything runs.

        Raises:
            DemoFailed: a process has ended by itself.
        """
        for child in (self._agent, self._plc, self.monitor_broker.child):
            child.check()
        self.scada_broker.child.check()
        try:
            self.status = await socket.ask(self.site.runtime)
        except (OSError, TimeoutError):
            self.status = {}

    def links(self) -> dict[str, bool]:
        """Which of the agent's links are up, by name."""
        return {
            name: of.get("state") in UP
            for kind in ("sources", "outputs")
            for name, of in self.status.get(kind, {}).items()
        }


def _python(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]
