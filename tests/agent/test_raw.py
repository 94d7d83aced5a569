"""Samples of chosen tags leave as they came, whatever turns cut them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.raw import GATHER, MOST, Raw
from edge_agent.samples import AssetType, SampleBatch, Tag, TagTable

if TYPE_CHECKING:
    from edge_agent.records import RawRecord

PUMP = AssetType("pump", ("A", "B"), (Tag("flow", ""), Tag("state", "", text=True)), 0)
TAGS = TagTable((PUMP,), ("plc",), np.zeros(4, np.int16))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 9)), max_size=30),
    st.lists(st.integers(0, 30), max_size=4),
)
def test_every_sample_of_a_chosen_tag_leaves_once(
    samples: list[tuple[int, float]], cuts: list[int]
) -> None:
    """In order, with the tag's name; no other one does."""
    left: list[RawRecord] = []
    raw = Raw(TAGS, ["pump.flow"], left.append)
    edges = sorted({0, len(samples), *(cut % (len(samples) + 1) for cut in cuts)})
    for turn, (begin, end) in enumerate(itertools.pairwise(edges)):
        part = samples[begin:end]
        batch = SampleBatch.of(
            [tag for tag, _ in part], range(begin, end), [value for _, value in part]
        )
        raw.take(batch, turn * GATHER // 2)
    raw.flush(0)

    found = [
        (one.tags[one.tag[row]], int(one.time[row]), float(one.value[row]))
        for one in left
        for row in range(len(one))
    ]
    names = {0: "A.flow", 1: "B.flow"}
    assert found == [
        (names[tag], place, value)
        for place, (tag, value) in enumerate(samples)
        if tag in names
    ]


def test_text_has_no_number_and_a_flood_leaves_in_parts() -> None:
    """A state's words are not in the record, and none is larger than the bound."""
    left: list[RawRecord] = []
    raw = Raw(TAGS, ["pump.state", "pump.flow"], left.append)
    count = MOST + 7
    raw.take(SampleBatch.of([2] + [0] * (count - 1), range(count), [1.0] * count), 0)

    assert [len(one) for one in left] == [MOST, 7]
    assert left[0].tags[left[0].tag[0]] == "A.state"
    assert np.isnan(left[0].value[0])
