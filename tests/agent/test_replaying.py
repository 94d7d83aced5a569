"""A recording with gaps, ticked through."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.cli import replay
from edge_agent.config import loading
from edge_agent.features.rows import RowBuilder
from edge_agent.recording import Recording
from edge_agent.samples import NANOSECONDS, SampleBatch
from tests.config.plants import written

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from edge_agent.features.rows import Turned
    from edge_agent.samples import I64

START = 1_700_000_000 * NANOSECONDS
HOURS = 3


def test_every_tick_of_a_gap_is_made_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two samples hours apart: a row each second between them, memory bounded."""
    loaded = loading.read(written(tmp_path))
    times = [START, START + HOURS * 3600 * NANOSECONDS]
    recording = Recording(SampleBatch.of([0, 0], times, [1.0, 2.0]))
    rows: list[int] = []
    advance = RowBuilder.advance

    def counted(
        self: RowBuilder, batch: SampleBatch, now: int, alive: I64 | None = None
    ) -> Turned:
        turned = advance(self, batch, now, alive)
        rows.append(sum(map(len, turned.rows)))
        return turned

    monkeypatch.setattr(RowBuilder, "advance", counted)
    out = io.StringIO()
    found = replay.replay(loaded, recording, out)

    # two pumps
    assert found["rows"] == sum(rows) == (HOURS * 3600 + 1) * 2
    assert max(rows) == replay.TICKS * 2
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    mine = [line["ts_ns"] for line in lines if line["asset"] == "P-101"]
    assert np.unique(np.diff(mine)).tolist() == [NANOSECONDS]
