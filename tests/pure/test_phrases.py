"""Texts with gaps: filled, never run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.phrases import Phrases, Template


@given(st.text(alphabet=st.characters(exclude_characters="{}"), max_size=30))
def test_a_text_without_gaps_is_itself(text: str) -> None:
    """Nothing but braces means anything."""
    assert Template.of(text).filled({}) == text


@given(st.text(max_size=20), st.text(max_size=20))
def test_what_fills_a_gap_is_text_and_nothing_else(first: str, second: str) -> None:
    """Braces in a value open no gap."""
    made = Template.of("<{a}|{b}|{a}>")

    assert made.filled({"a": first, "b": second}) == f"<{first}|{second}|{first}>"


@pytest.mark.parametrize(
    ("text", "at"),
    [("{", 0), ("ab}", 2), ("{a} {a.b}", 4), ("{a!r}", 0), ("{a:9}", 0), ("{A}", 0)],
)
def test_a_stray_brace_is_refused_with_its_place(text: str, at: int) -> None:
    """Format codes and attributes are no gaps."""
    with pytest.raises(ValueError, match="belongs to no gap") as refused:
        Template.of(text)
    assert refused.value.args[1] == at


def test_numbers_have_the_language_s_sign() -> None:
    """A comma where it is written so; nothing else of a number changes."""
    german = Phrases("de", ",")

    assert german.number(-1234.567, 2) == "-1234,57"
    assert german.short(0.5) == "0,5"
    assert Phrases().number(1.0, 1) == "1.0"


def test_a_phrase_that_is_not_known_still_says_what_it_knows() -> None:
    """A slip in the code must not silence an alarm."""
    assert Phrases().say("level.above", tag="flow", value="45") == (
        "level.above: tag flow, value 45"
    )
