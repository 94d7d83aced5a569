"""A TCP or TLS connection to a broker, made without blocking the event loop.

paho's own connect blocks for as long as name look-up, TCP and the TLS handshake
take, and a thread around it cannot be cancelled. Here each step awaits; paho gets
a socket that is ready.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

from edge_agent.mqtt.reasons import LinkLost

if TYPE_CHECKING:
    from edge_agent.config.schema import MqttLink, Tls

Connection = socket.socket | ssl.SSLSocket

PLAIN_PORT = 1883
TLS_PORT = 8883


def port_of(link: MqttLink) -> int:
    """The configured port, or the usual one."""
    return link.port or (TLS_PORT if link.tls else PLAIN_PORT)


def address_of(link: MqttLink) -> str:
    """``host:port`` as it stands in messages."""
    return f"{link.host}:{port_of(link)}"


async def dial(link: MqttLink, timeout: float) -> Connection:  # noqa: ASYNC109
    """Connect; the socket is non-blocking and has TCP_NODELAY.

    Args:
        link: where to.
        timeout: seconds for look-up, TCP and TLS together.

    Raises:
        LinkLost: with what to do about it.
    """
    where = address_of(link)
    try:
        async with asyncio.timeout(timeout):
            return await _dial(link)
    except TimeoutError:
        raise LinkLost(
            f"broker {where} does not answer within {timeout:g} s;"
            " check host, port and the firewall between"
        ) from None
    except ssl.SSLError as refused:
        raise LinkLost(f"broker {where}: {_tls_advice(refused, link)}") from refused
    except socket.gaierror as unknown:
        raise LinkLost(
            f"broker {where}: the name {link.host} is not known;"
            " check host and the gateway's name server"
        ) from unknown
    except ConnectionRefusedError as refused:
        raise LinkLost(
            f"broker {where} is not there: nothing listens on this port;"
            " check that the broker runs, host and port"
        ) from refused
    except OSError as failed:
        hint = "; check that this port speaks TLS" if link.tls else ""
        raise LinkLost(f"broker {where} cannot be reached: {failed}{hint}") from failed


async def _dial(link: MqttLink) -> Connection:
    context = await asyncio.to_thread(_context, link.tls) if link.tls else None
    sock = await _tcp(link.host, port_of(link))
    try:
        # Nagle delays a PUBACK until the last segment is acknowledged: 40 ms a window
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None or link.tls is None:
            return sock
        name = link.tls.server_name or link.host
        secure = context.wrap_socket(
            sock, server_hostname=name, do_handshake_on_connect=False
        )
    except BaseException:
        sock.close()
        raise
    try:
        await _handshake(secure)
    except BaseException:
        secure.close()
        raise
    return secure


async def _tcp(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = OSError("no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as failed:
            sock.close()
            failure = failed
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def _context(tls: Tls) -> ssl.SSLContext:
    """Read certificates: files, so off the loop.

    Raises:
        LinkLost: a file is missing or no certificate.
    """
    try:
        context = ssl.create_default_context(
            cafile=None if tls.ca_file is None else str(tls.ca_file)
        )
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except (OSError, ValueError) as unreadable:
        files = (tls.ca_file, tls.cert_file, tls.key_file)
        names = ", ".join(str(name) for name in files if name is not None)
        raise LinkLost(
            f"cannot use the TLS files {names}: {unreadable};"
            " check that they exist, are PEM and may be read by the agent"
        ) from unreadable
    return context


async def _handshake(secure: ssl.SSLSocket) -> None:
    while True:
        try:
            secure.do_handshake()
        except ssl.SSLWantReadError:
            await _ready(secure, write=False)
        except ssl.SSLWantWriteError:
            await _ready(secure, write=True)
        else:
            return


async def _ready(sock: socket.socket, *, write: bool) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    if write:
        loop.add_writer(sock, _settle, ready)
    else:
        loop.add_reader(sock, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_writer(sock)
        loop.remove_reader(sock)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _tls_advice(refused: ssl.SSLError, link: MqttLink) -> str:
    if isinstance(refused, ssl.SSLCertVerificationError):
        name = (link.tls and link.tls.server_name) or link.host
        return (
            f"its certificate is not trusted: {refused.verify_message}; set tls ca_file"
            " to the authority that signed it, server_name to the name in it"
            f" (now {name}), and check clocks"
        )
    reason = refused.reason or str(refused)
    return (
        f"no TLS connection: {reason}; check that this port speaks TLS and that"
        " cert_file and key_file are what the broker asks for"
    )
