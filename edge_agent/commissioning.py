"""From a configured pipeline and a model version to a pipeline that scores.

A model that is missing or refused takes no line down: its pipeline goes down the
fallback ladder, every state it sends says so, and the reason is in the status.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.contents import open_bundle
from edge_agent.bundle.usual import ordinary
from edge_agent.errors import ConfigError, ModelRejected
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.spec import FeatureSpec
from edge_agent.features.window import nanoseconds
from edge_agent.fitting import (
    context_levels,
    fitted_levels,
    fitted_limits,
    fitted_roles,
    renamed,
    trained,
    unknown,
)
from edge_agent.limitrule import LimitRule
from edge_agent.occlusion import Occlusion
from edge_agent.pipeline import Pipeline
from edge_agent.records import Fallback, PipelineInfo
from edge_agent.scores import NoModel
from edge_agent.scoring import OnnxScorer
from edge_agent.yardsticks import yardstick_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_agent.bundle.contents import Bundle
    from edge_agent.bundle.passport import Passport
    from edge_agent.config import pipelines
    from edge_agent.explain import Usual
    from edge_agent.phrases import Phrases
    from edge_agent.samples import AssetType


#: Seconds that one call of a model may take which only explains.
EXPLAINING = 0.25


@dataclass(frozen=True, slots=True)
class Commissioned:
    """A pipeline ready to turn.

    Attributes:
        pipeline: frozen.
        plan: its features over the asset type.
        specs: the same, as stated.
        error: why it has no model; empty when it has.
        standby: judges by limits the rows whose call fails; None where that is not
            wanted.
        digest: names the version; empty without one.
        passport: of the version that scores, or whose limits do.
    """

    pipeline: Pipeline
    plan: FeaturePlan
    specs: tuple[FeatureSpec, ...]
    error: str = ""
    standby: Pipeline | None = None
    digest: str = ""
    passport: Passport | None = None


def commission(
    name: str,
    settings: pipelines.Pipeline,
    kind: AssetType,
    folder: Path,
    *,
    phrases: Phrases,
) -> Commissioned:
    """A pipeline with its model, opened, proven and fitted to the asset type.

    Args:
        name: of the pipeline.
        settings: as configured.
        kind: the asset type it scores.
        folder: the version's bundle.
        phrases: what is said of its rows.

    Raises:
        ModelRejected: the bundle is not sound, or does not fit this plant.
    """
    try:
        bundle = open_bundle(folder)
        return _with_model(name, settings, bundle, kind, phrases)
    except ValueError as why:
        # a feature that does not fit its tag, as a mean of part ids
        raise ModelRejected(str(why)) from why


def on_rung(made: Commissioned, rung: Fallback, because: str) -> Commissioned:
    """The same, scoring as a lower rung of the ladder: every state says why."""
    lower = replace(made.pipeline, fallback=rung, because=because)
    return replace(made, pipeline=lower)


def _with_model(
    name: str,
    settings: pipelines.Pipeline,
    bundle: Bundle,
    kind: AssetType,
    phrases: Phrases,
) -> Commissioned:
    passport, contexts = bundle.passport, tuple(bundle.reference.contexts)
    roles = fitted_roles(settings, passport, kind)
    usual = bundle.usual(tuple(tag.role for tag in kind.tags), roles, contexts)
    specs = tuple(renamed(spec, roles) for spec in passport.specs())
    plan = FeaturePlan(specs, kind)
    info = _info(name, kind, passport, usual.units, bundle.digest)
    levels, severities = fitted_levels(settings.alarm, passport)
    scorer = OnnxScorer(bundle, deadline=settings.deadline)
    asked = partial(scorer.score, within=min(EXPLAINING, settings.deadline))
    pipeline = Pipeline(
        info,
        scorer,
        usual,
        fitted_limits(settings, float(levels[0])),
        levels,
        severities,
        alarmed=settings.alarm.enabled,
        deadband=settings.report.deadband,
        max_interval=nanoseconds(settings.report.max_interval),
        normal=ordinary(bundle.reference),
        occlusion=Occlusion(asked, bundle.normal(contexts)),
        phrases=phrases,
        yardstick=yardstick_of(
            bundle.reference,
            [feature.name for feature in passport.features],
            *(usual, kind.assets, f"all assets of type {kind.name}"),
        ),
        levels_in=context_levels(settings.alarm, passport),
        known_contexts=contexts,
    )
    wanted = "limits" in settings.fallback
    standby = _by_limits(pipeline, passport, roles, kind) if wanted else None
    return Commissioned(
        pipeline, plan, specs, standby=standby, digest=bundle.digest, passport=passport
    )


def limits_only(
    name: str,
    settings: pipelines.Pipeline,
    passport: Passport,
    kind: AssetType,
    because: str,
    *,
    phrases: Phrases,
) -> Commissioned:
    """A pipeline that judges by a passport's ranges: its model cannot score.

    Args:
        name: of the pipeline.
        settings: as configured.
        passport: of a version that was verified here.
        kind: the asset type.
        because: why the model does not score.
        phrases: what is said of its rows.

    Raises:
        ModelRejected: the passport does not fit the asset type.
    """
    roles = fitted_roles(settings, passport, kind)
    try:
        specs = tuple(renamed(spec, roles) for spec in passport.specs())
        plan = FeaturePlan(specs, kind)
    except ValueError as why:
        raise ModelRejected(str(why)) from why
    usual = trained(passport, roles, kind)
    info = _info(name, kind, passport, usual.units, "")
    frame = _frame(settings, info, usual, phrases)
    pipeline = _by_limits(frame, passport, roles, kind)
    said = phrases.say("instead.reason", reason=because)
    return Commissioned(
        replace(pipeline, because=said), plan, specs, because, passport=passport
    )


def without_model(
    name: str,
    settings: pipelines.Pipeline,
    kind: AssetType,
    error: str,
    *,
    phrases: Phrases,
) -> Commissioned:
    """Rows of plain last values, so that quality and age of the input still show.

    Args:
        name: of the pipeline.
        settings: as configured.
        kind: the asset type.
        error: why there is no model.
        phrases: what is said of its rows.

    Raises:
        ConfigError: the asset type has no tag with numbers.
    """
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
    frame = _frame(settings, info, unknown(roles, units), phrases)
    pipeline = replace(frame, alarmed=False, fallback=Fallback.NO_SCORE, because=error)
    return Commissioned(pipeline, FeaturePlan(specs, kind), specs, error)


def _frame(
    settings: pipelines.Pipeline, info: PipelineInfo, usual: Usual, phrases: Phrases
) -> Pipeline:
    """A pipeline as configured, with nothing that scores."""
    threshold = settings.alarm.threshold or 0.0
    return Pipeline(
        info,
        NoModel(),
        usual,
        fitted_limits(settings, threshold),
        np.array([threshold]),
        np.array([settings.alarm.severity or 1], np.int32),
        alarmed=settings.alarm.enabled,
        deadband=settings.report.deadband,
        max_interval=nanoseconds(settings.report.max_interval),
        phrases=phrases,
    )


def _by_limits(
    pipeline: Pipeline, passport: Passport, roles: Mapping[str, str], kind: AssetType
) -> Pipeline:
    """The same pipeline judged by the passport's and the instruments' ranges.

    The severity is that of the passport's first level: how far outside a range lies
    says less than a model does.
    """
    measured = {tag.role: (tag.low, tag.high) for tag in kind.tags}
    features = passport.features
    rule = LimitRule.of(
        [f.trained for f in features],
        [f.aggregate for f in features],
        [measured[roles[f.tag]] for f in features],
    )
    threshold = rule.threshold
    limits = replace(pipeline.limits, threshold=threshold)
    severity = np.array([passport.thresholds[0].severity], np.int32)
    return replace(
        pipeline,
        scorer=rule,
        limits=limits,
        levels=np.array([threshold]),
        severities=severity,
        deadband=0.0,
        fallback=Fallback.LIMITS,
        normal=0.0,
        occlusion=None,
        levels_in=None,
    )


def _info(
    name: str,
    kind: AssetType,
    passport: Passport,
    units: tuple[str, ...],
    digest: str,
) -> PipelineInfo:
    return PipelineInfo(
        pipeline=name,
        asset_type=kind.name,
        assets=kind.assets,
        roles=tuple(tag.role for tag in kind.tags),
        units=units,
        model=passport.name,
        model_version=passport.version,
        model_sha8=digest[:8],
        model_digest=digest,
    )
