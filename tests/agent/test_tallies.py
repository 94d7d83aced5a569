"""What the agent counts of its explanations."""

from __future__ import annotations

from edge_agent import tallies
from edge_agent.instruments import Instruments
from edge_agent.occlusion import Spent


def test_explanations_are_counted_by_how_they_came_about() -> None:
    """Told by the model, not affordable, and asked in vain; each turn's once."""
    instruments, before = Instruments(), Spent(asked=10, over=2, failed=1)
    after = Spent(asked=15, over=2, failed=3)

    tallies.explanations(instruments, "pump", before, after)
    tallies.explanations(instruments, "pump", after, after)

    def counted(result: str) -> int:
        return instruments.counter("explanations_total", result=result)

    assert (counted("by_model"), counted("over_budget"), counted("failed")) == (3, 0, 2)
