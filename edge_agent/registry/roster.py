"""Who works at each pipeline's post, as the lives of its versions say.

Belongs to one thread. A life is kept (durable) before the floor is told, so a kill
between the two leaves a life that the next start mans from.
"""

from __future__ import annotations

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


class Roster:
    """The lives of all pipelines' models, and who they put to work.

    Args:
        pipelines: as configured, by name.
        cache: what this gateway keeps.
        floor: the running pipelines.
        clock: agent time.
        tell: takes events.
    """

    def __init__(
        self,
        pipelines: Mapping[str, Pipeline],
        cache: Cache,
        floor: Floor,
        clock: Clock,
        tell: Callable[[EventRecord], None],
    ) -> None:
        self._ledger = Ledger(cache, pipelines)
        self.models = {n: Reference.of(p.model).name for n, p in pipelines.items()}
        self.lives = self._ledger.lives
        self.crews: dict[str, Crew] = {}
        self.waits: dict[str, str] = {}
        """Why a pipeline's next version does not score yet, or none ever did."""
        self._pipelines = pipelines
        self._cache = cache
        self._floor = floor
        self._clock = clock
        self.tell = tell
        self._unfit: dict[str, set[str]] = {name: set() for name in pipelines}
        self._misfits: dict[str, dict[str, str]] = {name: {} for name in pipelines}

    def keep(self, name: str, life: Life) -> None:
        """Go on with another life; it is durable unless this disk refuses."""
        self._ledger.keep(name, life)

    def renew(self) -> None:
        """Put others to work where the lives, or the date, now say so."""
        for name in self._pipelines:
            if self.crew(name) != self.crews.get(name):
                self.man(name)

    def man(self, name: str) -> None:
        """Put to work whoever the life says; what cannot be loaded is given back."""
        for _ in range(_TRIES):
            crew = self.crew(name)
            try:
                self._floor.man(name, crew)
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
            self._floor.man(name, self.crews[name])

    def refuse(
        self, name: str, version: Version, reason: str, *, unfit: bool = False
    ) -> None:
        """A version must not score here."""
        life = lifecycle.refuse(self.lives[name], version.key, reason, unfit=unfit)
        self.keep(name, life)
        self._cache.discard(version)
        self.tell(news.refused(name, version, reason, self._clock.now()))

    def crew(self, name: str) -> Crew:
        """Who should work, by the life as it is."""
        return crew_of(
            self.lives[name],
            self._pipelines[name].fallback,
            partial(self._barred, name),
            frozenset(self._unfit[name]),
            self.waits.get(name, ""),
            self.models[name],
        )

    def _barred(self, name: str, version: Version) -> str:
        return self._misfits[name].get(version.key, "") or self._floor.barred(version)

    def unloadable(self, name: str, why: Unfit) -> None:
        """Its files are damaged, or the plant is another one now."""
        version = self.lives[name].of(why.key)
        if version is None:
            return
        reason, now = f"could not be loaded: {why}", self._clock.now()
        if not self._cache.whole(version):
            self.lose(name, version, reason)
        elif version.stage in (Stage.ACTIVE, Stage.PREVIOUS):
            # not for good: the next start may find the plant as it was
            self._misfits[name][version.key] = f"{version.shown} {reason}"
            self.tell(news.unfit(name, version, reason, now))
        else:
            self.refuse(name, version, reason, unfit=True)

    def lose(self, name: str, version: Version, reason: str) -> None:
        """A version's files are damaged or gone."""
        self._cache.remove(version)
        self.keep(name, lifecycle.lost(self.lives[name], version.key, reason))
        self.tell(news.lost(name, version, reason, self._clock.now()))
