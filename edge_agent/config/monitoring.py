"""What the operator may write of monitoring: contexts, drift, labels, accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_agent.config.scalars import (
    Duration,
    Flag,
    Interval,
    Name,
    Number,
    Size,
    Whole,
)


class Frozen(BaseModel):
    """A part of the configuration: no key that is not known, nothing changes."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )


Value = Annotated[str, Field(json_schema_extra={"type": ["string", "integer"]})]
"""What a state or recipe tag says: a text, or a whole number."""


class Context(Frozen):
    """In which state, recipe, product and shift a row was made."""

    running: dict[str, tuple[Value, ...]] = {}
    """Role of a state tag -> the values in which the machine runs; rows in any other
    state raise no alarm and are not monitored."""
    warm_up: Duration = 0.0
    """After the machine starts, or its recipe or product changes, rows of so long do
    not count."""
    by: Annotated[tuple[str, ...], Field(max_length=4)] = ()
    """Roles (texts or whole numbers) whose values make the context: recipe, product."""
    shifts: Annotated[dict[Name, str], Field(max_length=24)] = {}
    """Name -> 06:00-14:00, local time; becomes the last part of the context."""
    zone: str | None = None
    """Time zone of the shifts, such as Europe/Berlin. Default: the gateway's own; a
    replay on another computer needs it to find the same shifts."""


class Monitor(Frozen):
    """Input and output drift against the model's reference profile."""

    enabled: Flag = True
    window: Interval = 86_400.0
    """The newest stretch of data that is held against the reference."""
    every: Interval = 3_600.0
    """How often that is done; also the length of the drift rows for the centre."""
    findings_per_month: Annotated[Number, Field(gt=0)] = 1.0
    """How many false findings of drift a healthy plant may see."""
    persist: Annotated[Whole, Field(ge=1, le=100)] = 3
    """Looks in a row that must find the same before it is told."""
    sensors: Flag = True
    """Watch each tag for stuck, dropout, spikes, steps, units, noise and clock."""


class Labels(Frozen):
    """Where it is told later what really was: MQTT, a folder of CSV files, SCADA."""

    source: Name | None = None
    """An MQTT source; with topic."""
    topic: str | None = None
    """With {id} for the asset, as for tags."""
    folder: Path | None = None
    """CSV files dropped here are read once and moved to read/ or refused/."""
    part: str = "part"
    """Field or column with the part id."""
    asset: str = "asset"
    """Field or column with the asset's id, where there is no part id."""
    since: str = "since"
    """Field or column with the begin of the stretch that is labelled."""
    until: str = "until"
    """Its end."""
    value: str = "label"
    """Field or column with what was found: a class, a number, true or false."""
    bad: tuple[str, ...] = ("bad", "nok", "fault", "true", "1", "yes")
    """Values that mean the alarm was, or would have been, right."""
    groups: tuple[str, ...] = ()
    """Fields or columns kept for fairness: supplier lot, product."""
    personal: tuple[str, ...] = ()
    """Fields with names of people: kept only as a keyed hash."""
    horizon: Interval = 14 * 86_400.0
    """How late a label may come; bounded by memory."""
    memory: Size = 16 * 2**20
    """What predictions that wait for their label may take."""
    on_breach: Literal["tell", "return", "limits"] = "tell"
    """When the passport's requirement is broken: only tell, return to the version
    before, or judge by limits."""


class AlarmBudget(Frozen):
    """How many false alarms people will put up with."""

    per_week: Annotated[Number, Field(gt=0)]
    """Per asset."""
    apply: Flag = False
    """Move the threshold by itself; else the suggestion is only shown."""
    at_most: Annotated[Number, Field(gt=0, le=1)] = 0.2
    """How far it may move in all, as a share of the passport's threshold."""


class Privacy(Frozen):
    """What is personal and how it is hidden."""

    key_file: Path | None = None
    """Key of the hashes; default: made once, in the state folder."""
