"""A passport's words on a plant: roles, units, what is usual, when it alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.alarms import Limits
from edge_agent.config.units import canonical
from edge_agent.errors import ModelRejected
from edge_agent.explain import Usual
from edge_agent.features.spec import FeatureSpec
from edge_agent.features.window import nanoseconds
from edge_agent.levels import ContextLevels
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.bundle.passport import Passport, Threshold
    from edge_agent.config import pipelines
    from edge_agent.config.pipelines import Alarm
    from edge_agent.levels import Levels
    from edge_agent.samples import AssetType

#: Ns between two rows of an asset over which an alarm's delay does not run on.
LONGEST_GAP = 600 * NANOSECONDS


def fitted_roles(
    settings: pipelines.Pipeline, passport: Passport, kind: AssetType
) -> dict[str, str]:
    """Role of each of the model's tags; refuses a model made for something else.

    Raises:
        ModelRejected: it is for other sites or asset types, lacks a tag, or was
            trained on another unit.
    """
    fit = passport.targets.asset_types
    if fit and kind.name not in fit:
        raise ModelRejected(
            f"model {passport.name} is for {', '.join(fit)}, not for {kind.name}"
        )
    roles = _roles(settings.roles, passport)
    there = {tag.role for tag in kind.tags}
    if lacking := sorted(set(roles.values()) - there):
        raise ModelRejected(
            f"{passport.name} needs {', '.join(lacking)}; the asset type has "
            f"{', '.join(tag.role for tag in kind.tags)}: add the tags or name them "
            "under roles"
        )
    _check_units(passport, roles, kind)
    return roles


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


def renamed(spec: FeatureSpec, roles: Mapping[str, str]) -> FeatureSpec:
    """A feature on the plant's own tag."""
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


def trained(passport: Passport, roles: Mapping[str, str], kind: AssetType) -> Usual:
    """What a passport alone knows of what is usual: the trained ranges."""
    place = {tag.role: position for position, tag in enumerate(kind.tags)}
    named = {roles[tag]: facts for tag, facts in passport.tags.items()}
    low, high = np.array([f.trained for f in passport.features]).T
    return Usual(
        labels=tuple(
            (named[r].label or r) if r in named else r.replace("_", " ") for r in place
        ),
        units=tuple(named[r].unit if r in named else "" for r in place),
        role=np.array([place[roles[f.tag]] for f in passport.features]),
        aggregates=tuple(f.aggregate for f in passport.features),
        windows=tuple(f.window for f in passport.features),
        low=low,
        high=high,
        mean=(low + high) / 2,
        std=(high - low) / 4,
    )


def unknown(roles: Sequence[str], units: Sequence[str]) -> Usual:
    """Nothing is known of what is usual."""
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


def fitted_levels(alarm: Alarm, passport: Passport) -> Levels:
    """Levels of the score, and the severity from each of them on."""
    return _levels(alarm, passport.thresholds, alarm.threshold)


def context_levels(alarm: Alarm, passport: Passport) -> ContextLevels | None:
    """Levels of the contexts that have their own; None where none has.

    What the operator wants of all of a pipeline's rows overrides what the passport
    says of some.
    """
    stated = passport.context_thresholds if alarm.threshold is None else {}
    if not stated and not alarm.thresholds:
        return None
    found = {
        name: _levels(
            alarm, stated.get(name, passport.thresholds), alarm.thresholds.get(name)
        )
        for name in (*stated, *alarm.thresholds)
    }
    default = fitted_levels(alarm, passport)
    return ContextLevels(found, default)


def _levels(
    alarm: Alarm, stated: Sequence[Threshold], threshold: float | None
) -> Levels:
    """Levels as the passport states them, or as the operator wants the first.

    Args:
        alarm: as configured.
        stated: the passport's, ascending.
        threshold: the operator's; None for the passport's.
    """
    pairs = [(one.value, one.severity) for one in stated]
    if threshold is not None:
        above = [pair for pair in pairs[1:] if pair[0] > threshold]
        pairs = [(threshold, pairs[0][1]), *above]
    severities = [alarm.severity or severity for _, severity in pairs]
    return np.array([value for value, _ in pairs]), np.array(severities, np.int32)


def fitted_limits(settings: pipelines.Pipeline, threshold: float) -> Limits:
    """When the alarm of a pipeline comes and goes."""
    # rows on update may be seldom, as parts are; but not every silence is part of a
    # run above the limit
    period = settings.score.every
    gap = (
        LONGEST_GAP if period is None else max(5 * nanoseconds(period), 5 * NANOSECONDS)
    )
    return Limits(
        threshold,
        settings.alarm.hysteresis,
        nanoseconds(settings.alarm.on_delay),
        nanoseconds(settings.alarm.off_delay),
        max_gap=gap,
    )
