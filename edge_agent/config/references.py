"""What has to fit together: names that point at things, and tags at their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.config.addresses import check_address
from edge_agent.config.archive import check_centre
from edge_agent.config.labelling import check_folders, check_labels
from edge_agent.config.problems import did_you_mean, listed
from edge_agent.config.rosters import rosters
from edge_agent.config.rules import (
    check_client_ids,
    check_context,
    check_output,
    check_registry,
    check_running,
    check_score,
    check_source,
    check_tag,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.config.lists import Complain
    from edge_agent.config.pipelines import Pipeline
    from edge_agent.config.problems import Loc
    from edge_agent.config.rosters import Known, Roster
    from edge_agent.config.schema import AgentConfig, AssetGroup


def check(
    config: AgentConfig,
    groups: Mapping[int, AssetGroup],
    known: Known,
    complain: Complain,
) -> list[Roster]:
    """Every rule over a configuration whose values are sound one by one.

    Args:
        config: the sound part of what the operator wrote.
        groups: its asset groups by the position they have in the files.
        known: what the files have besides.
        complain: takes every complaint.

    Returns:
        The asset groups with their lists read.
    """
    for name, source in config.sources.items():
        check_source(("sources", name), source, complain)
    for name, output in config.outputs.items():
        check_output(("outputs", name), output, complain)
    check_registry(("registry",), config.registry, complain)
    if config.centre is not None:
        check_centre(config.centre, complain)
    check_client_ids(config, complain)
    read = rosters(groups, known, complain)
    for roster in read:
        _check_tags(config, roster, known, complain)
    for name, pipeline in config.pipelines.items():
        _check_pipeline(name, pipeline, read, known, complain)
        check_labels(("pipelines", name), pipeline, config, known, complain)
    check_folders(config, complain)
    _check_raw(config, read, known, complain)
    return read


def _check_raw(
    config: AgentConfig, read: list[Roster], known: Known, complain: Complain
) -> None:
    """Tags whose samples go to the centre exist."""
    if config.centre is None or known.partial is None:
        return
    names = {f"{roster.type}.{role}" for roster in read for role in roster.tags}
    unsure = {*known.partial, *(roster.type for roster in read if not roster.whole)}
    for place, name in enumerate(config.centre.raw):
        if name not in names and name.partition(".")[0] not in unsure:
            said = f"there is no tag {name!r} (TYPE.ROLE); there is: "
            hint = did_you_mean(name, names)
            complain(("centre", "raw", place), said + listed(sorted(names)), hint)


def _check_tags(
    config: AgentConfig, roster: Roster, known: Known, complain: Complain
) -> None:
    for role, tag in roster.tags.items():
        source = config.sources.get(tag.source)
        check_tag(roster, role, tag, source, complain)
        if source is not None:
            check_address(roster, role, tag, source, complain)
        elif known.sources is not None and tag.source not in known.sources:
            said = f"there is no source {tag.source!r}; there is: "
            hint = did_you_mean(tag.source, known.sources)
            loc = (*roster.loc(role), "source")
            at = roster.at(role, "source")
            complain(loc, said + listed(known.sources), hint, at)


def _check_pipeline(
    name: str,
    pipeline: Pipeline,
    read: list[Roster],
    known: Known,
    complain: Complain,
) -> None:
    loc = ("pipelines", name)
    check_score((*loc, "score"), pipeline.score, complain)
    check_context(loc, pipeline.context, pipeline.alarm, complain)
    if known.partial is None:
        return
    types = {*(roster.type for roster in read), *known.partial}
    if pipeline.assets not in types:
        said = f"there is no asset type {pipeline.assets!r}; there is: "
        hint = did_you_mean(pipeline.assets, types)
        complain((*loc, "assets"), said + listed(sorted(types)), hint)
        return
    members = [roster for roster in read if roster.type == pipeline.assets]
    if pipeline.assets in known.partial or not all(r.whole for r in members):
        return
    roles = {
        role: None
        for roster in members
        for role in (*roster.tags, *known.unsound.get(roster.place, ()))
    }
    texts = {r: tag.text for roster in members for r, tag in roster.tags.items()}
    check_running(loc, pipeline.context, texts, complain)
    wanted: dict[Loc, str] = {
        ("roles", tag): role for tag, role in pipeline.roles.items()
    }
    if pipeline.score.part is not None:
        wanted["score", "part"] = pipeline.score.part
    wanted |= {("context", "running", role): role for role in pipeline.context.running}
    for place, role in enumerate(pipeline.context.by):
        wanted["context", "by", place] = role
    for where, role in wanted.items():
        if role not in roles:
            said = f"asset type {pipeline.assets!r} has no tag {role!r}; it has: "
            complain((*loc, *where), said + listed(roles), did_you_mean(role, roles))
