"""The training data's profile: what features and outputs looked like when all was well.

Statistics only, never rows. Explanations read the usual range from it, drift
monitoring holds live tallies against it. reference.json, format 3::

    reference: 3
    baseline_id: names the bins; see `profile.baseline_id`
    baseline: { features: { NAME: { origin, edges } }, outputs: { NAME: {...} } }
    whole:    { rows, features: { NAME: tally }, outputs: { NAME: tally } }
    contexts: { CONTEXT: { rows, features, outputs } }
    calibration: { features, outputs, features_in_context, outputs_in_context }

Outputs are ``score`` and, for a model with classes, ``probability.CLASS``. A context is
what the build was told of each row: a recipe, a product, a shift. Its tallies use the
bins of the whole, so that contexts can be compared with each other and added up.
`profile` says what a tally holds. Calibrations say how much healthy data scatters by
itself (see `calibration`). Format 2 is without them, and is what is written where the
rows carry no times. Format 1 (no ``reference`` key, features only, outer
bins open) is still read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.bundle import profile
from edge_agent.bundle.calibration import Calibrations
from edge_agent.bundle.complaints import plain_sentences
from edge_agent.bundle.profile import QUANTILES, Bins, Tally, bins_of, tallies
from edge_agent.bundle.reading import read_json
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from edge_agent.bundle.passport import Passport
    from edge_agent.bundle.profile import Table
    from edge_agent.samples import F64

MAX_CONTEXTS = 200
CALIBRATED = 3
"""The format that has a calibration."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Baseline(_Part):
    """Where features and outputs are counted."""

    features: dict[str, Bins]
    outputs: dict[str, Bins] = {}


class Profile(_Part):
    """Tallies of a stretch of rows over a baseline."""

    rows: int = Field(ge=0)
    features: dict[str, Tally]
    outputs: dict[str, Tally] = {}


class ReferenceFile(_Part):
    """What reference.json may say."""

    reference: Literal[2, 3] = 2
    baseline_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    baseline: Baseline
    whole: Profile
    contexts: dict[str, Profile] = Field(default={}, max_length=MAX_CONTEXTS)
    calibration: Calibrations | None = None

    @model_validator(mode="after")
    def _fits_its_baseline(self) -> Self:
        found = profile.baseline_id(self.baseline.features, self.baseline.outputs)
        if found != self.baseline_id:
            raise ValueError(
                f"baseline_id is {self.baseline_id}, the bins make {found}"
            )
        for name, part in [("whole", self.whole), *self.contexts.items()]:
            _check_tallies(name, self.baseline.features, part.features)
            _check_tallies(name, self.baseline.outputs, part.outputs)
        if self.calibration is not None:
            _check_calibration(self.reference, self.calibration, self.baseline)
        return self


class _OldProfile(_Part):
    """One feature in format 1: edges[0] and edges[-1] are the extremes."""

    mean: float = Field(allow_inf_nan=False)
    std: float = Field(ge=0, allow_inf_nan=False)
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    quantiles: tuple[float, ...] = Field(
        min_length=len(QUANTILES), max_length=len(QUANTILES)
    )
    edges: tuple[float, ...] = Field(min_length=3)
    counts: tuple[int, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        if len(self.counts) != len(self.edges) - 1:
            raise ValueError("counts must have one entry less than edges")
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError("edges must ascend")
        if list(self.quantiles) != sorted(self.quantiles):
            raise ValueError("quantiles must ascend")
        return self

    def bins(self) -> Bins:
        """Where it is counted."""
        below = float(np.nextafter(self.edges[0], -np.inf))
        return Bins(origin=self.mean, edges=(below, *self.edges[1:]))

    def tally(self) -> Tally:
        """The same, as format 2 has it."""
        n = sum(self.counts)
        return Tally(
            n=n,
            sum=0.0,
            sumsq=self.std * self.std * n,
            min=self.low if n else None,
            max=self.high if n else None,
            counts=(0, *self.counts, 0),
            quantiles=self.quantiles,
        )


class _OldFile(_Part):
    rows: int = Field(ge=1)
    features: dict[str, _OldProfile]


@dataclass(frozen=True, slots=True)
class Reference:
    """The profile as columns, in the order of the model's features.

    Attributes:
        rows: how many training rows it sums up.
        mean, std: float64[features].
        usual_low, usual_high: float64[features], 1st and 99th percentile.
        baseline_id: names the bins.
        baseline: the bins, by name.
        whole: tallies of all rows.
        contexts: tallies of the rows of each context.
        calibration: how much healthy rows scatter; None where it is not known.
    """

    rows: int
    mean: F64
    std: F64
    usual_low: F64
    usual_high: F64
    baseline_id: str
    baseline: Baseline
    whole: Profile
    contexts: Mapping[str, Profile] = field(default_factory=dict)
    calibration: Calibrations | None = None


def read_reference(body: bytes, passport: Passport) -> Reference:
    """The profile from its file.

    Raises:
        ModelRejected: it breaks a rule or lacks a feature of the passport.
    """
    where = passport.reference
    content = read_json(body, where)
    kind = ReferenceFile if "reference" in content else _OldFile
    try:
        found = kind.model_validate(content)
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in plain_sentences(error, kind))
        raise ModelRejected(f"{where} is not valid:\n{lines}") from error
    names = [feature.name for feature in passport.features]
    columns = found.features if isinstance(found, _OldFile) else found.whole.features
    if set(names) != set(columns):
        differing = sorted(set(names) ^ set(columns))
        raise ModelRejected(
            f"{where} and the passport differ in their features: "
            f"{', '.join(differing[:5])}"
        )
    return _of_old(found, names) if isinstance(found, _OldFile) else _of(found, names)


