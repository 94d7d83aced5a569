"""Times as people type them."""

from __future__ import annotations

import argparse
import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.cli.moments import local_moment, local_time, moment_of
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A Thursday, 10:30 in Berlin; the summer time ended there on 25 October.
NOW = round(datetime(2026, 11, 26, 9, 30, tzinfo=UTC).timestamp()) * NANOSECONDS
HOUR = 3600 * NANOSECONDS


@pytest.fixture(params=["Europe/Berlin", "Asia/Kolkata", "UTC"])
def zone(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """This computer's zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def local(typed: str) -> str:
    """What is meant, on the clock on the wall."""
    return f"{local_time(moment_of(typed, NOW, local=True)):%a %Y-%m-%d %H:%M:%S}"


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("today", "Thu 2026-11-26 00:00:00"),
        ("yesterday", "Wed 2026-11-25 00:00:00"),
        ("tuesday", "Tue 2026-11-24 00:00:00"),
        ("Tuesday", "Tue 2026-11-24 00:00:00"),
        ("tue", "Tue 2026-11-24 00:00:00"),
        ("friday", "Fri 2026-11-20 00:00:00"),
        ("thursday", "Thu 2026-11-19 00:00:00"),
        ("2026-11-20", "Fri 2026-11-20 00:00:00"),
        ("2026-11-20T14:00", "Fri 2026-11-20 14:00:00"),
        ("2026-10-24", "Sat 2026-10-24 00:00:00"),
    ],
)
def test_days_are_those_of_this_computer(typed: str, meant: str) -> None:
    """A name is the last such day before today, from its midnight on."""
    assert local(typed) == meant


@pytest.mark.parametrize(
    ("typed", "hours"),
    [
        *(("6h", 6), ("3 days ago", 72), ("a week ago", 168), ("1 hour ago", 1)),
        *(("an hour  ago", 1), ("now", 0), ("7d", 168), ("2 WEEKS AGO", 336)),
    ],
)
def test_some_time_ago(typed: str, hours: float) -> None:
    """Durations count back from now."""
    assert moment_of(typed, NOW) == NOW - round(hours * HOUR)


def test_a_date_is_utc_where_it_is_not_asked_to_be_local(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Findings and reports speak UTC, losses the clock on the wall."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    far = moment_of("2026-11-20", NOW) - moment_of("2026-11-20", NOW, local=True)
    zoned = moment_of("2026-11-20T14:00Z", NOW, local=True)
    monkeypatch.undo()
    time.tzset()

    assert far == 5.5 * HOUR
    assert zoned == moment_of("2026-11-20T14:00", NOW)


@pytest.mark.parametrize("typed", ["", "t", "someday", "3 days", "2026-13-01", "-1h"])
def test_what_is_no_time_is_refused(typed: str) -> None:
    """With what can be written instead."""
    with pytest.raises(argparse.ArgumentTypeError, match="tuesday"):
        local_moment(typed)


@given(st.text(max_size=30))
def test_nothing_typed_breaks_it(typed: str) -> None:
    """A moment, never before 1970, or a refusal."""
    with contextlib.suppress(argparse.ArgumentTypeError):
        assert moment_of(typed, NOW, local=True) >= 0
