"""Numbers of messages, node addresses, and what becomes of values: no server."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from asyncua import ua
from asyncua.client.ua_session import UaSession
from hypothesis import given
from hypothesis import strategies as st

import edge_agent
from edge_agent.config.plant import Binding
from edge_agent.config.schema import TimePolicy
from edge_agent.inbox import Inbox
from edge_agent.instruments import Instruments
from edge_agent.samples import AssetType, SampleBatch, Tag, TagTable
from edge_agent.sources.opcua.addresses import Unresolved, parse
from edge_agent.sources.opcua.columns import NO_TIME, Columns
from edge_agent.sources.opcua.intake import Gap, Intake
from edge_agent.sources.opcua.sequence import SequenceCheck, following

LAST = 2**32 - 1


@given(st.integers(1, LAST), st.lists(st.integers(0, 5), max_size=30))
def test_missing_numbers_are_exactly_those_left_out(
    first: int, gaps: list[int]
) -> None:
    """Whatever messages are left out, the check names them, over the wrap as well."""
    check, number = SequenceCheck(), first
    assert [] == check.missing(number, keep_alive=False)
    for gap in gaps:
        skipped = []
        for _ in range(gap):
            number = following(number)
            skipped.append(number)
        number = following(number)
        assert skipped == check.missing(number, keep_alive=False)


def test_zero_is_never_a_number() -> None:
    """Behind the last number comes 1."""
    assert 1 == following(LAST)
    check = SequenceCheck(LAST)
    assert [LAST] == check.missing(1, keep_alive=False)


def test_a_keep_alive_names_the_next_number() -> None:
    """A keep-alive uses up no number, and shows a gap before it."""
    check = SequenceCheck(5)
    assert [] == check.missing(5, keep_alive=True)
    assert [] == check.missing(5, keep_alive=False)
    assert [6, 7] == check.missing(8, keep_alive=True)
    assert [] == check.missing(8, keep_alive=False)


def test_a_keep_alive_with_the_last_number_is_tolerated() -> None:
    """Some servers repeat the last number in a keep-alive; that is no gap."""
    check = SequenceCheck(5)
    assert [] == check.missing(4, keep_alive=True)
    assert [] == check.missing(5, keep_alive=False)


def test_what_was_seen_is_known() -> None:
    """A message sent twice is told from a new one."""
    check = SequenceCheck(1)
    check.missing(LAST, keep_alive=False)
    assert check.seen(LAST)
    assert not check.seen(1)


@pytest.mark.parametrize(
    ("text", "identifier", "index"),
    [
        ("ns=2;s=P-101.Pressure", "P-101.Pressure", 2),
        ('ns=3;s="DB_1"."Temp"[3]', '"DB_1"."Temp"[3]', 3),
        ("ns=2;s=a;b=c d", "a;b=c d", 2),
        ("i=2258", 2258, 0),
        ("ns=4;i=1001", 1001, 4),
        ("ns=1;b=AAE=", b"\x00\x01", 1),
    ],
)
def test_node_ids_are_read_as_pasted(text: str, identifier: object, index: int) -> None:
    """Node ids of PLC tools paste unchanged, whatever is in their names."""
    node = parse(text).node_id(["http://opcfoundation.org/UA/"])
    assert (identifier, index) == (node.Identifier, node.NamespaceIndex)


def test_a_namespace_uri_becomes_todays_index() -> None:
    """nsu= is looked up in the table of this connection; an unknown one is named."""
    address = parse("nsu=urn:maker%3Bplant;s=x")
    assert 2 == address.node_id(["", "urn:b", "urn:maker;plant"]).NamespaceIndex
    with pytest.raises(Unresolved, match=r"no namespace urn:maker;plant .*urn:b"):
        address.node_id(["", "urn:b"])


def test_browse_paths() -> None:
    """A path may begin at Root or Objects, with escaped slashes inside names."""
    steps = parse("/Root/Objects/2:Plant/2:A&/B").browse_path().RelativePath.Elements
    names = [(s.TargetName.NamespaceIndex, s.TargetName.Name) for s in steps]
    assert [(0, "Objects"), (2, "Plant"), (2, "A/B")] == names
    assert not any(s.IsInverse for s in steps)


@pytest.mark.parametrize(
    "text", ["", "DB1.Temp", "ns=2;x=1", "ns=a;s=b", "i=one", "g=1", "b=!", "/", "//a"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Anything else says which forms there are, or what is wrong."""
    with pytest.raises(ValueError, match="is not a"):
        parse(text)


def taken(policy: TimePolicy, *, texts: bool = False, **columns: object) -> SampleBatch:
    """What the intake makes of one notification's columns at time 1000."""
    plain = {
        "handle": np.zeros(1, np.uint32),
        "value": np.ones(1),
        "status": np.zeros(1, np.uint32),
        "source": np.array([10]),
        "server": np.array([20]),
    }
    kind = AssetType("t", ("a",), (Tag("r", text=texts),), 0)
    inbox = Inbox(TagTable((kind,), ("plc",), np.zeros(1, np.int16)))
    binding = Binding(0, "a", "r", "i=1", text=texts)
    intake = Intake("plc", [binding], policy, inbox, Instruments())
    intake.take(Columns(**(plain | columns)), 1000)  # type: ignore[arg-type]
    return inbox.drain()


