"""What only TLS does: bytes that wait where the event loop cannot see them."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.config.schema import Tls
from edge_agent.mqtt import fastsocket
from tests import peers
from tests.mqtt.kinds import Kind, Log, until
from tests.mqtt.scripted import scripted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.certificates import Certificates


async def test_client_certificate_and_bursts(
    kind: Kind, tmp_path: Path, certificates: Certificates
) -> None:
    """TLS with an own authority and a client certificate carries large bursts."""
    log = Log()
    tls = Tls(
        ca_file=certificates.ca,
        cert_file=certificates.client,
        key_file=certificates.client_key,
    )
    broker = peers.Mosquitto(tmp_path, tls=certificates, client_certificates=True)
    payloads = [b"%03d" % i + bytes(50_000) for i in range(40)]
    with broker:
        more: dict[str, Any] = {"tls": tls, "subscriptions": [("t", 0)]}
        async with kind.session(broker.port, log, **more) as session:
            session.publish_many([(b"t", payload, 0, False) for payload in payloads])
            await until(lambda: len(log.messages) == 40)
        broker.kill()

        assert [payload for _, payload in log.messages] == payloads


@pytest.mark.parametrize("piece", [100, 5000, fastsocket.PIECE])
async def test_many_messages_in_one_record(
    kind: Kind,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    piece: int,
) -> None:
    """All are delivered, though the socket becomes readable only once."""
    monkeypatch.setattr(fastsocket, "PIECE", piece)
    v5 = kind.version == "5"
    accepted = b"\x20\x03\x00\x00\x00" if v5 else b"\x20\x02\x00\x00"
    one = b"\x30\x06\x00\x01t\x00ab" if v5 else b"\x30\x05\x00\x01tab"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.server_key)
    log = Log()
    answers = [accepted + one * 1500]
    async with scripted(answers, hang_up=False, tls=context) as port:
        tls = Tls(ca_file=certificates.ca)
        async with kind.session(port, log, tls=tls):
            await until(lambda: len(log.messages) == 1500)

    assert log.messages == [(b"t", b"ab")] * 1500
