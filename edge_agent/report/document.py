"""The report as data; `to_json` writes it, `page` shows it. Pure.

Times are texts in UTC. A number that is not known is None, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Counts up when a key changes its meaning.
FORMAT = 1
#: Verdicts on a column; anything else says why it could not be judged.
DRIFTED, STEADY = "drifted", "steady"


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened."""

    at: str
    what: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the model that this gateway has met."""

    version: str
    digest: str
    signed_by: str
    passport: Mapping[str, Any]
    stages: tuple[Happened, ...] = ()
    """How far it has come at each pipeline, and when it scored there."""
    problem: str = ""
    """Why nothing of its passport can be shown."""


@dataclass(frozen=True, slots=True)
class Place:
    """A pipeline that uses the model."""

    pipeline: str
    asset_type: str
    assets: int | None
    version: str
    scores_by: str
    """model, last-known-good, limits, no-score, or stopped."""
    because: str = ""
    open_findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """One feature or output: how it was in training, and how it is.

    Attributes:
        edges: of the bins; ``reference`` and ``live`` have one share more.
        strength: effect over its limit; None where it could not be judged.
        verdict: drifted, steady or why it could not be judged.
    """

    name: str
    unit: str
    edges: tuple[float, ...]
    reference: tuple[float, ...]
    live: tuple[float, ...]
    reference_mean: float | None
    live_mean: float | None
    reference_std: float | None
    live_std: float | None
    missing: float | None
    psi: float | None
    js: float | None
    ks: float | None
    w1: float | None
    strength: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day's figure, with what it may be off."""

    day: str
    value: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Drift:
    """A pipeline's columns in one context."""

    pipeline: str
    context: str
    since: str
    until: str
    rows: int
    columns: tuple[Column, ...]
    days: tuple[Day, ...] = ()
    """Largest strength of a column, day by day."""
    version: str = ""
    gated: int = 0
    """Rows that were not counted as the machine did not run."""
    reference: str = ""
    """Why there is nothing to hold it against; empty where there is."""

    @property
    def strength(self) -> float:
        """Of the column that moved most."""
        return max((column.strength or 0.0 for column in self.columns), default=0.0)

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of the columns that have drifted."""
        return tuple(c.name for c in self.columns if c.verdict == DRIFTED)


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of accuracy."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0
    estimated: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What late labels say of a version at a pipeline."""

    pipeline: str
    version: str
    requirement: str
    state: str
    labels: int
    coverage: float | None
    delay: str
    measures: tuple[Measure, ...] = ()
    confusion: tuple[int, int, int, int] | None = None
    """True positives, false positives, false negatives, true negatives."""
    days: tuple[Day, ...] = ()
    days_of: str = ""
    """Which measure ``days`` are of."""
    level: float | None = None
    at: str = ""
    """When this was so."""
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Alarms:
    """Alarms of a pipeline.

    Attributes:
        total: that came, as far as they are kept.
        confirmed, rejected, unanswered: what people said, in the time that ``said``
            names; None where that is not kept.
        per_week: an asset and week.
        over: more were rejected than people will put up with, beyond chance.
        assets: that alarmed most, with how often.
        by: how many each rung of the ladder made.
    """

    pipeline: str
    total: int
    confirmed: int | None
    rejected: int | None
    unanswered: int | None
    per_week: float | None
    budget: str = ""
    suggestion: str = ""
    days: tuple[Day, ...] = ()
    said: str = ""
    over: bool = False
    assets: tuple[tuple[str, int], ...] = ()
    by: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """One group of parts or machines."""

    name: str
    count: int
    rate: float | None
    low: float | None
    high: float | None
    differs: bool = False
    """From the others, more than chance explains."""


@dataclass(frozen=True, slots=True)
class Fairness:
    """One rate by one grouping."""

    pipeline: str
    by: str
    rate: str
    groups: tuple[Group, ...]
    finding: str = ""
    version: str = ""
    at: str = ""
    note: str = ""
    """Which groups are too small to tell, or why none is shown."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything.

    Attributes:
        summary: what matters most, first.
        notes: what this report could not see, and why.
    """

    model: str
    gateway: str
    site: str
    made: str
    since: str
    until: str
    agent: str
    summary: tuple[str, ...] = ()
    versions: tuple[Version, ...] = ()
    places: tuple[Place, ...] = ()
    drift: tuple[Drift, ...] = ()
    accuracy: tuple[Accuracy, ...] = ()
    alarms: tuple[Alarms, ...] = ()
    fairness: tuple[Fairness, ...] = ()
    incidents: tuple[Happened, ...] = ()
    notes: tuple[str, ...] = ()
    format: int = field(default=FORMAT)


def to_json(report: Report) -> bytes:
    """The report as JSON, indented, numbers as they are; NaN becomes null."""
    return msgspec.json.format(msgspec.json.encode(report, enc_hook=str), indent=2)
