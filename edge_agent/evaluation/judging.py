"""Judges a pipeline whenever the desk asks, tells what begins and ends, and acts.

Belongs to the desk's thread; `status` may be asked by any. Whatever goes wrong in here
takes no score and no label away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.evaluation.look import Looked, Parities, looked
from edge_agent.evaluation.memory import Memory, Moved
from edge_agent.evaluation.standing import still_breached
from edge_agent.findings import finding, named
from edge_agent.monitoring.accuracy.requirement import Standing
from edge_agent.monitoring.conditions import What
from edge_agent.monitoring.diagnosis import diagnosed
from edge_agent.records import EventRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.config.monitoring import AlarmBudget, Labels
    from edge_agent.evaluation.active import Active
    from edge_agent.evaluation.thresholds import Thresholds
    from edge_agent.labels.columns import Joined
    from edge_agent.labels.operators import Judged
    from edge_agent.monitoring.conditions import Condition
    from edge_agent.monitoring.episodes import Change
    from edge_agent.monitors.drift import Beside
    from edge_agent.records import Record

    #: Takes a pipeline's look.
    Keep = Callable[[str, Looked], None]
    #: What drift and sensors show of a pipeline now.
    Shown = Callable[[str], tuple[Sequence[Condition], Beside]]

log = structlog.get_logger()

#: Ns between two moves of a threshold.
MOVE_EVERY = 86_400_000_000_000
_OWN = frozenset({What.ACCURACY, What.PARITY, What.FALSE_ALARMS})
_DRIFT = frozenset({What.INPUT_DRIFT, What.SCORE_DRIFT})


@dataclass(frozen=True, slots=True)
class Reach:
    """What judgements may ask and do; every call from the desk's thread.

    Attributes:
        active: what scores a pipeline; None where nobody knows.
        former: whether a version is there to return to.
        breach: pipeline, reason, digest, limits: what scores must go; whether it will.
        move: pipeline and threshold; None for the passport's.
        tell: takes records.
        keep: pipeline and look, where its snapshot is another; for reports.
        evidence: what drift and sensors show; None where nobody looks.
    """

    active: Callable[[str], Active | None]
    former: Callable[[str], bool]
    breach: Callable[[str, str, str, bool], bool]
    move: Callable[[str, Moved | None], None]
    tell: Callable[[Record], None]
    keep: Keep = lambda _name, _look: None
    evidence: Shown | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """How a pipeline is judged.

    Attributes:
        labels: as configured.
        budget: of false alarms.
    """

    labels: Labels
    budget: AlarmBudget | None

    @property
    def bad(self) -> frozenset[str]:
        """Words that mean bad, folded."""
        return frozenset(word.strip().casefold() for word in self.labels.bad)


@dataclass(slots=True)
class Evaluation:
    """See the module.

    Args:
        terms: of the pipelines that are judged.
        folder: state_dir/labels.
        clock: agent time.
        thresholds: alarms at other thresholds.
        reach: what may be done.
    """

    terms: Mapping[str, Terms]
    folder: Path
    clock: Clock
    thresholds: Thresholds
    reach: Reach
    _memory: dict[str, Memory] = field(default_factory=dict)
    _parities: dict[str, Parities] = field(default_factory=dict)
    _shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    _bugs: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._memory = {name: Memory.of(self.folder, name) for name in self.terms}

    def status(self, pipeline: str) -> dict[str, Any]:
        """As of the last judgement; any thread."""
        return self._shown.get(pipeline, {})

    def going_on(self) -> set[str]:
        """Ids of the findings that are open here."""
        return {
            named(episode, name)
            for name, memory in self._memory.items()
            for episode in memory.episodes.told()
        }

    def judge(self, name: str, joined: Joined, judged: Judged) -> Sequence[Condition]:
        """Judge a pipeline; the desk's `Judge`."""
        try:
            return self._judged(name, joined, judged)
        except Exception as bug:
            if repr(bug) not in self._bugs and len(self._bugs) < 20:  # noqa: PLR2004
                self._bugs.add(repr(bug))
                log.exception("a bug in judging labels; scoring goes on", pipeline=name)
            return ()

    def _judged(self, name: str, joined: Joined, judged: Judged) -> Sequence[Condition]:
        active, terms = self.reach.active(name), self.terms[name]
        if active is None:
            return ()
        now, memory = self.clock.now(), self._memory[name]
        beside = self.reach.evidence(name) if self.reach.evidence is not None else None
        look = looked(
            *(name, joined, judged, active, terms.bad),
            budget=terms.budget,
            seen=self.thresholds.seen(name, active.digest),
            before=self._parities.get(name, Parities()),
            now=now,
            drifted=beside is not None and any(c.what in _DRIFT for c in beside[0]),
        )
        self._parities[name] = look.parities
        conditions = _diagnosed(look.conditions, beside)
        changed = self._remember(name, memory, conditions, look, active.digest, now)
        changed |= memory.went(active.digest)
        changed |= self._act(name, memory, look, active)
        changed |= self._move(name, memory, look, active, now)
        if changed:
            memory.keep()
        self._show(name, look, memory)
        return conditions

    # -- what is told ----------------------------------------------------------------

    def _remember(
        self,
        name: str,
        memory: Memory,
        conditions: Sequence[Condition],
        look: Looked,
        digest: str,
        now: int,
    ) -> bool:
        """Findings that begin or end; whether there was one."""
        running = memory.episodes.running
        others = {
            key
            for key, episode in running.items()
            if digest and episode.condition.evidence.get("digest") != digest
        }
        # what was found of a version that scores no more is over with it
        left, over = memory.episodes.looked((), others.__contains__, now, 1)
        settled = look.settled
        memory.episodes, changes = left.looked(
            conditions, lambda key: (key[0], key[2]) in settled, now, 1
        )
        for change in (*over, *changes):
            self.reach.tell(_record(change, now, name))
            self._event(change, now, name)
        return bool(over or changes)

    def _event(self, change: Change, now: int, name: str) -> None:
        """A promise that is broken, or kept again, is an event too."""
        seen = change.episode.condition
        if seen.what is not What.ACCURACY:
            return
        what = "requirement broken" if change.opens else "requirement met again"
        facts = dict(seen.evidence)
        self.reach.tell(EventRecord(now, what, name, seen.sentence, facts))
        log.warning(what, pipeline=name, why=seen.sentence)

    def _show(self, name: str, look: Looked, memory: Memory) -> None:
        told = [e.condition.sentence for e in memory.episodes.told()]
        shown = {**look.snapshot, "findings": told}
        if shown != self._shown.get(name):
            self._shown[name] = shown
            self.reach.keep(name, look)

    # -- what is done ----------------------------------------------------------------

    def _act(self, name: str, memory: Memory, look: Looked, active: Active) -> bool:
        """Let a version go that breaks its promise; whether that is news."""
        wanted, held = self.terms[name].labels.on_breach, look.held
        if wanted == "tell" or held is None or held.standing is not Standing.BREACHED:
            return False
        if (since := memory.acted.get(active.digest)) is not None:
            # a person brought it back: only what it does from then on counts
            held = still_breached(look.rows, active, since)
            if held is None or held.standing is not Standing.BREACHED:
                return False
        newest, asked = int(look.rows.rows.at.max()), active.digest in memory.asked
        if wanted == "return" and not self.reach.former(name):
            if not asked:
                self._tell(name, "no version to return to", held.sentence)
            memory.asked[active.digest] = newest
            return not asked
        reason = f"does not keep its promise: {held.sentence}"
        limits = wanted == "limits"
        if not self.reach.breach(name, reason, active.digest, limits):
            return False
        memory.asked[active.digest] = newest
        return not asked

    def _move(
        self, name: str, memory: Memory, look: Looked, active: Active, now: int
    ) -> bool:
        """Move the threshold where that is allowed, or undo it; whether it was."""
        budget, moved = self.terms[name].budget, memory.moved
        allowed = budget is not None and budget.apply
        if moved is not None and (not allowed or _outdated(moved, active)):
            memory.moved = None
            self.reach.move(name, None)
            said = f"the threshold is the passport's again, {active.base:g}"
            self._tell(name, "threshold moved back", said)
            return True
        suggestion = look.budget.suggestion if look.budget is not None else None
        if not allowed or suggestion is None or not suggestion.changes:
            return False
        if moved is not None and now - moved.at < MOVE_EVERY:
            return False
        memory.moved = Moved(active.digest, active.base, suggestion.threshold, now)
        self.reach.move(name, memory.moved)
        facts = {
            "from": suggestion.now,
            "to": suggestion.threshold,
            "why": suggestion.sentence,
            "digest": active.digest,
        }
        self._tell(name, "threshold moved", suggestion.sentence, facts)
        return True

    def _tell(
        self, name: str, what: str, text: str, facts: dict[str, Any] | None = None
    ) -> None:
        log.warning(what, pipeline=name, why=text)
        self.reach.tell(EventRecord(self.clock.now(), what, name, text, facts or {}))


def _outdated(moved: Moved, active: Active) -> bool:
    """Another version scores, or its threshold was set anew."""
    return bool(active.digest) and (moved.digest, moved.base) != (
        active.digest,
        active.base,
    )


def _diagnosed(
    conditions: list[Condition], beside: tuple[Sequence[Condition], Beside] | None
) -> list[Condition]:
    """With causes, where somebody looks at the tags."""
    if beside is None or not conditions:
        return conditions
    drift, sensors = beside
    found = diagnosed(sensors.with_these((*conditions, *drift)))
    return [condition for condition in found if condition.what in _OWN]


def _record(change: Change, now: int, name: str) -> Record:
    of = change.episode.condition.evidence
    model = str(of.get("model", "")), str(of.get("version", ""))
    return finding(change.episode, now, name, model, is_open=change.opens)
