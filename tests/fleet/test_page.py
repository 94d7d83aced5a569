"""The page holds what was found, and nothing in it runs or is loaded."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.fleet import drawing
from edge_agent.fleet.accuracy import Accuracy, Figure
from edge_agent.fleet.alarms import Alarms
from edge_agent.fleet.drift import Feature
from edge_agent.fleet.losses import Lost
from edge_agent.fleet.models import Place
from edge_agent.fleet.overview import Overview, versions
from edge_agent.fleet.page import rendered
from edge_agent.fleet.silent import Silent

NONE = Figure(None, None, None)
EMPTY = Overview("s", "u", 0, 0, (), (), (), (), (), (), ())


class _Read(HTMLParser):
    """Tags that were opened and closed, and the text between."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count = 0
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.count += 1
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag, attrs
        self.count += 1

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


def fleet(name: str) -> Overview:
    """Something of everything, all called alike."""
    place = Place(
        *(name, name, name, name, "1.0", name, name, name, name, 1, 0, 0, 0),
        *("2026-01-01T00:00:00Z", 60.0),
    )
    places = (place, replace(place, model_version="2.0", age_s=-1e6))
    moved = (name, "1", "", name, 3, 900, 0.01, 0.0, 1.0)
    half = Figure(0.5, 0.4, 0.6)
    return Overview(
        *("2026-01-01T00:00:00Z", "2026-01-09T00:00:00Z", 3, 2),
        *(versions(places), places),
        (Silent(name, name, "", "", None), Silent(name, name, "now", name, 9e5)),
        (
            Feature("", *moved, 0.31, 0.2, 0.1, "", "b"),
            Feature(name, *moved, None, None, None, name, "b"),
        ),
        (
            Accuracy(
                *(name, name, "1", 40, 30, 1, 2, 3, 4, half, half, half, NONE),
                *(name, "recall 0.9", "breached"),
            ),
        ),
        (
            Alarms(name, name, 4, 2.0, 2.0, 0.5, 5.1, ((name, name, 4),), 1),
            Alarms(name, name, 4, None, None, None, None, (), 0),
        ),
        (Lost(name, name, name, name, 12, 1, "", ""),),
    )


def test_every_part_is_on_the_page() -> None:
    """Versions, silence, drift, accuracy, alarms, losses, and what was left out."""
    text = read(rendered(fleet("name"), {"some object": "is damaged"})).text

    for wanted in (
        *("3gateways at 2 sites", "2silent", "2.0", "not in this time", "0.31"),
        *("breached", "2 (0.5 to 5.1)", "name 4", "12", "some object is damaged"),
        *("clock ahead", "recall 0.9"),
    ):
        assert wanted in text


def test_a_loss_nobody_counted_is_not_none() -> None:
    """A report of an unknown number is a warning, on the page and in a sentence."""
    lost = (Lost("s", "samples", "all sources", "it did not run", 0, 1, "", "", 1),)
    found = replace(EMPTY, losses=lost)

    assert "not knownrows lost" in read(rendered(found, {})).text
    assert '<div class="tile warn"><b>not known</b>' in rendered(found, {})
    assert found.sentences()[-1] == "0 alarms, 0 rows and a number nobody counted lost"


def test_an_empty_fleet_has_a_page() -> None:
    """It says what is not there."""
    text = read(rendered(EMPTY, {})).text

    assert "No gateway has told" in text
    assert "Nothing was lost" in text


def test_nothing_is_loaded_from_elsewhere() -> None:
    """No script, no link out, no picture that is not in the file."""
    page = rendered(fleet("x"), {"x": "y"})

    assert not re.search(r"https?://|<script|<link|<img|@import|url\(", page)


@given(st.text(max_size=30))
def test_names_are_data_whatever_they_hold(name: str) -> None:
    """A site named like a tag stays a name."""
    plain = read(rendered(fleet("x"), {"x": "y"})).count
    hostile = f"<script>{name}</script>\"'"

    assert read(rendered(fleet(hostile), {hostile: hostile})).count == plain


NUMBERS = st.none() | st.floats()


@given(NUMBERS, NUMBERS, NUMBERS, st.floats(), NUMBERS)
def test_intervals_are_drawn_of_any_numbers(
    value: float | None,
    low: float | None,
    high: float | None,
    top: float,
    limit: float | None,
) -> None:
    """Well nested, and no coordinate is no number."""
    drawn = drawing.interval(value, low, high, top, limit)

    read(drawn)
    assert "nan" not in drawn
    assert "inf" not in drawn


@given(st.none() | st.floats(0, 1e9))
def test_heat_has_a_colour_for_any_psi(psi: float | None) -> None:
    """Hatched where it is not known."""
    assert drawing.heat(psi).startswith("background:")
    assert ("gradient" in drawing.heat(psi)) == (psi is None)
