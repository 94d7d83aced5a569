"""The passport's requirement, held against what labels say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isnan
from typing import TYPE_CHECKING

from edge_agent.monitoring.accuracy.measures import LOWER_IS_BETTER, Basis
from edge_agent.monitoring.conditions import Condition, What

if TYPE_CHECKING:
    from edge_agent.monitoring.accuracy.measures import Figure, Measures

ACTION = (
    "Return to the version before, or judge by limits, and give the newest labelled "
    "rows to the owner of the model."
)


class Standing(StrEnum):
    """How a model stands towards what it promised."""

    NOT_YET = "not yet"
    """Too few labels."""
    MET = "met"
    BELOW = "below but within chance"
    BREACHED = "breached"
    CANNOT = "cannot be told"
    """The labels there are do not say: none bad, or hardly any without an alarm."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What the passport promises.

    Attributes:
        metric: precision, recall, f1, accuracy or mae.
        level: at least; for mae at most.
        min_labels: before so many nothing is said.
    """

    metric: str
    level: float
    min_labels: int


@dataclass(frozen=True, slots=True)
class Held:
    """A requirement against a figure.

    Attributes:
        requirement: of the passport.
        standing: how the model stands.
        figure: what was found.
        labels: it rests on.
        sentence: for the operator.
    """

    requirement: Requirement
    standing: Standing
    figure: Figure
    labels: int
    sentence: str

    @property
    def strength(self) -> float:
        """How many times the error that is allowed; 1 is just met."""
        level, value = self.requirement.level, self.figure.value
        if self.figure.measure in LOWER_IS_BETTER:
            return value / level if level > 0 else float("inf")
        if level < 1:
            return (1 - value) / (1 - level)
        return level / value if value > 0 else float("inf")

    def condition(self, context: str = "") -> Condition | None:
        """The finding, where the requirement is breached.

        An estimate without labels breaches nothing.
        """
        if self.standing is not Standing.BREACHED:
            return None
        evidence: dict[str, float | int | str] = {
            "metric": self.requirement.metric,
            "required": self.requirement.level,
            "found": self.figure.value,
            "low": self.figure.low,
            "high": self.figure.high,
            "labels": self.labels,
            "weighted": int(self.figure.basis is Basis.WEIGHTED),
        }
        strength = min(max(self.strength, 1.0), 1e6)
        return Condition(
            *(What.ACCURACY, strength, self.sentence, ACTION),
            context=context,
            evidence=evidence,
        )


def held(
    requirement: Requirement, measures: Measures, labels: int, code: int = 0
) -> Held:
    """Hold a model against its passport.

    Args:
        requirement: of the passport.
        measures: from `coverage.corrected`, or from `estimate`.
        labels: pieces of evidence, ``Sums.labels``; an hour under one label is one.
        code: which version or context.

    Raises:
        ValueError: the metric is not known.
    """
    figure = measures.of(requirement.metric, code)
    standing = _standing(requirement, figure, labels)
    said = _sentence(requirement, standing, figure, labels)
    return Held(requirement, standing, figure, labels, said)


def _standing(requirement: Requirement, figure: Figure, labels: int) -> Standing:
    estimated = figure.basis is Basis.ESTIMATED
    if labels < requirement.min_labels and not estimated:
        return Standing.NOT_YET
    if isnan(figure.value):
        return Standing.CANNOT
    level = requirement.level
    lower = figure.measure in LOWER_IS_BETTER
    if figure.value <= level if lower else figure.value >= level:
        return Standing.MET
    sure = figure.low > level if lower else figure.high < level
    return Standing.BREACHED if sure and not estimated else Standing.BELOW


def _sentence(
    requirement: Requirement, standing: Standing, figure: Figure, labels: int
) -> str:
    if standing is Standing.NOT_YET:
        wanted = requirement.min_labels
        return f"Not yet told: {labels} of {wanted} labels needed."
    said = figure.sentence()
    said = said[:1].upper() + said[1:]
    if standing is Standing.CANNOT:
        return f"{said}."
    bound = "at most" if figure.measure in LOWER_IS_BETTER else "at least"
    needs = f"the passport requires {bound} {requirement.level:g}"
    if figure.basis is Basis.ESTIMATED:
        return f"{said} without labels; {needs}."
    after = {
        Standing.MET: "",
        Standing.BELOW: ", which may be chance",
        Standing.BREACHED: "",
    }[standing]
    return f"{said} on {labels} labels; {needs}{after}."