@pytest.mark.parametrize(
    ("policy", "source", "server", "expected"),
    [
        (TimePolicy.SOURCE, 10, 20, 10),
        (TimePolicy.SOURCE, NO_TIME, 20, 20),
        (TimePolicy.SOURCE, NO_TIME, NO_TIME, 1000),
        (TimePolicy.RECORDED, 10, 20, 10),
        (TimePolicy.SERVER, 10, 20, 20),
        (TimePolicy.SERVER, 10, NO_TIME, 1000),
        (TimePolicy.RECEIVE, 10, 20, 1000),
    ],
)
def test_the_time_a_sample_carries(
    policy: TimePolicy, source: int, server: int, expected: int
) -> None:
    """Each policy takes its stamp, and the next best where the server sent none."""
    batch = taken(policy, source=np.array([source]), server=np.array([server]))
    assert (expected, 1000) == (batch.time[0], batch.received[0])


@pytest.mark.parametrize(
    ("status", "quality"),
    [
        (0x00000000, 0),
        (0x00960000, 0),
        (0x00000480, 1),
        (0x40900000, 1),
        (0x40900480, 1),
        (0x808C0000, 2),
        (0x808C0480, 2),
        (0xC0000000, 2),
    ],
)
def test_quality_of_a_status_code(status: int, quality: int) -> None:
    """Severity decides, the overflow bit makes a good value uncertain, bad is NaN."""
    batch = taken(TimePolicy.SOURCE, status=np.array([status], np.uint32))
    assert quality == batch.quality[0]
    assert (quality == 2) == np.isnan(batch.value[0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_bad(value: float) -> None:
    """A good status with no number is a bad sample; infinity reaches no window."""
    batch = taken(TimePolicy.SOURCE, value=np.array([value]))
    assert 2 == batch.quality[0]
    assert np.isnan(batch.value[0])


def test_a_text_for_a_number_is_bad() -> None:
    """A node whose values turn into texts gives bad samples, not their indices."""
    batch = taken(
        TimePolicy.SOURCE, texts=False, text=np.array([True]), value=np.zeros(1)
    )
    assert 2 == batch.quality[0]
    assert np.isnan(batch.value[0])


def test_unknown_handles_are_left_out() -> None:
    """A notification of an item we never asked for reaches no tag."""
    assert 0 == len(taken(TimePolicy.SOURCE, handle=np.array([7], np.uint32)))


SECOND = 10**9


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (NO_TIME, 100),  # the server does not say: our clock
        (102, 100),  # its clock is right
        (101.5, 99.5),  # half a second slow, by its own clock
        (100.2, 98.5),  # slower than the gap was long: just behind the gap
        (3702, 3700),  # an hour fast, by its own clock
    ],
)
def test_the_end_of_a_gap(sent: float, expected: float) -> None:
    """A session opened at 100 behind a loss at 98.5; its message arrives at 102."""
    gap = Gap(round(98.5 * SECOND), 100 * SECOND)
    known = sent if sent == NO_TIME else round(sent * SECOND)
    behind = gap.behind(102 * SECOND, int(known))
    assert abs(behind - round(expected * SECOND)) <= 1
    assert behind > gap.lost


def test_only_the_newest_first_value_is_moved_behind_a_gap() -> None:
    """Of an item's first values the last is stated anew, BAD ones and later never."""
    kind = AssetType("t", ("a",), (Tag("r"), Tag("s")), 0)
    inbox = Inbox(TagTable((kind,), ("plc",), np.zeros(2, np.int16)))
    bindings = [Binding(0, "a", "r", "i=1"), Binding(1, "a", "s", "i=2")]
    policy, gap = TimePolicy.SOURCE, Gap(90, 100)
    intake = Intake("plc", bindings, policy, inbox, Instruments(), gap=gap)

    def columns(*rows: tuple[int, int, int]) -> Columns:
        handle, time, status = zip(*rows, strict=True)
        times = np.array(time)
        codes = np.array(status, np.uint32)
        handles = np.array(handle, np.uint32)
        return Columns(handles, np.ones(len(rows)), codes, times, times)

    bad = 0x80000000
    intake.take(columns((0, 5, 0), (0, 7, 0), (1, 6, bad)), 102)
    intake.take(columns((0, 8, 0), (1, 6, 0)), 103)
    intake.take(columns((1, 9, 0)), 104)
    assert [5, 100, 6, 8, 100, 9] == inbox.drain().time.tolist()


WRITING = {
    "write",
    "write_value",
    "write_values",
    "write_attribute",
    "write_attributes",
    "set_value",
    "set_values",
    "call",
    "call_method",
    "history_update",
    "add_nodes",
    "delete_nodes",
    "WriteRequest",
    "WriteParameters",
    "CallRequest",
    "CallMethodRequest",
    "HistoryUpdateRequest",
}


def test_nothing_is_ever_written_to_a_machine() -> None:
    """No module that knows OPC UA uses Write, Call or any other changing service."""
    root = Path(edge_agent.__file__).parent
    guilty = []
    for path in root.rglob("*.py"):
        source = path.read_text("utf-8")
        if "demo" in path.relative_to(root).parts or "asyncua" not in source:
            continue
        guilty += [
            f"{path.relative_to(root)}:{node.lineno}: {node.attr}"
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Attribute) and node.attr in WRITING
        ]
    assert [] == guilty


def test_the_services_that_write_have_these_names() -> None:
    """The test above would see them: asyncua has them by these names."""
    assert hasattr(UaSession, "write")
    assert hasattr(UaSession, "call")
    assert hasattr(ua, "WriteRequest")
