"""The supply of models: registry, cache, vetting, and the thread that leads them.

Built from the configuration before the lines are; `open` joins it to the turn.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent import __version__
from edge_agent.bundle.trust import Trust
from edge_agent.config.secrets import password_of
from edge_agent.errors import ConfigError, ModelRejected
from edge_agent.evaluation import keeping
from edge_agent.evaluation.judging import Reach
from edge_agent.evaluation.memory import moved_thresholds
from edge_agent.evaluation.opening import opened
from edge_agent.floor import PlantFloor
from edge_agent.registry import lineage, passports
from edge_agent.registry.adoption import Adoption
from edge_agent.registry.cache import Cache
from edge_agent.registry.inquiry import Inquiry
from edge_agent.registry.listing import Gateway
from edge_agent.registry.manning import Manning
from edge_agent.registry.opening import open_registry
from edge_agent.registry.receipts import status_of
from edge_agent.registry.vetting import VettingRoom
from edge_agent.registry.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge_agent.bundle.passport import Passport
    from edge_agent.clock import Clock
    from edge_agent.config.loading import Loaded
    from edge_agent.evaluation.judging import Shown
    from edge_agent.evaluation.look import Looked
    from edge_agent.evaluation.memory import Moved
    from edge_agent.evaluation.opening import Judgements
    from edge_agent.inference import Inference
    from edge_agent.instruments import Instruments
    from edge_agent.posts import Seating
    from edge_agent.records import EventRecord
    from edge_agent.registry.checks import Verified
    from edge_agent.seats import Seats

log = structlog.get_logger()

#: Seconds an agent waits at its first start for versions from a folder: systemd gives
#: it ninety in all.
FIRST = 45.0
#: Threads of the supply: `cli.run` leaves without waiting for them.
THREADS = "models"


@dataclass(frozen=True, slots=True)
class Supply:
    """Everything that brings models."""

    loaded: Loaded
    floor: PlantFloor
    adoption: Adoption
    room: VettingRoom

    @staticmethod
    def of(
        loaded: Loaded,
        clock: Clock,
        tell: Callable[[EventRecord], None],
        catch_up: int | None,
    ) -> Supply:
        """Build it, and man every pipeline with what is here or in a local folder.

        Args:
            loaded: the configuration with its plant.
            clock: agent time.
            tell: takes events.
            catch_up: ns of ticks a new trigger makes in one turn at most.

        Raises:
            ConfigError: a password cannot be read.
        """
        config = loaded.config
        settings = config.registry
        gateway = Gateway(config.gateway, config.site.site or "")
        cache = _cache(config.state_dir)
        archive = lineage.folder_of(config.state_dir)
        room = VettingRoom()
        registry = open_registry(
            settings, gateway, password=password_of("registry", settings)
        )
        try:
            _trust(loaded, keep=True)
        except (ConfigError, ModelRejected, OSError) as why:
            # what is here scores all the same
            log.error("no new model can be accepted", why=str(why))  # noqa: TRY400
        floor = PlantFloor(
            config.pipelines,
            loaded.plant.tags,
            cache,
            partial(_passport, archive),
            clock,
            config.model_memory,
            catch_up,
            phrases=loaded.phrases,
            moved=_moved(loaded),
        )
        inquiry = Inquiry(
            registry,
            gateway,
            clock,
            poll=settings.poll,
            stale_after=settings.stale_after,
        )
        workshop = Workshop(
            registry,
            cache,
            lambda: _trust(loaded, keep=True),
            room,
            gateway.site,
            partial(_archive, archive),
        )
        adoption = Adoption(
            config.pipelines,
            cache,
            Manning(config.pipelines, cache, floor, clock, tell),
            inquiry,
            workshop,
            clock,
            asking=ThreadPoolExecutor(1, THREADS),
            working=ThreadPoolExecutor(1, THREADS),
            agent=__version__,
        )
        adoption.start(FIRST if settings.type == "directory" else 0.0)
        return Supply(loaded, floor, adoption, room)

    @property
    def manned(self) -> Mapping[str, Seating]:
        """Who scores each pipeline."""
        return self.floor.manned

    def open(self, seats: Seats) -> None:
        """Join the turn."""
        self.floor.open(seats)

    def trust(self) -> Trust | None:
        """Whose signatures count now; raises as `_trust` does."""
        return _trust(self.loaded)

    def judgements(
        self,
        inference: Inference,
        clock: Clock,
        instruments: Instruments,
        *,
        evidence: Shown | None = None,
    ) -> Judgements:
        """Labels, joined and judged, and what follows of them.

        Args:
            inference: the turn; from now on its posts tell of their rows.
            clock: agent time.
            instruments: counters.
            evidence: what drift and sensors show of a pipeline; None where nobody
                looks: then no cause is claimed.

        Raises:
            ConfigError: a password cannot be read.
        """

        def keep(name: str, look: Looked) -> None:
            budget = self.loaded.config.pipelines[name].alarm.budget
            info = self.floor.working[name].pipeline.info
            applied = budget is not None and budget.apply
            for one in keeping.records(look, info, clock.now(), applied=applied):
                inference.note(one)

        reach = Reach(
            active=self.floor.active,
            former=lambda name: self.adoption.manning.lives[name].previous is not None,
            breach=lambda name, why, digest, limits: inference.seats.breach(
                name, why, digest, limits=limits
            ),
            move=self.floor.move,
            tell=inference.note,
            keep=keep,
            evidence=evidence,
        )
        found = opened(self.loaded, reach, clock=clock, instruments=instruments)
        if found.office is not None:
            for name in found.office.desk.books:
                inference.seats.post(name).told = found.turned
        found.names = inference.seats.contexts
        return found

    def pipeline(self, name: str) -> dict[str, Any]:
        """A pipeline's models for the status."""
        manning = self.adoption.manning
        crew = manning.crews.get(name)
        compared = self.floor.comparison(name) if crew and crew.beside else None
        waits = manning.waits.get(name, "")
        told = status_of(manning.lives[name], crew, compared, waits)
        size, rests = self.floor.memory(name)
        signer = crew.version.signer if crew and crew.version else ""
        return told | {
            "review": _revoked(self.loaded, signer) or self.floor.overdue(name),
            "model_kb": round(size),
            "memory": "resting" if rests else "",
        }

    def close(self) -> None:
        """Stop, without waiting for what is under way."""
        self.adoption.stop()
        self.room.abandon()


