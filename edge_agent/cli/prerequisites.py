"""What a configuration needs around it: models, certificates, passwords."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge_agent.bundle import passport
from edge_agent.bundle.trust import Trust
from edge_agent.config import secrets, units
from edge_agent.config.problems import did_you_mean, listed
from edge_agent.config.schema import MqttLink
from edge_agent.errors import ConfigError, ModelRejected, RegistryUnavailable
from edge_agent.rehearsal import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.bundle.passport import Passport
    from edge_agent.config.keeping import Centre
    from edge_agent.config.loading import Loaded
    from edge_agent.config.pipelines import Pipeline
    from edge_agent.config.problems import Loc, Problem
    from edge_agent.config.schema import Source


def links(loaded: Loaded) -> Iterator[tuple[Loc, Source | MqttLink]]:
    """Every source and output with its path of keys."""
    for name, source in loaded.config.sources.items():
        yield ("sources", name), source
    for name, output in loaded.config.outputs.items():
        yield ("outputs", name), output


def look_around(loaded: Loaded) -> tuple[list[Problem], dict[str, str]]:
    """What is missing or wrong around a configuration.

    Returns:
        The problems, and NAME@VERSION of the model found for each pipeline.
    """
    problems: list[Problem] = []
    for loc, link in links(loaded):
        problems += _secret(loaded, loc, link)
        if isinstance(link, MqttLink):
            problems += _certificates(loaded, loc, link)
    if loaded.config.centre is not None:
        problems += _secret(loaded, ("centre",), loaded.config.centre)
    problems += _keys(loaded)
    models = {}
    for name, pipeline in loaded.config.pipelines.items():
        try:
            found = passport.load(folder_of(loaded, name, kept=False))
        except (ModelRejected, RegistryUnavailable) as error:
            if loaded.config.registry.path is None:
                continue  # it comes from the network: the running agent says how far
            loc = ("pipelines", name, "model")
            problems.append(loaded.problem(loc, str(error)))
            continue
        models[name] = f"{found.name}@{found.version}"
        problems += _unfit(loaded, name, pipeline, found)
    return problems, models


def _secret(
    loaded: Loaded, loc: Loc, link: Source | MqttLink | Centre
) -> list[Problem]:
    """A password that cannot be read; credentials exist only under systemd."""
    if link.password_file is None and "CREDENTIALS_DIRECTORY" not in os.environ:
        return []
    key = "password_file" if link.password_file else "password_credential"
    try:
        secrets.password_of(str(loc[-1]), link)
    except ConfigError as error:
        return [loaded.problem((*loc, key), str(error))]
    return []


def _keys(loaded: Loaded) -> list[Problem]:
    """Keys and the list of revoked ones that cannot be used."""
    settings = loaded.config.registry
    if not settings.trusted_keys:
        return []
    found = []
    try:
        trust = Trust.load(settings.trusted_keys)
    except ConfigError as error:
        return [loaded.problem(("registry", "trusted_keys"), str(error))]
    try:
        if settings.revoked is not None:
            trust.with_list(settings.revoked)
    except (ConfigError, ModelRejected) as error:
        found.append(loaded.problem(("registry", "revoked"), str(error)))
    return found


def _certificates(loaded: Loaded, loc: Loc, link: MqttLink) -> list[Problem]:
    if link.tls is None:
        return []
    return [
        loaded.problem((*loc, "tls", key), f"there is no file {path}")
        for key in ("ca_file", "cert_file", "key_file")
        if (path := getattr(link.tls, key)) is not None and not path.is_file()
    ]


def _unfit(
    loaded: Loaded, name: str, pipeline: Pipeline, model: Passport
) -> Iterator[Problem]:
    """Tags the model needs and the asset type lacks, or measures otherwise."""
    kind = loaded.plant.tags.type_named(pipeline.assets)
    tags = {tag.role: tag for tag in kind.tags}
    loc: Loc = ("pipelines", name)
    for own in pipeline.roles:
        if own not in model.tags:
            said = f"the model has no tag {own!r}; it has: {listed(model.tags)}"
            hint = did_you_mean(own, model.tags)
            yield loaded.problem((*loc, "roles", own), said, hint)
    for own, facts in model.tags.items():
        role = pipeline.roles.get(own, own)
        tag = tags.get(role)
        where = (*loc, "roles", own) if own in pipeline.roles else (*loc, "model")
        if tag is None:
            said = f"the model needs the tag {own!r}; {kind.name!r} has: {listed(tags)}"
            hint = did_you_mean(own, tags) or f"add it, or roles: {{ {own}: TAG }}"
            yield loaded.problem(where, said, hint)
        elif tag.text:
            said = f"the model needs {own!r} as a number; it is a text"
            yield loaded.problem(where, said)
        elif units.canonical(tag.unit) != units.canonical(facts.unit):
            said = f"the model expects {own!r} in {facts.unit or 'no unit'}, not in "
            hint = "scale it at the source, or take a model for this unit"
            yield loaded.problem(where, said + (tag.unit or "no unit"), hint)
