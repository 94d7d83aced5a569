"""The plant as the configuration describes it: every tag numbered and addressed.

`resolve` expands each asset group over its ids into one `TagTable`, and gives
every source the list of what it has to read. Wiring, sources and features use
these and never look at the operator's text again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.config.problems import Problem, Refused, dotted
from edge_agent.config.references import check
from edge_agent.config.rosters import Known, filled
from edge_agent.samples import AssetType, Tag, TagTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge_agent.config.lists import Place
    from edge_agent.config.problems import Loc
    from edge_agent.config.rosters import Roster
    from edge_agent.config.schema import AgentConfig, TagBinding


@dataclass(frozen=True, slots=True)
class Binding:
    """One tag and where its values come from.

    Attributes:
        tag: index in the `TagTable`.
        asset: id of the asset, e.g. ``P-101``.
        role: name of the tag inside its asset type.
        address: node id, browse path or topic with every placeholder filled in.
        field: path inside the payload, filled in as well; None for the whole of it.
        unit: engineering unit as written, or an empty string.
        low: lower end of the engineering range, -inf if none.
        high: upper end of the engineering range, inf if none.
        text: True when values are strings.
        max_age: seconds after which a silent value is stale; None for the default.
        deadband: OPC UA absolute deadband; None for none.
    """

    tag: int
    asset: str
    role: str
    address: str
    field: str | None = None
    unit: str = ""
    low: float = -np.inf
    high: float = np.inf
    text: bool = False
    max_age: float | None = None
    deadband: float | None = None


@dataclass(frozen=True, slots=True)
class Plant:
    """Every tag of the agent, and per source what it reads.

    Attributes:
        tags: the tag table; its ``sources`` are in the order of the configuration.
        bindings: source name -> its bindings in order of tag index; a source that
            feeds no tag has an empty tuple.
    """

    tags: TagTable
    bindings: Mapping[str, tuple[Binding, ...]]


def resolve(config: AgentConfig) -> Plant:
    """Number and address every tag.

    Args:
        config: a configuration; one from files is better read by `loading.read`,
            which gives the plant as well and knows the lines of what is wrong.

    Raises:
        ConfigError: a list (CSV) is unreadable, or things do not fit together.
    """
    problems: list[Problem] = []

    def complain(
        loc: Loc, message: str, hint: str = "", at: Place | None = None
    ) -> None:
        if at is not None:
            problems.append(at.problem(message, hint))
        else:
            problems.append(Problem(dotted(loc), 0, 0, message, hint))

    groups = dict(enumerate(config.assets))
    read = check(config, groups, Known(config.sources), complain)
    if problems:
        raise Refused(problems)
    return plant_of(tuple(config.sources), read)


def plant_of(sources: Sequence[str], read: Sequence[Roster]) -> Plant:
    """Build the plant from rosters that are known to agree with each other."""
    types, owners, base = [], [], 0
    bindings: dict[str, list[Binding]] = {name: [] for name in sources}
    position = {name: index for index, name in enumerate(sources)}
    for name in dict.fromkeys(roster.type for roster in read):
        members = [roster for roster in read if roster.type == name]
        kind = _asset_type(members, base)
        owner = np.zeros(kind.size, np.int16)
        for source, binding in _bindings(members, kind):
            bindings[source].append(binding)
            owner[binding.tag - base] = position[source]
        types.append(kind)
        owners.append(owner)
        base += kind.size
    table = TagTable(tuple(types), tuple(sources), np.concatenate([*owners, _NONE]))
    return Plant(table, {name: _in_order(bound) for name, bound in bindings.items()})


_NONE = np.zeros(0, np.int16)


def _in_order(bound: list[Binding]) -> tuple[Binding, ...]:
    return tuple(sorted(bound, key=lambda binding: binding.tag))


def _asset_type(members: Sequence[Roster], base: int) -> AssetType:
    first = members[0]
    assets = tuple(asset.id for roster in members for asset in roster.assets)
    tags = tuple(
        _tag(role, tag, [roster.tags[role] for roster in members])
        for role, tag in first.tags.items()
    )
    return AssetType(first.type, assets, tags, base)


def _tag(role: str, tag: TagBinding, bound: Sequence[TagBinding]) -> Tag:
    """A tag of a type; of the ages its groups allow, the shortest."""
    low, high = tag.range or (-np.inf, np.inf)
    oldest = min(np.inf if one.max_age is None else one.max_age for one in bound)
    watched = all(one.watch for one in bound)
    return Tag(role, tag.unit, low, high, tag.text, oldest, watched)


def _bindings(
    members: Sequence[Roster], kind: AssetType
) -> Iterator[tuple[str, Binding]]:
    offset = 0
    for roster in members:
        for place, declared in enumerate(kind.tags):
            tag = roster.tags[declared.role]
            address = tag.node or tag.topic or ""
            for position, asset in enumerate(roster.assets):
                yield (
                    tag.source,
                    Binding(
                        tag=kind.index(place, offset + position),
                        asset=asset.id,
                        role=declared.role,
                        address=filled(address, asset.columns),
                        field=None
                        if tag.field is None
                        else filled(tag.field, asset.columns),
                        unit=declared.unit,
                        low=declared.low,
                        high=declared.high,
                        text=declared.text,
                        max_age=tag.max_age,
                        deadband=tag.deadband,
                    ),
                )
        offset += len(roster.assets)
