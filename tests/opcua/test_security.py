"""Who trusts whom: certificates, folders, passwords, against real servers."""

# ruff: noqa: ANN401  settings are what YAML may hold
from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from asyncua import Client
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from edge_agent.errors import ConfigError
from edge_agent.sources.opcua import pki, trust
from edge_agent.sources.opcua_probe import probe
from tests.opcua.plants import APPLICATION, NodePlant, Plc, Reading, until

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SECURE: dict[str, Any] = {"security": "SignAndEncrypt"}


def approve(folder: Path) -> None:
    """Move what was rejected to the trusted certificates, as the operator does."""
    for path in (folder / "pki" / "rejected").iterdir():
        path.rename(folder / "pki" / "trusted" / path.name)


@pytest.mark.parametrize(
    ("policy", "mode"),
    [
        ("Basic256Sha256", "SignAndEncrypt"),
        ("Aes128Sha256RsaOaep", "SignAndEncrypt"),
        ("Aes256Sha256RsaPss", "Sign"),
    ],
)
async def test_trust_on_both_sides_then_values(
    secure_plant: NodePlant, tmp_path: Path, policy: str, mode: str
) -> None:
    """First the server is unknown; once its file is moved, values come, encrypted."""
    reading = Reading(
        secure_plant.endpoint,
        ["ns=2;s=a"],
        tmp_path,
        security=mode,
        policy=policy,
        user="gateway",
        password="right",
    )
    said = await reading.lost()
    (rejected,) = (tmp_path / "pki" / "rejected").iterdir()
    approve(tmp_path)
    async with reading.running():
        await until(lambda: len(reading.rows()) == 1)
        status = reading.source.status()

    assert f"move {rejected} to" in said
    assert f"{policy}/{mode}" == status["security"]
    assert 3600 < status["certificate_days_left"]


async def test_wrong_password_is_named(secure_plant: NodePlant, tmp_path: Path) -> None:
    """A refused login says to check user and password, and never shows the password."""
    reading = Reading(
        secure_plant.endpoint,
        ["ns=2;s=a"],
        tmp_path,
        user="gateway",
        password="guessed",
        **SECURE,
    )
    await reading.lost()
    approve(tmp_path)
    said = await reading.lost()
    assert "refuses user and password" in said
    assert "guessed" not in said + repr(reading.source.__dict__)


async def test_anonymous_is_told_to_log_in(
    secure_plant: NodePlant, tmp_path: Path
) -> None:
    """A server that wants a user says so before anything is tried."""
    reading = Reading(secure_plant.endpoint, ["ns=2;s=a"], tmp_path, **SECURE)
    await reading.lost()
    approve(tmp_path)
    assert "does not accept anonymous clients" in await reading.lost()


async def test_security_that_is_not_offered_is_named(
    plant: NodePlant, tmp_path: Path
) -> None:
    """A server without the wanted security gets no connection; its offer is shown."""
    reading = Reading(plant.endpoint, ["ns=2;s=a"], tmp_path, **SECURE)
    said = await reading.lost()
    assert "does not offer SignAndEncrypt with Basic256Sha256" in said
    assert "it offers None with None" in said


async def test_our_certificate_may_be_refused(tmp_path: Path) -> None:
    """A server that does not trust us yet makes the source say what to do there."""
    async with NodePlant(["a"], security=True, trustAll=False) as strict:
        reading = Reading(strict.endpoint, ["ns=2;s=a"], tmp_path, **SECURE)
        await reading.lost()
        approve(tmp_path)
        said = await reading.lost()
    assert "trust pki/own/certificate.der on the server" in said


