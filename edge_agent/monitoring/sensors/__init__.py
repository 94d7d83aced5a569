"""Health of every tag, from the settled samples of each turn.

`take` counts samples in, `look` judges all tags of an asset type every ten seconds,
`told` puts it into words. Every measure is relative to the tag's own past, which is
learned from the start and goes on being learned while nothing is odd.
"""

from __future__ import annotations

from edge_agent.monitoring.sensors.facts import Facts
from edge_agent.monitoring.sensors.findings import Look, told
from edge_agent.monitoring.sensors.movements import Move, Shift
from edge_agent.monitoring.sensors.state import Health, restored, saved
from edge_agent.monitoring.sensors.watch import EVERY, Seen, look, take

__all__ = [
    "EVERY",
    "Facts",
    "Health",
    "Look",
    "Move",
    "Seen",
    "Shift",
    "look",
    "restored",
    "saved",
    "take",
    "told",
]
