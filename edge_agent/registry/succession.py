"""When a new version may take over, whatever its comparison says. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.records import Fallback

if TYPE_CHECKING:
    from edge_agent.registry.life import Life, Version


def alone(life: Life, rung: Fallback, policy: str, model: str) -> bool:
    """Whether nothing scores that a new version could be held against.

    Args:
        life: the pipeline's versions.
        rung: in use.
        policy: the operator's, for promotions; where a person decides, limits score
            until somebody has.
        model: that is configured: versions of another model say nothing about it.
    """
    if life.active is None or life.active.name != model:
        return True
    return policy != "manual" and rung >= Fallback.LIMITS


def not_now(life: Life, version: Version, barred: str, *, paused: bool) -> str:
    """Why a version must not take over today, whoever wants it; empty if it may.

    Args:
        life: the pipeline's versions.
        version: one on its way.
        barred: why it must not score today.
        paused: the centre has paused its model.
    """
    if barred:
        return f"{version.shown} does not take over: {barred}"
    if version.urgent:
        return ""
    if paused:
        return f"{version.shown} waits: the centre has paused its model"
    if life.held and life.active is not None:
        return (
            f"{version.shown} waits: a person chose {life.active.shown} "
            "(edge-agent model follow ends it)"
        )
    return ""
