"""What a passport says of a model's making, what it promises, and where it may run."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from edge_agent.bundle.modelfile import Finite, PassportPart, Seconds, Sentence


class Training(PassportPart):
    """Where the model comes from."""

    script: str
    data: Sentence
    start: dt.datetime
    end: dt.datetime
    rows: Annotated[int, Field(ge=1)]
    seed: int | None = None
    run: str = ""
    """The training run, where it is kept: an id or a link."""
    commit: str = ""
    """Of the code that trained it."""


class FalseAlarms(PassportPart):
    """What the threshold was set for, and what it reached on data kept aside."""

    budget_per_week: Annotated[float, Field(ge=0)]
    """Per asset."""
    seen_per_week: Annotated[float, Field(ge=0)]
    asset_hours: Annotated[float, Field(gt=0)]
    """How much data was kept aside."""
    at_most_per_week: Annotated[float, Field(ge=0)] | None = None
    """With 95 % confidence, from what was seen and how long was looked."""
    note: str = ""
    """How it was counted, and what so much data cannot show."""


class Accuracy(PassportPart):
    """What the model must reach once labels are known."""

    metric: Literal["precision", "recall", "f1", "accuracy", "mae"]
    level: Finite
    min_labels: Annotated[int, Field(ge=1)]
    reached: Finite | None = None
    """On labelled data kept aside, by the exported model at its first threshold."""
    labels: Annotated[int, Field(ge=0)] = 0
    """How many that was."""


class Allowance(PassportPart):
    """What the model may cost on a gateway; measured there before it may score."""

    p99: Seconds = 0.25
    """A run over ``rows`` rows takes no longer, 99 times of 100."""
    rows: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Rows of a turn, all assets at once, that ``p99`` is stated for."""
    memory_mb: Annotated[float, Field(gt=0, le=4096)] = 128.0
    """Resident memory that loading and running it adds."""


class Targets(PassportPart):
    """Where the model may run; empty for anywhere."""

    sites: tuple[str, ...] = ()
    asset_types: tuple[str, ...] = ()
