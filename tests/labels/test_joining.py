"""Labels find their predictions: any order, any batch, days late, the last one wins."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.labels.columns import State
from edge_agent.labels.keys import keyed
from tests.labels import made
from tests.labels.made import ANOMALY, DAY, HOUR, MINUTE, QUALITY, Bench, S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.labels.telling import Label

SAID = {"good": State.GOOD, "bad": State.BAD, "2.5": State.VALUE}
PARTS = [f"part-{k}" for k in range(12)]


def bench(**settings: Any) -> Bench:  # noqa: ANN401
    """A desk in a folder of its own."""
    return Bench(Path(tempfile.mkdtemp()), **settings)


@st.composite
def told(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Labels of parts, some of which were never scored, in any order."""
    parts = st.sampled_from([*PARTS, "unheard-of"])
    return draw(st.lists(st.tuples(parts, st.sampled_from(list(SAID))), max_size=40))


def cut(labels: Sequence[Label], cuts: Sequence[int]) -> list[list[Label]]:
    """The labels in portions."""
    edges = sorted({0, len(labels), *(c % (len(labels) + 1) for c in cuts)})
    return [list(labels[a:b]) for a, b in pairwise(edges)]


@settings(deadline=None, max_examples=60)
@given(told(), st.lists(st.integers(0, 40), max_size=4), st.integers(0, 12))
def test_the_last_label_wins(
    labels: list[tuple[str, str]], cuts: list[int], later: int
) -> None:
    """Whatever order and batches, also where the part is scored after its label."""
    one = bench()
    one.score(PARTS[later:])
    one.desk.look()
    written = [made.label(text, part=part) for part, text in labels]
    for portion in cut(written, cuts):
        one.tell(*portion)
    one.score(PARTS[:later])
    one.desk.look()

    wanted = {part: SAID[text] for part, text in labels}
    order = [*PARTS[later:], *PARTS[:later]]
    assert one.states() == [wanted.get(part, State.NONE) for part in order]


@settings(deadline=None, max_examples=60)
@given(told(), st.integers(0, 12))
def test_a_batch_is_as_one_by_one(labels: list[tuple[str, str]], later: int) -> None:
    """The same labels on the rows, and the same counts."""
    whole, single = bench(), bench()
    written = [made.label(text, part=part) for part, text in labels]
    for each, portions in ((whole, [written]), (single, [[x] for x in written])):
        each.score(PARTS[later:])
        each.desk.look()
        for portion in portions:
            each.tell(*portion)
        each.score(PARTS[:later])
        each.desk.look()

    assert whole.states() == single.states()
    for name in ("joined", "corrected", "duplicate", "unknown"):
        assert whole.count(name) == single.count(name), name


@settings(deadline=None, max_examples=40)
@example([(0, 596, 8, "good")], [])  # its middle is where a bucket ends
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(-300, 1500),
            st.integers(0, 720),
            st.sampled_from(list(SAID)),
        ),
        max_size=12,
    ),
    st.lists(st.integers(0, 12), max_size=3),
)
def test_a_stretch_labels_the_buckets_it_covers(
    labels: list[tuple[int, int, int, str]], cuts: list[int]
) -> None:
    """Those whose middle it covers, as a loop over assets and buckets says."""
    one = bench()
    one.clock.time = begin = made.START // MINUTE * MINUTE
    one.watch(20 * 60, every=20)
    one.desk.look()
    written = [
        made.label(
            text, asset=asset, since=begin + a * S, until=begin + (a + length) * S
        )
        for asset, a, length, text in labels
    ]
    for portion in cut(written, cuts):
        assert one.desk.labelled(ANOMALY, portion)
        one.desk.look()

    ring = one.desk.books[ANOMALY].ring
    columns = ring.pages[0].columns()
    for asset, at, state in zip(
        columns["asset"], columns["at"], columns["state"], strict=True
    ):
        wanted = State.NONE
        for label in written:
            middle = (label.since + label.until) // 2
            covered = label.since <= at + MINUTE // 2 <= label.until
            if label.asset == asset and (covered or at <= middle < at + MINUTE):
                wanted = label.state
        assert state == wanted


def test_labels_days_late_are_joined_with_their_delay() -> None:
    """The delay is agent time: a wall clock that was stepped does not change it."""
    one = bench()
    one.score(["a", "b"])
    one.wait(3 * DAY)
    one.clock.offset = 30 * DAY
    one.tell(made.label("bad", part="a"))

    joined = one.desk.joined(QUALITY)
    assert len(joined) == 1
    assert joined.delay[0] == 3 * 86_400
    assert list(joined.bad) == [True]
    assert list(joined.predictions) == [0, 2]


def test_a_stretch_means_the_time_the_wall_clock_showed() -> None:
    """Rows of before and after a step keep the offset they were sent with."""
    one = bench()
    one.clock.offset = -5 * HOUR
    one.watch(120)
    one.desk.look()
    one.clock.offset = 0
    one.watch(120)
    one.desk.look()
    since = one.clock.time - 240 * S - 5 * HOUR
    one.tell(
        made.label("bad", asset=0, since=since, until=since + 100 * S), name=ANOMALY
    )

    joined = one.desk.joined(ANOMALY)
    assert len(joined) > 0
    assert (joined.at - joined.wall == 5 * HOUR).all()


