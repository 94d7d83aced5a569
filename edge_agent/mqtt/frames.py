"""PUBLISH and PUBACK as bytes: cut out of a stream, and put into one.

Pure. A PUBLISH of QoS 0 or 1 and the PUBACKs of our own packet ids are taken out
of the stream; every other packet is passed on unread, for paho.

Sizes: a payload above ``limit`` is never held in memory. Its topic is
reported, its packet id is acknowledged (or the broker would send it again for
ever) and its bytes are skipped as they come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIRST_OWN_ID = 0x8000
"""Packet ids from here up are ours, those below are paho's: a PUBACK tells whose."""
LAST_ID = 0xFFFF

MAX_CONTROL = 1 << 20
"""Bytes that any other packet (or a PUBLISH of QoS 2) may have."""

_PUBACK = b"\x40\x02"
_FAILED = 0x80
_CONTINUES = 0x80
_MAX_LENGTH_BYTES = 4
LONGEST_HEADER = 2 * 65_536
"""A PUBLISH whose topic and properties are longer than this is no telemetry."""

Frame = tuple[bytes, bytes, int, bool]
"""What is published: topic, payload, QoS (0 or 1), retain."""


class MalformedFrame(Exception):
    """The stream is not MQTT, or uses what was not agreed on; it cannot be resumed."""


@dataclass(frozen=True, slots=True)
class PublishProperties:
    """MQTT 5 properties that every message of a publish carries.

    Attributes:
        expiry: seconds after which a broker drops a retained or queued message.
        content_type: for example ``application/json``.
        text: payloads are UTF-8 text.
    """

    expiry: int | None = None
    content_type: str | None = None
    text: bool = False

    def encoded(self) -> bytes:
        """The property block of a PUBLISH, its length in front."""
        block = b"\x01\x01" if self.text else b""
        if self.expiry is not None:
            block += b"\x02" + self.expiry.to_bytes(4, "big")
        if self.content_type is not None:
            text = self.content_type.encode()
            block += b"\x03" + len(text).to_bytes(2, "big") + text
        return encoded_length(len(block)) + block


@dataclass(slots=True)
class Cut:
    """What one piece of the stream held.

    Attributes:
        topics: of the messages, in order.
        payloads: of the messages, in order.
        retained: positions of messages that the broker kept from before.
        to_ack: packet ids of QoS 1 messages, two bytes each.
        acked: our packet ids the broker took.
        refused: our packet ids the broker refused, with the reason code.
        oversized: topic and payload size of messages that were skipped.
        control: every other packet, whole, as it came.
    """

    topics: list[bytes] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    retained: list[int] = field(default_factory=list)
    to_ack: list[bytes] = field(default_factory=list)
    acked: list[int] = field(default_factory=list)
    refused: list[tuple[int, int]] = field(default_factory=list)
    oversized: list[tuple[bytes, int]] = field(default_factory=list)
    control: bytearray = field(default_factory=bytearray)


