"""Labels that were joined leave for the centre, with the row they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.labels import leaving
from tests.labels import made
from tests.labels.made import ANOMALY, DAY, HOUR, QUALITY, S
from tests.labels.test_joining import bench

if TYPE_CHECKING:
    from edge_agent.records import LabelRecord

PARTS = ("a", "b", "c", "d", "e")


def newest(records: list[LabelRecord]) -> dict[tuple[str, int], tuple[int, float]]:
    """State and value by asset and moment of the row, as a reader of all has them."""
    found: dict[tuple[str, int], tuple[int, float]] = {}
    for record in records:
        for row in range(len(record)):
            key = record.assets[record.asset[row]], int(record.row_at[row])
            found[key] = int(record.state[row]), float(record.value[row])
    return found


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(PARTS), st.sampled_from(["good", "bad", "1.5"])),
        max_size=12,
    ),
    st.integers(0, 5),
)
def test_the_newest_rows_are_what_was_joined(
    labels: list[tuple[str, str]], later: int
) -> None:
    """Early and late labels, corrections, repetitions: nobody needs the desk for it."""
    one = bench()
    one.score(PARTS[:later], [0.9] * later)
    for part, text in labels:
        one.tell(made.label(text, part=part))
    one.wait(S)
    one.score(PARTS[later:])
    one.wait(S)

    joined = one.desk.joined(QUALITY)
    wanted = {
        (joined.assets[joined.asset[row]], int(joined.at[row])): (
            1 if joined.bad[row] else 0 if joined.good[row] else 2,
            float(joined.value[row]),
        )
        for row in range(len(joined))
    }
    assert sorted(map(str, newest(one.left).items())) == sorted(
        map(str, wanted.items())
    )


def test_a_label_says_what_was_predicted() -> None:
    """Verdict, score, version and delay are those of the row."""
    one = bench()
    one.score(["a", "b"], [0.9, 0.1], version="1.2.0")
    one.wait(2 * DAY)
    one.tell(made.label("bad", part="b"), made.label("good", part="a"))

    (record,) = one.left
    assert record.pipeline == QUALITY
    assert list(record.predicted) == [1, 0]
    assert list(record.state) == [0, 1]
    assert record.label == ("good", "bad")
    assert record.version == ("1.2.0", "1.2.0")
    np.testing.assert_allclose(record.score, [0.9, 0.1], rtol=1e-6)
    np.testing.assert_allclose(record.delay, 2 * 86_400, atol=1)


def test_a_label_said_again_leaves_nothing() -> None:
    """Only what changed is worth a row."""
    one = bench()
    one.score(["a"])
    one.tell(made.label("bad", part="a"))
    one.tell(made.label("bad", part="a"))
    one.wait(S)

    assert [len(record) for record in one.left] == [1]


def test_rows_keep_the_wall_time_they_were_sent_with() -> None:
    """A wall clock that was set meanwhile moves no row away from its prediction."""
    one = bench()
    one.clock.offset = -5 * HOUR
    one.score(["a"])
    at = one.clock.time
    one.wait(S)
    one.clock.offset = 0
    one.tell(made.label("bad", part="a"))

    (record,) = one.left
    assert int(record.row_at[0]) == at - 5 * HOUR


def test_many_labels_leave_in_parts() -> None:
    """No record is larger than the bound, none is missing."""
    one = bench()
    one.watch(20 * 60)
    one.wait(HOUR)
    since = one.clock.time - 3 * HOUR
    one.tell(
        *[
            made.label("bad", asset=asset, since=since, until=one.clock.time)
            for asset in range(len(made.PUMPS))
        ],
        name=ANOMALY,
    )

    rows = sum(len(record) for record in one.left)
    assert rows == len(one.desk.joined(ANOMALY)) > 0
    assert max(len(record) for record in one.left) <= leaving.MOST
