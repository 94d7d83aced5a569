"""What a build is told of the model: the passport's words, the obvious left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from edge_agent.bundle.complaints import plain_sentences
from edge_agent.bundle.modelfile import (
    Finite,
    Name,
    PassportPart,
    Range,
    Seconds,
    Sentence,
    Version,
)
from edge_agent.bundle.passport import Feature, Threshold
from edge_agent.features.offline import TriggerSpec
from edge_agent.features.spec import INSTANT, FeatureSpec
from edge_agent.samples import AssetType, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence


class TagWords(PassportPart):
    """One tag of the asset type."""

    unit: str = ""
    range: Range | None = None
    """Engineering range; needed for a tag that a feature is made from."""
    usual: Range | None = None
    """Default: 1st to 99th percentile of its first feature that reads like it."""
    label: str | None = None
    text: bool = False
    """A part id, a recipe: read from the recording, no feature is made from it."""
    reports: Literal["all", "changes"] = "all"
    """changes: OPC UA, which sends a value only when it is another."""


class ScoreWords(PassportPart):
    """When a row is due, as under ``score`` in the agent's configuration."""

    every: Seconds | None = None
    on: Literal["update", "cycle"] | None = None
    settle: Seconds = 0.2
    part: str | None = None
    part_at: Literal["start", "end"] = "end"

    def trigger(self) -> TriggerSpec:
        """The same, as the feature code reads it."""
        return TriggerSpec(self.every, self.on, self.settle, self.part, self.part_at)


class Description(PassportPart):
    """The model, apart from what is measured and what a person must state."""

    name: Name
    version: Version
    kind: Literal["anomaly", "quality"]
    title: Sentence
    asset_type: Name
    assets: tuple[str, ...] = ()
    """Ids in a recording, in the order rows number them."""
    tags: Annotated[dict[Name, TagWords], Field(min_length=1)]
    features: Annotated[tuple[Feature, ...], Field(min_length=1, max_length=10_000)]
    score: ScoreWords | None = None
    """Needed to make rows from a recording."""
    classes: tuple[str, ...] = ()
    """Names of the classes, in the order of the model's; default: its own names."""
    good: str = ""
    """The class that needs no alarm."""
    outputs: dict[str, Any] | None = None
    """How a ready graph's outputs are read, as in the passport."""
    budget: Annotated[float, Field(gt=0)] | None = None
    """False alarms an asset may give in a week."""
    on_delay: Seconds = 3.0
    off_delay: Seconds = 60.0
    thresholds: tuple[Threshold, ...] = ()
    """Instead of a budget."""
    severity: Annotated[int, Field(ge=1, le=1000)] = 500
    """Of the alarm at a threshold that the budget gave."""
    rtol: Annotated[float, Field(gt=0, le=0.01)] = 1e-4
    """How far the graph may be off its source, relative."""
    atol: Annotated[Finite, Field(ge=0, le=0.01)] = 1e-6
    """The same, as a share of the largest number in the source's answers."""

    def specs(self) -> tuple[FeatureSpec, ...]:
        """The features, in the order of the columns."""
        return tuple(feature.spec() for feature in self.features)

    def asset_kind(self) -> AssetType:
        """The asset type of a recording."""
        tags = tuple(
            Tag(role, words.unit, *_ends(words), text=words.text)
            for role, words in self.tags.items()
        )
        return AssetType(self.asset_type, self.assets, tags, 0)

    def by_exception(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """bool[tags] which report changes only."""
        return np.array([w.reports == "changes" for w in self.tags.values()])


WORDS = tuple(Description.model_fields)


def described(
    words: Mapping[str, Any],
) -> tuple[Description | None, list[str]]:
    """A description from plain values, or every problem with it, a sentence each."""
    given = {key: value for key, value in words.items() if value is not None}
    if given.get("kind") == "quality":  # a part is judged at once
        given.setdefault("on_delay", "0s")
    for name in ("classes", "assets", "thresholds"):
        given[name] = list(given.get(name, ()))
    if isinstance(tags := given.get("tags"), Mapping):
        given["tags"] = {role: _tag(tag) for role, tag in tags.items()}
    if isinstance(features := given.get("features"), list | tuple):
        given["features"] = [_feature(feature) for feature in features]
    try:
        found = Description.model_validate(given)
    except ValidationError as error:
        return None, plain_sentences(error, Description)
    problems = _problems(found)
    return (None, problems) if problems else (found, [])


def _problems(found: Description) -> list[str]:
    used = [feature.tag for feature in found.features]
    known = found.tags
    problems = [f"features use tag {tag!r}, which tags does not list" for tag in used]
    problems = [p for p, tag in zip(problems, used, strict=True) if tag not in known]
    for tag in sorted(set(used) & set(known)):
        if known[tag].range is None:
            problems.append(f"tags.{tag}.range is missing: what can the sensor show?")
        if known[tag].text:
            problems.append(f"tags.{tag} is a text; no feature can be made from it")
    if found.budget is not None and found.thresholds:
        problems.append("give a budget or thresholds, not both")
    if found.budget is None and not found.thresholds:
        problems.append(
            "budget is missing: how many false alarms may an asset give in a week? "
            "(or give thresholds)"
        )
    if found.kind == "quality" and not found.good and found.outputs is None:
        problems.append("good is missing: which class needs no alarm?")
    return problems


def _feature(given: object) -> object:
    """A passport's feature; its name and trained range are filled in."""
    if isinstance(given, FeatureSpec):
        return _of_spec(given)
    if not isinstance(given, Mapping):
        return given  # the description's own check says what is wrong
    words = {"trained": [0.0, 0.0], **given}
    words.setdefault("name", f"{words.get('tag')}.{words.get('aggregate')}")
    return words


def _of_spec(spec: FeatureSpec) -> dict[str, Any]:
    words: dict[str, Any] = {
        "name": spec.name,
        "tag": spec.tag,
        "aggregate": spec.aggregate,
        "hold": seconds(spec.hold),
        "rate": spec.rate,
        "min_completeness": spec.min_completeness,
        "trained": [0.0, 0.0],
    }
    if spec.aggregate not in INSTANT:
        words |= {"cycle": True} if spec.cycle else {"window": seconds(spec.window)}
    return words


def _tag(given: object) -> object:
    if not isinstance(given, Tag):
        return given
    words: dict[str, Any] = {"unit": given.unit, "text": given.text}
    if np.isfinite(given.low) and np.isfinite(given.high):
        words["range"] = [given.low, given.high]
    return words


def seconds(value: float | None) -> str:
    """A duration as the passport writes it."""
    return f"{value or 0.0:.9f}".rstrip("0").rstrip(".") + "s"


def feature_words(features: Sequence[Feature]) -> list[dict[str, Any]]:
    """Features as passport.yaml has them, without their trained ranges."""
    return [
        {key: value for key, value in _of_spec(f.spec()).items() if key != "trained"}
        for f in features
    ]


def _ends(words: TagWords) -> tuple[float, float]:
    return words.range or (-np.inf, np.inf)
