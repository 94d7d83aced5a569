"""The peers themselves: what tests build on must hold first."""

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import peers
from tests.consumer import consuming

if TYPE_CHECKING:
    from pathlib import Path

    from tests.certificates import Certificates


def publish(broker: peers.Mosquitto, *options: str) -> int:
    """Exit status of mosquitto_pub sending one message at QoS 1."""
    program = peers.require("mosquitto_pub")
    address = ["-h", "localhost", "-p", str(broker.port), "-t", "t", "-m", "1"]
    command = [str(program), "-V", "mqttv311", *address, "-q", "1", *options]
    return subprocess.run(
        command, capture_output=True, timeout=20, check=False
    ).returncode


def test_a_message_is_accepted(mosquitto: peers.Mosquitto) -> None:
    """The fixture is a broker that takes a message from anybody."""
    assert publish(mosquitto) == 0
    assert mosquitto.url == f"mqtt://127.0.0.1:{mosquitto.port}"


def test_the_port_survives_a_kill(mosquitto: peers.Mosquitto) -> None:
    """A killed broker refuses; started again it answers on the same port."""
    port = mosquitto.port
    mosquitto.kill()

    assert not mosquitto.running
    assert publish(mosquitto) != 0

    mosquitto.start()

    assert port == mosquitto.port
    assert publish(mosquitto) == 0


async def test_a_paused_broker_says_nothing(mosquitto: peers.Mosquitto) -> None:
    """While paused a CONNECT gets no answer; resumed, it gets its CONNACK."""
    connect = bytes.fromhex("100d00044d5154540402003c000161")
    mosquitto.pause()
    reader, writer = await asyncio.open_connection(mosquitto.host, mosquitto.port)
    writer.write(connect)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(4), 0.2)
    mosquitto.resume()

    assert await asyncio.wait_for(reader.readexactly(4), 10) == b"\x20\x02\x00\x00"

    writer.close()
    await writer.wait_closed()


def test_passwords_are_checked(tmp_path: Path) -> None:
    """With users given only the right password gets in."""
    with peers.Mosquitto(tmp_path, users={"agent": "s3cret"}) as broker:
        assert publish(broker, "-u", "agent", "-P", "s3cret") == 0
        assert publish(broker, "-u", "agent", "-P", "wrong") != 0
        assert publish(broker) != 0


def test_tls_wants_our_authority_and_a_client_certificate(
    tmp_path: Path, certificates: Certificates
) -> None:
    """A TLS listener proves itself and, asked to, makes the client do so too."""
    trust = ["--cafile", str(certificates.ca)]
    own = ["--cert", str(certificates.client), "--key", str(certificates.client_key)]
    with peers.Mosquitto(
        tmp_path, tls=certificates, client_certificates=True
    ) as broker:
        assert publish(broker, *trust, *own) == 0
        assert publish(broker, *trust) != 0
        assert publish(broker) != 0


def test_a_missing_peer_skips_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CI a missing program skips and the reason says how to get it."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(peers, "find", lambda _: None)
    with pytest.raises(pytest.skip.Exception, match="apt-get install mosquitto"):
        peers.require("mosquitto")


def test_a_missing_peer_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """With CI set a missing program is a failure."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(peers, "find", lambda _: None)
    with pytest.raises(pytest.fail.Exception, match="npm ci"):
        peers.require("node_opcua")


@pytest.mark.parametrize("version", [4, 5])
async def test_an_independent_client_reads(
    mosquitto: peers.Mosquitto, version: int
) -> None:
    """An npm mqtt client sees retained and live messages, under both versions."""
    assert publish(mosquitto, "-r") == 0
    async with consuming(mosquitto.url, "#", version=version) as consumer:
        first = await consumer.next()
        assert await asyncio.to_thread(publish, mosquitto) == 0
        second = await consumer.next()

    assert first == ("t", "1", 1, True)
    assert second == ("t", "1", 1, False)


async def test_the_independent_client_tells_why_it_cannot_read(free_port: int) -> None:
    """A missing broker is an error with its reason, not a silent wait."""
    with pytest.raises(RuntimeError, match="ECONNREFUSED"):
        async with consuming(f"mqtt://127.0.0.1:{free_port}", "#"):
            pass
