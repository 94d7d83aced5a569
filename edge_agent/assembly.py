"""What turns samples into records, built from the configuration.

The same for the live agent and for a replay: windows, plans, triggers, models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.clock import local_offset
from edge_agent.config import schema
from edge_agent.config.spans import span_of
from edge_agent.config.zones import zone_named
from edge_agent.features.contexts import Contexts, ContextSpec
from edge_agent.features.depth import depth_for
from edge_agent.features.offline import TriggerSpec, trigger_for
from edge_agent.features.rows import RowBuilder
from edge_agent.features.window import Window
from edge_agent.features.words import spelled
from edge_agent.lines import Line
from edge_agent.posts import Post
from edge_agent.samples import NANOSECONDS
from edge_agent.stamps import Stamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.config import pipelines
    from edge_agent.config.loading import Loaded
    from edge_agent.config.monitoring import Context
    from edge_agent.features.plan import FeaturePlan
    from edge_agent.features.triggers import Trigger
    from edge_agent.posts import Seating
    from edge_agent.samples import AssetType, TagTable

_LONGEST_LEAD = 4096
"""Bounds memory: 17 bytes a tag and slot."""


@dataclass(frozen=True, slots=True)
class Core:
    """What turns samples into records, the same live and in a replay.

    Attributes:
        lines: one an asset type that a pipeline scores.
        stamps: the sources' clocks.
    """

    lines: list[Line]
    stamps: Stamps


def core(
    loaded: Loaded,
    manned: Mapping[str, Seating],
    since: int,
    catch_up: int | None = None,
) -> Core:
    """Build windows, triggers and posts.

    Args:
        loaded: the configuration with its plant.
        manned: who scores each pipeline.
        since: agent time of the start.
        catch_up: ns of ticks made in one turn at most, None for all of them.
    """
    config, tags = loaded.config, loaded.plant.tags
    lines = []
    for kind in tags.types:
        names = [name for name, p in config.pipelines.items() if p.assets == kind.name]
        if names:
            chosen = {name: manned[name] for name in names}
            lines.append(_line(loaded, kind, chosen, since, catch_up))
    policies = [str(config.sources[name].time) for name in tags.sources]
    brokers = [isinstance(config.sources[n], schema.MqttSource) for n in tags.sources]
    return Core(lines, Stamps(tags, policies, brokers))


def shortest_hold(manned: Iterable[Seating], tags: TagTable, source: int) -> float:
    """Seconds for which a silent value of a source is used by every feature.

    Args:
        manned: who scores.
        tags: the tag table.
        source: position in its sources.

    Returns:
        inf where no feature reads the source, or all hold for ever.
    """
    holds = [np.inf]
    for one in manned:
        kind = tags.type_named(one.pipeline.info.asset_type)
        for spec in one.plan.specs:
            role = kind.role_index(spec.tag)
            first = kind.index(role, 0)
            if (tags.source[first : first + len(kind.assets)] == source).any():
                holds.append(min(spec.hold, kind.tags[role].max_age))
    return float(min(holds))


def _line(
    loaded: Loaded,
    kind: AssetType,
    made: dict[str, Seating],
    since: int,
    catch_up: int | None,
) -> Line:
    config, tags = loaded.config, loaded.plant.tags
    owner = tags.source[kind.base : kind.base + kind.size]
    changes = np.array(
        [schema.reports_changes(config.sources[s]) for s in tags.sources]
    )
    specs = [spec for one in made.values() for spec in one.plan.specs]
    lead = max(_lead(config.sources[tags.sources[i]]) for i in np.unique(owner))
    window = Window(kind, depth_for(specs, lead=lead), changes[owner])
    readers, contexts = [], []
    for name, one in made.items():
        due = trigger(config.pipelines[name], since, catch_up, one.plan, window)
        readers.append((one.plan, due))
        contexts.append(contexts_of(config.pipelines[name].context, window))
    settles = [p.score.settle for n, p in config.pipelines.items() if n in made]
    periods = [p.score.every for n, p in config.pipelines.items() if n in made]
    line = Line(
        RowBuilder(window, readers, owner, contexts=contexts),
        [
            Post(one.pipeline, contexts=told)
            for one, told in zip(made.values(), contexts, strict=True)
        ],
        period=min((round(p * NANOSECONDS) for p in periods if p), default=0),
        settle=round(max(settles) * NANOSECONDS),
    )
    for place, one in enumerate(made.values()):
        line.seat(place, one)
    return line


def _lead(source: schema.OpcUaSource | schema.MqttSource) -> int:
    """Values of one tag that may come before those of the next with equal stamps.

    A server empties its queues one after the other, over several messages.
    """
    queue = source.queue if isinstance(source, schema.OpcUaSource) else None
    return min(queue or 0, _LONGEST_LEAD)


def contexts_of(settings: Context, window: Window) -> Contexts | None:
    """The contexts of a pipeline's rows; None where it has none.

    Args:
        settings: as configured.
        window: the rings, which know which tags report changes only.
    """
    kind, minutes = window.kind, settings.shifts.items()
    spec = ContextSpec(
        tuple((role, _values(kind, role, v)) for role, v in settings.running.items()),
        settings.by,
        round(settings.warm_up * NANOSECONDS),
        tuple((name, *span_of(text)) for name, text in minutes),
    )
    zone = None if settings.zone is None else zone_named(settings.zone)
    return Contexts(kind, spec, local_offset(zone), window.held) if spec else None


def _values(kind: AssetType, role: str, values: Sequence[str]) -> tuple[str, ...]:
    """Values as the tag's are spelled: 2.0 of a number is 2."""
    if kind.tags[kind.role_index(role)].text:
        return tuple(values)
    return tuple(spelled(float(value)) for value in values)


def trigger(
    settings: pipelines.Pipeline,
    since: int,
    catch_up: int | None,
    plan: FeaturePlan,
    window: Window,
) -> Trigger:
    """When a pipeline's rows are due.

    Args:
        settings: as configured.
        since: agent time; ticks come after it.
        catch_up: ns of ticks made in one turn at most, None for all of them.
        plan: its features.
        window: the rings.
    """
    score = settings.score
    spec = TriggerSpec(score.every, score.on, score.settle, score.part, score.part_at)
    return trigger_for(spec, plan, window, since, catch_up)
