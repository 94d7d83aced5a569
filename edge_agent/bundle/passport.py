"""What passport.yaml may say, version 1 of the format.

Pure description plus the two ways to a passport: `load` reads one folder's,
`find` turns NAME or NAME@VERSION into that folder. Nothing here opens the model;
`contents.open_bundle` does, with every file checked against its hash.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from edge_agent.bundle.complaints import plain_sentences
from edge_agent.bundle.folders import PASSPORT_FILE, find
from edge_agent.bundle.modelfile import (
    Digest,
    FeatureName,
    FileName,
    Finite,
    ModelFile,
    Name,
    PassportPart,
    Range,
    Seconds,
    Sentence,
    Version,
)
from edge_agent.bundle.promises import (
    Accuracy,
    Allowance,
    FalseAlarms,
    Targets,
    Training,
)
from edge_agent.bundle.reading import read_plain, read_yaml
from edge_agent.errors import ModelRejected
from edge_agent.features.spec import INSTANT, Aggregate, FeatureSpec

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "PASSPORT_FILE",
    "Accuracy",
    "Allowance",
    "FalseAlarms",
    "Passport",
    "Targets",
    "Training",
    "find",
    "load",
]

_MAX_PASSPORT_BYTES = 1_000_000
MAX_CONTEXTS = 200


class TagFacts(PassportPart):
    """One tag of the asset type, as the model knows it."""

    unit: str = ""
    range: Range
    """Engineering range of the instrument."""
    usual: Range
    """What is usual: 1st to 99th percentile of the training data."""
    label: str | None = None
    """How a sentence names the tag; default: its name."""


class Feature(PassportPart):
    """One number of the model's input row."""

    name: FeatureName
    tag: Name
    aggregate: Aggregate
    window: Seconds | None = None
    """How far back; not for last and age."""
    cycle: bool = False
    """The window is the part's cycle."""
    hold: Seconds = 5.0
    """How long a last value stays valid without a new one."""
    rate: Annotated[float, Field(gt=0, le=100_000)] = 1.0
    """Samples per second expected."""
    min_completeness: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Share of the expected samples without which the feature is missing."""
    trained: Range
    """Lowest and highest value in the training data."""

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        if self.window is not None and self.cycle:
            raise ValueError("takes a window or cycle: true, not both")
        bounded = self.window is not None or self.cycle
        if self.aggregate in INSTANT and bounded:
            raise ValueError(
                f"{self.aggregate} looks at one moment: remove window or cycle"
            )
        if self.aggregate not in INSTANT and not bounded:
            raise ValueError(
                f"{self.aggregate} needs a window such as 10s, or cycle: true"
            )
        if self.window is not None and self.window <= 0:
            raise ValueError("the window must be longer than 0")
        return self

    def spec(self) -> FeatureSpec:
        """The same, as the feature code reads it."""
        return FeatureSpec(
            name=self.name,
            tag=self.tag,
            aggregate=self.aggregate,
            window=self.window,
            cycle=self.cycle,
            hold=self.hold,
            rate=self.rate,
            min_completeness=self.min_completeness,
        )


class Threshold(PassportPart):
    """A level of the score, and how grave it is."""

    value: Finite
    severity: Annotated[int, Field(ge=1, le=1000)]


class Golden(PassportPart):
    """Rows with the outputs they had where the model was trained."""

    file: FileName = "golden.json"
    rtol: Annotated[float, Field(gt=0, le=0.01)] = 1e-4
    atol: Annotated[float, Field(ge=0, le=0.01)] = 1e-6


class Passport(PassportPart):
    """Everything a plant must know about a model before it may score."""

    passport: Literal[1]
    name: Name
    version: Version
    kind: Literal["anomaly", "quality"]
    asset_type: Name
    title: Sentence
    tags: Annotated[dict[Name, TagFacts], Field(min_length=1)]
    features: Annotated[tuple[Feature, ...], Field(min_length=1, max_length=10_000)]
    model: ModelFile
    thresholds: Annotated[tuple[Threshold, ...], Field(min_length=1, max_length=10)]
    """Ascending; the first raises the alarm, the others raise its severity."""
    context_thresholds: Annotated[
        dict[
            Annotated[str, Field(min_length=1, max_length=500)],
            Annotated[tuple[Threshold, ...], Field(min_length=1, max_length=10)],
        ],
        Field(max_length=MAX_CONTEXTS),
    ] = {}  # noqa: RUF012 - pydantic copies it
    """Of contexts, named as in the reference, that have thresholds of their own."""
    golden: Golden = Golden()
    reference: FileName = "reference.json"
    files: dict[FileName, Digest]
    """SHA-256 of every other file."""
    intended_use: Sentence
    limits: Annotated[tuple[Sentence, ...], Field(min_length=1)]
    """What the model was not made for, and what it cannot see."""
    owner: Sentence
    contact: Sentence
    approver: Sentence
    training: Training
    false_alarms: FalseAlarms | None = None
    accuracy: Accuracy | None = None
    review_date: dt.date
    """After this day somebody must look at the model again; the status says so."""
    expires: dt.date | None = None
    """After this day it must not score any more; the fallback ladder does."""
    release: Annotated[int, Field(ge=0)] = 0
    """Counts up with every version that is published, whatever its name: a gateway
    takes no lower one than it has run. 0 is not counted."""
    runtime: Annotated[str, Field(pattern=r"^\d+\.\d+(\.\d+)?$")] | None = None
    """The oldest ONNX Runtime that gives the golden outputs."""
    allowance: Allowance = Allowance()
    targets: Targets = Targets()
    licence: str = ""
    safety: str = "Advice only: the model is no safety function; interlocks stay."
    oversight: str = ""
    """Who looks at its alarms and may switch it off."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [*self._feature_problems(), *self._file_problems()]
        of_contexts = self.context_thresholds.values()
        for levels in (self.thresholds, *of_contexts):
            values = [t.value for t in levels]
            if values != sorted(set(values)):
                problems.append("thresholds must ascend")
        if self.kind == "quality" and self.model.outputs.probabilities is None:
            problems.append("a quality model needs model.outputs.probabilities")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _feature_problems(self) -> list[str]:
        names = [f.name for f in self.features]
        twice = sorted({n for n in names if names.count(n) > 1})
        strange = sorted({f.tag for f in self.features} - set(self.tags))
        unused = sorted(set(self.tags) - {f.tag for f in self.features})
        return [
            *(f"feature {name!r} is given twice" for name in twice),
            *(f"features use tag {tag!r}, which tags does not list" for tag in strange),
            *(f"tag {tag!r} is listed but no feature uses it" for tag in unused),
        ]

    def _file_problems(self) -> list[str]:
        needed = (self.model.file, self.golden.file, self.reference)
        return [f"files has no hash of {n}" for n in needed if n not in self.files]

    def specs(self) -> tuple[FeatureSpec, ...]:
        """The features, in the order of the model's input."""
        return tuple(feature.spec() for feature in self.features)


