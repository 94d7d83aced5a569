"""What a trigger gives up, and that it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.features.arrivals import Sorter
from edge_agent.features.cycles import OnCycle
from edge_agent.features.triggers import Every, OnUpdate
from edge_agent.samples import AssetType, SampleBatch, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.features.arrivals import Arrivals

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
KIND = AssetType("press", ("M1", "M2"), (Tag("a"), Tag("b"), Tag("part")), 0)


def arrivals(samples: Sequence[tuple[int, int, float, float]]) -> Arrivals:
    """From (role, asset, received, stamp), seconds after T0; a part has its stamp."""
    return Sorter(KIND).arrivals(
        SampleBatch.of(
            [KIND.index(role, asset) for role, asset, _, _ in samples],
            [T0 + round(stamp * SECOND) for *_, stamp in samples],
            [stamp for *_, stamp in samples],
            received=[T0 + round(received * SECOND) for _, _, received, _ in samples],
        )
    )


NOTHING = arrivals([])


def test_after_a_stall_the_newest_ticks_are_made_up() -> None:
    """Ten minutes of standstill give a minute of rows; the rest is counted."""
    every = Every(KIND, SECOND // 10, T0, catch_up=60 * SECOND)
    made = every.due(NOTHING, T0 + 600 * SECOND)

    assert len(made) == 600 * 2
    assert made.at[0] == T0 + 540 * SECOND + SECOND // 10
    assert made.at[-1] == T0 + 600 * SECOND
    assert every.skipped == 5400
    assert every.due(NOTHING, T0 + 601 * SECOND).at[0] == T0 + 600_100_000_000
    assert every.skipped == 5400


@pytest.mark.parametrize(("stall", "skipped"), [(299, 0), (300, 0), (3000, 9)])
def test_the_newest_tick_is_made_however_long_the_period(
    stall: int, skipped: int
) -> None:
    """A row every five minutes is not lost to a shorter limit."""
    start = T0 // (300 * SECOND) * 300 * SECOND
    every = Every(KIND, 300 * SECOND, start, catch_up=60 * SECOND)
    made = every.due(NOTHING, start + stall * SECOND)

    assert len(made) == (2 if stall >= 300 else 0)
    assert every.skipped == skipped


def test_a_recording_makes_every_tick() -> None:
    """Without a limit no tick is given up."""
    every = Every(KIND, SECOND, T0)

    assert len(every.due(NOTHING, T0 + 5000 * SECOND)) == 5000 * 2
    assert every.skipped == 0


def test_stamps_behind_a_closed_row_are_counted_once_each() -> None:
    """Two samples of one stamp are one row that was not made."""
    makers = np.array([True, True, False] * 2)
    trigger = OnUpdate(KIND, makers, SECOND)
    trigger.due(arrivals([(0, 0, 1, 5), (1, 0, 1, 5)]), T0 + SECOND)
    late = [(0, 0, 2, 4), (1, 0, 2, 4), (0, 1, 2, 4), (1, 1, 2, 4), (1, 0, 3, 3)]
    made = trigger.due(arrivals(late), T0 + 3 * SECOND)

    assert made.asset.tolist() == [1]
    assert (trigger.late, trigger.skipped) == (2, 0)


def test_parts_behind_a_closed_one_are_counted() -> None:
    """A part whose id comes after a later part was scored is told of."""
    trigger = OnCycle(KIND, np.array([True, False, True] * 2), "part", "end", SECOND)
    whole = [(0, 0, 1.0, 5.0), (2, 0, 1.0, 5.0)]
    assert len(trigger.due(arrivals(whole), T0 + SECOND)) == 1
    assert len(trigger.due(arrivals([(2, 0, 2.0, 4.0)]), T0 + 9 * SECOND)) == 0

    assert (trigger.late, trigger.skipped) == (1, 0)
