"""What becomes of the two versions at a post, from how they compare. Pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from edge_agent.guards import broken
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from edge_agent.comparison import Comparison
    from edge_agent.config.pipelines import Promotion
    from edge_agent.registry.crew import Crew


class Move(Enum):
    """What to do."""

    WAIT = "wait"
    ACTIVATE = "activate"
    """The version beside takes over."""
    REFUSE = "refuse"
    """The version beside must never."""
    RETURN = "return"
    """The one that took over is worse than the former: it goes back."""
    SETTLE = "settle"
    """Its probation is over."""


def next_move(
    crew: Crew, found: Comparison, policy: Promotion, threshold: float
) -> tuple[Move, str]:
    """What to do now, and why (or why not yet), in a sentence.

    Args:
        crew: with a version beside.
        found: the newer of the two against the older.
        policy: the operator's.
        threshold: the newer one's limit, for sentences.
    """
    beside = crew.beside
    assert beside is not None  # noqa: S101 - the caller asked
    why = broken(found, threshold)
    if crew.control:
        if why:
            return Move.RETURN, why
        over = found.watched >= policy.probation * NANOSECONDS
        return (Move.SETTLE, "") if over else (Move.WAIT, "")
    if why:
        return Move.REFUSE, why
    if beside.watch:
        return Move.WAIT, ""
    if policy.policy == "manual":
        said = f"{beside.shown} waits: edge-agent model activate decides"
        return Move.WAIT, said
    return _by_time(beside.shown, found, policy)


def _by_time(name: str, found: Comparison, policy: Promotion) -> tuple[Move, str]:
    seconds = found.watched / NANOSECONDS
    if seconds < policy.after or found.rows < policy.rows:
        so_far, wanted = seconds / 3600, policy.after / 3600
        said = (
            f"{name} is being watched: {so_far:.1f} of {wanted:.1f} h, "
            f"{found.rows} of {policy.rows} rows"
        )
        return Move.WAIT, said
    allowed = policy.disagreement
    if allowed is not None and found.disagreement > allowed:
        said = (
            f"{name} differs from the active version over {found.disagreement:.1%} of "
            f"{found.rows} rows, {allowed:.1%} are allowed: a person must decide "
            "(edge-agent model activate)"
        )
        return Move.WAIT, said
    return Move.ACTIVATE, ""
