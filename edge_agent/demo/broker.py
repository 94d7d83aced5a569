"""A real MQTT broker for the demo: mosquitto where it is installed, else amqtt.

The broker keeps sessions over a restart, as a plant's broker does: SCADA's subscription
outlives it, and what the agent sends before SCADA is back waits there.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from edge_agent.demo.children import HOST, Child, free_port, listening

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


def mosquitto() -> str | None:
    """Path of mosquitto; Debian puts it where only root looks."""
    places = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"
    return shutil.which("mosquitto", path=places)


def mqtt_version() -> str:
    """The newest MQTT the broker at hand speaks."""
    return "5" if mosquitto() else "3.1.1"


class Broker:
    """One broker on a loopback port of its own.

    Args:
        name: for its log.
        folder: for configuration, log and sessions.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder / name
        self._folder.mkdir(parents=True)
        program = mosquitto()
        self.kind = "mosquitto" if program else "amqtt"
        words = self._mosquitto(program) if program else self._amqtt()
        self.child = Child(name, words, folder, talks=program is None)

    async def start(self) -> None:
        """Start, or start again on the same port.

        Raises:
            DemoFailed: it does not.
        """
        if self.kind == "amqtt" and self.child.running:
            self.child.tell(b"open")
        else:
            await self.child.start()
        await listening(self.port, self.child)

    async def cut(self) -> None:
        """Be gone until the next start."""
        if self.kind == "amqtt":
            self.child.tell(b"close")
            await self.child.answer()
        else:
            await self.child.stop()

    async def stop(self) -> None:
        """End for good."""
        await self.child.stop()

    def _mosquitto(self, program: str) -> list[str]:
        settings = self._folder / "mosquitto.conf"
        text = _SETTINGS.format(port=self.port, host=HOST, folder=self._folder)
        if os.geteuid() == 0:
            text += "user root\n"  # it would become a user who cannot write here
        settings.write_text(text, encoding="utf-8")
        return [program, "-c", str(settings)]

    def _amqtt(self) -> list[str]:
        return [sys.executable, "-m", "edge_agent.demo.embedded", str(self.port)]
