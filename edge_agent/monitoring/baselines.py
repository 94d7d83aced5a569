"""A model's reference as records: what the centre holds drift rows against. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.records import SnapshotRecord
from edge_agent.records.monitored import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.monitoring.drift.yardstick import Profile, Yardstick
    from edge_agent.records import PipelineInfo


def records(
    at: int, info: PipelineInfo, yardstick: Yardstick
) -> Iterator[SnapshotRecord]:
    """One record for all rows, and one a context.

    The body has ``model``, ``model_version``, ``model_digest``, ``baseline_id`` and
    ``context``; ``feature``, ``n``, ``edges`` and ``counts`` are lists, one a column.

    Args:
        at: agent time, ns.
        info: of the pipeline with that model.
        yardstick: its reference.
    """
    for context, profile in {"": yardstick.whole, **yardstick.contexts}.items():
        body = {
            "model": info.model,
            "model_version": info.model_version,
            "model_digest": info.model_digest,
            "baseline_id": profile.grid.baseline_id,
            "context": context,
            **_columns(profile),
        }
        yield SnapshotRecord(
            at, BASELINE, info.pipeline, f"{profile.grid.baseline_id} {context}", body
        )


def _columns(profile: Profile) -> dict[str, list[Any]]:
    grid, tallies = profile.grid, profile.tallies
    bins = grid.bins.tolist()
    return {
        "feature": list(grid.names),
        "n": tallies.n.tolist(),
        "edges": [e[: b - 1].tolist() for e, b in zip(grid.edges, bins, strict=True)],
        "counts": [c[:b].tolist() for c, b in zip(tallies.counts, bins, strict=True)],
    }
