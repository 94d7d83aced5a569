"""Who scores each pipeline where nothing lives: a replay, a check.

A replay takes what scored here last, if it is still the model that is configured; a
check, what the folder of models would give. Nothing is fetched, nothing is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.commissioning import commission, without_model
from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.posts import Seating
from edge_agent.registry.cache import Cache
from edge_agent.registry.choosing import Reference, choose
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.listing import Gateway

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.config.loading import Loaded


def manned(loaded: Loaded) -> dict[str, Seating]:
    """A seating for each pipeline, with its model or with the reason it has none."""
    return {name: _seating(loaded, name) for name in loaded.config.pipelines}


def folder_of(loaded: Loaded, pipeline: str, *, kept: bool = True) -> Path:
    """Where the version lies that a pipeline would score with.

    Args:
        loaded: the configuration.
        pipeline: whose.
        kept: prefer the version that scored here last to what the folder has now.

    Raises:
        ModelRejected: there is none; the text says what there is.
        RegistryUnavailable: the folder of models cannot be read.
    """
    config = loaded.config
    wanted = Reference.of(config.pipelines[pipeline].model)
    cache = Cache(config.state_dir / "models")
    active = cache.life(pipeline).active
    if active is not None and (kept or config.registry.path is None):
        same = active.name == wanted.name
        same &= wanted.pinned in ("", active.version, active.label)
        if same and cache.has(active):
            return cache.bundle(active.name, active.digest)
    if config.registry.path is None:
        raise ModelRejected(
            f"no version of {config.pipelines[pipeline].model} is on this gateway yet"
        )
    registry = DirectoryRegistry(config.registry.path, config.gateway)
    listing = registry.listing(wanted.name)
    gateway = Gateway(config.gateway, config.site.site or "")
    choice = choose(listing, wanted, gateway)
    if not choice.version:
        raise ModelRejected(choice.reason)
    registry.offer(wanted.name, choice.version)  # says what there is, if not this
    return config.registry.path / wanted.name / choice.version


def _seating(loaded: Loaded, name: str) -> Seating:
    settings = loaded.config.pipelines[name]
    kind = loaded.plant.tags.type_named(settings.assets)
    try:
        folder = folder_of(loaded, name)
        made = commission(name, settings, kind, folder, phrases=loaded.phrases)
    except (ModelRejected, RegistryUnavailable) as why:
        made = without_model(name, settings, kind, str(why), phrases=loaded.phrases)
    return Seating(made.pipeline, made.plan, made.standby)
