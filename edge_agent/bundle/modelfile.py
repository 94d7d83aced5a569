"""Words a passport is made of: its field types, and how the graph is fed and read."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from edge_agent.bundle.folders import PASSPORT_FILE

_VERSION = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$"
_MAX_BATCH = 65_536
_UNITS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def _plain_file(name: str) -> str:
    if name in {".", "..", PASSPORT_FILE} or "/" in name or "\\" in name:
        raise ValueError(
            f"{name!r} must be the plain name of another file in the folder"
        )
    return name


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(
            f"[{pair[0]:g}, {pair[1]:g}] runs downwards; write [low, high]"
        )
    return pair


def _seconds(value: object) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)", str(value).strip())
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write for example 500ms or 10s")
    return float(match[1]) * _UNITS[match[2]]


Seconds = Annotated[float, BeforeValidator(_seconds)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$")]
Version = Annotated[str, Field(pattern=_VERSION)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(max_length=100), AfterValidator(_plain_file)]
FeatureName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
Sentence = Annotated[str, Field(min_length=3, max_length=2000)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Range = Annotated[tuple[Finite, Finite], AfterValidator(_ascending)]


class PassportPart(BaseModel):
    """Frozen; a key that is not known is an error, never ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        # "model" and "model_*" are our own words here
        protected_namespaces=(),
    )


class ScoreOutput(PassportPart):
    """How one number a row is read from an output of the graph."""

    output: str
    """Name of the graph's output: [N], [N, 1] or [N, K]."""
    read: Literal["column", "max", "mean", "sum", "norm", "reconstruction"] = "column"
    """column takes one column; reconstruction is the mean squared difference between
    the output and the input row; the others reduce over the columns."""
    column: Annotated[int, Field(ge=0)] = 0
    class_name: str | None = None
    """The column of this class; instead of column."""
    complement: bool = False
    """The score is 1 minus the number: a low probability of good is a high score."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.class_name is not None and (self.column or self.read != "column"):
            raise ValueError("takes class_name or column and read, not both")
        return self


class ClassOutput(PassportPart):
    """Class probabilities of a quality model, [N, K]."""

    output: str
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    """Names in the order of the columns."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("names a class twice")
        return self


class Outputs(PassportPart):
    """What is read from the graph's outputs."""

    score: ScoreOutput
    contributions: str | None = None
    """Output [N, features]: each feature's part of the score, not negative."""
    probabilities: ClassOutput | None = None

    @model_validator(mode="after")
    def _one_source_of_parts(self) -> Self:
        if self.score.read == "reconstruction" and self.contributions is not None:
            raise ValueError("read: reconstruction makes its own contributions")
        return self

    @model_validator(mode="after")
    def _class_known(self) -> Self:
        name = self.score.class_name
        if name is not None:
            classes = self.probabilities.classes if self.probabilities else ()
            if name not in classes:
                raise ValueError(
                    f"score.class_name {name!r} is not in probabilities.classes"
                )
        return self


class ModelFile(PassportPart):
    """The graph and how it is fed."""

    file: FileName = "model.onnx"
    opset: Annotated[int, Field(ge=7, le=40)]
    """Highest version of the ai.onnx operator set the graph uses."""
    ir_version: Annotated[int, Field(ge=3, le=40)]
    input: str
    """Name of the one input, float32 [N, features]."""
    batch: Literal["dynamic"] | Annotated[tuple[int, ...], Field(min_length=1)] = (
        "dynamic"
    )
    """dynamic takes any number of rows; a list of sizes pads rows up to one of them."""
    replay: Literal["exact", "close"] = "exact"
    """exact: a row's score has the same bits in every batch. A graph that does not do
    so by itself then runs one row at a time; close lets it run in batches."""
    outputs: Outputs

    @model_validator(mode="after")
    def _sizes_positive(self) -> Self:
        if self.batch != "dynamic" and any(
            not 1 <= n <= _MAX_BATCH for n in self.batch
        ):
            raise ValueError(f"batch sizes must lie between 1 and {_MAX_BATCH}")
        return self
