"""What the operator may write of a pipeline: trigger, alarm, model and its ladder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edge_agent.config.monitoring import (
    AlarmBudget,
    Context,
    Frozen,
    Labels,
    Monitor,
)
from edge_agent.config.scalars import Duration, Flag, Interval, Number, Whole


class Score(Frozen):
    """When a row is scored: exactly one of every and on."""

    every: Interval | None = None
    """Periodically."""
    on: Literal["update", "cycle"] | None = None
    """update: as soon as an asset's new values are complete; cycle: once a part."""
    settle: Duration = 0.2
    """on: update and cycle: wait this long for the rest of a row's values."""
    part: str | None = None
    """on: cycle: the role that carries the part id."""
    part_at: Literal["start", "end"] = "end"
    """Whether the part id comes when the part begins or with its results."""


class Alarm(Frozen):
    """How a score becomes an alarm."""

    threshold: Number | None = None
    """Default: the passport's."""
    thresholds: dict[str, Number] = {}  # noqa: RUF012 - pydantic copies it
    """Context -> threshold of its own: recipeA, or recipeA/early for a shift of it."""
    hysteresis: Annotated[Number, Field(ge=0, lt=1)] = 0.05
    """Clears below threshold x (1 - hysteresis)."""
    on_delay: Duration = 3.0
    off_delay: Duration = 60.0
    severity: Annotated[Whole, Field(ge=1, le=1000)] | None = None
    """OPC UA style. Default: the passport's."""
    enabled: Flag = True
    budget: AlarmBudget | None = None
    """False alarms an asset may give; needs labels or verdicts from SCADA."""


class Report(Frozen):
    """When a score is published: on change beyond the deadband, or at max_interval."""

    deadband: Annotated[Number, Field(ge=0)] = 0.0
    """Absolute change of the score that is worth a message; 0 sends every score."""
    max_interval: Interval = 60.0


class Promotion(Frozen):
    """When a newer version of a model, proven and watched, takes over."""

    policy: Literal["after", "at-once", "manual"] = "after"
    """after: once it has scored beside the active one for long enough; at-once: as
    soon as it is proven; manual: only on `edge-agent model activate`."""
    after: Duration = 3600.0
    """How long it is watched beside the active one."""
    rows: Annotated[Whole, Field(ge=1)] = 100
    """Rows both must have scored by then."""
    disagreement: Annotated[Number, Field(ge=0, le=1)] | None = None
    """Share of rows over which the two may differ about an alarm; more keeps the newer
    one watched until a person decides."""
    probation: Duration = 3600.0
    """How long after taking over the former one is scored beside it, to compare."""


class Pipeline(Frozen):
    """An asset type, scored by a model."""

    assets: str
    """Name of the asset type."""
    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(@[A-Za-z0-9_.-]+)?$")]
    """NAME, NAME@ALIAS or NAME@VERSION from the registry; NAME alone is the champion,
    or the newest where the registry points at none."""
    score: Score
    alarm: Alarm = Alarm()
    report: Report = Report()
    roles: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it
    """Passport tag name -> role of the asset type, where they differ."""
    promotion: Promotion = Promotion()
    fallback: tuple[Literal["last-known-good", "limits", "none"], ...] = (
        "last-known-good",
        "limits",
        "none",
    )
    """What scores when the model cannot, in this order."""
    deadline: Interval = 1.0
    """A run of the model that takes longer is given up; its rows go down the ladder."""
    context: Context = Context()
    monitor: Monitor = Monitor()
    labels: Labels | None = None
