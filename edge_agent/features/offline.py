"""The notebook's entry: a recording to feature rows, by the gateway's own code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from edge_agent.features.cycles import OnCycle
from edge_agent.features.depth import depth_for
from edge_agent.features.feature_rows import FeatureRows, joined
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.rows import RowBuilder, row_makers
from edge_agent.features.triggers import Every, OnUpdate, Trigger
from edge_agent.features.window import Window, nanoseconds
from edge_agent.samples import SampleBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.features.contexts import Contexts
    from edge_agent.features.spec import FeatureSpec
    from edge_agent.features.window import Mask
    from edge_agent.samples import AssetType

_AT_ONCE = 65_536
"""Samples of one step through a recording; bounds memory, changes no row."""


@dataclass(frozen=True, slots=True)
class TriggerSpec:
    """When rows are due, in seconds; the operator's `score` section.

    Attributes:
        every: period; None with ``on``.
        on: ``update`` or ``cycle``; None with ``every``.
        settle: wait for the rest of a row.
        part: the role that carries the part id, for ``cycle``.
        part_at: whether the id comes when the part begins or with its results.
    """

    every: float | None = None
    on: Literal["update", "cycle"] | None = None
    settle: float = 0.2
    part: str | None = None
    part_at: Literal["start", "end"] = "end"


def trigger_for(
    spec: TriggerSpec,
    plan: FeaturePlan,
    window: Window,
    since: int,
    catch_up: int | None = None,
) -> Trigger:
    """The trigger of a pipeline.

    Args:
        spec: what the operator wrote.
        plan: the pipeline's features; their tags make the rows.
        window: the rings, which know which tags report changes only.
        since: agent time of the start; ticks come after it.
        catch_up: ns of ticks made in one turn at most, None for all of them.

    Raises:
        ValueError: the spec names not exactly one of every, update and cycle.
    """
    settle = nanoseconds(spec.settle)
    if spec.every is not None and spec.on is None:
        return Every(window.kind, nanoseconds(spec.every), since, catch_up)
    if spec.every is None and spec.on == "update":
        return OnUpdate(window.kind, row_makers(plan, window), settle)
    if spec.every is None and spec.on == "cycle" and spec.part is not None:
        makers = row_makers(plan, window)
        return OnCycle(window.kind, makers, spec.part, spec.part_at, settle)
    raise ValueError("a row needs one of: every, on: update, on: cycle with a part")


def offline_rows(
    kind: AssetType,
    specs: Sequence[FeatureSpec],
    trigger: TriggerSpec,
    batch: SampleBatch,
    by_exception: Mask | None = None,
    contexts: Contexts | None = None,
) -> FeatureRows:
    """All rows of a recording.

    Args:
        kind: the asset type.
        specs: the features.
        trigger: when rows are due.
        batch: the recording in order of arrival; see `SampleBatch.of`, which lets
            ``received`` default to the stamps.
        by_exception: tags that report changes only: bool[roles] or bool[kind.size].
        contexts: of the rows, new ones; their ``names`` say what the numbers mean.
    """
    window = Window(kind, depth_for(specs), by_exception)
    plan = FeaturePlan(specs, kind)
    since = int(batch.received[0]) - 1 if len(batch) else 0
    reader = (plan, trigger_for(trigger, plan, window, since))
    builder = RowBuilder(window, [reader], contexts=(contexts,))
    found: list[FeatureRows] = []
    low = 0
    while low < len(batch):
        received = int(batch.received[min(low + _AT_ONCE, len(batch)) - 1])
        high = int(np.searchsorted(batch.received, received, side="right"))
        turn = builder.advance(batch.take(slice(low, high)), received)
        found.append(turn.rows[0])
        low = high
    if len(batch) and trigger.on is not None:
        end = int(batch.received[-1]) + nanoseconds(trigger.settle)
        found.append(builder.advance(SampleBatch.of([], [], []), end).rows[0])
    nothing = plan.compute(window, np.zeros(0, np.int32), np.zeros(0, np.int64))
    return joined([rows for rows in found if len(rows)] or [nothing])
