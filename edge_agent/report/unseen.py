"""Which models there are to ask for, and what a report cannot see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.errors import EdgeAgentError
from edge_agent.registry.choosing import Reference
from edge_agent.report import models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.report.placing import Gateway, Standing

_NAMED = 20


class ModelUnknown(EdgeAgentError):
    """Nobody here knows a model of this name."""


def names(gateway: Gateway, now: Standing) -> set[str]:
    """Models that the configuration or the lives name."""
    found = {Reference.of(one.model).name for one in gateway.pipelines.values()}
    found |= {v.name for life in now.lives.values() for v in life.versions}
    return found | {now.model_at(name)[0] for name in now.status} - {""}


def unknown(gateway: Gateway, now: Standing, model: str) -> ModelUnknown:
    """The error for a name that nobody knows."""
    known = sorted(names(gateway, now) | models.names(gateway.state_dir))
    more = len(known) - _NAMED
    named = ", ".join(known[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    there = f"there is: {named}" if known else "no model is known here yet"
    where = f"looked in {gateway.state_dir}"
    if gateway.loaded is None:
        where += "; give the configuration with --config"
    return ModelUnknown(f"no model {model!r} is known here; {there} ({where})")


def unseen(
    gateway: Gateway, status: object | None, damaged: Sequence[str]
) -> list[str]:
    """Notes on what cannot be seen now.

    Args:
        gateway: where was looked.
        status: of the agent; None where none answered.
        damaged: pipelines whose lives cannot be read.
    """
    notes = []
    if status is None:
        notes.append(
            "No agent answered: where it runs is as the state folder has it, and what "
            "scored just now is not known."
        )
    if gateway.loaded is None:
        why = f" ({gateway.problem})" if gateway.problem else ""
        notes.append(
            f"Without the configuration{why} pipelines that have never had a version, "
            "numbers of assets and rates an asset are missing."
        )
    if damaged:
        notes.append(f"Lives of models cannot be read: {', '.join(damaged[:_NAMED])}.")
    return notes
