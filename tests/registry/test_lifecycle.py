"""The life of a version: explicit steps, and what holds whatever happens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.registry import lifecycle
from edge_agent.registry.lifecycle import FOLLOWS, ON_ITS_WAY, Life, Stage
from edge_agent.registry.listing import Offer

if TYPE_CHECKING:
    from collections.abc import Sequence

WAY = (Stage.FETCHED, Stage.VERIFIED, Stage.VETTED)


def offer(version: str) -> Offer:
    """A version as a registry offers it."""
    return Offer("pump", version, f"/models/pump/{version}")


def through(life: Life, version: str, *, watch: bool = False) -> Life:
    """A version that has come as far as vetted."""
    life = lifecycle.see(life, offer(version), "champion", watch=watch)
    for stage in WAY:
        life = lifecycle.advance(life, offer(version).key, stage)
    return life


def running(*versions: str) -> Life:
    """A life in which these were activated one after the other."""
    life = Life()
    for version in versions:
        life = lifecycle.activate(through(life, version), offer(version).key)
    return life


def stages(life: Life) -> dict[str, str]:
    """Stage of each version."""
    return {v.version: str(v.stage) for v in life.versions}


def test_versions_follow_each_other() -> None:
    """The third activation retires the first, and leaves one to return to."""
    assert stages(running("1", "2", "3")) == {
        "1": "retired",
        "2": "previous",
        "3": "active",
    }


def test_a_bundle_signed_anew_leaves_the_former_to_return_to() -> None:
    """The same files under another signature are no former version."""
    life = through(running("1", "2"), "2 signed anew")
    digests = tuple(replace(v, digest=v.version.split()[0]) for v in life.versions)
    life = replace(life, versions=digests)
    life = lifecycle.activate(life, offer("2 signed anew").key)

    assert stages(life) == {"1": "previous", "2": "retired", "2 signed anew": "active"}


def test_a_failing_version_is_given_back_and_not_tried_again() -> None:
    """The former scores again; the same wish of the registry changes nothing."""
    life = lifecycle.give_back(running("1", "2"), "failed 3 times in a row")

    assert stages(life) == {"1": "active", "2": "refused"}
    assert life.returned == "failed 3 times in a row"
    assert lifecycle.see(life, offer("2"), "champion") == life

    again = lifecycle.see(life, offer("2"), "by hand", urgent=True)
    assert again.candidate is not None
    assert again.candidate.proven


def test_a_refused_version_blocks_nothing() -> None:
    """The next one begins and takes over; what scored meanwhile was the old one."""
    life = lifecycle.see(running("1"), offer("2"), "champion")
    life = lifecycle.refuse(life, offer("2").key, "not signed")
    assert life.active is not None
    assert life.active.version == "1"

    life = lifecycle.activate(through(life, "3"), offer("3").key)
    assert stages(life) == {"1": "previous", "2": "refused", "3": "active"}
    assert life.returned == ""


def test_a_newer_wish_ends_the_one_on_its_way() -> None:
    """Two versions never race each other; a challenger goes on beside."""
    life = lifecycle.see(running("1"), offer("2"), "champion")
    life = lifecycle.see(life, offer("9"), "challenger", watch=True)
    life = lifecycle.see(life, offer("3"), "champion")

    assert stages(life) == {"1": "active", "2": "retired", "9": "seen", "3": "seen"}


def test_a_challenger_that_is_wanted_goes_on_from_where_it_is() -> None:
    """What was watched already need not be fetched and vetted again."""
    life = through(running("1"), "2", watch=True)
    life = lifecycle.see(life, offer("2"), "champion")

    assert life.challenger is None
    assert life.candidate is not None
    assert life.candidate.stage is Stage.VETTED


def test_rolled_back_by_hand_stays_so() -> None:
    """The hold is a person's; `follow` ends it."""
    life = lifecycle.give_back(running("1", "2"), "rolled back", by_hand=True)

    assert (life.held, life.returned) == (True, "")
    assert not lifecycle.follow(life).held


@pytest.mark.parametrize("stage", [Stage.ACTIVE, Stage.SHADOW, Stage.PREVIOUS])
def test_no_step_is_skipped(stage: Stage) -> None:
    """What was not vetted can neither be watched nor score."""
    life = lifecycle.see(Life(), offer("1"), "champion")

    with pytest.raises(ValueError, match="is no step"):
        lifecycle.advance(life, offer("1").key, stage)


def test_the_table_has_every_stage() -> None:
    """Each stage says what may follow, and every one but the first is reached."""
    assert set(FOLLOWS) == set(Stage)
    assert set().union(*FOLLOWS.values()) == set(Stage)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=60))
def test_whatever_happens_one_version_is_active_at_most(
    moves: Sequence[tuple[int, int]],
) -> None:
    """Random orders of wishes, steps, refusals and returns keep the invariants."""
    life = Life()
    was_active = False
    for what, number in moves:
        before = life
        life = _some_step(life, what, str(number))
        kinds = [v.stage for v in life.versions]
        assert kinds.count(Stage.ACTIVE) <= 1
        assert kinds.count(Stage.PREVIOUS) <= 1
        assert len({v.key for v in life.versions}) == len(life.versions)
        for watch in (True, False):
            under_way = [
                v for v in life.versions if v.stage in ON_ITS_WAY and v.watch is watch
            ]
            assert len(under_way) <= 1
        if was_active and life.active is None:  # only a return without a former one
            assert what == 4
            assert before.previous is None
        was_active = life.active is not None


def _some_step(life: Life, what: int, number: str) -> Life:  # noqa: PLR0911
    key = offer(number).key
    if what == 0:
        return lifecycle.see(life, offer(number), "champion")
    if what == 1:
        return lifecycle.see(life, offer(number), "challenger", watch=True)
    if what == 2:
        return lifecycle.unsee(life, watch=bool(int(number) % 2))
    if what == 3 and (at := life.of(key)) is not None and at.stage in ON_ITS_WAY:
        return lifecycle.refuse(life, key, "no")
    if what == 4:
        return lifecycle.give_back(life, "no")
    if what == 5 and (at := life.candidate) is not None:
        if at.stage in (Stage.VETTED, Stage.SHADOW):
            return lifecycle.activate(life, at.key)
        return lifecycle.advance(life, at.key, WAY[ON_ITS_WAY.index(at.stage)])
    return life
