"""Where a model runs: what is configured, what the agent says, what its files say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.registry.choosing import Reference
from edge_agent.report.document import Place
from edge_agent.status import socket
from edge_agent.status.history import QUESTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge_agent.config.loading import Loaded
    from edge_agent.config.pipelines import Pipeline
    from edge_agent.registry.life import Life
    from edge_agent.store.findings import Finding

STOPPED = "stopped"
#: Findings of one pipeline that are named.
_MOST_FINDINGS = 50
_PATIENCE = 6.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where to look.

    Attributes:
        state_dir: the agent's state, or a copy of it.
        runtime_dir: where the agent can be asked; None asks nobody.
        loaded: its configuration; None where that is not known.
        problem: why there is no configuration.
    """

    state_dir: Path
    runtime_dir: Path | None = None
    loaded: Loaded | None = None
    problem: str = ""

    @property
    def pipelines(self) -> Mapping[str, Pipeline]:
        """As configured."""
        return self.loaded.config.pipelines if self.loaded else {}

    def assets(self, kind: str) -> tuple[str, ...]:
        """Of an asset type."""
        types = self.loaded.plant.tags.types if self.loaded else ()
        return next((one.assets for one in types if one.name == kind), ())


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the pipelines now.

    Attributes:
        lives: by pipeline.
        status: what the running agent says of each; empty where none runs.
        live: an agent answered.
    """

    lives: Mapping[str, Life]
    status: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    live: bool = False

    def model_at(self, pipeline: str) -> tuple[str, str]:
        """Name and version of the model that a pipeline has now."""
        said = str(self.status.get(pipeline, {}).get("model", ""))
        if said:
            name, _, version = said.partition("@")
            return name, version
        life = self.lives.get(pipeline)
        active = life.active if life else None
        return (active.name, active.label or active.version) if active else ("", "")


def asked(gateway: Gateway) -> dict[str, Any] | None:
    """The status of the agent that runs on this state folder; None where none does."""
    if gateway.runtime_dir is None:
        return None
    try:
        said = asyncio.run(_asked(gateway.runtime_dir))
    except (OSError, TimeoutError, msgspec.DecodeError):
        return None
    where, status = said
    same = where and Path(where).resolve() == gateway.state_dir.resolve()
    return status if same and isinstance(status.get("pipelines"), dict) else None


async def _asked(folder: Path) -> tuple[str, dict[str, Any]]:
    # the status does not say whose it is, an answer does
    query = '{"of":"findings","open":true}'
    said = await socket.inquire(folder, QUESTION, query, _PATIENCE)
    return str(said.get("state_dir", "")), await socket.ask(folder, _PATIENCE)


def pipelines_of(gateway: Gateway, standing: Standing, model: str) -> list[str]:
    """Pipelines that use a model, or are configured to, or have met it."""
    wanted = {
        name
        for name, one in gateway.pipelines.items()
        if Reference.of(one.model).name == model
    }
    known = {*standing.lives, *standing.status}
    wanted |= {name for name in known if standing.model_at(name)[0] == model}
    return sorted(wanted)


def places(
    gateway: Gateway, standing: Standing, names: Iterable[str], still: list[Finding]
) -> tuple[Place, ...]:
    """The pipelines, with what is open there.

    Args:
        gateway: where to look.
        standing: how they are.
        names: of the pipelines.
        still: findings that nothing has closed.
    """
    return tuple(_place(gateway, standing, name, still) for name in names)


def _place(
    gateway: Gateway, standing: Standing, name: str, still: list[Finding]
) -> Place:
    settings = gateway.pipelines.get(name)
    kind = settings.assets if settings else ""
    assets = gateway.assets(kind)
    said = standing.status.get(name, {})
    count = len(assets) or said.get("assets")
    mine = [one for one in still if concerns(one, name, assets)]
    told = tuple(one.sentence or one.what for one in mine[:_MOST_FINDINGS])
    return Place(
        name,
        kind,
        count if isinstance(count, int) and count > 0 else None,
        standing.model_at(name)[1],
        str(said.get("rung") or said.get("state", "")) if said else STOPPED,
        _because(standing, name, said),
        told,
    )


def _because(standing: Standing, name: str, said: Mapping[str, Any]) -> str:
    if said:
        return str(said.get("error") or said.get("waits") or "")
    life = standing.lives.get(name)
    if life is None or life.active is None:
        return "no version is active there"
    return life.returned or "as the agent left it"


def concerns(one: Finding, pipeline: str, assets: Iterable[str]) -> bool:
    """Whether a finding is of a pipeline, or of a tag of its assets."""
    if one.pipeline:
        return one.pipeline == pipeline
    return one.asset in assets
