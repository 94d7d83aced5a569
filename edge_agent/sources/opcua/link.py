"""One connection to a server: channel, session, login, and its end.

A new asyncua client per connection: one that has seen a dead network may hang for
ever when used again (opcua-asyncio #1660). asyncua's supervisor is not started;
whoever calls owns reconnecting.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from asyncua import Client, ua
from asyncua.crypto import security_policies

from edge_agent.config.schema import Security
from edge_agent.errors import SourceLost
from edge_agent.sources.opcua import pki, trust
from edge_agent.sources.opcua.faults import explained, translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.config.schema import OpcUaSource as Settings

_POLICIES: dict[str, Any] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128Sha256RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256Sha256RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
_NO_POLICY = security_policies.SecurityPolicyNone.URI
_MODES = {
    Security.NONE: ua.MessageSecurityMode.None_,
    Security.SIGN: ua.MessageSecurityMode.Sign,
    Security.SIGN_AND_ENCRYPT: ua.MessageSecurityMode.SignAndEncrypt,
}
_RENEWAL = 0.75  # of a channel's lifetime, Part 4 5.5.2.1
_GOODBYE = 2.0  # seconds a server may take to close a session
_STEPS = 6  # requests until a session is open, each within the request timeout
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are: towards the server, and towards its users."""

    pki_dir: Path
    application_uri: str
    password: str | None = field(default=None, repr=False)


class Link:
    """An open session.

    Attributes:
        client: asyncua's client.
        notes: what the operator should know although the link is up.
        certificate_ends: end of our certificate; None without security.
    """

    def __init__(self, client: Client, name: str, settings: Settings) -> None:
        self.client, self.name, self.settings = client, name, settings
        self.notes: list[str] = []
        self.certificate_ends: datetime | None = None

    @property
    def session(self) -> Any:  # noqa: ANN401
        """The session of asyncua, with the services."""
        return self.client.uaclient.session

    async def renewed(self) -> NoReturn:
        """Renew the secure channel in time, for as long as the link lives.

        Raises:
            SourceLost: the server did not renew it.
        """
        while True:
            seconds = self.client.secure_channel_timeout / 1000
            await asyncio.sleep(seconds * _RENEWAL)
            with translated(f"{self.name}: renewing the secure channel"):
                await self.client.open_secure_channel(renew=True)
                self.client.uaclient.revolve_security_token()

    def certificate_days(self, clock: Clock) -> int | None:
        """Days our certificate has left; None without security."""
        ends = self.certificate_ends
        return None if ends is None else (ends - _wall(clock)).days

    async def close(self) -> None:
        """Say goodbye if anyone listens, then drop the socket in any case."""
        uaclient = self.client.uaclient
        transport = uaclient.protocol.transport if uaclient.protocol else None
        uaclient.pre_request_hook = None
        try:
            async with asyncio.timeout(_GOODBYE):
                # subscriptions go with it: a server has few, and keeps them for long
                await uaclient.close_session(delete_subscriptions=True)
                await uaclient.close_secure_channel()
        except Exception:  # noqa: BLE001, S110
            # the link is being given up: whatever is wrong with it is already told
            pass
        finally:
            self.client.disconnect_socket()
            if transport is not None:
                # close() would wait for a dead peer to take what is still buffered
                transport.abort()


@asynccontextmanager
async def opened(
    name: str, settings: Settings, credentials: Credentials, clock: Clock
) -> AsyncIterator[Link]:
    """A session with the server, closed on leaving.

    Raises:
        SourceLost: it cannot be opened; the text says which side must do what.
        ConfigError: our own certificate's files are wrong.
    """
    client = Client(settings.endpoint, timeout=settings.request_timeout)
    client.name = client.description = f"edge-agent {name}"
    client.application_uri = credentials.application_uri
    client.product_uri = "urn:edge-agent"
    client.session_timeout = round(settings.session_timeout * 1000)
    client.uaclient.pre_request_hook = None  # waits for a supervisor we do not start
    link = Link(client, name, settings)
    try:
        async with asyncio.timeout(_STEPS * settings.request_timeout):
            await _open(link, credentials, _wall(clock))
    except TimeoutError as error:
        await link.close()
        raise SourceLost(f"{name}: {settings.endpoint}: no answer in time") from error
    except BaseException:
        await link.close()
        raise
    try:
        yield link
    finally:
        await link.close()


