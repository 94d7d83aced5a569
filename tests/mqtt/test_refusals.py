"""Every way a broker can say no, and what the operator then reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from edge_agent.config.schema import MqttLink, Tls
from edge_agent.mqtt.probe import probe
from edge_agent.mqtt.session import LinkLost
from tests import peers
from tests.mqtt.kinds import Kind, Log, Version, until
from tests.mqtt.scripted import scripted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.certificates import Certificates

FAST = Kind(fast=True, version="5")


async def _refusal(
    kind: Kind, link: MqttLink, password: str | None = None, patience: float = 10.0
) -> str:
    session = kind.unconnected(link, password=password, connect_timeout=patience)
    with pytest.raises(LinkLost) as lost:
        await session.connect()
    assert not session.connected
    return str(lost.value)


async def test_nothing_listens(kind: Kind, free_port: int) -> None:
    """A broker that is not started is named with its port."""
    told = await _refusal(kind, kind.link(free_port))
    assert f"127.0.0.1:{free_port}" in told
    assert "nothing listens" in told


async def test_an_unknown_name(kind: Kind) -> None:
    """A host name that does not exist is told from a broker that is down."""
    told = await _refusal(kind, kind.link(1883, host="no-such-host.invalid"))
    assert "no-such-host.invalid" in told
    assert "name" in told


async def test_a_server_that_says_nothing(kind: Kind) -> None:
    """A port that accepts and stays silent ends in a timeout that says so."""
    async with scripted([], hang_up=False) as port:
        told = await _refusal(kind, kind.link(port), patience=0.3)
    assert "does not answer" in told


async def test_a_server_that_is_no_broker(kind: Kind) -> None:
    """A web server on the port is recognised as no MQTT."""
    async with scripted([b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as port:
        told = await _refusal(kind, kind.link(port))
    assert "MQTT" in told


async def test_a_wrong_password(kind: Kind, tmp_path: Path) -> None:
    """The broker's no is in words, with the settings to look at."""
    with peers.Mosquitto(tmp_path, users={"me": "right"}) as broker:
        told = await _refusal(kind, kind.link(broker.port, user="me"), "wrong")
        async with kind.session(broker.port, link={"user": "me"}, password="right"):
            pass
    assert "authorized" in told or "password" in told
    assert "; " in told


async def test_a_broker_with_another_authority(
    tmp_path: Path, certificates: Certificates
) -> None:
    """A certificate nobody vouches for is refused, with what to set."""
    with peers.Mosquitto(tmp_path, tls=certificates) as broker:
        told = await _refusal(FAST, FAST.link(broker.port, tls=Tls()))
    assert "ca_file" in told


async def test_a_certificate_for_another_name(
    tmp_path: Path, certificates: Certificates
) -> None:
    """The name in the certificate counts, and can be set apart from the address."""
    named = Tls(ca_file=certificates.ca, server_name="other.example")
    right = Tls(ca_file=certificates.ca, server_name="localhost")
    with peers.Mosquitto(tmp_path, tls=certificates) as broker:
        told = await _refusal(FAST, FAST.link(broker.port, tls=named))
        async with FAST.session(broker.port, tls=right):
            pass
    assert "other.example" in told


async def test_a_missing_client_certificate(
    tmp_path: Path, certificates: Certificates
) -> None:
    """A broker that asks for a certificate and gets none ends the connection."""
    tls = Tls(ca_file=certificates.ca)
    with peers.Mosquitto(
        tmp_path, tls=certificates, client_certificates=True
    ) as broker:
        told = await _refusal(FAST, FAST.link(broker.port, tls=tls))
    assert f":{broker.port}" in told


async def test_tls_files_that_are_not_there(tmp_path: Path) -> None:
    """A wrong path is named before anything is connected."""
    tls = Tls(ca_file=tmp_path / "missing.pem")
    told = await _refusal(FAST, FAST.link(1, tls=tls))
    assert "missing.pem" in told


async def test_tls_on_a_plain_port(mosquitto: peers.Mosquitto) -> None:
    """TLS towards a port without it does not hang."""
    told = await _refusal(FAST, FAST.link(mosquitto.port, tls=Tls()))
    assert "TLS" in told


