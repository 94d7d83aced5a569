"""How much healthy data scatters by itself: what reference.json may say of it.

Made by `publish.calibration`, used by `monitoring.drift.independence`, which both say
what the numbers mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from typing import Self

_MAX_LENGTHS = 64
MAX_NAMES = 1000

Variance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scatter(_Part):
    """How much stretches of one healthy column scatter about their whole.

    A variance of cumulative shares at each of the calibration's lengths, in units of
    that of one independent row; see `monitoring.drift.independence`.
    """

    own: tuple[Variance, ...]
    """Of one asset by itself."""
    shared: tuple[Variance, ...]
    """Of all assets together."""
    freedom: tuple[Positive, ...]
    """Degrees of freedom they were told from."""
    heavy: tuple[Annotated[float, Field(ge=1, allow_inf_nan=False)], ...]
    """How much further than a normal distribution's the worst stretch lay."""
    between: Variance
    """Of where the assets lie."""


class Calibration(_Part):
    """How much healthy rows scatter, by the length of a stretch."""

    lengths: tuple[Positive, ...] = Field(min_length=2, max_length=_MAX_LENGTHS)
    """Seconds, ascending; the last is the span."""
    span: Positive
    """Seconds of running that the rows cover."""
    assets: int = Field(ge=1)
    """That made them."""
    names: tuple[str, ...] = Field(default=(), max_length=MAX_NAMES)
    """Of the assets; empty where not known."""
    columns: dict[str, Scatter]

    @model_validator(mode="after")
    def _of_one_length(self) -> Self:
        if list(self.lengths) != sorted(set(self.lengths)):
            raise ValueError("lengths must ascend")
        count = len(self.lengths)
        for name, one in self.columns.items():
            if {len(x) for x in (one.own, one.shared, one.freedom, one.heavy)} != {
                count
            }:
                raise ValueError(f"{name} must have one number for each length")
        return self


class Calibrations(_Part):
    """Of features and outputs, about the whole and about each context's own whole."""

    features: Calibration | None = None
    outputs: Calibration | None = None
    features_in_context: Calibration | None = None
    outputs_in_context: Calibration | None = None