def _wall(clock: Clock) -> datetime:
    return _EPOCH + timedelta(microseconds=(clock.now() + clock.wall_offset()) // 1000)


async def _open(link: Link, credentials: Credentials, now: datetime) -> None:
    client, settings = link.client, link.settings
    where = f"{link.name}: {settings.endpoint}"
    if settings.security is not Security.NONE:
        with translated(f"{where}: asking for its endpoints"):
            endpoint = await _endpoint(settings)
        await _secure(link, endpoint, credentials, now)
    with translated(where):
        await client.connect_socket()
        await client.send_hello()
        await _channel(link)
        await client.create_session()
        _check_login(link, credentials, now)
        await client.activate_session(settings.user, credentials.password)


async def _endpoint(settings: Settings) -> ua.EndpointDescription:
    """The endpoint with the wanted security, asked for over an open channel.

    What it says is not believed: the certificate must be trusted here, and the
    secured channel proves the server has its key.
    """
    asking = Client(settings.endpoint, timeout=settings.request_timeout)
    asking.uaclient.pre_request_hook = None
    offered = await asking.connect_and_get_server_endpoints()
    policy = _POLICIES[settings.policy].URI
    for endpoint in offered:
        if (endpoint.SecurityMode, endpoint.SecurityPolicyUri) == (
            _MODES[settings.security],
            policy,
        ):
            return endpoint
    raise SourceLost(
        f"{settings.endpoint} does not offer {settings.security} with"
        f" {settings.policy}; it offers {_offers(offered)}: switch it on there or"
        " change security and policy"
    )


def _offers(endpoints: list[ua.EndpointDescription]) -> str:
    found = {
        f"{e.SecurityMode.name.rstrip('_')} with"
        f" {(e.SecurityPolicyUri or '').rpartition('#')[2]}"
        for e in endpoints
    }
    return ", ".join(sorted(found)) or "nothing"


async def _secure(
    link: Link,
    endpoint: ua.EndpointDescription,
    credentials: Credentials,
    now: datetime,
) -> None:
    """Set policy, our certificate and the server's, once that is trusted."""
    settings = link.settings
    identity = await asyncio.to_thread(
        pki.own_identity, credentials.pki_dir, credentials.application_uri, now
    )
    link.certificate_ends = identity.certificate.not_valid_after_utc
    chain = endpoint.ServerCertificate or b""
    server = _trusted(link, chain, credentials, now)
    policy: Any = _POLICIES[settings.policy](
        server, identity.certificate, identity.key, _MODES[settings.security]
    )
    link.client.security_policy = policy
    link.client.uaclient.set_security(policy)


def _trusted(
    link: Link, chain: bytes, credentials: Credentials, now: datetime
) -> pki.Certificate:
    try:
        server, notes = trust.check_server(credentials.pki_dir, chain, now)
    except trust.Untrusted as error:
        raise SourceLost(f"{link.name}: {error}") from error
    link.notes += notes
    return server


async def _channel(link: Link) -> None:
    """Open the secure channel; a server that just hangs up usually distrusts us."""
    try:
        await link.client.open_secure_channel()
    except ConnectionError as error:
        if link.settings.security is Security.NONE:
            raise
        raise SourceLost(
            f"{link.name}: {link.settings.endpoint} hung up when we showed our"
            " certificate: trust pki/own/certificate.der on the server"
            f" ({explained(error)})"
        ) from error


def _check_login(link: Link, credentials: Credentials, now: datetime) -> None:
    """Refuse to send a password that others could read, or to the wrong server."""
    client, user = link.client, link.settings.user
    wanted = ua.UserTokenType.UserName if user else ua.UserTokenType.Anonymous
    # private, but the only place where asyncua keeps what the endpoint accepts
    offered = {policy.TokenType for policy in client._policy_ids}  # noqa: SLF001
    if wanted not in offered:
        raise SourceLost(
            f"{link.name}: {link.settings.endpoint} does not accept"
            + (" user and password" if user else " anonymous clients: set user")
        )
    if not user or link.settings.security is Security.SIGN_AND_ENCRYPT:
        return
    if client.server_policy(wanted).SecurityPolicyUri in {"", None, _NO_POLICY}:
        raise SourceLost(
            f"{link.name}: {link.settings.endpoint} would get the password of {user!r}"
            " unencrypted: it is not sent. Use security: SignAndEncrypt, or have the"
            " server ask for an encrypted password"
        )
    if link.settings.security is Security.NONE:
        # encrypted for whoever showed this certificate: it must be the right one
        shown = client.security_policy.peer_certificate or b""
        _trusted(link, shown, credentials, now)