class FrameCutter:
    """Cuts a stream that comes in arbitrary pieces.

    Args:
        version5: MQTT 5, whose PUBLISH has a property block.
        limit: bytes of the largest payload that is read.
    """

    def __init__(self, *, version5: bool, limit: int) -> None:
        self._version5 = version5
        self._limit = limit
        self._rest = b""
        self._skip = 0

    @property
    def waiting(self) -> int:
        """Bytes held of a packet that is not complete."""
        return len(self._rest)

    def feed(self, data: bytes) -> Cut:
        """Cut the packets that are complete with this piece.

        Raises:
            MalformedFrame: the link is of no use any more.
        """
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._rest:
            data = self._rest + data
        cut = Cut()
        try:
            end = self._walk(data, cut)
        except IndexError:
            raise MalformedFrame("a PUBLISH that ends within its header") from None
        self._rest = data[end:]
        if len(self._rest) > max(self._limit + LONGEST_HEADER, MAX_CONTROL):
            raise MalformedFrame(f"a packet of more than {MAX_CONTROL} bytes unasked")
        return cut

    def _walk(self, data: bytes, cut: Cut) -> int:  # noqa: C901, PLR0912
        # one pass without calls: a call is a fifth of what a message costs
        topics, payloads, to_ack = cut.topics, cut.payloads, cut.to_ack
        version5, limit = self._version5, self._limit
        pos, end = 0, len(data)
        while end - pos >= 2:  # noqa: PLR2004  (shortest packet)
            head, size, body = data[pos], data[pos + 1], pos + 2
            if size >= _CONTINUES:
                size, body = decoded_length(data, pos + 1)
                if body < 0:
                    break
            stop = body + size
            if head & 0xF4 != 0x30:  # noqa: PLR2004  (no PUBLISH, or QoS 2)
                if stop > end:
                    break
                self._other(data, pos, body, stop, cut)
                pos = stop
                continue
            if size > limit:
                after = self._skip_large(data, pos, body, stop, cut)
                if after is None:
                    break
                if after:
                    pos = after
                    continue
            if stop > end:
                break
            start = body + 2
            at = start + (data[body] << 8) + data[body + 1]
            topic = data[start:at]
            if head & 0x02:
                to_ack.append(data[at : at + 2])
                at += 2
            if version5:
                at = at + 1 if data[at] == 0 else _after_properties(data, at)
            if at > stop or not topic:
                raise MalformedFrame(
                    "a PUBLISH without topic, or shorter than its parts"
                )
            if head & 0x01:
                cut.retained.append(len(topics))
            topics.append(topic)
            payloads.append(data[at:stop])
            pos = stop
        return pos

    def _other(self, data: bytes, pos: int, body: int, stop: int, cut: Cut) -> None:
        if data[pos] == _PUBACK[0] and stop - body >= 2:  # noqa: PLR2004
            packet_id = (data[body] << 8) + data[body + 1]
            if packet_id >= FIRST_OWN_ID:
                code = data[body + 2] if stop - body > 2 else 0  # noqa: PLR2004
                if code >= _FAILED:
                    cut.refused.append((packet_id, code))
                else:
                    cut.acked.append(packet_id)
                return
        cut.control += data[pos:stop]

    def _skip_large(
        self, data: bytes, pos: int, body: int, stop: int, cut: Cut
    ) -> int | None:
        """Where to go on; 0 if it is not large after all, None to wait for more."""
        found = self._header(data, pos, body, stop)
        if found is None:
            return None
        topic_end, start = found
        if stop - start <= self._limit and start - body <= LONGEST_HEADER:
            return 0
        if data[pos] & 0x02:
            cut.to_ack.append(data[topic_end : topic_end + 2])
        cut.oversized.append((data[body + 2 : topic_end], max(0, stop - start)))
        self._skip = max(0, stop - len(data))
        return min(stop, len(data))

    def _header(
        self, data: bytes, pos: int, body: int, stop: int
    ) -> tuple[int, int] | None:
        """End of the topic and begin of the payload; None while that is not known."""
        if body + 2 > len(data):
            return None
        topic_end = body + 2 + (data[body] << 8) + data[body + 1]
        at = topic_end + (2 if data[pos] & 0x02 else 0)
        if at > stop:
            raise MalformedFrame("a PUBLISH shorter than its topic")
        if not self._version5:
            return (topic_end, at) if at <= len(data) else None
        length, after = decoded_length(data, at)
        return None if after < 0 else (topic_end, after + length)


@lru_cache(maxsize=4096)
def encoded_length(length: int) -> bytes:
    """MQTT's variable byte integer.

    Raises:
        ValueError: more than 268,435,455.
    """
    if length < _CONTINUES:
        return bytes((length,))
    out = bytearray()
    while length:
        length, byte = length >> 7, length & 0x7F
        out.append(byte | _CONTINUES if length else byte)
    if len(out) > _MAX_LENGTH_BYTES:
        raise ValueError("larger than an MQTT packet can be")
    return bytes(out)


def decoded_length(data: bytes, pos: int) -> tuple[int, int]:
    """Variable byte integer at ``pos``, and where it ends; -1 when it is cut off.

    Raises:
        MalformedFrame: longer than four bytes.
    """
    length = 0
    for count in range(_MAX_LENGTH_BYTES):
        if pos + count >= len(data):
            return 0, -1
        byte = data[pos + count]
        length |= (byte & 0x7F) << (7 * count)
        if byte < _CONTINUES:
            return length, pos + count + 1
    raise MalformedFrame("a length of more than four bytes")


def _after_properties(data: bytes, at: int) -> int:
    length, after = decoded_length(data, at)
    if after < 0:
        raise MalformedFrame("a PUBLISH that ends within its properties")
    return after + length


def pubacks(packet_ids: Sequence[bytes]) -> bytes:
    """One PUBACK for each packet id, each two bytes as they came."""
    return _PUBACK + _PUBACK.join(packet_ids) if packet_ids else b""


def publishes(
    frames: Sequence[Frame], packet_ids: Sequence[int], properties: bytes
) -> Iterator[bytes]:
    """PUBLISH packets, one for each frame.

    Args:
        frames: what to publish.
        packet_ids: one for each frame; ignored at QoS 0.
        properties: encoded property block of MQTT 5, nothing for 3.1.1.
    """
    for (topic, payload, qos, retain), packet_id in zip(
        frames, packet_ids, strict=True
    ):
        ident = packet_id.to_bytes(2, "big") if qos else b""
        rest = len(topic) + len(ident) + len(properties) + len(payload)
        # one format and no sums of bytes: half the time
        yield b"%c%b%b%b%b%b%b" % (
            0x30 | qos << 1 | retain,
            encoded_length(2 + rest),
            len(topic).to_bytes(2, "big"),
            topic,
            ident,
            properties,
            payload,
        )
