"""Bulk decoding gives what asyncua's own decoding gives, on any message."""

# ruff: noqa: ANN401  asyncua and hypothesis hand over what they like
from __future__ import annotations

import struct
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sources.opcua.columns import NO_TIME, Published
from edge_agent.sources.opcua.decode import decode
from edge_agent.sources.opcua.ids import node_id, status_code
from edge_agent.sources.opcua.stock import decode_stock

CAPTURED = sorted((Path(__file__).parent / "captured").glob("*.bin"))

KINDS = {
    1: ("<?", st.booleans()),
    2: ("<b", st.integers(-(2**7), 2**7 - 1)),
    3: ("<B", st.integers(0, 2**8 - 1)),
    4: ("<h", st.integers(-(2**15), 2**15 - 1)),
    5: ("<H", st.integers(0, 2**16 - 1)),
    6: ("<i", st.integers(-(2**31), 2**31 - 1)),
    7: ("<I", st.integers(0, 2**32 - 1)),
    8: ("<q", st.integers(-(2**63), 2**63 - 1)),
    9: ("<Q", st.integers(0, 2**64 - 1)),
    10: ("<f", st.floats(width=32)),
    11: ("<d", st.floats()),
    13: ("<q", st.integers(-10, 2**63 - 1)),
}
TICKS = st.one_of(
    st.integers(-20, 20),
    st.integers(130_000_000_000_000_000, 140_000_000_000_000_000),
    st.integers(0, 2**63 - 1),
)
#: All masks but those with source picoseconds before a server time: asyncua 2.1.0 reads
#: these two in the wrong order, see `test_picoseconds_before_the_server_time`.
MASKS = st.sampled_from([m for m in range(0x40) if m & 0x18 != 0x18])
U16, U32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)


@st.composite
def numbers(draw: st.DrawFn, mask: int | None = None, kind: int | None = None) -> bytes:
    """One item with a scalar number, or with no value."""
    mask = draw(MASKS) if mask is None else mask
    item = struct.pack("<IB", draw(U32), mask)
    if mask & 0x01:
        kind = draw(st.sampled_from([0, *KINDS])) if kind is None else kind
        item += bytes([kind])
        if kind:
            form, values = KINDS[kind]
            item += struct.pack(form, draw(values))
    return item + draw(tails(mask))


@st.composite
def tails(draw: st.DrawFn, mask: int) -> bytes:
    """Status, times and picoseconds as the mask says."""
    tail = b""
    for bit, form, values in (
        (0x02, "<I", U32),
        (0x04, "<q", TICKS),
        (0x10, "<H", U16),
        (0x08, "<q", TICKS),
        (0x20, "<H", U16),
    ):
        if mask & bit:
            tail += struct.pack(form, draw(values))
    return tail


@st.composite
def strings(draw: st.DrawFn) -> bytes:
    """One item with a string: null, empty, or any bytes a PLC may send."""
    mask = draw(MASKS) | 0x01
    octets = draw(st.one_of(st.none(), st.binary(max_size=12), st.just("Ü-1".encode())))
    length = struct.pack("<i", -1 if octets is None else len(octets))
    head = struct.pack("<IBB", draw(U32), mask, 12) + length + (octets or b"")
    return head + draw(tails(mask))


@st.composite
def odd(draw: st.DrawFn) -> bytes:
    """One item that only asyncua's decoder knows: an array, a guid, a structure."""
    values = [
        ua.Variant([1.0, 2.0], ua.VariantType.Double),
        ua.Variant(ua.LocalizedText("Pumpe"), ua.VariantType.LocalizedText),
        ua.Variant(b"\x00\x01", ua.VariantType.ByteString),
        ua.Variant(node_id(85), ua.VariantType.NodeId),
    ]
    data = ua.DataValue(draw(st.sampled_from(values)))
    item = ua.MonitoredItemNotification(draw(U32), data)
    return bytes(struct_to_binary(item))


@st.composite
def uniform(draw: st.DrawFn) -> list[bytes]:
    """Items that are all encoded alike."""
    mask, kind = draw(MASKS), draw(st.sampled_from(list(KINDS)))
    return draw(st.lists(numbers(mask, kind), max_size=20))


def response(*bodies: list[bytes], sequence: int = 7, more: bool = False) -> bytes:
    """A publish response with one data change notification per list of items."""
    notifications = b""
    for items in bodies:
        change = struct.pack("<i", len(items)) + b"".join(items)
        change += struct.pack("<i", -1)
        notifications += b"\x01\x00\x2b\x03\x01" + struct.pack("<i", len(change))
        notifications += change
    return (
        b"\x01\x00\x3d\x03"
        + struct.pack("<qIIBi", 133_000_000_000_000_000, 5, 0, 0, -1)
        + b"\x00\x00\x00"
        + struct.pack("<IiII", 42, 2, 6, 7)
        + struct.pack("<?Iqi", more, sequence, 133_000_000_000_000_000, len(bodies))
        + notifications
        + struct.pack("<ii", -1, -1)
    )


def same(bulk: Published, stock: Published) -> None:
    """Assert two ways of decoding equal in every column, bit for bit."""
    for name in ("handle", "value", "status", "source", "server"):
        left, right = getattr(bulk.items, name), getattr(stock.items, name)
        assert left.dtype == right.dtype, name
        np.testing.assert_array_equal(left, right, err_msg=name)
    assert stock.items.texts == bulk.items.texts
    np.testing.assert_array_equal(stock.items.text_mask(), bulk.items.text_mask())
    assert replace(stock, items=bulk.items) == bulk


