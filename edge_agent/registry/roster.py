"""Who works at each pipeline's post, as the lives of its versions say.

Belongs to one thread. A life is kept (durable) before the floor is told, so a kill
between the two leaves a life that the next start mans from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from edge_agent.errors import EdgeAgentError
from edge_agent.records import Fallback
from edge_agent.registry import lifecycle, news
from edge_agent.registry.choosing import Reference
from edge_agent.registry.crew import Crew, crew_of
from edge_agent.registry.floor import Unfit
from edge_agent.registry.ledger import Ledger
from edge_agent.registry.lifecycle import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_agent.clock import Clock
    from edge_agent.config.pipelines import Pipeline
    from edge_agent.records import EventRecord
    from edge_agent.registry.cache import Cache
    from edge_agent.registry.floor import Floor
    from edge_agent.registry.lifecycle import Life, Version

log = structlog.get_logger()

#: Versions in a row that may turn out unloadable.
_TRIES = 30


@dataclass(eq=False)
class Roster:
    """The lives of all pipelines' models, and who they put to work.

    Attributes:
        pipelines: as configured, by name.
        cache: what this gateway keeps.
        floor: the running pipelines.
        clock: agent time.
        tell: takes events.
        models: name of each pipeline's model.
        lives: of each pipeline's versions.
        crews: who works there.
        waits: why a pipeline's next version does not score yet, or none ever did.
    """

    pipelines: Mapping[str, Pipeline]
    cache: Cache
    floor: Floor
    clock: Clock
    tell: Callable[[EventRecord], None]
    models: Mapping[str, str] = field(init=False)
    lives: Mapping[str, Life] = field(init=False)
    crews: dict[str, Crew] = field(init=False, default_factory=dict)
    waits: dict[str, str] = field(init=False, default_factory=dict)
    _ledger: Ledger = field(init=False)
    _unfit: dict[str, set[str]] = field(init=False)
    _misfits: dict[str, dict[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        named = self.pipelines
        self._ledger = Ledger(self.cache, named)
        self.models = {n: Reference.of(p.model).name for n, p in named.items()}
        self.lives = self._ledger.lives
        self._unfit = {name: set() for name in named}
        self._misfits = {name: {} for name in named}

    def keep(self, name: str, life: Life) -> None:
        """Go on with another life; it is durable unless this disk refuses."""
        self._ledger.keep(name, life)

    def renew(self) -> None:
        """Put others to work where the lives, or the date, now say so."""
        for name in self.pipelines:
            if self.crew(name) != self.crews.get(name):
                self.man(name)

    def man(self, name: str) -> None:
        """Put to work whoever the life says; what cannot be loaded is given back."""
        for _ in range(_TRIES):
            crew = self.crew(name)
            try:
                self.floor.man(name, crew)
            except Unfit as why:
                if crew.rung is Fallback.LIMITS:
                    self._unfit[name].add(why.key)
                else:
                    self.unloadable(name, why)
            else:
                self.crews[name] = crew
                return
        raise AssertionError(f"{name}: no crew can be found")

    def begin(self, name: str) -> None:
        """Man a post at the start, whatever is wrong with its models.

        Raises:
            ConfigError: the asset type has nothing that could be scored.
        """
        try:
            self.man(name)
        except EdgeAgentError:
            raise
        except Exception as bug:
            log.exception("a bug in the life of models", pipeline=name)
            why = f"its models cannot be put to work: {bug!r}"
            self.crews[name] = Crew(Fallback.NO_SCORE, None, why)
            self.floor.man(name, self.crews[name])

    def refuse(
        self, name: str, version: Version, reason: str, *, unfit: bool = False
    ) -> None:
        """A version must not score here."""
        life = lifecycle.refuse(self.lives[name], version.key, reason, unfit=unfit)
        self.keep(name, life)
        self.cache.discard(version)
        self.tell(news.refused(name, version, reason, self.clock.now()))

    def crew(self, name: str) -> Crew:
        """Who should work, by the life as it is."""
        return crew_of(
            self.lives[name],
            self.pipelines[name].fallback,
            partial(self._barred, name),
            frozenset(self._unfit[name]),
            self.waits.get(name, ""),
            self.models[name],
        )

    def _barred(self, name: str, version: Version) -> str:
        return self._misfits[name].get(version.key, "") or self.floor.barred(version)

    def unloadable(self, name: str, why: Unfit) -> None:
        """Its files are damaged, or the plant is another one now."""
        version = self.lives[name].of(why.key)
        if version is None:
            return
        reason, now = f"could not be loaded: {why}", self.clock.now()
        if not self.cache.whole(version):
            self.lose(name, version, reason)
        elif version.stage in (Stage.ACTIVE, Stage.PREVIOUS):
            # not for good: the next start may find the plant as it was
            self._misfits[name][version.key] = f"{version.shown} {reason}"
            self.tell(news.unfit(name, version, reason, now))
        else:
            self.refuse(name, version, reason, unfit=True)

    def lose(self, name: str, version: Version, reason: str) -> None:
        """A version's files are damaged or gone."""
        self.cache.remove(version)
        self.keep(name, lifecycle.lost(self.lives[name], version.key, reason))
        self.tell(news.lost(name, version, reason, self.clock.now()))