def _moved(loaded: Loaded) -> Mapping[str, Moved]:
    """Thresholds that were moved before a restart, where that is still allowed."""
    allowed = [
        name
        for name, pipeline in loaded.config.pipelines.items()
        if pipeline.alarm.budget is not None and pipeline.alarm.budget.apply
    ]
    return moved_thresholds(loaded.config.state_dir / "labels", allowed)


def _passport(archive: Path, digest: str) -> Passport | None:
    try:
        return passports.find(archive, digest)[1]
    except ModelRejected:
        return None


def _archive(archive: Path, found: Verified) -> None:
    passports.keep(
        archive, found.digest, found.body, found.sums, signed_by=found.signer
    )


def _revoked(loaded: Loaded, signer: str) -> str:
    """That what scores was signed by a revoked key, or that nobody can tell.

    Nothing is kept here: the status must not depend on a disk.
    """
    try:
        trust = _trust(loaded)
    except (ConfigError, ModelRejected) as why:
        return f"signatures cannot be checked: {why}"
    gone = trust.revoked.keys.get(signer) if trust is not None else None
    return f"what scores is signed by {gone.sentence}" if gone else ""


def _cache(state_dir: Path) -> Cache:
    """Where models lie, with its folders.

    Raises:
        ConfigError: they are not there and cannot be made.
    """
    cache = Cache(state_dir / "models")
    try:
        cache.prepare()
    except OSError as why:
        raise ConfigError(
            f"nothing can be kept in {state_dir}: {why.strerror or why}; a first start"
            " needs a disk that can be written to"
        ) from why
    return cache


def _trust(loaded: Loaded, *, keep: bool = False) -> Trust | None:
    """Who may sign, as the files say now; None where no signature is asked for.

    Args:
        loaded: the configuration.
        keep: a key that was revoked once stays so, whatever a newer list says.

    Raises:
        ConfigError: a key or the list cannot be read.
        ModelRejected: the list does not count.
        OSError: it cannot be kept.
    """
    settings = loaded.config.registry
    if not settings.trusted_keys:
        return None
    seen = loaded.config.state_dir / "models" / "revoked-keys.json"
    trust = Trust.load(settings.trusted_keys, settings.revoked, seen)
    if keep:
        trust.keep(seen)
    return trust