@given(uniform())
def test_uniform_batches(items: list[bytes]) -> None:
    """A message whose items are all alike, whatever their type and mask."""
    body = response(items)
    bulk = decode(body)
    assert bulk is not None
    same(bulk, decode_stock(body))


@given(st.lists(st.one_of(numbers(), strings()), max_size=12))
def test_mixed_batches(items: list[bytes]) -> None:
    """A message of numbers of any type, missing values and strings, in any order."""
    body = response(items)
    bulk = decode(body)
    assert bulk is not None
    same(bulk, decode_stock(body))


@given(st.lists(st.lists(st.one_of(numbers(), strings()), max_size=4), max_size=3))
def test_several_notifications_in_a_message(bodies: list[list[bytes]]) -> None:
    """Several data changes in one message are one batch in their order."""
    body = response(*bodies, more=True, sequence=2**32 - 1)
    bulk = decode(body)
    assert bulk is not None
    same(bulk, decode_stock(body))


@given(st.lists(numbers(), max_size=4), odd(), st.lists(numbers(), max_size=4))
def test_what_is_not_plain_is_left_to_asyncua(
    before: list[bytes], strange: bytes, behind: list[bytes]
) -> None:
    """An array or structure among numbers sends the whole message the other way."""
    body = response([*before, strange, *behind])

    assert decode(body) is None
    assert len(before) + 1 + len(behind) == len(decode_stock(body).items)


@given(st.lists(st.one_of(numbers(), strings()), min_size=1, max_size=5), st.data())
def test_damaged_messages_raise_nothing(items: list[bytes], data: Any) -> None:
    """A message cut short or with wrong bytes is left alone, never half believed."""
    body = response(items)
    cut = data.draw(st.integers(0, len(body) - 9))
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + bytes([body[at] ^ data.draw(st.integers(1, 255))])
    changed += body[at + 1 :]

    assert decode(body[:cut]) is None
    decode(changed)  # may be another valid message; must not raise


@given(st.binary(max_size=200))
def test_noise_is_refused(body: bytes) -> None:
    """Bytes that are no publish response at all give None."""
    assert decode(body) is None
    assert decode(b"\x01\x00\x3d\x03" + body) is None or len(body) > 40


@pytest.mark.parametrize("count", [-1, 2**31 - 1])
def test_a_count_beyond_the_message_allocates_nothing(count: int) -> None:
    """A message that claims two thousand million items is no reason to make room."""
    body = bytearray(response([struct.pack("<IB", 1, 0)]))
    at = body.index(b"\x01\x00\x2b\x03\x01") + 9
    body[at : at + 4] = struct.pack("<i", count)
    assert decode(bytes(body)) is None


def test_keep_alive() -> None:
    """A message without notifications is a keep-alive and names the next number."""
    bulk = decode(response(sequence=9))
    assert bulk is not None
    assert (True, 9, 42, 0) == (
        bulk.keep_alive,
        bulk.sequence,
        bulk.subscription,
        len(bulk.items),
    )


def test_picoseconds_before_the_server_time() -> None:
    """Fields are taken in the order of Part 6; asyncua's mistake becomes no time."""
    item = struct.pack("<IB", 3, 0x3C)
    item += struct.pack("<qHqH", 133 * 10**15, 9999, 134 * 10**15, 1)
    body = response([item])

    bulk, stock = decode(body), decode_stock(body)

    assert bulk is not None
    assert 10**14 * 1000 == bulk.items.server[0] - bulk.items.source[0]
    assert bulk.items.source[0] == stock.items.source[0]
    assert NO_TIME == stock.items.server[0]


def test_status_change_is_dispatched() -> None:
    """The end of a subscription is no data change and is told all the same."""
    change = ua.StatusChangeNotification(Status=status_code(0x800A0000))
    message = ua.NotificationMessage(3, datetime.now(UTC), [change])
    whole = ua.PublishResponse(
        Parameters=ua.PublishResult(SubscriptionId=1, NotificationMessage=message)
    )
    body = bytes(struct_to_binary(whole))

    assert decode(body) is None
    assert 0x800A0000 == decode_stock(body).status_change


def test_a_fault_is_raised_by_name() -> None:
    """A service fault in place of a publish response raises its status."""
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = status_code(0x80780000)
    body = bytes(struct_to_binary(fault))

    assert decode(body) is None
    with pytest.raises(ua.uaerrors.BadTooManyPublishRequests):
        decode_stock(body)


@pytest.mark.parametrize("path", CAPTURED, ids=lambda p: p.stem)
def test_captured_messages(path: Path) -> None:
    """Messages of real servers: asyncua 2.1.0 and node-opcua 2.182."""
    body = path.read_bytes()
    bulk, stock = decode(body), decode_stock(body)
    assert bulk is not None
    if (stock.items.server == NO_TIME).all():
        # node-opcua sends picoseconds; asyncua then has no server time, see above
        assert (bulk.items.server != NO_TIME).all()
        stock = replace(stock, items=replace(stock.items, server=bulk.items.server))
    same(bulk, stock)


def test_there_are_captured_messages() -> None:
    """Both servers' messages are in the repository."""
    makers = {path.stem.partition("_")[0] for path in CAPTURED}
    assert {"asyncua", "node"} <= makers
