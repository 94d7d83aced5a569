"""The least MQTT 3.1.1 a load generator needs; it must cost next to nothing."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PUBLISH = 0x30


def varint(value: int) -> bytes:
    """MQTT variable byte integer."""
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _text(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def publish(topic: bytes, payload: bytes, packet: int = 0) -> bytes:
    """PUBLISH frame; QoS 1 when it has a packet id."""
    body = _text(topic) + (packet.to_bytes(2, "big") if packet else b"") + payload
    first = _PUBLISH | (2 if packet else 0)
    return bytes([first]) + varint(len(body)) + body


def connect(port: int, client: bytes) -> socket.socket:
    """A clean session on the loopback broker, CONNACK read, Nagle off."""
    sock = socket.create_connection(("127.0.0.1", port), 5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = _text(b"MQTT") + b"\x04\x02" + (0).to_bytes(2, "big") + _text(client)
    sock.sendall(b"\x10" + varint(len(body)) + body)
    _expect(sock, 0x20)
    return sock


def subscribe(sock: socket.socket, pattern: bytes, qos: int = 0) -> None:
    """Subscribe and read SUBACK."""
    body = b"\x00\x01" + _text(pattern) + bytes([qos])
    sock.sendall(b"\x82" + varint(len(body)) + body)
    _expect(sock, 0x90)


def _expect(sock: socket.socket, kind: int) -> None:
    head = sock.recv(2, socket.MSG_WAITALL)
    body = sock.recv(head[1], socket.MSG_WAITALL)
    if head[0] != kind or (kind == 0x20 and body[1] != 0) or body[-1] >= 0x80:
        raise ConnectionError(f"broker answered {head.hex()} {body.hex()}")


def frames(data: bytes) -> Iterator[tuple[int, int, int]]:
    """First byte, start and end of the body of each complete frame."""
    at, size = 0, len(data)
    while at + 2 <= size:
        length, shift, body = 0, 0, at + 1
        while body < size:
            byte = data[body]
            body += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        else:
            return
        if body + length > size:
            return
        yield data[at], body, body + length
        at = body + length
