"""A real MQTT broker for the demo: mosquitto where it is installed, else amqtt.

The broker keeps sessions while it is away, as a plant's broker does: SCADA's
subscription outlives it, and what the agent sends before SCADA is back waits there.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from edge_agent.demo.children import HOST, Child, DemoFailed, free_port, listening

if TYPE_CHECKING:
    from pathlib import Path

_SETTINGS = """\
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {folder}/
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
"""
#: Newest MQTT each kind speaks.
VERSIONS = {"mosquitto": "5", "amqtt": "3.1.1"}


class Broker(Protocol):
    """One broker on a loopback port of its own."""

    port: int
    child: Child

    async def start(self) -> None:
        """Start, or be there again on the same port."""
        ...

    async def cut(self) -> None:
        """Be gone until the next start."""
        ...


def kind_at_hand() -> str:
    """``mosquitto`` where it is installed, else ``amqtt``.

    Raises:
        DemoFailed: there is neither.
    """
    if _program():
        return "mosquitto"
    if find_spec("amqtt") is None:
        raise DemoFailed(
            "there is no MQTT broker: install mosquitto, or the extra edge-agent[demo]"
        )
    return "amqtt"


def broker(kind: str, name: str, folder: Path) -> Broker:
    """A broker that is not yet started, its files in a folder of that name."""
    return (Mosquitto if kind == "mosquitto" else Amqtt)(name, folder)


class Mosquitto:
    """mosquitto with a configuration of its own; a cut ends the process.

    Args:
        name: for its log and folder.
        folder: of the run.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.port = free_port()
        own = folder / name
        own.mkdir()
        text = _SETTINGS.format(port=self.port, host=HOST, folder=own)
        if os.geteuid() == 0:
            text += "user root\n"  # else it becomes a user who cannot write here
        settings = own / "mosquitto.conf"
        settings.write_text(text, encoding="utf-8")
        program = _program() or "mosquitto"
        self.child = Child(name, [program, "-c", str(settings)], folder)

    async def start(self) -> None:
        """Start, or start again with the sessions it had."""
        await self.child.start()
        await listening(self.port, self.child)

    async def cut(self) -> None:
        """End the process."""
        await self.child.stop()


class Amqtt:
    """amqtt in a process of ours; a cut drops port and connections.

    Args:
        name: for its log.
        folder: of the run.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.port = free_port()
        words = [sys.executable, "-m", "edge_agent.demo.embedded", str(self.port)]
        self.child = Child(name, words, folder, talks=True)

    async def start(self) -> None:
        """Start the process, or let clients in again."""
        if self.child.running:
            self.child.tell(b"open")
            await self.child.answer()
        else:
            await self.child.start()
            await listening(self.port, self.child)

    async def cut(self) -> None:
        """Throw everybody out and let nobody in."""
        self.child.tell(b"close")
        await self.child.answer()


def _program() -> str | None:
    """Path of mosquitto; Debian puts it where only root looks."""
    places = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"
    return shutil.which("mosquitto", path=places)