async def test_a_second_client_with_the_same_id(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """The first one is told who took its place, as far as the protocol tells."""
    async with (
        kind.session(mosquitto.port, client_id="twin") as first,
        kind.session(mosquitto.port, client_id="twin"),
    ):
        with pytest.raises(LinkLost, match="another client with client_id twin"):
            await asyncio.wait_for(first.run_until_lost(), 5)


@pytest.mark.parametrize("kind", [Kind(fast=f, version="5") for f in (True, False)])
@pytest.mark.parametrize(
    ("code", "words"),
    [(0x8E, "session taken over; another client"), (0x97, "quota exceeded")],
)
async def test_a_goodbye_of_the_broker(kind: Kind, code: int, words: str) -> None:
    """MQTT 5 brokers say why they end a connection, and the operator reads it."""
    accepted, goodbye = b"\x20\x03\x00\x00\x00", b"\xe0\x02" + bytes((code, 0))
    async with scripted([accepted + goodbye], hang_up=False) as port:
        session = kind.unconnected(kind.link(port))
        await session.connect()
        with pytest.raises(LinkLost, match=words) as lost:
            await asyncio.wait_for(session.run_until_lost(), 5)
        await session.close()
    assert lost.value.code == code


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_stream_that_is_not_mqtt_any_more(version: Version) -> None:
    """A PUBLISH shorter than its own topic ends the link instead of the process."""
    kind = Kind(fast=True, version=version)
    accepted = b"\x20\x02\x00\x00" if version == "3.1.1" else b"\x20\x03\x00\x00\x00"
    async with scripted([accepted + b"\x30\x04\x00\x09ab"]) as port:
        with pytest.raises(LinkLost, match="PUBLISH"):
            await kind.unconnected(kind.link(port)).connect()


@pytest.mark.parametrize("fast", [True, False])
async def test_a_publish_the_broker_will_not_take(tmp_path: Path, fast: bool) -> None:
    """MQTT 5 tells, message by message; the others are acknowledged."""
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite open/#\n", "utf-8")
    rules.chmod(0o600)
    log = Log()
    kind = Kind(fast=fast, version="5")
    with peers.Mosquitto(tmp_path / "broker", config=f"acl_file {rules}") as broker:
        async with kind.session(broker.port, log) as session:
            good, bad = session.publish_many(
                [(b"open/t", b"", 1, False), (b"closed/t", b"", 1, False)]
            )
            await until(lambda: session.inflight == 0)

    assert log.acked == [good]
    assert log.refused == [(bad, 0x87)]


@pytest.mark.parametrize("fast", [True, False])
async def test_a_message_larger_than_the_broker_takes(
    tmp_path: Path, fast: bool
) -> None:
    """It is refused here; sent, it would cost the connection."""
    log = Log()
    kind = Kind(fast=fast, version="5")
    with peers.Mosquitto(tmp_path, config="max_packet_size 5000") as broker:
        async with kind.session(broker.port, log) as session:
            assert session.grants.max_packet_size == 5000
            fits, huge, after = session.publish_many(
                [(b"t", bytes(size), 1, False) for size in (10, 6000, 4900)]
            )
            await until(lambda: session.inflight == 0 and bool(log.refused))
            assert session.connected

    assert sorted(log.acked) == sorted([fits, after])
    assert log.refused == [(huge, 0x95)]


async def test_a_check_says_what_is_wrong(
    mosquitto: peers.Mosquitto, free_port: int
) -> None:
    """The probe is silent when all is well, else one sentence."""
    good = MqttLink(host="127.0.0.1", port=mosquitto.port)
    bad = MqttLink(host="127.0.0.1", port=free_port)
    assert await probe(good, client_id="gw", subscriptions=[("t/#", 1)]) is None
    assert "nothing listens" in (await probe(bad, client_id="gw") or "")


async def test_a_check_leaves_the_running_agent_alone(
    mosquitto: peers.Mosquitto,
) -> None:
    """The probe does not take over the session of the client id it checks."""
    async with FAST.session(mosquitto.port, client_id="gw") as running:
        await probe(running.link, client_id="gw")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(running.run_until_lost(), 0.2)
