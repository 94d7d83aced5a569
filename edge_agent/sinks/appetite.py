"""What an output takes, as configured. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.records import (
    AlarmRecord,
    EventRecord,
    FindingRecord,
    LossRecord,
    ScoreRecord,
)

if TYPE_CHECKING:
    from edge_agent.config.schema import MqttOutput
    from edge_agent.records.appetites import Appetite

_KINDS: dict[str, tuple[type, ...]] = {
    "alarms": (AlarmRecord,),
    "states": (ScoreRecord,),
    "events": (EventRecord, LossRecord),
    "findings": (FindingRecord,),
}


def told(settings: MqttOutput) -> Appetite:
    """Types of records an output is told of."""
    return frozenset(kind for word in settings.takes for kind in _KINDS[word])


def owed(settings: MqttOutput) -> Appetite:
    """Types of records that are kept for an output until it has them.

    States are not where it shows the newest only: give this to the journal.
    """
    return told(settings) - (frozenset() if settings.history else {ScoreRecord})
