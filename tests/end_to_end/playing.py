"""The plant's side: what publishes rows to a broker, and what serves them as nodes."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Self

from tests import peers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Publisher:
    """mosquitto_pub on one topic, a message a line, QoS 1.

    Args:
        broker: where to.
        topic: of all messages.
    """

    def __init__(self, broker: peers.Mosquitto, topic: str) -> None:
        program = str(peers.require("mosquitto_pub"))
        where = ["-h", broker.host, "-p", str(broker.port), "-q", "1", "-l"]
        self._process = subprocess.Popen(
            [program, *where, "-t", topic], stdin=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def publish(self, payload: Mapping[str, Any]) -> None:
        """Send an object."""
        self.send(json.dumps(payload))

    def send(self, line: str) -> None:
        """Send a text."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def finish(self) -> None:
        """Wait until the broker has everything."""
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


class NodeServer:
    """tests/peers/node_opcua with a variable of type Double for each name."""

    def __init__(self, names: Iterable[str]) -> None:
        folder = peers.require("node_opcua")
        self._process = subprocess.Popen(
            [str(peers.require("node")), "server.js"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._send({"variables": dict.fromkeys(names, "Double")})
        self.endpoint = str(self._answer()["ready"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def set(self, time: int, values: Mapping[str, float]) -> None:
        """Set variables, with a source time in ns."""
        self._send({"time": time // 10**6, "values": values})

    def settle(self) -> None:
        """Wait until the server has worked off every line."""
        self._send({"sync": 1})
        self._answer()

    def _send(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


class Pace:
    """So many steps a second.

    Args:
        rate: steps a second.
    """

    def __init__(self, rate: float) -> None:
        self._period = 1 / rate
        self._never = threading.Event()

    def step(self) -> None:
        """Wait for the next step."""
        self._never.wait(self._period)
