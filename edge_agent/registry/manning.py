"""Who takes over and who is taken off: the only place where lives change after vetting.

Belongs to one thread, as the `roster` does that it works on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from edge_agent.registry import lifecycle, news
from edge_agent.registry.floor import Unfit
from edge_agent.registry.lifecycle import Stage
from edge_agent.registry.promotion import Move, next_move
from edge_agent.registry.roster import Roster
from edge_agent.registry.succession import alone, not_now
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from edge_agent.registry.crew import Crew
    from edge_agent.registry.lifecycle import Life, Version

log = structlog.get_logger()

#: Ns between two records of how a watched version compares.
TELL_EVERY = 3600 * NANOSECONDS
_AT_WORK = (Stage.SHADOW, Stage.ACTIVE, Stage.PREVIOUS)


@dataclass(eq=False)
class Manning(Roster):
    """What changes the lives of all pipelines' models.

    Attributes:
        paused: that a pipeline's model is paused: nothing new goes on or takes over.
        obeyed: orders whose files could not be removed.
    """

    paused: dict[str, str] = field(init=False, default_factory=dict)
    obeyed: set[str] = field(init=False, default_factory=set)
    _compared: dict[str, int] = field(init=False, default_factory=dict)

    def wait(self, name: str, why: str) -> None:
        """Note why a pipeline waits; told once a reason."""
        why = why or self.paused.get(name, "")
        known, self.waits[name] = self.waits.get(name), why
        if not why or why == known:
            return
        if self.lives[name].active is None:
            self.tell(news.missing(name, why, self.clock.now()))
        elif not known:  # the text counts rows and hours: only its beginning is news
            log.info("model waits", pipeline=name, why=why)

    def pause(self, name: str, model: str) -> None:
        """Let nothing new of a model go on; an empty name lets it."""
        if not model:
            self.paused.pop(name, None)
            return
        self.paused[name] = f"{model} is paused by the centre"
        self.wait(name, "")

    def look(self) -> None:
        """Failures, promotions, probations, expiries: whatever time or rows bring."""
        self.floor.tend()
        self._ledger.retry()
        for gone in self.floor.gone():
            fails = self.limited if gone.limits else self.failed
            fails(gone.pipeline, gone.key, gone.reason)
        self.renew()
        for name in self.pipelines:
            self._succeed(name)
        for name, crew in list(self.crews.items()):
            if crew.beside is not None:
                self._judge(name, crew)

    def proceed(self, name: str, key: str, life: Life) -> None:
        """A version on its way has come a step further."""
        life = lifecycle.recognise(life, key)
        version = life.of(key)
        if version is not None and version.stage is Stage.REFUSED:
            self.tell(news.refused(name, version, version.reason, self.clock.now()))
        self.keep(name, life)
        self.wait(name, "")

    def try_on(self, name: str, version: Version) -> bool:
        """Load a vetted version; it takes over, or is watched first.

        Returns:
            False where it waits for now.
        """
        at_once = self.pipelines[name].promotion.policy == "at-once"
        takes_over = at_once or version.urgent or self._alone(name)
        if takes_over and not version.watch and (why := self._not_now(name, version)):
            self.wait(name, why)
            return False
        self._unfit[name].discard(version.key)
        try:
            self.floor.fit(name, version)
        except Unfit as why:
            self.unloadable(name, why)
            left = self.lives[name].of(version.key)
            return left is None or left.stage is not Stage.SEEN
        if takes_over and not version.watch:
            self.activate(name, version, held=version.urgent)
            return True
        life = lifecycle.advance(self.lives[name], version.key, Stage.SHADOW)
        self.keep(name, life)
        self.tell(news.watched(name, version, self.clock.now()))
        self.man(name)
        return True

    def _alone(self, name: str) -> bool:
        policy = self.pipelines[name].promotion.policy
        rung, model = self.crew(name).rung, self.models[name]
        return alone(self.lives[name], rung, policy, model)

    def _not_now(self, name: str, version: Version) -> str:
        barred, paused = self.floor.barred(version), name in self.paused
        return not_now(self.lives[name], version, barred, paused=paused)

    def _succeed(self, name: str) -> None:
        """A version that is being watched where nothing scores any more takes over."""
        candidate = self.lives[name].candidate
        if candidate is None or candidate.stage is not Stage.SHADOW:
            return
        if self._alone(name):
            why = self._not_now(name, candidate)
            self.wait(name, why)
            if not why:
                self.activate(name, candidate, held=candidate.urgent)

    def activate(self, name: str, version: Version, *, held: bool = False) -> None:
        """A proven version takes over."""
        compared = self.floor.comparison(name)
        self._misfits[name].pop(version.key, None)
        life = lifecycle.activate(self.lives[name], version.key, held=held)
        self.keep(name, life)
        if life.active is not None:
            self._ledger.mark(name, life.active)
        self.tell(news.activated(name, life, compared, self.clock.now()))
        self.man(name)

    def failed(self, name: str, key: str, reason: str) -> None:
        """A version at work must go for good."""
        life = self.lives[name]
        version = life.of(key)
        if version is None or version.stage in (Stage.REFUSED, Stage.RETIRED):
            return
        if version.stage in _AT_WORK and not self.cache.whole(version):
            self.lose(name, version, reason)
        elif version.stage in lifecycle.ON_ITS_WAY:
            self.refuse(name, version, reason)
        elif version.stage is Stage.PREVIOUS:  # the control of a probation
            self.keep(name, lifecycle.settle(life))
        else:
            self._give_back(name, version, reason)
        self.man(name)

    def limited(self, name: str, key: str, reason: str) -> None:
        """Limits judge instead of the active version, until a version is activated."""
        life = self.lives[name]
        version = life.active
        if version is None or version.key != key or life.limited:
            return
        self.keep(name, lifecycle.limit(life, f"{version.shown} {reason}"))
        self.tell(news.limited(name, version, reason, self.clock.now()))
        self.man(name)

    def _give_back(self, name: str, version: Version, reason: str) -> None:
        life = lifecycle.give_back(self.lives[name], f"{version.shown} {reason}")
        self.keep(name, life)
        self.tell(news.returned(name, version, life, reason, self.clock.now()))

    def halted(self, name: str, key: str, reason: str) -> None:
        """Nobody may run this version any more."""
        version = self.lives[name].of(key)
        if version is None or version.stage in (Stage.REFUSED, Stage.RETIRED):
            return
        if version.stage is Stage.ACTIVE:
            self._give_back(name, version, reason)
        else:
            self.refuse(name, version, reason)
        self.man(name)

    def rolled_back(self, name: str, who: str) -> str:
        """A person wants the former version; a sentence of what became of it."""
        life = self.lives[name]
        if life.active is None or life.previous is None:
            return f"{name} has no former version to return to"
        bad, reason = life.active, f"was rolled back by {who}"
        life = lifecycle.give_back(life, reason, by_hand=True)
        self.keep(name, life)
        self.tell(news.returned(name, bad, life, reason, self.clock.now()))
        self.man(name)
        former = life.active
        return f"{former.shown if former else 'nothing'} scores {name} again"

    def _judge(self, name: str, crew: Crew) -> None:
        found = self.floor.comparison(name)
        policy, beside = self.pipelines[name].promotion, crew.beside
        assert beside is not None  # noqa: S101 - the caller asked
        limit = self.floor.threshold(name)
        move, why = next_move(crew, found, policy, limit)
        if move is Move.ACTIVATE and (stays := self._not_now(name, beside)):
            move, why = Move.WAIT, stays
        if not crew.control and not beside.watch:
            self.wait(name, why if move is Move.WAIT else "")
        self._tell_of(name, beside, end=move is not Move.WAIT)
        if move is Move.ACTIVATE:
            self.activate(name, beside, held=self.lives[name].held)
        elif move is Move.REFUSE:
            self.refuse(name, beside, why)
            self.man(name)
        elif move is Move.RETURN and crew.version is not None:
            self.failed(name, crew.version.key, why)
        elif move is Move.SETTLE:
            self.keep(name, lifecycle.settle(self.lives[name]))
            self.man(name)

    def _tell_of(self, name: str, beside: Version, *, end: bool) -> None:
        """A record of the comparison once an hour, and when it ends."""
        found, now = self.floor.comparison(name), self.clock.now()
        since = self._compared.setdefault(name, now)
        if found.rows and (end or now - since >= TELL_EVERY):
            self._compared[name] = now
            self.tell(news.compared(name, beside, found, now))
        if end:
            self._compared.pop(name, None)
