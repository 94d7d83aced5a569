"""Messages of other people's clients: mqtt.js and mosquitto_pub."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from tests import peers
from tests.mqtt.kinds import Kind, Log, until

if TYPE_CHECKING:
    from pathlib import Path

NODE = """
const client = require("mqtt").connect(process.argv[1], {
  protocolVersion: Number(process.argv[2]),
  properties: { topicAliasMaximum: 5 }, autoAssignTopicAlias: true });
client.on("connect", async () => {
  for (let i = 0; i < 30; i++) {
    const properties = { userProperties: { unit: "mm/s", n: String(i) },
      contentType: "application/json", payloadFormatIndicator: true };
    const options = { qos: i % 3, ...(process.argv[2] === "5" && { properties }) };
    await client.publishAsync("node/" + (i % 2), JSON.stringify({ i }), options);
  }
  client.end();
});
"""


@pytest.mark.parametrize("protocol", ["4", "5"])
async def test_mqtt_js_publishes(
    kind: Kind, mosquitto: peers.Mosquitto, protocol: str
) -> None:
    """Any QoS, properties and topic aliases of mqtt.js arrive whole and in order."""
    log = Log()
    async with kind.session(mosquitto.port, log, subscriptions=[("node/+", 1)]):
        url = f"mqtt://127.0.0.1:{mosquitto.port}"
        await _run(peers.require("node"), "-e", NODE, url, protocol, folder=_mqtt_js())
        await until(lambda: len(log.messages) == 30)

    assert log.messages == [(b"node/%d" % (i % 2), b'{"i":%d}' % i) for i in range(30)]


@pytest.mark.parametrize("protocol", ["mqttv31", "mqttv311", "mqttv5"])
async def test_mosquitto_pub_publishes(
    kind: Kind, mosquitto: peers.Mosquitto, protocol: str
) -> None:
    """Lines of a file become messages, whatever version they were sent with."""
    log = Log()
    async with kind.session(mosquitto.port, log, subscriptions=[("p", 1)]):
        where = ["-V", protocol, "-p", str(mosquitto.port), "-t", "p", "-q", "1", "-l"]
        lines = b"".join(b"%d\n" % i for i in range(50))
        await _run(peers.require("mosquitto_pub"), *where, lines=lines)
        await until(lambda: len(log.messages) == 50)

    assert log.messages == [(b"p", b"%d" % i) for i in range(50)]


def _mqtt_js() -> Path:
    return peers.require("node_mqtt")


async def _run(
    program: Path, *words: str, folder: Path | None = None, lines: bytes = b""
) -> None:
    process = await asyncio.create_subprocess_exec(
        program,
        *words,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    )
    await process.communicate(lines)
    assert process.returncode == 0
