"""From a configured pipeline and its model's folder to a pipeline that scores.

A model that is missing or refused takes no line down: its pipeline goes on without
one, every state it sends says so, and the reason is in the status.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.alarms import Limits
from edge_agent.bundle.contents import open_bundle
from edge_agent.bundle.folders import find
from edge_agent.config.units import canonical
from edge_agent.errors import ConfigError, ModelRejected
from edge_agent.explain import Usual
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.spec import FeatureSpec
from edge_agent.pipeline import Pipeline
from edge_agent.records import Fallback, PipelineInfo
from edge_agent.samples import NANOSECONDS
from edge_agent.scores import NoModel
from edge_agent.scoring import OnnxScorer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle
    from edge_agent.bundle.passport import Passport
    from edge_agent.config import pipelines
    from edge_agent.samples import AssetType


#: Ns between two rows of an asset over which an alarm's delay does not run on.
LONGEST_GAP = 600 * NANOSECONDS


@dataclass(frozen=True, slots=True)
class Commissioned:
    """A pipeline ready to turn.

    Attributes:
        pipeline: frozen.
        plan: its features over the asset type.
        specs: the same, as stated.
        error: why it has no model; empty when it has.
    """

    pipeline: Pipeline
    plan: FeaturePlan
    specs: tuple[FeatureSpec, ...]
    error: str = ""


def commission(
    name: str, settings: pipelines.Pipeline, registry: Path, kind: AssetType
) -> Commissioned:
    """A pipeline with its model, or without one when that is missing or refused.

    Args:
        name: of the pipeline.
        settings: as configured.
        registry: folder NAME/VERSION of models.
        kind: the asset type it scores.

    Raises:
        ConfigError: the asset type has no tag with numbers.
    """
    try:
        bundle = open_bundle(find(registry, settings.model))
        return _with_model(name, settings, bundle, kind)
    except (ModelRejected, ValueError) as why:
        # a ValueError is a feature that does not fit its tag, as a mean of part ids
        return _without_model(name, settings, kind, str(why))


def _with_model(
    name: str, settings: pipelines.Pipeline, bundle: Bundle, kind: AssetType
) -> Commissioned:
    passport = bundle.passport
    roles = _roles(settings.roles, passport)
    names = tuple(tag.role for tag in kind.tags)
    usual = bundle.usual(names, roles)
    _check_units(passport, roles, kind)
    specs = tuple(_renamed(spec, roles) for spec in passport.specs())
    plan = FeaturePlan(specs, kind)
    info = PipelineInfo(
        pipeline=name,
        asset_type=kind.name,
        assets=kind.assets,
        roles=names,
        units=usual.units,
        model=passport.name,
        model_version=passport.version,
        model_sha8=bundle.sha8,
        model_digest=bundle.digest,
    )
    levels, severities = _levels(settings.alarm, passport)
    pipeline = Pipeline(
        info,
        OnnxScorer(bundle),
        usual,
        _limits(settings, float(levels[0])),
        levels,
        severities,
        alarmed=settings.alarm.enabled,
        deadband=settings.report.deadband,
        max_interval=_ns(settings.report.max_interval),
    )
    return Commissioned(pipeline, plan, specs)


def _without_model(
    name: str, settings: pipelines.Pipeline, kind: AssetType, error: str
) -> Commissioned:
    """Rows of plain last values, so that quality and age of the input still show."""
    numeric = [tag for tag in kind.tags if not tag.text]
    if not numeric:
        raise ConfigError(
            f"pipeline {name}: asset type {kind.name} has no tag with numbers, "
            "so there is nothing to score; add one, or remove the pipeline"
        )
    specs = tuple(FeatureSpec(tag.role, tag.role, "last") for tag in numeric)
    model, _, version = settings.model.partition("@")
    roles = tuple(tag.role for tag in numeric)
    units = tuple(tag.unit for tag in numeric)
    info = PipelineInfo(
        name, kind.name, kind.assets, roles, units, model, version, model_sha8=""
    )
    threshold = settings.alarm.threshold or 0.0
    pipeline = Pipeline(
        info,
        NoModel(),
        _unknown(roles, units),
        _limits(settings, threshold),
        np.array([threshold]),
        np.array([settings.alarm.severity or 1], np.int32),
        alarmed=False,
        max_interval=_ns(settings.report.max_interval),
        fallback=Fallback.NO_SCORE,
    )
    return Commissioned(pipeline, FeaturePlan(specs, kind), specs, error)


def _roles(stated: Mapping[str, str], passport: Passport) -> dict[str, str]:
    """Role of each of the model's tags; two tags must not read one instrument."""
    if strange := sorted(set(stated) - set(passport.tags)):
        raise ModelRejected(
            f"roles names {', '.join(strange)}; model {passport.name} has the tags "
            f"{', '.join(passport.tags)}"
        )
    roles = {tag: stated.get(tag, tag) for tag in passport.tags}
    twice = sorted({r for r in roles.values() if list(roles.values()).count(r) > 1})
    if twice:
        raise ModelRejected(
            f"roles gives {', '.join(twice)} to two tags of model {passport.name}"
        )
    return roles


def _check_units(passport: Passport, roles: Mapping[str, str], kind: AssetType) -> None:
    """Refuse a model that was trained on another unit: its scores would look right."""
    known = {tag.role: tag for tag in kind.tags}
    problems = [
        f"expects {roles[tag]} in {facts.unit or 'no unit'}, "
        f"not in {known[roles[tag]].unit or 'no unit'}"
        for tag, facts in passport.tags.items()
        if canonical(facts.unit) != canonical(known[roles[tag]].unit)
    ]
    if problems:
        raise ModelRejected(f"model {passport.name}: " + "; ".join(problems))


def _renamed(spec: FeatureSpec, roles: Mapping[str, str]) -> FeatureSpec:
    return FeatureSpec(
        spec.name,
        roles[spec.tag],
        spec.aggregate,
        window=spec.window,
        cycle=spec.cycle,
        hold=spec.hold,
        rate=spec.rate,
        min_completeness=spec.min_completeness,
    )


def _levels(
    alarm: pipelines.Alarm, passport: Passport
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    stated = [(t.value, t.severity) for t in passport.thresholds]
    if alarm.threshold is not None:
        above = [pair for pair in stated[1:] if pair[0] > alarm.threshold]
        stated = [(alarm.threshold, stated[0][1]), *above]
    severities = [alarm.severity or severity for _, severity in stated]
    return np.array([v for v, _ in stated]), np.array(severities, np.int32)


def _limits(settings: pipelines.Pipeline, threshold: float) -> Limits:
    # rows on update may be seldom, as parts are; but not every silence is part of a
    # run above the limit
    period = settings.score.every
    gap = LONGEST_GAP if period is None else max(5 * _ns(period), 5 * NANOSECONDS)
    return Limits(
        threshold,
        settings.alarm.hysteresis,
        _ns(settings.alarm.on_delay),
        _ns(settings.alarm.off_delay),
        max_gap=gap,
    )


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS)


def _unknown(roles: Sequence[str], units: Sequence[str]) -> Usual:
    count = len(roles)
    none = np.full(count, np.nan)
    return Usual(
        tuple(role.replace("_", " ") for role in roles),
        tuple(units),
        np.arange(count, dtype=np.int64),
        ("last",) * count,
        (None,) * count,
        none,
        none,
        none,
        none,
    )
