"""Tags as numbers, samples as columns, and the inbox between two threads."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.inbox import Inbox
from edge_agent.samples import AssetType, SampleBatch, Tag, TagTable

PUMP = AssetType("pump", ("P1", "P2"), (Tag("a"), Tag("b"), Tag("id", text=True)), 0)
FAN = AssetType("fan", ("F1",), (Tag("a"),), 6)
TABLE = TagTable(
    (PUMP, FAN), ("plc", "cell"), np.array([0, 0, 0, 0, 1, 1, 1], np.int16)
)


def push(
    inbox: Inbox,
    tags: list[int],
    received: int,
    values: list[float] | None = None,
    texts: tuple[str, ...] = (),
) -> None:
    """Samples stamped with their time of arrival."""
    count = len(tags)
    inbox.push(
        np.array(tags, np.int32),
        np.full(count, received, np.int64),
        np.array(values if values is not None else [0.0] * count),
        np.zeros(count, np.uint8),
        received,
        texts,
    )


def test_a_tag_index_is_role_major_and_has_a_name() -> None:
    """One role of all assets is one run of indices."""
    names = [TABLE.name(tag) for tag in range(len(TABLE))]

    assert names == ["P1/a", "P2/a", "P1/b", "P2/b", "P1/id", "P2/id", "F1/a"]
    assert [PUMP.index(role, 1) for role in range(3)] == [1, 3, 5]
    assert TABLE.type_named("fan") is FAN
    assert PUMP.role_index("b") == 1
    with pytest.raises(IndexError):
        TABLE.name(7)
    with pytest.raises(KeyError):
        TABLE.type_named("press")
    with pytest.raises(KeyError):
        PUMP.role_index("c")


def test_samples_come_out_in_order_of_arrival() -> None:
    """A drain gives everything pushed since the last, joined, then nothing."""
    inbox = Inbox(TABLE)
    push(inbox, [1, 2], 10, [1.0, 2.0])
    push(inbox, [], 11)
    push(inbox, [6], 20, [3.0])
    batch = inbox.drain()

    assert batch.tag.tolist() == [1, 2, 6]
    assert batch.value.tolist() == [1.0, 2.0, 3.0]
    assert batch.received.tolist() == [10, 10, 20]
    assert len(inbox.drain()) == 0
    assert len(inbox) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0, 4, 5, 6]), max_size=6), max_size=8))
def test_texts_say_the_same_after_joining(pushes: list[list[int]]) -> None:
    """Whatever pushes are joined, each text sample still points at its text."""
    inbox = Inbox(TABLE)
    said = []
    for k, tags in enumerate(pushes):
        texts = [f"{k}.{i}" for i, tag in enumerate(tags) if tag in {4, 5}]
        place = iter(range(len(texts)))
        values = [next(place) if tag in {4, 5} else 0.5 for tag in tags]
        push(inbox, tags, k, [float(v) for v in values], tuple(texts))
        said += texts
    batch = inbox.drain()
    is_text = np.isin(batch.tag, [4, 5])

    assert [batch.texts[int(v)] for v in batch.value[is_text]] == said
    assert (batch.value[~is_text] == 0.5).all()


def test_a_full_inbox_drops_the_oldest_and_says_so() -> None:
    """What was lost is told by tag, with the time of arrival of first and last."""
    inbox = Inbox(TABLE, limit=5)
    push(inbox, [0, 4], 10)
    push(inbox, [0, 1], 20)
    push(inbox, [2, 3, 5], 30)
    push(inbox, [6], 40)
    lost = {
        (drop.source, drop.tag, drop.count, drop.first, drop.last)
        for drop in inbox.take_overflows()
    }

    assert lost == {(0, 0, 2, 10, 20), (0, 1, 1, 20, 20), (1, 4, 1, 10, 10)}
    assert inbox.drain().received.tolist() == [30, 30, 30, 40]
    assert inbox.take_overflows() == []


def test_a_single_push_over_the_limit_is_kept() -> None:
    """One read of a socket is not torn apart by the bound."""
    inbox = Inbox(TABLE, limit=2)
    push(inbox, [0, 1, 2], 10)

    assert len(inbox.drain()) == 3


def test_a_sign_of_life_never_goes_back() -> None:
    """Each source's own, and the newest counts."""
    inbox = Inbox(TABLE)
    inbox.alive(1, 20)
    inbox.alive(1, 10)
    before = inbox.alive_until()
    inbox.alive(0, 5)

    assert before[1] == 20
    assert before[0] < 0
    assert inbox.alive_until().tolist() == [5, 20]


def test_arrivals_never_go_back() -> None:
    """What was read earlier and pushed later counts as received with the later one.

    The mark of a lost link keeps its stamp at its arrival, over drains too.
    """
    inbox = Inbox(TABLE)
    push(inbox, [0], 100)
    push(inbox, [1], 90)
    first = inbox.drain()
    inbox.alive(0, 80)
    inbox.lost(0, 95)
    push(inbox, [6], 99)
    push(inbox, [6], 101)
    second = inbox.drain()

    assert first.received.tolist() == [100, 100]
    assert first.time.tolist() == [100, 90]
    assert second.received.tolist() == [100] * 5 + [101]
    assert second.time.tolist() == [100] * 4 + [99, 101]


def test_pushes_and_drains_of_two_threads_lose_nothing() -> None:
    """Every sample comes out once, in order, and each push wakes the turn."""
    woken: list[int] = []
    inbox = Inbox(TABLE, wake=lambda: woken.append(1))

    def write() -> None:
        for k in range(2000):
            push(inbox, [0], k, [float(k)])

    writer = Thread(target=write)
    found: list[float] = []
    writer.start()
    while writer.is_alive():
        found += inbox.drain().value.tolist()
    writer.join()
    found += inbox.drain().value.tolist()

    assert found == [float(k) for k in range(2000)]
    assert len(woken) == 2000


def test_taking_rows_keeps_columns_together() -> None:
    """Masks, positions and slices choose whole samples."""
    batch = SampleBatch.of(
        [1, 2, 3], [10, 20, 30], [0.1, 0.2, 0.3], [0, 1, 2], texts="x"
    )
    for select in (np.array([False, True, True]), np.array([1, 2]), slice(1, 3)):
        some = batch.take(select)
        assert some.tag.tolist() == [2, 3]
        assert some.time.tolist() == some.received.tolist() == [20, 30]
        assert some.value.tolist() == [0.2, 0.3]
        assert some.quality.tolist() == [1, 2]
        assert some.texts == ("x",)