def load(path: Path) -> Passport:
    """The passport of a bundle's folder; no other file is opened.

    Raises:
        ModelRejected: no folder, no passport, or one that breaks a rule; the text
            has every problem, one a line.
    """
    return parse(passport_bytes(path), path)


def passport_bytes(path: Path) -> bytes:
    """passport.yaml as it lies in the folder.

    Raises:
        ModelRejected: it is not there or too large.
    """
    try:
        return read_plain(path, PASSPORT_FILE, _MAX_PASSPORT_BYTES)
    except ModelRejected as error:
        raise ModelRejected(
            f"{path}: {error}; a bundle is a folder NAME/VERSION with passport.yaml, "
            "model.onnx and the files they name"
        ) from error


def parse(text: bytes, path: Path) -> Passport:
    """A passport from its bytes.

    Args:
        text: YAML.
        path: the folder, for the errors.

    Raises:
        ModelRejected: it breaks a rule; every problem, one a line.
    """
    try:
        passport = Passport.model_validate(read_yaml(text, PASSPORT_FILE))
    except ModelRejected as error:
        raise ModelRejected(f"{path}: {error}") from error
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in plain_sentences(error, Passport))
        raise ModelRejected(f"{path / PASSPORT_FILE} is not valid:\n{lines}") from error
    return passport
