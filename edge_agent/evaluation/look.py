"""One look at a pipeline's labels and alarms: what is so, in plain values. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from edge_agent.evaluation import alarms, groups, guess, standing
from edge_agent.evaluation.rows import converted
from edge_agent.monitoring.accuracy.requirement import Standing
from edge_agent.monitoring.conditions import What

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.config.monitoring import AlarmBudget
    from edge_agent.evaluation.active import Active
    from edge_agent.evaluation.alarms import Budgeted
    from edge_agent.evaluation.groups import Compared
    from edge_agent.evaluation.rows import Converted
    from edge_agent.evaluation.tracking import Seen
    from edge_agent.labels.columns import Joined
    from edge_agent.labels.operators import Judged
    from edge_agent.monitoring.accuracy.requirement import Held
    from edge_agent.monitoring.conditions import Condition

_UNSURE = frozenset({Standing.NOT_YET, Standing.CANNOT})


@dataclass(frozen=True, slots=True)
class Parities:
    """Groups as they were compared last, and on how many labels, when.

    Every look is another chance to find what is none: it is looked again only when
    there are a quarter more labels, or the next day, or another version.
    """

    digest: str = ""
    labels: int = 0
    at: int = -(2**62)
    found: tuple[Compared, ...] = ()

    def due(self, digest: str, labels: int, now: int) -> bool:
        """Whether it is time to compare again."""
        more = labels >= max(1.25 * self.labels, self.labels + 1)
        return digest != self.digest or more or now - self.at >= _DAY


_DAY = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look gave.

    Attributes:
        snapshot: ``accuracy``, ``alarms`` and ``fairness`` as the report has them.
        conditions: that are so.
        rows: labelled ones.
        held: the version that scores against its passport.
        budget: false alarms, where there is a budget.
        parities: groups compared.
        settled: kinds that are surely not so, or would have been seen.
    """

    snapshot: dict[str, Any]
    conditions: list[Condition]
    rows: Converted
    held: Held | None
    budget: Budgeted | None
    parities: Parities
    settled: frozenset[tuple[str, str]] = field(default=frozenset())


def looked(
    pipeline: str,
    joined: Joined,
    judged: Judged,
    active: Active,
    bad: frozenset[str],
    *,
    budget: AlarmBudget | None,
    seen: Seen | None,
    before: Parities,
    now: int,
    drifted: bool,
) -> Looked:
    """Judge.

    Args:
        pipeline: its name.
        joined: labelled rows, of the desk.
        judged: alarms and what operators said.
        active: what scores now.
        bad: words that mean bad, folded.
        budget: of false alarms.
        seen: alarms at other thresholds.
        before: how groups were compared last.
        now: agent time, ns.
        drifted: a finding of drift is open.
    """
    rows = converted(joined, active, bad)
    told = standing.by_version(rows, active)
    held = standing.holds(rows, told, active)
    labels = int(told.labels[rows.active]) if rows.active >= 0 else 0
    if before.due(active.digest, labels, now):
        compared = groups.parities(rows, told, active, joined.group_words)
        before = Parities(active.digest, labels, now, tuple(compared))
    counts = None
    if budget is not None and seen is not None:
        counts = alarms.budgeted(judged, seen, active, budget)
    accuracy = standing.entries(pipeline, rows, told, active, held)
    if held is None or held.standing in _UNSURE:
        accuracy = _with_estimate(
            *(pipeline, accuracy, joined, rows, active, bad), drifted=drifted
        )
    snapshot = {
        "accuracy": accuracy,
        "alarms": alarms.entry(pipeline, judged, active, counts, budget),
        "fairness": [e for one in before.found for e in groups.entries(pipeline, one)],
        "contexts": _contexts(rows, active),
    }
    found = _conditions(held, before, counts, joined.assets)
    mine = [_marked(condition, active) for condition in found]
    settled = _settled(held, before, counts)
    return Looked(snapshot, mine, rows, held, counts, before, settled)


def _contexts(rows: Converted, active: Active) -> list[dict[str, Any]]:
    if rows.active < 0 or not rows.contexts:
        return []
    return standing.contexts(rows, standing.by_context(rows, active))


def _with_estimate(
    pipeline: str,
    accuracy: list[dict[str, Any]],
    joined: Joined,
    rows: Converted,
    active: Active,
    bad: frozenset[str],
    *,
    drifted: bool,
) -> list[dict[str, Any]]:
    """With what the model's own chances say, marked as an estimate."""
    measures, why = guess.guessed(joined, rows, active, bad, drifted=drifted)
    if not measures and not why:
        return accuracy
    if not accuracy or not accuracy[0]["scores"]:
        accuracy = [_nothing(pipeline, active), *accuracy]
    first = accuracy[0]
    more = {"measures": [*first["measures"], *measures], "estimate": why}
    return [first | more, *accuracy[1:]]


def _nothing(pipeline: str, active: Active) -> dict[str, Any]:
    """The document of a version that has no label yet."""
    promise = active.requirement
    return {
        "pipeline": pipeline,
        "version": active.version,
        "digest": active.digest,
        "scores": True,
        "requirement": standing.required(promise),
        "state": str(Standing.NOT_YET) if promise else "no requirement",
        "sentence": "",
        "labels": 0,
        "coverage": None,
        "delay": "",
        "measures": [],
        "confusion": None,
        "days": [],
        "days_of": "",
        "level": promise.level if promise else None,
    }


def _conditions(
    held: Held | None,
    parities: Parities,
    budget: Budgeted | None,
    assets: Sequence[str],
) -> list[Condition]:
    found = [held.condition()] if held is not None else []
    found += [one.parity.condition() for one in parities.found]
    if budget is not None:
        found.append(budget.condition(assets))
    return [condition for condition in found if condition is not None]


def _marked(condition: Condition, active: Active) -> Condition:
    """With the version it is about."""
    of = {"model": active.model, "version": active.version, "digest": active.digest}
    return replace(condition, evidence={**condition.evidence, **of})


def _settled(
    held: Held | None, parities: Parities, budget: Budgeted | None
) -> frozenset[tuple[str, str]]:
    """Kind and tag of what would be over now if it had been so."""
    found = {(What.PARITY.value, p.parity.by) for p in parities.found if p.judged}
    if standing.settled(held):
        found.add((What.ACCURACY.value, ""))
    if budget is not None and budget.held:
        found.add((What.FALSE_ALARMS.value, ""))
    return frozenset(found)
