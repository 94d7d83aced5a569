"""The core as a configuration describes it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from edge_agent.assembly import core, shortest_hold
from edge_agent.config import loading
from edge_agent.features.triggers import Every
from edge_agent.rehearsal import manned
from edge_agent.samples import NANOSECONDS, SampleBatch
from tests.config.plants import written

if TYPE_CHECKING:
    from pathlib import Path

START = 1_700_000_000 * NANOSECONDS


def test_the_shortest_hold_is_that_of_a_sources_own_tags(tmp_path: Path) -> None:
    """Features hold 30 s; one tag of plc1 says less, and no tag is read from spare."""
    spare = "sources:\n  spare: { type: opcua, endpoint: 'opc.tcp://192.0.2.6:4840' }\n"
    edit = ("unit: bar\n", "unit: bar\n        max_age: 5s\n")
    loaded = loading.read(written(tmp_path, edit, spare_yaml=spare))
    made, tags = manned(loaded), loaded.plant.tags
    holds = {
        name: shortest_hold(made.values(), tags, index)
        for index, name in enumerate(tags.sources)
    }

    assert holds == {"plc1": 5.0, "cell": 30.0, "spare": inf}


def test_only_a_live_agent_gives_ticks_up(tmp_path: Path) -> None:
    """The limit of what is made up for reaches the ticks; without one all are made."""
    loaded = loading.read(written(tmp_path))
    skipped = []
    for catch_up in (60 * NANOSECONDS, None):
        line = core(loaded, manned(loaded), START, catch_up).lines[0]
        ((_, every),) = line.builder.pipelines
        assert isinstance(every, Every)
        line.builder.advance(SampleBatch.of([], [], []), START + 100 * NANOSECONDS)
        skipped.append(every.skipped)

    assert skipped == [40, 0]
