"""Frames: any split of a stream gives the same messages, and paho agrees."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.mqtt.frames import (
    FIRST_OWN_ID,
    Cut,
    FrameCutter,
    MalformedFrame,
    PublishProperties,
    decoded_length,
    encoded_length,
    publishes,
)

LIMIT = 300


@dataclass(frozen=True)
class Packet:
    """A packet and what cutting it has to give."""

    raw: bytes
    message: tuple[bytes, bytes, bool] | None = None
    to_ack: bytes | None = None
    acked: int | None = None
    refused: tuple[int, int] | None = None
    oversized: bytes | None = None
    control: bool = False


@st.composite
def a_publish(draw: st.DrawFn, version5: bool) -> Packet:
    """A PUBLISH of any QoS, some of them beyond the limit."""
    topic = draw(st.text(min_size=1, max_size=20)).encode("utf-8", "replace")
    payload = draw(
        st.one_of(st.binary(max_size=200), st.integers(LIMIT - 3, LIMIT + 3).map(bytes))
    )
    qos, retain = draw(st.integers(0, 2)), draw(st.booleans())
    packet_id = draw(st.integers(1, 0xFFFF)).to_bytes(2, "big") if qos else b""
    block = draw(st.binary(max_size=150)) if version5 else None
    props = b"" if block is None else encoded_length(len(block)) + block
    body = len(topic).to_bytes(2, "big") + topic + packet_id + props + payload
    raw = bytes((0x30 | qos << 1 | retain,)) + encoded_length(len(body)) + body
    if qos == 2:
        return Packet(raw, control=True)
    if len(payload) > LIMIT:
        return Packet(raw, oversized=topic, to_ack=packet_id or None)
    return Packet(raw, (topic, payload, retain), packet_id or None)


@st.composite
def an_acknowledgement(draw: st.DrawFn, version5: bool) -> Packet:
    """A PUBACK for an id of ours or of paho's."""
    packet_id = draw(st.integers(1, 0xFFFF))
    code = draw(st.sampled_from([None, 0, 0x10, 0x80, 0x97])) if version5 else None
    body = packet_id.to_bytes(2, "big") + (b"" if code is None else bytes((code, 0)))
    raw = b"\x40" + encoded_length(len(body)) + body
    if packet_id < FIRST_OWN_ID:
        return Packet(raw, control=True)
    if (code or 0) >= 0x80:
        return Packet(raw, refused=(packet_id, code or 0))
    return Packet(raw, acked=packet_id)


OTHERS = st.sampled_from(
    [
        Packet(raw, control=True)
        for raw in (
            b"\xd0\x00",  # PINGRESP
            b"\x20\x02\x00\x00",  # CONNACK
            b"\x90\x03\x00\x01\x00",  # SUBACK
            b"\x50\x02\x12\x34",  # PUBREC
            b"\xb0\x80\x01" + bytes(128),  # UNSUBACK of two length bytes
        )
    ]
)


def a_stream(version5: bool) -> st.SearchStrategy[list[Packet]]:
    """Packets of every kind."""
    one = st.one_of(a_publish(version5), an_acknowledgement(version5), OTHERS)
    return st.lists(one, max_size=12)


@pytest.mark.parametrize("version5", [False, True])
@given(data=st.data())
def test_any_split_of_a_stream_gives_the_same(
    version5: bool, data: st.DataObject
) -> None:
    """Wherever the network cuts, messages and acknowledgements are those sent."""
    packets = data.draw(a_stream(version5))
    stream = b"".join(packet.raw for packet in packets)
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=30))
    edges = [0, *sorted(places), len(stream)]
    cutter = FrameCutter(version5=version5, limit=LIMIT)
    cuts = [cutter.feed(stream[a:b]) for a, b in pairwise(edges)]

    assert _messages(cuts) == [p.message for p in packets if p.message]
    assert _all(cuts, "to_ack") == [p.to_ack for p in packets if p.to_ack]
    assert _all(cuts, "acked") == [p.acked for p in packets if p.acked]
    assert _all(cuts, "refused") == [p.refused for p in packets if p.refused]
    oversized = [topic for topic, _ in _all(cuts, "oversized")]
    assert oversized == [p.oversized for p in packets if p.oversized]
    control = b"".join(bytes(cut.control) for cut in cuts)
    assert control == b"".join(p.raw for p in packets if p.control)
    assert cutter.waiting == 0


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_cut_or_refused(noise: bytes, version5: bool) -> None:
    """Noise gives frames or `MalformedFrame`, and never holds more than came."""
    cutter = FrameCutter(version5=version5, limit=LIMIT)
    try:
        for at in range(0, len(noise), 7):
            cutter.feed(noise[at : at + 7])
    except MalformedFrame:
        return
    assert cutter.waiting <= len(noise)


