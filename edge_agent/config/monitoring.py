"""What the operator may write of monitoring: contexts, drift, labels, accuracy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge_agent.config.scalars import (
    Duration,
    Flag,
    Interval,
    Name,
    Number,
    Size,
    Whole,
    Wrong,
    parse_number,
    shown,
)

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


_RATE = re.compile(r"(\S+) +per +(day|week|month)")
_RATE_FOR_EDITORS = r"^[0-9]+(\.[0-9]+)? per (day|week|month)$"
_PER_WEEK = {"day": 7.0, "week": 1.0, "month": 7.0 / 30.0}


def parse_rate(text: str) -> float:
    """Events a week, from ``2 per week``, ``1 per day`` or ``3 per month``.

    Raises:
        ValueError: no such text, with what to write.
    """
    hint = "write for example 2 per week, 1 per day or 3 per month"
    match = _RATE.fullmatch(text.strip())
    if match is None:
        near = re.match(r"([0-9]+(?:\.[0-9]+)?)\W*(?:per|an?)?\W*(d|w|m)", text.strip())
        if near:
            unit = {"d": "day", "w": "week", "m": "month"}[near[2]]
            hint += f"; did you mean '{near[1]} per {unit}'?"
        raise Wrong(f"{shown(text)} is not a number of alarms in a time", hint)
    number = parse_number(match[1])
    if number <= 0:
        said = f"{shown(text)} is no budget"
        raise Wrong(said, "write more than 0")
    return number * _PER_WEEK[match[2]]


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
    """Fields with names of people: never kept. Who gave a verdict is kept as a keyed
    hash only; reason here leaves the verdict's reason out as well."""
    horizon: Interval = 14 * 86_400.0
    """How late a label may come; bounded by memory."""
    memory: Size = 16 * 2**20
    """What predictions with and without a label may take; on disk twice as much and 16
    MiB. 60 bytes a part; of continuous scoring one row an asset and minute, or longer
    where the horizon would not fit."""
    on_breach: Literal["tell", "return", "limits"] = "tell"
    """When the passport's requirement is broken: only tell, return to the version
    before, or judge by limits."""


class AlarmBudget(Frozen):
    """How many false alarms people will put up with: 2 per week, or a block."""

    per_week: Annotated[Number, Field(gt=0)]
    """Per asset."""
    apply: Flag = False
    """Move the threshold by itself; else the suggestion is only shown."""
    at_most: Annotated[Number, Field(gt=0, le=1)] = 0.2
    """How far it may move in all, as a share of the passport's threshold."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"per_week": parse_rate(value)} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Either way of writing it, for editors."""
        block = handler.resolve_ref_schema(handler(core))
        text = {"type": "string", "pattern": _RATE_FOR_EDITORS}
        words = {key: block.pop(key) for key in ("title", "description")}
        return words | {"anyOf": [text, block]}


class Privacy(Frozen):
    """What is personal and how it is hidden."""

    key_file: Path | None = None
    """Key of the hashes; default: made once, in the state folder."""
