"""What a gateway shows the centre, and the status page, of its models. Pure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge_agent.records import Fallback
from edge_agent.registry.lifecycle import Stage
from edge_agent.registry.listing import UNOBSERVED, ModelReport, Report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.comparison import Comparison
    from edge_agent.registry.crew import Crew
    from edge_agent.registry.lifecycle import Life, Version
    from edge_agent.registry.listing import Gateway, Observed

#: From best to worst: of several pipelines on one model the worst is reported.
_ACCURACY = {"met": 1, "estimated": 2, "waiting": 3, "breached": 4}
_STATES = ("active", "shadow", "returned", "limits", "none")


def report_of(
    lives: Mapping[str, Life],
    crews: Mapping[str, Crew],
    models: Mapping[str, str],
    gateway: Gateway,
    agent: str,
    at: int,
    observed: Mapping[str, Observed] | None = None,
) -> Report:
    """One gateway's reported state.

    Args:
        lives: of each pipeline.
        crews: of each pipeline.
        models: model name of each pipeline.
        gateway: who reports.
        agent: its version.
        at: ns UTC by the wall clock, a label.
        observed: what monitoring says of each pipeline.
    """
    seen: dict[str, list[Observed]] = {}
    found: dict[str, list[ModelReport]] = {}
    for name, life in lives.items():
        one = _of(models[name], life, crews.get(name))
        found.setdefault(one.model, []).append(one)
        seen.setdefault(one.model, []).append((observed or {}).get(name, UNOBSERVED))
    worst = (
        replace(
            max(found[model], key=lambda one: _STATES.index(one.state)),
            observed=_together(seen[model]),
        )
        for model in sorted(found)
    )
    return Report(gateway, agent, at, tuple(worst))


def _together(each: Sequence[Observed]) -> Observed:
    """Of several pipelines the worst, in few digits: a report is no time series."""
    accuracy = max(each, key=lambda one: _ACCURACY.get(one.accuracy, 0))
    drift = max(each, key=lambda one: one.strength)
    return replace(
        accuracy,
        value=_short(accuracy.value),
        low=_short(accuracy.low),
        high=_short(accuracy.high),
        labels=int(float(f"{accuracy.labels:.2g}")),
        drift=drift.drift,
        strength=_short(drift.strength) or 0.0,
        findings=sum(one.findings for one in each),
    )


def _short(value: float | None) -> float | None:
    """Three digits; nothing for what is no number."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.3g}")


def _of(model: str, life: Life, crew: Crew | None) -> ModelReport:
    version = crew.version if crew and crew.rung < Fallback.LIMITS else None
    state = _state(life, crew)
    if version is not None and version.name != model:
        version, state = None, "none"  # another model stands in
    on_its_way, stage = _candidate(life)
    reason = life.returned or (crew.because if crew and version is None else "")
    if not reason and stage == "refused" and on_its_way is not None:
        reason = on_its_way.reason
    return ModelReport(
        model=model,
        version=version.version if version else "",
        digest=version.digest if version else "",
        release=version.release if version else 0,
        state=state,
        candidate=on_its_way.version if on_its_way else "",
        stage=stage,
        reason=reason,
    )


def _state(life: Life, crew: Crew | None) -> str:
    if crew is None or crew.rung is Fallback.NO_SCORE:
        return "none"
    if crew.rung is Fallback.LIMITS:
        return "limits"
    if crew.rung is Fallback.LAST_KNOWN_GOOD:
        return "returned"
    watched = crew.beside is not None and not crew.control
    return "shadow" if watched and life.candidate is not None else "active"


def _candidate(life: Life) -> tuple[Version | None, str]:
    """The version on its way, else the one that was refused since the active came."""
    if life.candidate is not None:
        return life.candidate, str(life.candidate.stage)
    newest = life.versions[-1] if life.versions else None
    refused = life.refused
    if refused is not None and (life.returned or newest is refused):
        return refused, "failed" if refused.proven else str(Stage.REFUSED)
    return None, ""


def status_of(
    life: Life, crew: Crew | None, compared: Comparison | None, waits: str
) -> dict[str, Any]:
    """A pipeline's models for `edge-agent status`; empty values are left out there."""
    on_its_way, stage = _candidate(life)
    former = life.previous
    told = compared.told() if compared is not None and compared.rows else {}
    return {
        "rung": _rung(crew),
        "via": crew.version.via if crew and crew.version else "",
        "signer": crew.version.signer[:8] if crew and crew.version else "",
        "previous": former.shown if former else "",
        "next": f"{on_its_way.shown} ({stage})" if on_its_way else "",
        "next_reason": on_its_way.reason if on_its_way else "",
        "waits": waits,
        "held": "by hand" if life.held else "",
        "compared": told,
        "versions": [_row(v) for v in life.versions],
    }


def _row(version: Version) -> dict[str, str | int]:
    return {
        "version": version.label or version.version,
        "registry_version": version.version,
        "stage": str(version.stage),
        "digest": version.digest,
        "release": version.release,
        "reason": version.reason,
    }


def _rung(crew: Crew | None) -> str:
    rung = crew.rung if crew is not None else Fallback.NO_SCORE
    return rung.name.lower().replace("_", "-")