def test_a_huge_message_is_never_held() -> None:
    """Of a message beyond the limit only the header is kept."""
    cutter = FrameCutter(version5=False, limit=LIMIT)
    body = b"\x00\x01t\x00\x07" + bytes(10_000_000)
    raw = b"\x32" + encoded_length(len(body)) + body
    acked: list[bytes] = []
    for at in range(0, len(raw), 65_536):
        acked += cutter.feed(raw[at : at + 65_536]).to_ack
        assert cutter.waiting < 100
    assert acked == [b"\x00\x07"]
    assert cutter.feed(b"\x30\x04\x00\x01tx").payloads == [b"x"]


def test_a_message_that_is_all_properties_is_skipped() -> None:
    """A small payload behind endless properties is not worth holding either."""
    cutter = FrameCutter(version5=True, limit=LIMIT)
    block = encoded_length(5_000_000) + bytes(5_000_000)
    body = b"\x00\x01t\x00\x07" + block + b"x"
    raw = b"\x32" + encoded_length(len(body)) + body
    cuts = [cutter.feed(raw[at : at + 4096]) for at in range(0, len(raw), 4096)]

    assert _all(cuts, "oversized") == [(b"t", 1)]
    assert _all(cuts, "to_ack") == [b"\x00\x07"]
    assert cutter.waiting == 0


def test_an_endless_control_packet_is_refused() -> None:
    """A broker cannot make us hold what we never asked for."""
    cutter = FrameCutter(version5=True, limit=LIMIT)
    cutter.feed(b"\x90" + encoded_length(200_000_000) + bytes(1_000_000))
    with pytest.raises(MalformedFrame):
        cutter.feed(bytes(100_000))


@given(
    topic=st.text(min_size=1, max_size=30, alphabet=st.characters(codec="utf-8")),
    payload=st.binary(max_size=300),
    qos=st.integers(0, 1),
    retain=st.booleans(),
    version5=st.booleans(),
    expiry=st.none() | st.integers(0, 2**32 - 1),
    content=st.none() | st.just("application/json"),
    text=st.booleans(),
)
def test_paho_writes_the_same_bytes(
    topic: str,
    payload: bytes,
    qos: int,
    retain: bool,
    version5: bool,
    expiry: int | None,
    content: str | None,
    text: bool,
) -> None:
    """A PUBLISH of ours is byte for byte paho's, properties included."""
    given_properties = PublishProperties(expiry, content, text)
    theirs = _by_paho(topic, payload, qos, retain, version5, given_properties)
    block = given_properties.encoded() if version5 else b""
    (ours,) = publishes([(topic.encode(), payload, qos, retain)], [1], block)

    assert ours == theirs


@given(st.integers(0, 268_435_455))
def test_lengths_come_back(length: int) -> None:
    """The variable byte integer is decoded to what was encoded."""
    raw = encoded_length(length)
    assert decoded_length(raw + b"\xff", 0) == (length, len(raw))
    assert decoded_length(raw[:-1], 0) == (0, -1)


def test_a_length_beyond_mqtt_is_refused() -> None:
    """Five length bytes exist in no packet."""
    with pytest.raises(MalformedFrame):
        decoded_length(b"\xff\xff\xff\xff\x01", 0)
    with pytest.raises(ValueError, match="larger"):
        encoded_length(268_435_456)


def _by_paho(
    topic: str,
    payload: bytes,
    qos: int,
    retain: bool,
    version5: bool,
    properties: PublishProperties,
) -> bytes:
    protocol = MQTTv5 if version5 else MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    client._sock = _NoSocket()  # type: ignore[assignment]
    client.on_socket_register_write = lambda *_: None
    block = None
    if version5:
        block = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if properties.text:
            block.PayloadFormatIndicator = 1
        if properties.expiry is not None:
            block.MessageExpiryInterval = properties.expiry
        if properties.content_type is not None:
            block.ContentType = properties.content_type
    client._send_publish(1, topic.encode(), payload, qos, retain, properties=block)
    return bytes(client._out_packet[0]["packet"])


class _NoSocket:
    def close(self) -> None:
        """Nothing to close."""


def _messages(cuts: list[Cut]) -> list[tuple[bytes, bytes, bool]]:
    return [
        (topic, payload, place in cut.retained)
        for cut in cuts
        for place, (topic, payload) in enumerate(
            zip(cut.topics, cut.payloads, strict=True)
        )
    ]


def _all(cuts: list[Cut], name: str) -> list[Any]:
    return [each for cut in cuts for each in getattr(cut, name)]
