"""What was lost, told by any thread: bounded, exact, with a time."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent import incidents
from edge_agent.clock import ManualClock
from edge_agent.inbox import APART, Inbox
from edge_agent.instruments import Instruments
from edge_agent.losses import OTHERS, SUBJECTS
from edge_agent.samples import NANOSECONDS, AssetType, Tag, TagTable
from tests.losing import taken

MINUTE = 60 * NANOSECONDS


def test_subjects_beyond_the_bound_are_others_and_none_is_left_out() -> None:
    """A flood of topics costs a minute so many records; the next begins anew."""
    clock, instruments = ManualClock(5 * MINUTE), Instruments()
    found = taken(instruments, clock.now)
    for number in range(SUBJECTS + 50):
        instruments.losses.add("messages", f"t/{number}", "bad", 2)
    instruments.losses.add("samples", "plc", "gone", 1)
    instruments.losses.add("messages", "t/0", "bad", 2)
    clock.time += MINUTE
    instruments.losses.add("messages", "t/999", "bad", 2)

    subjects = Counter(one.subject for one in found if one.what == "messages")
    assert subjects[OTHERS] == 50
    assert len(subjects) == SUBJECTS + 2
    assert sum(o.count for o in found if o.what == "messages") == 2 * (SUBJECTS + 52)
    assert found[-3].subject == "plc", "one kind's flood hides no other kind"


def test_what_is_lost_before_there_is_a_ledger_is_told_to_it() -> None:
    """It is kept; one that does not say when gets the time of telling."""
    instruments = Instruments()
    instruments.losses.add("rows", "a", "why", 3, first=1, last=2)
    instruments.losses.add("rows", "b", "why")
    found = taken(instruments, lambda: 7)

    assert [(of.count, of.first, of.last) for of in found] == [(3, 1, 2), (1, 7, 7)]


@given(
    st.lists(
        st.lists(st.integers(0, 2 * APART + 9), min_size=1, max_size=40), max_size=30
    ),
    st.integers(1, 60),
    st.sets(st.integers(0, 30)),
)
def test_every_sample_is_taken_or_told_as_lost(
    pushes: list[list[int]], limit: int, drains: set[int]
) -> None:
    """Pushed is drained and dropped, tag by tag as far as they are told apart."""
    count = 2 * APART + 10
    kind = AssetType("pump", tuple(f"P-{i}" for i in range(count)), (Tag("p"),), 0)
    owners = (np.arange(count) % 2).astype(np.int16)
    table = TagTable((kind,), ("plc", "cell"), owners)
    inbox, instruments = Inbox(table, limit=limit), Instruments()
    found = taken(instruments)
    read: Counter[int] = Counter()
    for at, tags in enumerate(pushes):
        n = len(tags)
        inbox.push(
            np.array(tags, np.int32),
            np.zeros(n, np.int64),
            np.zeros(n),
            np.zeros(n, np.uint8),
            at,
        )
        if at in drains:
            read.update(inbox.drain().tag.tolist())
            incidents.unread(inbox.take_overflows(), table, instruments)
    read.update(inbox.drain().tag.tolist())
    incidents.unread(inbox.take_overflows(), table, instruments)

    pushed = Counter(tag for tags in pushes for tag in tags)
    lost = Counter[str]()
    for one in found:
        lost[one.subject] += one.count
        assert 0 <= one.first <= one.last < len(pushes)
    assert sum(lost.values()) == sum(pushed.values()) - sum(read.values())
    assert lost.total() == instruments.counter("inbox_dropped_total")
    if not any(OTHERS in subject for subject in lost):
        missing = pushed - read
        assert lost == Counter({table.name(tag): n for tag, n in missing.items()})
