"""Two readers that know nothing of the agent: mosquitto_sub, and npm's mqtt.

Each writes what it hears to a file, in order; the tests read the file.
"""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import jsonschema

import edge_agent.sinks
from tests import peers
from tests.end_to_end.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = Path(edge_agent.sinks.__file__).parent / "topics.schema.json"
RETAINED = {"state", "alarm", "status", "diagnostic", "sensors"}
"""Last levels of topics whose messages the broker keeps."""
_GREETING = "$SYS/broker/version"
"""Retained by every mosquitto: whoever gets it is subscribed."""


class Heard(NamedTuple):
    """One message."""

    topic: str
    qos: int
    payload: dict[str, Any]

    @property
    def leaf(self) -> str:
        """What kind of message it is."""
        *_, folder, leaf = self.topic.split("/")
        return "diagnostic" if folder == "diagnostics" else leaf


class Reader:
    """A client of another make that subscribes to everything under a root.

    Args:
        folder: for the file.
        broker: whom to listen to.
        root: first level of the topics.
    """

    name = ""

    def __init__(
        self, folder: Path, broker: peers.Mosquitto, root: str = "edge"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{self.name}.txt"
        self._broker, self._root = broker, root
        self._process: subprocess.Popen[bytes] | None = None
        self._heard: list[Heard] = []
        self._read_to = 0

    def __enter__(self) -> Self:
        with self.path.open("wb") as out:
            self._process = subprocess.Popen(self._command(), stdout=out)
        try:
            until(self._subscribed, f"{self.name} subscribes")
        except TimeoutError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def messages(self, leaf: str = "") -> list[Heard]:
        """What was heard so far, of one last level or of all."""
        self._read_on()
        return [one for one in self._heard if leaf in ("", one.leaf)]

    def rows(self) -> list[dict[str, Any]]:
        """Scores as they came, live and late, without the farewell."""
        return [
            one.payload
            for one in self.messages()
            if one.leaf in ("state", "history")
            and one.payload["no_score"] != "agent stopped"
        ]

    def heard_goodbye(self) -> bool:
        """Whether the agent has said last that it goes."""
        said = self.messages("status")
        return bool(said) and said[-1].payload["state"] == "offline"

    def against_the_schema(self) -> int:
        """Check every message; returns how many there were.

        Raises:
            jsonschema.ValidationError: one is not what the schema promises.
        """
        for one in self.messages():
            assert one.qos == 1
            _validator(one.leaf).validate(one.payload)
        return len(self._heard)

    def _read_on(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for line in whole.decode("utf-8").splitlines():
            self._heard.extend(self._parsed(line))

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _subscribed(self) -> bool:
        raise NotImplementedError

    def _parsed(self, line: str) -> Iterator[Heard]:
        raise NotImplementedError


class Historian(Reader):
    """mosquitto_sub with a session that outlives a broken link: it misses nothing."""

    name = "mosquitto_sub"

    def _command(self) -> list[str]:
        where = ["-h", self._broker.host, "-p", str(self._broker.port)]
        session = ["-V", "5", "-i", "historian", "-c", "-x", "3600", "-q", "1"]
        what = ["-t", f"{self._root}/#", "-t", _GREETING]
        shown = ["--retain-as-published", "-F", "%t %q %r %p"]
        return [str(peers.require("mosquitto_sub")), *where, *session, *what, *shown]

    def _subscribed(self) -> bool:
        return self.path.stat().st_size > 0

    def _parsed(self, line: str) -> Iterator[Heard]:
        topic, qos, retain, payload = line.split(" ", 3)
        if topic == _GREETING:
            return
        found = Heard(topic, int(qos), json.loads(payload))
        assert (retain == "1") == (found.leaf in RETAINED), line
        yield found


class Dashboard(Reader):
    """npm's mqtt, as a web page of the plant would use it."""

    name = "npm_mqtt"

    def _command(self) -> list[str]:
        script = peers.require("node_mqtt") / "consumer.js"
        address = f"mqtt://{self._broker.host}:{self._broker.port}"
        node = str(peers.require("node"))
        return [node, str(script), address, f"{self._root}/#"]

    def _subscribed(self) -> bool:
        return b'{"ready":true}' in self.path.read_bytes()

    def _parsed(self, line: str) -> Iterator[Heard]:
        message = json.loads(line)
        if "topic" in message:
            payload = json.loads(message["payload"])
            yield Heard(message["topic"], message["qos"], payload)


@cache
def _validator(kind: str) -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{kind}"})
