"""Shifts: whose minute it is, on days of 23, 24 and 25 hours."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.spans import overlapping, span_of
from edge_agent.features.shifts import NO_SHIFT, Shifts, utc

BERLIN = ZoneInfo("Europe/Berlin")
THREE = (("early", 360, 840), ("late", 840, 1320), ("night", 1320, 360))


def berlin(seconds: int) -> int:
    """Seconds to add for the clock on the wall in Berlin."""
    there = dt.datetime.fromtimestamp(seconds, BERLIN).utcoffset()
    assert there is not None
    return int(there.total_seconds())


def moment(text: str, fold: int = 0) -> int:
    """Ns since 1970 of a local time in Berlin."""
    local = dt.datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)
    return int(local.timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("local", "fold", "shift"),
    [
        ("2026-03-28T05:59:59", 0, "night"),
        ("2026-03-28T06:00:00", 0, "early"),
        ("2026-03-28T13:59:59", 0, "early"),
        ("2026-03-28T22:00:00", 0, "night"),
        ("2026-03-29T01:59:59", 0, "night"),
        ("2026-03-29T03:00:00", 0, "night"),
        ("2026-03-29T05:59:59", 0, "night"),
        ("2026-03-29T06:00:00", 0, "early"),
        ("2026-10-25T02:30:00", 0, "night"),
        ("2026-10-25T02:30:00", 1, "night"),
        ("2026-10-25T05:59:59", 0, "night"),
        ("2026-10-25T06:00:00", 0, "early"),
        ("2026-10-25T14:00:00", 0, "late"),
    ],
)
def test_the_clock_on_the_wall_decides(local: str, fold: int, shift: str) -> None:
    """A shift begins when people come, also on the days the clock is changed."""
    shifts = Shifts(THREE, berlin)
    number = shifts.of(np.array([moment(local, fold)]))

    assert isinstance(number, int)
    assert shifts.names[number] == shift


@given(
    st.lists(st.integers(-(10**18), 4 * 10**18), min_size=1, max_size=8),
    st.lists(st.integers(0, 10**11), max_size=8),
)
def test_many_moments_are_as_one_by_one(far: list[int], near: list[int]) -> None:
    """What was asked before changes nothing."""
    at = np.array([*far, *(far[0] + step for step in near)])
    shifts = Shifts(THREE, berlin)
    together = np.broadcast_to(np.asarray(shifts.of(at)), len(at)).tolist()

    assert together == [Shifts(THREE, berlin).of(at[i : i + 1]) for i in range(len(at))]


def test_time_between_shifts_belongs_to_none() -> None:
    """A plant that sleeps at night has a name for it."""
    shifts = Shifts((("day", 480, 1020),), utc)
    number = shifts.of(np.array([0]))

    assert isinstance(number, int)
    assert shifts.names[number] == NO_SHIFT


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("06:00-14:00", (360, 840)),
        ("22:00-6:00", (1320, 360)),
        ("00:00 - 24:00", (0, 1440)),
    ],
)
def test_spans_are_read(text: str, span: tuple[int, int]) -> None:
    """Hours and minutes, over midnight too."""
    assert span_of(text) == span


@pytest.mark.parametrize(
    "text",
    [
        *("", "06:00", "6-14", "06:00-25:00", "06:60-07:00", "06:00-06:00"),
        *(
            "24:00-06:00",
            "six-ten",
            "06:00-14:00-22:00",
            "06:000-14:00",
            "-06:00-14:00",
        ),
        "\u0660\u0666:00-14:00",
    ],
)
def test_what_is_no_span_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="is "):
        span_of(text)


def test_shifts_that_share_a_minute_are_found() -> None:
    """Both names are told; neighbours share none."""
    assert overlapping(THREE) is None
    assert overlapping((("a", 1320, 360), ("b", 300, 400))) == ("a", "b")
