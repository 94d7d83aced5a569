"""Payloads to columns: what is read, what is refused, and nothing else happens."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import ConfigError
from edge_agent.payloads.columns import Columns, Gathered
from edge_agent.payloads.paths import ABSENT, found, parsed
from edge_agent.payloads.reader import Reader, Style, Wanted
from edge_agent.payloads.times import nanoseconds
from edge_agent.payloads.unreadable import Unreadable
from edge_agent.samples import Quality

RECEIVED = 7


def read(
    payload: bytes | object,
    *wanted: Wanted,
    style: Style = "json",
    time_field: str | None = None,
    doubtful: bool = False,
) -> Gathered:
    """Columns of one message."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    columns = Columns()
    Reader(wanted, style, time_field).read(raw, columns, RECEIVED, doubtful)
    return columns.gathered()


def refused(payload: bytes | object, *wanted: Wanted, **more: Any) -> str:  # noqa: ANN401
    """Why a message is refused."""
    with pytest.raises(Unreadable) as why:
        read(payload, *(wanted or (Wanted(0, "a"),)), **more)
    return why.value.reason


def test_flat_nested_and_shared_fields() -> None:
    """Paths of any depth, and one field for several tags."""
    message = {"a": 1, "b": {"c": [0, {"d": 2.5}]}, "x.y": 3}
    flat = read(message, Wanted(4, "a"), Wanted(9, "a"), Wanted(2, '["x.y"]'))
    deep = read(message, Wanted(1, "b.c[1].d"), Wanted(2, "a"))

    assert (flat.tag.tolist(), flat.value.tolist()) == ([4, 9, 2], [1, 1, 3])
    assert (deep.tag.tolist(), deep.value.tolist()) == ([1, 2], [2.5, 1])
    assert flat.time.tolist() == [RECEIVED] * 3


@given(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(max_size=5),
            st.lists(st.integers(), max_size=2),
        ),
    )
)
def test_fields_are_judged_one_by_one(message: dict[str, object]) -> None:
    """Numbers and booleans are values, null is bad, all else is no sample."""
    names = "abcd"
    columns = Columns()
    reader = Reader([Wanted(i, name) for i, name in enumerate(names)], "json", None)
    reader.read(json.dumps(message).encode(), columns, RECEIVED)
    got = columns.gathered()
    expected = {i: _expected(message.get(name, "")) for i, name in enumerate(names)}

    assert got.tag.tolist() == [tag for tag, value in expected.items() if value != ()]
    for tag, value, quality in zip(got.tag, got.value, got.quality, strict=True):
        if math.isnan(expected[int(tag)]):  # type: ignore[arg-type]
            assert np.isnan(value)
            assert quality == Quality.BAD
        else:
            assert (value, quality) == (expected[int(tag)], Quality.GOOD)
    wrong = [n for n in names if n in message and _expected(message[n]) == ()]
    assert len(columns.refusals) == len(wrong)


def _expected(value: object) -> float | tuple[()]:
    if value is None:
        return math.nan
    try:
        return float(value) if isinstance(value, (bool, int, float)) else ()
    except OverflowError:
        return ()


@pytest.mark.parametrize("style", ["json", "array", "number"])
@given(
    payload=st.one_of(
        st.binary(max_size=60),
        st.text('[]{}",:0123456789.eE-+ntf', max_size=40).map(str.encode),
    )
)
def test_no_payload_raises_anything_else(style: Style, payload: bytes) -> None:
    """Whatever arrives is read or `Unreadable`, with finite numbers only."""
    columns = Columns()
    wanted = [Wanted(0, "0" if style == "array" else "a"), Wanted(1, "1", text=True)]
    reader = Reader(wanted, style, None)
    try:
        reader.read(payload, columns, RECEIVED)
    except Unreadable:
        return
    got = columns.gathered()
    assert np.isfinite(got.value[got.quality == Quality.GOOD]).all()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b'{"a": 1', "malformed"),
        (b'{"a": NaN}', "malformed"),
        (b'{"a": Infinity}', "malformed"),
        (b'{"a": 1e400}', "range"),
        (b'{"a": 1} x', "malformed"),
        (b'{"z":' * 1000 + b"1" + b"}" * 1000, "depth"),
        (b'{"a": 1, "a": 1}', "duplicate-key"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "duplicate-key"),
        (b"[1]", "shape"),
        (b"\xff", "malformed"),
    ],
)
def test_refused_messages(payload: bytes, reason: str) -> None:
    """Each has its own reason for the counter."""
    assert refused(payload) == reason


def test_a_quoted_number_is_refused_and_the_rest_kept() -> None:
    """A device that quotes numbers will one day quote an error."""
    columns = Columns()
    Reader([Wanted(0, "a"), Wanted(1, "b")], "json", None).read(
        b'{"a": "1.5", "b": 2}', columns, RECEIVED
    )

    assert columns.gathered().tag.tolist() == [1]
    assert columns.refusals == [("type", "a is text, not a number")]


def test_a_key_twice_is_found_after_good_messages() -> None:
    """The check costs nothing on usual shapes and still sees the unusual one."""
    reader = Reader([Wanted(0, "a")], "json", None)
    for _ in range(3):
        reader.read(b'{"a": 1}', Columns(), RECEIVED)
    with pytest.raises(Unreadable, match="'a' is written twice"):
        reader.read(b'{"a": 1, "a": 2}', Columns(), RECEIVED)


