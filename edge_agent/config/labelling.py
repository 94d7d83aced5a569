"""What has to fit together where late labels come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.config.addresses import FIELD, bad_topic
from edge_agent.config.problems import did_you_mean, listed
from edge_agent.config.rosters import PLACEHOLDER
from edge_agent.config.schema import MqttSource

if TYPE_CHECKING:
    from edge_agent.config.lists import Complain
    from edge_agent.config.monitoring import Labels
    from edge_agent.config.pipelines import Pipeline
    from edge_agent.config.problems import Loc
    from edge_agent.config.rosters import Known
    from edge_agent.config.schema import AgentConfig

_LEAST, _MOST = 2**20, 2**32
_FIELDS = ("part", "asset", "since", "until", "value")


def check_folders(config: AgentConfig, complain: Complain) -> None:
    """A file in a drop folder is of one pipeline."""
    owners: dict[str, str] = {}
    for name, pipeline in config.pipelines.items():
        if pipeline.labels is None or pipeline.labels.folder is None:
            continue
        folder = str(pipeline.labels.folder)
        if folder in owners:
            said = f"pipeline {owners[folder]!r} reads this folder already"
            loc = ("pipelines", name, "labels", "folder")
            complain(loc, said, "give each pipeline a folder of its own")
        owners.setdefault(folder, name)


def check_labels(
    loc: Loc,
    pipeline: Pipeline,
    config: AgentConfig,
    known: Known,
    complain: Complain,
) -> None:
    """Source and topic belong together, fields can be read, people stay hidden."""
    labels = pipeline.labels
    if labels is None:
        return
    _check_source((*loc, "labels"), labels, config, known, complain)
    _check_topic((*loc, "labels"), labels, complain)
    _check_fields((*loc, "labels"), labels, complain)
    if pipeline.score.on != "cycle" and "part" in labels.model_fields_set:
        said = "part has a meaning only with on: cycle: here are no parts"
        hint = "remove it; labels name asset, since and until"
        complain((*loc, "labels", "part"), said, hint)
    if not _LEAST <= labels.memory <= _MOST:
        said = "predictions that wait need 1 MiB to 4 GiB"
        complain((*loc, "labels", "memory"), said, "write for example 64MiB")
    if not labels.bad:
        said = "no value would mean that an alarm was right"
        complain((*loc, "labels", "bad"), said, "write for example [nok, fault]")


def _check_source(
    loc: Loc, labels: Labels, config: AgentConfig, known: Known, complain: Complain
) -> None:
    name = labels.source
    if (name is None) != (labels.topic is None):
        there, missing = ("topic", "source") if name is None else ("source", "topic")
        said = f"{there!r} without {missing!r}: labels over MQTT need both"
        complain((*loc, there), said, f"add {missing}:")
    if name is None:
        return
    source = config.sources.get(name)
    if source is None:
        if known.sources is not None and name not in known.sources:
            said = f"there is no source {name!r}; there is: {listed(known.sources)}"
            complain((*loc, "source"), said, did_you_mean(name, known.sources))
    elif not isinstance(source, MqttSource):
        said = f"{name!r} is an OPC UA server: labels come from an MQTT broker"
        complain((*loc, "source"), said, "name an MQTT source, or use folder:")


def _check_topic(loc: Loc, labels: Labels, complain: Complain) -> None:
    topic = labels.topic
    if topic is None:
        return
    wrong = bad_topic(topic)
    if wrong is not None:
        complain((*loc, "topic"), *wrong)
        return
    used = [name for name in PLACEHOLDER.findall(topic) if name != "id"]
    if used:
        said = f"{{{used[0]}}} is not known here"
        complain((*loc, "topic"), said, "{id} alone stands for the asset")
    elif "{id}" not in topic:
        said = "nothing in the topic says which asset is meant"
        hint = "put {id} where the asset's name stands, as in line3/{id}/label"
        complain((*loc, "topic"), said, hint)


def _check_fields(loc: Loc, labels: Labels, complain: Complain) -> None:
    named = {key: getattr(labels, key) for key in _FIELDS}
    for key, field in named.items():
        if not FIELD.fullmatch(field):
            said = f"{field!r} is not a field path"
            complain((*loc, key), said, "write for example label or result.label")
        if field in labels.personal:
            said = f"{field!r} is needed to join labels and cannot be hidden"
            complain((*loc, "personal"), said, "remove it here")
    for field in labels.groups:
        if field in labels.personal:
            said = f"{field!r} names people: accuracy is not told by person"
            complain((*loc, "groups"), said, "remove it from groups")
        elif not FIELD.fullmatch(field):
            said = f"{field!r} is not a field path"
            complain((*loc, "groups"), said, "write for example lot")
