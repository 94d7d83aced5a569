"""All sessions of the process under one budget of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from edge_agent.samples import NANOSECONDS
from edge_agent.scoring.deadline import WATCH
from edge_agent.scoring.resident import give_back
from edge_agent.scoring.resting import Kept, who_rests

if TYPE_CHECKING:
    from edge_agent.scoring.deadline import Watch
    from edge_agent.scoring.scorer import OnnxScorer

log = structlog.get_logger()


class Sessions:
    """Keeps the sessions used last in memory, and lets the others rest.

    Args:
        budget: bytes for all sessions together; what is in use may exceed it.
        idle: seconds without a call after which a session may be given up.
        watch: of the scorers; has the time.
    """

    def __init__(self, budget: int, idle: float = 60.0, watch: Watch = WATCH) -> None:
        self._watch = watch
        self._budget = budget
        self._idle = round(idle * NANOSECONDS)
        self._scorers: list[OnnxScorer] = []

    @property
    def resident_bytes(self) -> int:
        """What the loaded ones take."""
        return sum(scorer.resident_bytes for scorer in self._scorers)

    def add(self, scorer: OnnxScorer) -> None:
        """Count a model in."""
        self._scorers.append(scorer)

    def remove(self, scorer: OnnxScorer) -> None:
        """Forget a model that is not used any more."""
        self._scorers.remove(scorer)

    def tend(self) -> list[OnnxScorer]:
        """Ask to rest who must, see `who_rests`; any thread, a few times a minute.

        Returns:
            Those whose session was given up; their next call loads it again.
        """
        loaded = [scorer for scorer in self._scorers if scorer.loaded]
        kept = [Kept(scorer.used, scorer.resident_bytes) for scorer in loaded]
        chosen = who_rests(kept, self._budget, self._watch.now(), self._idle)
        resting = [loaded[place] for place in chosen]
        for scorer in resting:
            scorer.rest()
        if resting:
            give_back()
            log.debug("models rest", count=len(resting), left=len(loaded) - len(chosen))
        return resting