def test_number_payloads() -> None:
    """What devices write as a bare number, and what only looks like one."""
    for raw, value in (
        (b"1.5", 1.5),
        (b" +2 ", 2),
        (b"007", 7),
        (b"true", 1),
        (b"-1e3", -1000),
    ):
        assert read(raw, Wanted(0), style="number").value.tolist() == [value]
    for raw in (b"nan", b"inf", b"1_000", b"1,5", b"abc", b"1e999"):
        assert refused(raw, Wanted(0), style="number") == "type"
    assert read(b"lot 7", Wanted(0, text=True), style="number").texts == ("lot 7",)


def test_array_payloads() -> None:
    """Positions from 0; a short array lacks the rest; the time may be one of them."""
    wanted = [Wanted(0, "1"), Wanted(1, "5")]
    got = read([1_700_000_000, 2.5], *wanted, style="array", time_field="0")

    assert (got.tag.tolist(), got.value.tolist(), got.missing) == ([0], [2.5], 1)
    assert got.time.tolist() == [1_700_000_000 * 10**9]
    assert refused({"a": 1}, *wanted, style="array") == "shape"


def test_texts_keep_their_places_over_messages() -> None:
    """Positions count on through the messages of one read."""
    columns = Columns()
    reader = Reader([Wanted(0, "id", text=True), Wanted(1, "v")], "json", None)
    for message in (b'{"id":"x","v":1}', b'{"v":2}', b'{"id":null,"v":3}', b'{"id":4}'):
        reader.read(message, columns, RECEIVED)
    got = columns.gathered()

    assert got.texts == ("x", "4")
    texts = got.value[got.tag == 0].tolist()
    assert (texts[0], texts[2]) == (0, 1)
    assert np.isnan(texts[1])


def test_an_old_message_is_uncertain_unless_it_says_its_time() -> None:
    """Only the age makes it doubtful."""
    silent = read({"a": 1}, Wanted(0, "a"), doubtful=True)
    stamped = read({"a": 1, "t": 5}, Wanted(0, "a"), time_field="t", doubtful=True)

    assert silent.quality.tolist() == [Quality.UNCERTAIN]
    assert stamped.quality.tolist() == [Quality.GOOD]


@pytest.mark.parametrize("time_field", ["t", "h.t"])
@pytest.mark.parametrize(
    "stamp", [None, True, "yesterday", -5, 1e300, [], "0001-01-01", 10**30]
)
def test_a_time_that_cannot_be_read_refuses_the_message(
    time_field: str, stamp: object
) -> None:
    """Values without their place in time would be put at a wrong one."""
    message = {"a": 1, "t": stamp, "h": {"t": stamp}}
    assert refused(message, Wanted(0, "a"), time_field=time_field) == "time"
    assert refused({"a": 1}, Wanted(0, "a"), time_field=time_field) == "time"


@given(st.integers(10**9, 4 * 10**9), st.integers(0, 999_999_999))
def test_units_are_told_apart_by_size(seconds: int, rest: int) -> None:
    """From 2001 to 2096 the same moment is read from s, ms, us and ns."""
    nanos = seconds * 10**9 + rest
    assert nanoseconds(nanos) == nanos
    assert nanoseconds(nanos // 10**3) == nanos // 10**3 * 10**3
    assert nanoseconds(nanos // 10**6) == nanos // 10**6 * 10**6
    assert nanoseconds(str(seconds)) == seconds * 10**9
    assert abs(nanoseconds(nanos / 1e9) - nanos) < 1000  # a double's precision


@given(
    seconds=st.integers(0, 7 * 10**9),
    nanos=st.integers(0, 999_999_999),
    hours=st.integers(-12, 14),
)
def test_iso_texts(seconds: int, nanos: int, hours: int) -> None:
    """Zones, Z, no zone, and all nine digits of the fraction."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    text = f"{moment.isoformat()}.{nanos:09d}"
    expected = seconds * 10**9 + nanos
    shifted = expected - hours * 3600 * 10**9

    assert nanoseconds(text) == expected
    assert nanoseconds(text.replace("T", " ") + "Z") == expected
    if shifted >= 0:
        assert nanoseconds(f"{text}{hours:+03d}:00") == shifted


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        ("a[3].b", ("a", 3, "b")),
        ("[0][1]", (0, 1)),
        ('["a.b"].c', ("a.b", "c")),
        ("Temp 1.value", ("Temp 1", "value")),
    ],
)
def test_field_paths(text: str, path: tuple[str | int, ...]) -> None:
    """Names, positions, and names in quotes."""
    assert parsed(text) == path


@pytest.mark.parametrize("text", [".a", "a..b", "a[", "a[x]", "a]", 'a["b', "a."])
def test_bad_field_paths(text: str) -> None:
    """A typing mistake is told when the configuration is read."""
    with pytest.raises(ConfigError, match="field path"):
        parsed(text)


def test_what_is_not_there_is_absent() -> None:
    """A path through something else than it expects leads nowhere."""
    message = {"a": [1, {"b": None}]}
    assert found(message, parsed("a[1].b")) is None
    for path in ("a[2]", "a.b", "b", "a[0].x", "a[1].c"):
        assert found(message, parsed(path)) is ABSENT
