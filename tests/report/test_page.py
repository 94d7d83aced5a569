"""The page holds what the report says, and nothing in it runs or is loaded."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.report import charts, document
from edge_agent.report.document import Day, Group, Report
from edge_agent.report.page import rendered
from tests.report.made import column, report

_EMPTY = frozenset({"meta", "br"})


class _Read(HTMLParser):
    """Tags that were opened and closed, and the text between."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> _Read:
    """The page, well nested."""
    found = _Read()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


def test_every_part_is_on_the_page() -> None:
    """Passport, places, drift, accuracy, alarms, fairness, incidents, notes."""
    text = read(rendered(report())).text
    for wanted in (
        *("Reliability", "plant key", "55 to 110", "first version", "water/early"),
        *("breached", "0.5 to 0.71", "estimated, not measured. CBPE", "too few"),
        *("night has more alarms", "no number", "A threshold of 1.2", "forgotten"),
    ):
        assert wanted in text


def test_an_empty_report_says_what_is_not_there() -> None:
    """A new gateway has a report too, and no part of it is blank."""
    empty = Report("m", "g", "", "now", "then", "now", "0")
    text = read(rendered(empty)).text
    assert "No labels have come" in text
    assert "No version of this model has been verified here" in text
    assert "Nothing happened" in text


def test_nothing_is_loaded_from_elsewhere() -> None:
    """No script, no link out, no picture that is not in the file."""
    page = rendered(report())
    assert not re.search(r"https?://|<script|<link|<img|@import|url\(", page)


@given(st.text(max_size=30))
def test_names_are_data_whatever_they_hold(name: str) -> None:
    """A model named like a tag stays a name."""
    plain = len(read(rendered(report("x"))).seen)
    hostile = report(f"<script>{name}</script>\"'")
    assert len(read(rendered(hostile)).seen) == plain


def test_json_says_the_same_and_keeps_unknown_numbers_unknown() -> None:
    """Null, not zero; numbers that are none are null too."""
    whole = report()
    odd = replace(whole.drift[0], columns=(replace(column(), psi=float("nan")),))
    found = json.loads(document.to_json(replace(whole, drift=(odd,))))
    assert found["format"] == document.FORMAT
    assert found["drift"][0]["columns"][0]["psi"] is None
    assert found["drift"][0]["columns"][0]["w1"] is None
    assert found["accuracy"][0]["confusion"] == [30, 4, 19, 11]


NUMBERS = st.none() | st.floats(-1e6, 1e6)
DAYS = st.lists(st.builds(Day, st.just("d"), NUMBERS, NUMBERS, NUMBERS), max_size=9)
GROUPS = st.lists(
    st.builds(Group, st.text(max_size=40), st.just(3), NUMBERS, NUMBERS, NUMBERS),
    max_size=5,
)


@given(DAYS, st.none() | st.floats(-10, 10))
def test_lines_are_drawn_of_any_days(days: list[Day], limit: float | None) -> None:
    """Gaps, single days, no days: well-formed, and no coordinate is no number."""
    well_formed(charts.line(days, "t", limit=limit))
    well_formed(charts.bars(days, "t"))


def test_a_single_day_is_named_once() -> None:
    """Twice in one place it cannot be read."""
    assert charts.line([Day("2026-11-25", 0.8)], "t").count("2026-11-25") == 1
    days = [Day("2026-11-25", 0.8), Day("2026-11-26", 0.7)]
    assert charts.line(days, "t").count("2026-11-2") == 2


@given(GROUPS)
def test_intervals_are_drawn_of_any_groups(groups: list[Group]) -> None:
    """Groups of too few rows have a line without a dot."""
    printable = [
        replace(g, name="".join(c for c in g.name if c.isprintable())) for g in groups
    ]
    well_formed(charts.intervals(printable, "t"))


def well_formed(drawing: str) -> None:
    """XML without NaN; nothing at all is a drawing too."""
    if drawing:
        ET.fromstring(drawing)  # noqa: S314 - made here
        assert "nan" not in drawing.lower().replace("titlenan", "")


@pytest.mark.parametrize("drifted", [True, False])
def test_a_histogram_has_a_pair_of_bars_a_bin(drifted: bool) -> None:
    """Training and now, side by side."""
    drawing = charts.histogram(column(drifted=drifted))
    well_formed(drawing)
    assert drawing.count("<rect") == 8
