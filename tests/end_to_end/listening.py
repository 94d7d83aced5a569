"""mosquitto_sub as the plant's historian: every message, in order, to a file."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import jsonschema

import edge_agent.sinks
from tests import peers

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = Path(edge_agent.sinks.__file__).parent / "topics.schema.json"


class Historian:
    """Subscribes to everything under a root and keeps it.

    Args:
        folder: for the file.
        broker: whom to listen to.
        root: first level of the topics.
    """

    def __init__(
        self, folder: Path, broker: peers.Mosquitto, root: str = "edge"
    ) -> None:
        self.path = folder / "heard.txt"
        self._broker, self._root = broker, root
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        words = ["-h", self._broker.host, "-p", str(self._broker.port), "-q", "1"]
        # a session that outlives a broken link: nothing may be missed meanwhile
        words += ["-i", "historian", "-c", "-t", f"{self._root}/#", "-F", "%t %r %p"]
        program = str(peers.require("mosquitto_sub"))
        with self.path.open("wb") as out:
            self._process = subprocess.Popen([program, *words], stdout=out)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def messages(self, leaf: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        """Topic and payload of what was heard, of one last level or of all."""
        for line in self.path.read_text(encoding="utf-8").splitlines():
            topic, _, payload = line.split(" ", 2)
            if (not leaf or topic.endswith("/" + leaf)) and payload.endswith("}"):
                yield topic, json.loads(payload)

    def rows(self) -> list[dict[str, Any]]:
        """Scores, live and late."""
        heard = [payload for _, payload in self.messages("state")]
        return heard + [payload for _, payload in self.messages("history")]

    def against_the_schema(self) -> int:
        """Check every message; returns how many there were.

        Raises:
            jsonschema.ValidationError: one is not what the schema promises.
        """
        count = 0
        for topic, payload in self.messages():
            _validator(topic.rsplit("/", 1)[1]).validate(payload)
            count += 1
        return count


@cache
def _validator(kind: str) -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{kind}"})