def profiled(
    names: Sequence[str],
    values: Table,
    contexts: Sequence[str] = (),
    *,
    outputs: Mapping[str, Table] | None = None,
    output_contexts: Sequence[str] = (),
) -> ReferenceFile:
    """The profile of rows, and of a model's outputs on rows it did not learn from.

    Args:
        names: of the features.
        values: float[rows, features], NaN where a feature is missing.
        contexts: of each row; none without.
        outputs: float[other rows] of each output, NaN for rows that were not scored.
        output_contexts: of each of the other rows.

    Raises:
        ValueError: a column holds no number at all, or there are too many contexts.
    """
    given = dict(outputs or {})
    table = np.column_stack(list(given.values())) if given else np.empty((0, 0))
    baseline = Baseline(
        features=bins_of(names, values), outputs=bins_of(list(given), table)
    )
    of_rows, of_outputs = np.array(contexts, object), np.array(output_contexts, object)
    found = sorted({*contexts, *output_contexts} - {""})
    if len(found) > MAX_CONTEXTS:
        raise ValueError(
            f"{len(found)} contexts; a profile holds at most {MAX_CONTEXTS}: give "
            "the recipe or the shift, not the part"
        )
    return ReferenceFile(
        baseline_id=profile.baseline_id(baseline.features, baseline.outputs),
        baseline=baseline,
        whole=_counted(baseline, values, table),
        contexts={
            name: _counted(
                baseline,
                values[of_rows == name] if contexts else values[:0],
                table[of_outputs == name] if output_contexts else table[:0],
            )
            for name in found
        },
    )


def _counted(baseline: Baseline, values: Table, outputs: Table) -> Profile:
    return Profile(
        rows=len(values),
        features=tallies(baseline.features, values),
        outputs=tallies(baseline.outputs, outputs),
    )


def _check_tallies(
    where: str, bins: Mapping[str, Bins], counted: Mapping[str, Tally]
) -> None:
    if set(bins) != set(counted):
        differing = ", ".join(sorted(set(bins) ^ set(counted))[:5])
        raise ValueError(f"{where} and the baseline differ in {differing}")
    for name, tallied in counted.items():
        if len(tallied.counts) != len(bins[name].edges) + 1:
            raise ValueError(f"{where}: {name} must have one count more than edges")


def _check_calibration(version: int, given: Calibrations, baseline: Baseline) -> None:
    if version < CALIBRATED:
        raise ValueError(f"format {version} has no calibration; {CALIBRATED} has")
    for where, part in given:
        bins = baseline.features if where.startswith("f") else baseline.outputs
        if part is not None and set(part.columns) != set(bins):
            differing = ", ".join(sorted(set(bins) ^ set(part.columns))[:5])
            raise ValueError(f"calibration and the baseline differ in {differing}")


def _of(found: ReferenceFile, names: Sequence[str]) -> Reference:
    bins, counted = found.baseline.features, found.whole.features
    if empty := [name for name in names if not counted[name].quantiles]:
        raise ModelRejected(f"the reference has no quantiles of {', '.join(empty[:5])}")
    return Reference(
        found.whole.rows,
        np.array([counted[name].mean(bins[name]) for name in names]),
        np.array([counted[name].std() for name in names]),
        np.array([counted[name].quantiles[0] for name in names]),
        np.array([counted[name].quantiles[-1] for name in names]),
        found.baseline_id,
        found.baseline,
        found.whole,
        found.contexts,
        found.calibration,
    )


def _of_old(found: _OldFile, names: Sequence[str]) -> Reference:
    old = [found.features[name] for name in names]
    bins = {name: p.bins() for name, p in zip(names, old, strict=True)}
    counted = {name: p.tally() for name, p in zip(names, old, strict=True)}
    return Reference(
        found.rows,
        np.array([p.mean for p in old]),
        np.array([p.std for p in old]),
        np.array([p.quantiles[0] for p in old]),
        np.array([p.quantiles[-1] for p in old]),
        profile.baseline_id(bins, {}),
        Baseline(features=bins),
        Profile(rows=found.rows, features=counted),
    )
