"""Blocks over time: exact windows, bounded memory, a checkpoint that comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.monitoring import blocks_kept
from edge_agent.monitoring.blocks import MAX_CONTEXTS, OTHER, Blocks, Cadence
from edge_agent.monitoring.tallies import Grid, Tallies, counted

SECOND = 1_000_000_000
GRID = Grid.of(["a", "b"], [[-1.0, 0.0, 1.0], [0.0, 5.0]], [0.0, 2.0], "id")


def begun(every: float = 60.0, window: float = 240.0, assets: int = 2) -> Blocks:
    """No rows yet."""
    return Blocks(GRID, Cadence(every, window), assets, 0)


def rows(seed: int, count: int = 5) -> np.ndarray[Any, np.dtype[np.float32]]:
    """float32[count, 2]."""
    return np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)


def filled(blocks: Blocks, steps: int, context: str = "") -> Blocks:
    """With a block of five rows a minute."""
    for step in range(steps):
        blocks = blocks.folded(context, counted(GRID, rows(step)))
        blocks, _ = blocks.close(blocks.since + 60 * SECOND)
    return blocks


def same(one: Tallies, other: Tallies) -> bool:
    """Whether all bits are equal."""
    mine, its = one.to_arrays(), other.to_arrays()
    return all(np.array_equal(mine[name], its[name]) for name in mine)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40))
def test_a_window_is_what_its_rows_give_at_once(steps: int) -> None:
    """The first window holds the newest four blocks, bit for bit."""
    window = filled(begun(), steps).window("")

    newest = np.concatenate([rows(step) for step in range(steps)[-4:]])
    assert window is not None
    assert same(window.tallies, counted(GRID, newest))


@pytest.mark.parametrize(("place", "least", "most"), [(1, 32, 36), (2, 256, 292)])
def test_longer_windows_reach_further_back(place: int, least: int, most: int) -> None:
    """The second window spans eight of the first, the third 64, up to now."""
    window = filled(begun(), 400).window("", place)

    assert window is not None
    assert least <= window.blocks <= most
    newest = np.concatenate([rows(step) for step in range(400)[-window.blocks :]])
    assert same(window.tallies, counted(GRID, newest))
    assert window.until == 400 * 60 * SECOND


def test_memory_does_not_grow() -> None:
    """However long it runs, a context keeps 4 + 8 + 8 pieces and two more."""
    blocks = filled(begun(60.0, 4 * 60.0), 1200)

    pieces = sum(
        len(window.pieces) + (window.pending is not None)
        for window in blocks.closed[""]
    )
    assert pieces <= 4 + 8 + 8 + 2


def test_contexts_beyond_the_most_are_counted_together() -> None:
    """The 33rd context of a block goes to one named other, and its rows are counted."""
    blocks = begun()
    for number in range(MAX_CONTEXTS + 5):
        blocks = blocks.folded(f"part {number}", counted(GRID, rows(number)))

    assert blocks.crowded == 25
    assert blocks.live[OTHER].tallies.rows == 25
    assert len(blocks.live) == MAX_CONTEXTS + 1


def test_a_gateway_of_many_pipelines_tells_fewer_contexts_apart() -> None:
    """Memory is bounded over all of them, not only for each."""
    before = begun()
    blocks = replace(before, cadence=replace(before.cadence, contexts=3))
    for number in range(5):
        blocks = blocks.folded(f"recipe {number}", counted(GRID, rows(number)))

    assert set(blocks.live) == {"recipe 0", "recipe 1", "recipe 2", OTHER}


def test_contexts_that_never_come_again_make_room() -> None:
    """A plant that names every part a context keeps the one that runs on."""
    blocks = begun()
    for step in range(60):
        blocks = blocks.folded("steady", counted(GRID, rows(step)))
        for number in range(20):
            one = counted(GRID, rows(number, 1))
            blocks = blocks.folded(f"{step}/{number}", one)
        blocks, _ = blocks.close(blocks.since + 60 * SECOND)

    assert len(blocks.closed) <= MAX_CONTEXTS + 1
    assert len(blocks.closed["steady"][0].pieces) == 4


def test_running_time_is_told_from_rows() -> None:
    """An hour with half of the usual rows counts as half an hour of running."""
    blocks, seconds = begun(3600.0, 4 * 3600.0), []
    for count in (100, 100, 50):
        blocks = blocks.folded("", counted(GRID, rows(count, count)))
        blocks, closed = blocks.close(blocks.since + 3600 * SECOND)
        seconds.append(closed[""].seconds)

    assert seconds[-1] == pytest.approx(1800, rel=0.03)


def test_assets_count_by_what_they_make() -> None:
    """Two assets of which one makes nearly all rows scatter like one."""
    blocks = begun().folded("", counted(GRID, rows(1, 100)), np.array([99, 1]))
    _, closed = blocks.close(60 * SECOND)

    assert closed[""].assets == pytest.approx(1.02, abs=0.01)


def test_a_checkpoint_brings_everything_back() -> None:
    """Blocks that went through bytes give the same windows, open block included."""
    blocks = filled(filled(begun(), 50, "A"), 7, "B")
    blocks = blocks.folded("A", counted(GRID, rows(99)), np.array([3, 2]), gated=4)
    body = msgspec.msgpack.encode(blocks_kept.saved(blocks))

    back = blocks_kept.restored(GRID, blocks.cadence, 2, msgspec.msgpack.decode(body))

    for context in ("A", "B"):
        for place in range(3):
            before, after = (b.window(context, place) for b in (blocks, back))
            assert (before is None) == (after is None)
            if before is not None and after is not None:
                assert same(before.tallies, after.tallies)
                assert before.seconds == after.seconds
    assert same(back.live["A"].tallies, blocks.live["A"].tallies)
    assert back.live["A"].gated == 4
    assert (back.since, back.pace) == (blocks.since, blocks.pace)
    further = [filled(b, 5, "A").window("A", 1) for b in (blocks, back)]
    assert further[0] is not None
    assert further[1] is not None
    assert same(further[0].tallies, further[1].tallies)


def test_a_checkpoint_of_other_bins_is_refused() -> None:
    """Counts of another model's bins are never added to this one's."""
    kept = blocks_kept.saved(filled(begun(), 3))
    other = Grid.of(["a", "b"], [[-1.0, 0.5, 1.0], [0.0, 5.0]], [0.0, 2.0], "another")

    with pytest.raises(ValueError, match="other bins"):
        blocks_kept.restored(other, Cadence(60.0, 240.0), 2, kept)


@pytest.mark.parametrize("body", [b"", b"\x78\x9c damaged", b"x" * 100])
def test_a_damaged_checkpoint_is_refused(body: bytes) -> None:
    """Bytes that are no tallies raise what the caller starts fresh on."""
    kept = blocks_kept.saved(filled(begun(), 3))
    kept["closed/0"]["windows"][0][1]["tallies"] = body

    with pytest.raises(ValueError, match="tallies"):
        blocks_kept.restored(GRID, Cadence(60.0, 240.0), 2, kept)
