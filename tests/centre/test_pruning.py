"""Old days go where the operator says so, and nobody else's do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.centre.bucket import open_bucket
from edge_agent.centre.names import Named, sha_of
from edge_agent.centre.pruning import Pruning
from edge_agent.config.keeping import Centre

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400 * 10**9
NOW = 1_795_651_200 * 10**9
"""2026-11-26."""


def test_own_days_go_and_others_stay(tmp_path: Path) -> None:
    """Once a day; without a setting nothing ever goes."""
    bucket = open_bucket(Centre(path=tmp_path), None)
    names = []
    for gateway in ("gw 7/ü", "gw-8"):
        for day in ("2026-11-10", "2026-11-20", "2026-11-26"):
            name = Named("drift", "s", gateway, day, 1, 2, sha_of(b"x"))
            bucket.put(str(name), b"x")
            names.append(name)
    Pruning("s", "gw 7/ü", None).look(bucket, NOW)
    assert len(bucket.names()) == len(names)

    pruning = Pruning("s", "gw 7/ü", 7 * 86_400.0)
    pruning.look(bucket, NOW)
    left = {name for name, _ in bucket.names()}
    kept = {n for n in names if n.gateway == "gw-8" or n.day > "2026-11-19"}
    assert left == {str(name) for name in kept}

    bucket.put(str(names[0]), b"x")
    pruning.look(bucket, NOW + DAY // 4)
    assert len(bucket.names()) == len(kept) + 1
    pruning.look(bucket, NOW + DAY)
    assert len(bucket.names()) == len(kept)
