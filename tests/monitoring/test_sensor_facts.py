"""Which tags are watched at all."""

from __future__ import annotations

import numpy as np

from edge_agent.monitoring.sensors.facts import Facts
from edge_agent.samples import AssetType, Tag, TagTable


def test_texts_and_tags_that_nobody_wants_watched_are_left_out() -> None:
    """A totaliser is meant to stand and to jump: `watch: false` says so."""
    tags = (Tag("flow"), Tag("part", text=True), Tag("total", watched=False))
    kind = AssetType("pump", ("P-1", "P-2"), tags, 0)
    table = TagTable((kind,), ("plc",), np.zeros(kind.size, np.int16))

    facts = Facts.of(kind, table, np.zeros(1, bool))

    assert facts.numeric.tolist() == [True, True, False, False, False, False]
