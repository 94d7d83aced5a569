"""Who scores a pipeline now, what stands in for it at once, and who watches.

A post belongs to the turn's thread. What shall sit on it comes as a `Seating` from
outside and is taken between two turns, so that every row is scored by exactly one
version. A call that fails costs the line nothing it can be spared: the same rows go to
the rung below in the same turn. A model that keeps failing is taken off there and then,
and reported; what sits there next is decided elsewhere (`registry.adoption`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent import guards, judging, scenes
from edge_agent.comparison import Comparison, Verdicts
from edge_agent.guards import Health
from edge_agent.pipeline import MODELS
from edge_agent.records import Fallback, NoScore
from edge_agent.scores import NoModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_agent.clock import Clock
    from edge_agent.features.contexts import Contexts
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.features.plan import FeaturePlan
    from edge_agent.features.triggers import Trigger
    from edge_agent.features.window import Window
    from edge_agent.outcomes import Judged
    from edge_agent.pipeline import Pipeline, PipelineState
    from edge_agent.records import Record
    from edge_agent.scores import Scores

    TriggerFor = Callable[[FeaturePlan, Window], Trigger]
    Told = Callable[["Turned", PipelineState, FeatureRows], None]


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """A version that scores the same rows and that nobody acts on.

    Attributes:
        pipeline: with its model.
        plan: its features.
        key: names the version.
        control: it is the former one, held against the one that took over; else it is
            the one that may take over.
    """

    pipeline: Pipeline
    plan: FeaturePlan
    key: str
    control: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Seating:
    """What shall score a pipeline from the next turn on.

    Attributes:
        pipeline: the rung in use.
        plan: its features.
        standby: scores the same rows when a call of the rung fails; None for no score.
        key: names the version, empty where no version scores.
        beside: who watches, if anybody.
        trigger: makes the trigger of another plan; None keeps the one there is.
    """

    pipeline: Pipeline
    plan: FeaturePlan
    standby: Pipeline | None = None
    key: str = ""
    beside: Beside | None = None
    trigger: TriggerFor | None = None


@dataclass(frozen=True, slots=True)
class Turned:
    """One turn of a post.

    Attributes:
        state: what the pipeline remembers.
        records: what leaves.
        scores: of all rows.
        pipeline: whose scores they are: the rung that was used.
        error: what a failed call said, also where the standby then scored.
        off: why the model was taken off in this turn; empty where it stays.
        judged: all that was said of the rows.
    """

    state: PipelineState
    records: list[Record]
    scores: Scores
    pipeline: Pipeline
    error: str = ""
    off: str = ""
    judged: Judged | None = None


@dataclass(slots=True)
class Post:
    """A pipeline's place in the turn.

    Attributes:
        pipeline: the rung in use.
        standby, key, beside: see `Seating`.
        health: of the model in use; ``health_beside`` of the one that watches.
        told: sees every turn, with the state before it and the rows; must not block.
    """

    pipeline: Pipeline
    standby: Pipeline | None = None
    key: str = ""
    beside: Beside | None = None
    health: Health = field(default_factory=Health)
    health_beside: Health = field(default_factory=Health)
    contexts: Contexts | None = None
    """Of the rows: what their numbers mean."""
    told: Told | None = None
    _compared: tuple[tuple[str, str], Comparison] = (("", ""), Comparison())
    """Of whom, and how they compare: one object, as other threads read it."""
    _recalled: tuple[tuple[str, str], Comparison] | None = None
    _unwatched: tuple[Verdicts, FeatureRows] | None = None
    _input: NDArray[np.float32] | None = None

    @property
    def comparison(self) -> Comparison:
        """How the two that sit here compare; any thread."""
        return self._compared[1]

    def compared(self, key: str, other: str) -> Comparison:
        """How these two compare: nothing yet, unless it is they who sit here."""
        pair, found = self._compared
        return found if pair == (key, other) else Comparison()

    def seat(self, seating: Seating) -> None:
        """Take another rung, stand-in or watcher; what goes on is remembered."""
        before = self._pair()
        if seating.key != self.key or seating.pipeline is not self.pipeline:
            self.health = Health()
        self.pipeline, self.standby = seating.pipeline, seating.standby
        self.key, self.beside = seating.key, seating.beside
        if (pair := self._pair()) != before:
            self.health_beside, self._compared = Health(), (pair, Comparison())
            if self._recalled is not None and self._recalled[0] == pair:
                self._compared, self._recalled = self._recalled, None

    def recall(self, key: str, other: str, comparison: Comparison) -> None:
        """Go on with a comparison of before a restart, once both sit here again."""
        if self._pair() == (key, other):
            self._compared = (key, other), comparison
        else:
            self._recalled = ((key, other), comparison)

    def turn(
        self,
        state: PipelineState,
        rows: FeatureRows,
        watched: FeatureRows | None,
        clock: Clock,
    ) -> Turned:
        """Score and judge the due rows.

        Args:
            state: replaced, not changed.
            rows: n rows.
            watched: the same by the plan of who watches; None where it is the same.
            clock: times the call.
        """
        began, used = clock.now(), self.pipeline
        scores = first = judging.scored(used.scorer, rows)
        took, error = clock.now() - began, scores.error
        whole = bool(np.count_nonzero(rows.valid))
        off = self._watch(scores, rows) if whole and not _resting(scores) else ""
        if self.beside is not None and not _resting(scores):
            mine = self._verdicts(self.pipeline, rows, scores, took)
            self._unwatched = mine, rows if watched is None else watched
        if error and whole and self.standby is not None:
            said = self.standby.phrases.say("instead.failing", error=error)
            used = replace(self.standby, because=said)
            scores = judging.scored(used.scorer, rows)
        if off:
            self._take_off(off)
        after, records, found = judging.judged(used, state, rows, scores, self.contexts)
        failed = "" if _resting(first) else error
        done = Turned(after, records, scores, used, failed, off, found)
        if self.told is not None:
            self.told(done, state, rows)
        return done

    def _watch(self, scores: Scores, rows: FeatureRows) -> str:
        """Judge the model in use by this turn; why it must go, else empty."""
        if self.pipeline.fallback not in MODELS:
            return ""
        first = rows.values[int(np.argmax(rows.valid))]
        varied = self._input is None or not np.array_equal(first, self._input)
        self._input = first.copy()
        self.health, off = guards.watched(
            self.health, scores.score[rows.valid], scores.error, varied=varied
        )
        return off

    def _take_off(self, reason: str) -> None:
        say = self.pipeline.phrases.say
        if self.standby is not None:
            because = say("instead.taken_off", reason=reason)
            self.pipeline = replace(self.standby, because=because)
        else:
            because = say("instead.nothing", reason=reason)
            self.pipeline = without(self.pipeline, because)
        self.standby, self.beside, self.key = None, None, ""

    def watch(self, clock: Clock) -> str:
        """Let who watches score the newest turn's rows too, behind its records.

        Args:
            clock: times the call.

        Returns:
            Why the watcher was taken off; empty where it stays.
        """
        beside, waits, self._unwatched = self.beside, self._unwatched, None
        if beside is None or waits is None:
            return ""
        mine, seen = waits
        began = clock.now()
        other = judging.scored(beside.pipeline.scorer, seen)
        ended = clock.now()
        if _resting(other):
            return ""
        theirs = self._verdicts(beside.pipeline, seen, other, int(ended - began))
        pair = (mine, theirs) if beside.control else (theirs, mine)
        self._compared = self._pair(), self.comparison.plus(*pair, ended)
        if not np.count_nonzero(seen.valid):
            return ""
        self.health_beside, off = guards.watched(
            self.health_beside, other.score[seen.valid], other.error, varied=False
        )
        if off:
            self.beside = None
        return off

    def _verdicts(
        self, pipeline: Pipeline, rows: FeatureRows, scores: Scores, took: int
    ) -> Verdicts:
        """What a model says of the rows that are judged: others compare nothing."""
        own = scenes.thresholds(pipeline, rows, self.contexts)
        threshold = pipeline.limits.threshold if own is None else own
        return Verdicts(scenes.judgeable(rows, scores), threshold, took)

    def _pair(self) -> tuple[str, str]:
        return self.key, self.beside.key if self.beside is not None else ""


def _resting(scores: Scores) -> bool:
    """The model had rested and is being loaded: that is no failure of it."""
    missing = scores.no_score == NoScore.MODEL_MISSING
    return bool(scores.error) and bool(np.count_nonzero(missing))


def without(pipeline: Pipeline, because: str) -> Pipeline:
    """The same pipeline with nothing that could score it."""
    return replace(
        pipeline,
        scorer=NoModel(),
        alarmed=False,
        fallback=Fallback.NO_SCORE,
        because=because,
        occlusion=None,
    )