def test_the_same_part_of_two_presses_is_two_parts() -> None:
    """A label that names the asset goes to that one's part, else to the newest."""
    one = bench()
    one.score(["17"], asset=0)
    one.wait(S)
    one.score(["17"], asset=1)
    one.desk.look()
    one.tell(made.label("bad", part="17", asset=0))
    assert one.states() == [State.BAD, State.NONE]
    one.tell(made.label("good", part="17"))
    assert one.states() == [State.BAD, State.GOOD]


def test_what_becomes_of_labels_is_counted() -> None:
    """Joined, said again, corrected, waiting and then unknown."""
    one = bench()
    one.score(["a"])
    one.desk.look()
    one.tell(made.label("bad", part="a"), made.label("bad", part="a"))
    one.tell(made.label("good", part="a"), made.label("bad", part="x"))
    assert one.count("unknown") == 0
    one.wait(2 * HOUR)

    assert one.count("joined") == 1
    assert one.count("duplicate") == 1
    assert one.count("corrected") == 1
    assert one.count("unknown") == 1


def test_a_label_older_than_the_horizon_is_late() -> None:
    """It names a time of which nothing is kept any more."""
    one = bench(horizon="1d")
    one.watch(120)
    one.desk.look()
    old = one.clock.time - 2 * DAY
    one.tell(made.label("bad", asset=0, since=old, until=old + HOUR), name=ANOMALY)

    assert one.count("late", pipeline=ANOMALY) == 1
    assert one.count("unknown", pipeline=ANOMALY) == 0


def test_a_stretch_that_is_not_over_labels_what_comes_of_it() -> None:
    """Its last buckets close after the label came."""
    one = bench()
    one.watch(70)
    one.desk.look()
    now = one.clock.time
    one.tell(
        made.label("bad", asset=0, since=now - 10 * S, until=now + 180 * S),
        name=ANOMALY,
    )
    one.watch(400)
    one.desk.look()

    joined = one.desk.joined(ANOMALY)
    assert len(joined) >= 3
    assert set(joined.asset.tolist()) == {0}
    assert one.count("joined", pipeline=ANOMALY) == 1
    one.wait(HOUR)
    assert one.count("unknown", pipeline=ANOMALY) == 0


def test_two_ids_with_the_same_first_hash_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second hash says no, and the collision is counted."""

    def alike(parts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        key, check = keyed(parts)
        return np.zeros_like(key), check

    monkeypatch.setattr("edge_agent.labels.predicted.keyed", alike)
    monkeypatch.setattr("edge_agent.labels.telling.keyed", alike)
    one = bench()
    one.score(["a", "b"])
    one.desk.look()
    one.tell(made.label("bad", part="b"))

    assert one.states() == [State.NONE, State.BAD]
    assert one.count("collisions") == 1


def test_a_part_id_that_is_stuck_costs_no_more_than_others() -> None:
    """Thousands of rows and labels of one id: the newest row is meant."""
    one = bench()
    one.score(["0"] * 3000)
    one.desk.look()
    one.tell(*[made.label("bad", part="0")] * 3000)

    assert one.states() == [State.NONE] * 2999 + [State.BAD]
    assert one.count("duplicate") == 2999


def test_buckets_of_one_label_are_one_piece_of_evidence() -> None:
    """Two stretches of two pumps are three pieces; an alarm is one episode."""
    one = bench()
    one.clock.time = begin = made.START // MINUTE * MINUTE
    one.watch(600, every=20)
    one.watch(300, 0.9, alarmed=True, every=20)
    one.watch(600, every=20)
    one.desk.look()
    for asset, first, last in ((0, 0, 5), (1, 0, 20), (0, 11, 14)):
        since, until = begin + first * MINUTE, begin + last * MINUTE
        told = made.label("bad", asset=asset, since=since, until=until)
        one.tell(told, name=ANOMALY)
        one.clock.time += 5 * S
    joined = one.desk.joined(ANOMALY)

    assert np.bincount(joined.piece).tolist() == [5, 3, 20]
    episodes = joined.episode[joined.episode >= 0]
    assert len(set(episodes.tolist())) == 2
    assert (joined.episode >= 0).tolist() == joined.alarm.tolist()


def test_classes_and_groups_come_back_as_words() -> None:
    """Predicted class and label share one list of words."""
    one = bench(groups=["lot"])
    table = [[0.9, 0.1], [0.2, 0.8]]
    done = np.zeros(2, np.uint8)
    found = made.scores([0.1, 0.8], table, ("ok", "bad"))
    given = made.rows([one.clock.time] * 2, ["a", "b"])
    one.desk.predicted(made.pipeline(), given, found, done)
    one.desk.look()
    one.tell(
        made.label("bad", part="a", groups=("L1",)),
        made.label("bad", part="b", groups=("L2",)),
    )

    joined = one.desk.joined(QUALITY)
    assert [joined.words[k] for k in joined.predicted] == ["ok", "bad"]
    assert [joined.words[k] for k in joined.label] == ["bad", "bad"]
    assert [joined.group_words["lot"][k] for k in joined.groups["lot"]] == ["L1", "L2"]
    assert joined.probability.tolist() == pytest.approx([0.9, 0.8])
    assert joined.over.tolist() == [False, True]
