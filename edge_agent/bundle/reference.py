"""The training data's profile: what each feature looked like when all was well.

Statistics only, never rows. Explanations read the usual range from it, drift
monitoring the histogram.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.bundle.complaints import plain_sentences
from edge_agent.bundle.reading import read_json
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from numpy.typing import NDArray

    from edge_agent.bundle.passport import Passport
    from edge_agent.samples import F64

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20


class FeatureProfile(BaseModel):
    """One feature in the training data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float = Field(allow_inf_nan=False)
    std: float = Field(ge=0, allow_inf_nan=False)
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    quantiles: tuple[float, ...] = Field(
        min_length=len(QUANTILES), max_length=len(QUANTILES)
    )
    """At `QUANTILES`."""
    edges: tuple[float, ...] = Field(min_length=3)
    """Bin edges of the histogram; the outer bins are open."""
    counts: tuple[int, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        if len(self.counts) != len(self.edges) - 1:
            raise ValueError("counts must have one entry less than edges")
        if list(self.edges) != sorted(self.edges):
            raise ValueError("edges must ascend")
        if list(self.quantiles) != sorted(self.quantiles):
            raise ValueError("quantiles must ascend")
        return self


class ReferenceFile(BaseModel):
    """What reference.json may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(ge=1)
    features: dict[str, FeatureProfile]


@dataclass(frozen=True, slots=True)
class Reference:
    """The profile as columns, in the order of the model's features.

    Attributes:
        rows: how many training rows it sums up.
        mean, std: float64[features].
        usual_low, usual_high: float64[features], 1st and 99th percentile.
        profiles: everything, by feature.
    """

    rows: int
    mean: F64
    std: F64
    usual_low: F64
    usual_high: F64
    profiles: tuple[FeatureProfile, ...]


def read_reference(body: bytes, passport: Passport) -> Reference:
    """The profile from its file.

    Raises:
        ModelRejected: it breaks a rule or lacks a feature of the passport.
    """
    where = passport.reference
    try:
        found = ReferenceFile.model_validate(read_json(body, where))
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in plain_sentences(error, ReferenceFile))
        raise ModelRejected(f"{where} is not valid:\n{lines}") from error
    names = [feature.name for feature in passport.features]
    if set(names) != set(found.features):
        differing = sorted(set(names) ^ set(found.features))
        raise ModelRejected(
            f"{where} and the passport differ in their features: "
            f"{', '.join(differing[:5])}"
        )
    return as_columns(found.rows, [found.features[name] for name in names])


def as_columns(rows: int, profiles: Sequence[FeatureProfile]) -> Reference:
    """Profiles in model order as arrays."""
    return Reference(
        rows,
        np.array([p.mean for p in profiles]),
        np.array([p.std for p in profiles]),
        np.array([p.quantiles[0] for p in profiles]),
        np.array([p.quantiles[-1] for p in profiles]),
        tuple(profiles),
    )


def profile(values: NDArray[np.floating]) -> FeatureProfile:
    """One feature's profile from its training values.

    Bins are equal in count, not in width, so that each holds enough; where values
    repeat (a feature that is mostly one number) equal edges are merged.
    """
    column = np.asarray(values, np.float64)
    edges = np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)))
    if len(edges) < 3:  # noqa: PLR2004  (a constant: give it a bin on either side)
        centre = edges[0]
        step = max(abs(centre), 1.0) * 1e-6
        edges = np.array([centre - step, centre, centre + step])
    counts = np.histogram(column, edges)[0]
    return FeatureProfile(
        mean=float(column.mean()),
        std=float(column.std()),
        low=float(column.min()),
        high=float(column.max()),
        quantiles=tuple(float(q) for q in np.quantile(column, QUANTILES)),
        edges=tuple(float(e) for e in edges),
        counts=tuple(int(c) for c in counts),
    )
