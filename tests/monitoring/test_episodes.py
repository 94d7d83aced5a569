"""One finding an episode: when it begins, and when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.monitoring.conditions import Condition, What
from edge_agent.monitoring.episodes import Episodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.monitoring.episodes import Change

FLOW = Condition(What.INPUT_DRIFT, 2.0, "flow is low", "look", tag="flow")


def watched(looks: Sequence[str], persist: int) -> list[tuple[int, bool]]:
    """Begin and end by look: + seen, - not seen, ? not judged."""
    found: list[tuple[int, bool]] = []
    episodes = Episodes()
    for at, look in enumerate(looks):
        changes: list[Change]
        episodes, changes = episodes.looked(
            [FLOW] if look == "+" else [],
            lambda _, look=look: look != "?",  # type: ignore[misc]
            at,
            persist,
        )
        found += [(at, change.opens) for change in changes]
    return found


def test_a_condition_is_told_once_it_lasts() -> None:
    """Not at the first look, and only once however long it stays."""
    assert watched("++++++", 3) == [(2, True)]


def test_one_look_without_it_begins_the_count_anew() -> None:
    """Looks in a row."""
    assert watched("++-++-++", 3) == []


def test_it_is_over_when_as_many_looks_do_not_see_it() -> None:
    """And may begin again."""
    assert watched("+++--+---+++", 3) == [(2, True), (8, False), (11, True)]


def test_what_cannot_be_judged_changes_nothing() -> None:
    """A machine that stands neither ends a finding nor begins one."""
    assert watched("++?+????---", 3) == [(3, True), (10, False)]


@given(st.lists(st.sampled_from("+-?"), max_size=60), st.integers(1, 4))
def test_findings_begin_and_end_in_turn(looks: list[str], persist: int) -> None:
    """Never two beginnings without an end between."""
    told = [opens for _, opens in watched(looks, persist)]
    assert told == [place % 2 == 0 for place in range(len(told))]
