"""What columns looked like, as bytes and added up."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.monitoring.tallies import Grid, counted
from edge_agent.store import blocks
from edge_agent.store.blocks import Block
from tests.store import drawn, made

if TYPE_CHECKING:
    from edge_agent.records import DriftRecord

GRID = Grid.of(("flow", "score"), ((0.0, 1.0, 4.0), (1.0, 2.0)), (1.0, 1.0))
readings = st.floats(-1e6, 1e6, width=32) | st.just(float("nan"))


@given(drawn.drift_records())
def test_unpacked_equals_packed(record: DriftRecord) -> None:
    """Columns come back from their bytes with every number as it was."""
    block = blocks.unpack(blocks.pack(Block.of(record)))

    for name in ("n", "missing", "total", "square", "low", "high", "counts", "bins"):
        assert made._same(getattr(block, name), getattr(record, name)), name
    assert block.columns == record.columns


@given(st.lists(st.lists(readings, min_size=1, max_size=5), min_size=1, max_size=6))
def test_blocks_added_up_are_those_of_all_rows(parts: list[list[float]]) -> None:
    """However rows are cut into blocks: added up they are the same bits as in one."""
    whole = made.drift(values=[value for part in parts for value in part])
    first, *more = (Block.of(made.drift(values=part)) for part in parts)
    for block in more:
        first = first.plus(block)

    for name in ("n", "missing", "total", "square", "low", "high", "counts"):
        assert made._same(getattr(first, name), getattr(whole, name)), name


@given(st.binary(max_size=200), st.booleans())
def test_bytes_that_are_no_block_are_refused(body: bytes, deflated: bool) -> None:
    """Whatever lies there raises ValueError, nothing else."""
    with pytest.raises(ValueError, match=r".*"):
        blocks.unpack(zlib.compress(body) if deflated else body)


def _packed(**changes: object) -> bytes:
    inside = blocks._unpack(blocks._inflated(blocks.pack(Block.of(made.drift()))))
    changed = msgspec.structs.replace(inside, **changes)
    return zlib.compress(msgspec.msgpack.encode(changed))


@pytest.mark.parametrize(
    "changes",
    [
        {"n": [1]},
        {"bins": [4, 4]},
        {"bins": [8, -1]},
        {"bins": [1 << 40, 1]},
        {"bins": [1 << 63, 1]},
        {"counts": []},
        {"total": b"1234567"},
        {"columns": ("flow",)},
    ],
)
def test_columns_that_do_not_fit_are_refused(changes: dict[str, object]) -> None:
    """A body whose parts contradict each other is damaged, however it was made."""
    with pytest.raises(ValueError, match="block"):
        blocks.unpack(_packed(**changes))
    assert len(blocks.unpack(_packed()).columns) == 2


def test_a_body_cannot_fill_the_memory() -> None:
    """A few bytes that would unpack to gigabytes are refused."""
    bomb = zlib.compress(bytes(64 << 20), 9)
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match="does not end"):
        blocks.unpack(bomb)


def test_other_columns_have_another_layout() -> None:
    """Names and bins make the layout, numbers do not."""
    one, other = made.drift(values=(1.0,)), made.drift(values=(2.0, 3.0))
    renamed = Block.of(made.drift())
    renamed = blocks.Block(("pressure", "score"), *_rest(renamed))

    assert Block.of(one).layout == Block.of(other).layout
    assert Block.of(one).layout != renamed.layout


def _rest(block: Block) -> tuple[np.ndarray, ...]:
    return (
        *(block.bins, block.n, block.missing, block.total, block.square),
        *(block.low, block.high, block.counts),
    )


def test_a_usual_block_is_small() -> None:
    """22 columns of 22 bins of an hour of a hall take less than 2 KiB."""
    dice = np.random.default_rng(1)
    names = [f"vibration_rms.mean_{place}m" for place in range(22)]
    edges = np.sort(dice.normal(10, 2, (22, 21)))
    grid = Grid.of(names, edges.tolist(), [10.0] * 22)
    rows = dice.normal(10, 2, (36_000, 22)).astype(np.float32)
    t = counted(grid, rows)
    block = Block(
        *(grid.names, grid.bins, t.n, t.missing, t.total, t.square),
        *(t.low, t.high, t.counts),
    )

    assert len(blocks.pack(block)) < 2048