async def test_no_password_in_the_clear(
    plc: Plc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password that the server would take unencrypted is not sent at all."""
    sent = []
    activate = Client.activate_session

    async def watched(self: Client, user: str, password: str) -> None:
        sent.append((user, password))
        await activate(self, user, password)

    monkeypatch.setattr(Client, "activate_session", watched)
    await plc.have(a=1.0)
    reading = Reading(
        plc.endpoint, ["ns=2;s=a"], tmp_path, user="gateway", password="right"
    )
    assert "unencrypted: it is not sent" in await reading.lost()
    assert [] == sent


async def test_probe_of_a_good_server(plant: NodePlant, tmp_path: Path) -> None:
    """Nothing to say when all is well, and nothing is left on the server."""
    await plant.have(["a"])
    assert [] == await probed(plant, ["ns=2;s=a"], tmp_path)
    assert 0 == (await plant.ask("stats"))["sessions"]


async def test_probe_names_every_bad_node(plant: NodePlant, tmp_path: Path) -> None:
    """Missing, unfit and bad nodes are all named at once, with their addresses."""
    await plant.have({"a": "Double", "t": "String", "f": "Double"})
    plant.set({"f": 1.0}, status="BadSensorFailure")
    nodes = ["ns=2;s=a", "ns=2;s=t", "ns=2;s=missing", "nsu=urn:no;s=a", "ns=2;s=f"]

    found = await probed(plant, nodes, tmp_path)

    assert ["M-1/r1", "M-1/r2", "M-1/r3", "M-1/r4"] == [
        text.split(": ")[1] for text in found
    ]
    assert "set text: true" in found[0]
    assert "no such node" in found[1]
    assert "no namespace urn:no" in found[2]
    assert "BadSensorFailure" in found[3]


async def test_probe_of_an_untrusted_server(
    secure_plant: NodePlant, tmp_path: Path
) -> None:
    """The first problem in the way is told, with what to do about it."""
    (said,) = await probed(secure_plant, ["ns=2;s=a"], tmp_path, **SECURE)
    assert "not trusted: if it is the right one, move" in said


async def probed(
    plant: NodePlant, nodes: list[str], folder: Path, **settings: Any
) -> list[str]:
    """Problems that the probe finds."""
    source = Reading(plant.endpoint, nodes, folder, **settings).source
    return await probe(
        "plc",
        source.settings,
        source.bindings,
        pki_dir=folder / "pki",
        application_uri=APPLICATION,
        password=None,
    )


def test_own_certificate_is_made_once(tmp_path: Path) -> None:
    """Ten years, our URI in it, the key for us alone; the second call reads it."""
    made = pki.own_identity(tmp_path, APPLICATION, NOW)
    again = pki.own_identity(tmp_path, APPLICATION, NOW + timedelta(days=3000))

    assert made.certificate == again.certificate
    assert 3650 <= (made.certificate.not_valid_after_utc - NOW).days <= 3660
    assert 0o600 == stat.S_IMODE((tmp_path / "own" / "key.pem").stat().st_mode)
    assert 0o700 == stat.S_IMODE((tmp_path / "own").stat().st_mode)
    names = made.certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value
    assert [APPLICATION] == names.get_values_for_type(x509.UniformResourceIdentifier)


def test_a_gateway_started_in_1970_is_not_locked_out(tmp_path: Path) -> None:
    """A certificate made with a dead clock is valid when the clock is right."""
    made = pki.own_identity(tmp_path, APPLICATION, datetime(1970, 1, 1, tzinfo=UTC))
    assert made.certificate.not_valid_before_utc < NOW
    assert 3000 < (made.certificate.not_valid_after_utc - NOW).days


def test_another_name_does_not_make_another_certificate(tmp_path: Path) -> None:
    """Servers trust the old one: a changed name is told, nothing is overwritten."""
    pki.own_identity(tmp_path, APPLICATION, NOW)
    with pytest.raises(ConfigError, match="is for urn:test:edge-agent, but this"):
        pki.own_identity(tmp_path, "urn:other", NOW)


@pytest.mark.parametrize("name", ["key.pem", "certificate.der"])
def test_half_a_pair_is_not_replaced(tmp_path: Path, name: str) -> None:
    """A missing key or certificate is told, not papered over."""
    pki.own_identity(tmp_path, APPLICATION, NOW)
    (tmp_path / "own" / name).unlink()
    with pytest.raises(ConfigError, match=f"{name} is missing"):
        pki.own_identity(tmp_path, APPLICATION, NOW)


@pytest.mark.parametrize(
    ("days", "limit"), [(91, None), (90, 90), (31, 90), (30, 30), (7, 7), (-1, 7)]
)
def test_the_end_is_announced_in_three_steps(days: int, limit: int | None) -> None:
    """90, 30 and 7 days before the certificate ends."""
    assert limit == pki.expiry_warning(days)


async def test_our_own_end_is_announced_once(
    secure_plant: NodePlant, tmp_path: Path
) -> None:
    """A certificate with 20 days left is told at connect, and not at every connect."""
    reading = Reading(
        secure_plant.endpoint,
        ["ns=2;s=a"],
        tmp_path,
        user="gateway",
        password="right",
        **SECURE,
    )
    await reading.lost()
    approve(tmp_path)
    own = pki.own_identity(tmp_path / "pki", APPLICATION, NOW)
    soon = own.certificate.not_valid_after_utc - timedelta(days=20, hours=12)
    reading.clock.offset = int(soon.timestamp()) * 10**9 - reading.clock.now()
    with capture_logs() as logs:
        for _ in range(2):
            reading.rows()
            async with reading.running():
                await until(lambda: len(reading.inbox) > 0)
    told = [line["days"] for line in logs if "ends soon" in line["event"]]
    assert [20] == told


def test_a_trusted_server_may_be_outdated_but_not_another(tmp_path: Path) -> None:
    """A certificate approved by name outlives its date, with a word about it."""
    pki.own_identity(tmp_path, APPLICATION, NOW)
    server, _ = certified("plc", days=10)
    der = server.public_bytes(serialization.Encoding.DER)
    with pytest.raises(trust.Untrusted, match="not trusted"):
        trust.check_server(tmp_path, der, NOW)
    (path,) = (tmp_path / "rejected").iterdir()
    path.rename(tmp_path / "trusted" / path.name)

    assert (server, []) == trust.check_server(tmp_path, der, NOW)
    _, (note,) = trust.check_server(tmp_path, der, NOW + timedelta(days=20))
    assert "ended 2026-06-11" in note


def test_an_authority_vouches_within_its_dates(tmp_path: Path) -> None:
    """A trusted authority's server is trusted; outside its dates it is refused."""
    pki.own_identity(tmp_path, APPLICATION, NOW)
    authority, key = certified("plant CA", days=1000, authority=True)
    server, _ = certified("plc", days=10, signed_by=(authority, key))
    pem = authority.public_bytes(serialization.Encoding.PEM)
    (tmp_path / "trusted" / "ca.pem").write_bytes(pem)
    (tmp_path / "trusted" / "readme.txt").write_bytes(b"put certificates here")
    der = server.public_bytes(serialization.Encoding.DER)

    assert (server, []) == trust.check_server(tmp_path, der, NOW)
    with pytest.raises(trust.Untrusted, match="renew it on the server"):
        trust.check_server(tmp_path, der, NOW + timedelta(days=11))
    with pytest.raises(trust.Untrusted, match="set the clock"):
        trust.check_server(tmp_path, der, datetime(1970, 1, 1, tzinfo=UTC))


def test_a_server_certificate_is_no_authority(tmp_path: Path) -> None:
    """One trusted PLC cannot vouch for another."""
    pki.own_identity(tmp_path, APPLICATION, NOW)
    trusted, key = certified("plc", days=10)
    pem = trusted.public_bytes(serialization.Encoding.PEM)
    (tmp_path / "trusted" / "plc.pem").write_bytes(pem)
    other, _ = certified("evil", days=10, signed_by=(trusted, key))
    with pytest.raises(trust.Untrusted, match="not trusted"):
        trust.check_server(
            tmp_path, other.public_bytes(serialization.Encoding.DER), NOW
        )


def test_rejected_certificates_are_bounded(tmp_path: Path) -> None:
    """Whoever shows a new certificate each time does not fill the disk."""
    pki.own_identity(tmp_path, APPLICATION, NOW)
    key = rsa.generate_private_key(65537, 2048)
    for number in range(trust.REJECTED_LIMIT + 3):
        shown, _ = certified(f"../{number}", days=10, key=key)
        with pytest.raises(trust.Untrusted):
            trust.check_server(
                tmp_path, shown.public_bytes(serialization.Encoding.DER), NOW
            )
    assert trust.REJECTED_LIMIT == len(list((tmp_path / "rejected").iterdir()))


def certified(
    name: str,
    *,
    days: int,
    authority: bool = False,
    signed_by: tuple[x509.Certificate, rsa.RSAPrivateKey] | None = None,
    key: rsa.RSAPrivateKey | None = None,
) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    """A certificate valid from now for some days, and its key."""
    key = key or rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = (
        (signed_by[0].subject, signed_by[1]) if signed_by else (subject, key)
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), True)
        .sign(signer, hashes.SHA256())
    )
    return certificate, key
