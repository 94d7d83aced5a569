"""What leaves the agent, in a neutral form: no wire bytes, no topics.

One score record per pipeline and turn holds all its rows as columns; alarms,
events and losses are one record each. `appetites` says who takes which.
"""

from edge_agent.records.central import EvidenceRecord, LabelRecord, RawRecord
from edge_agent.records.kinds import (
    FALLBACK_WORDS,
    NO_CONTEXT,
    NO_SCORE_WORDS,
    AlarmState,
    Fallback,
    FindingState,
    NoScore,
    RecordClass,
)
from edge_agent.records.monitored import DriftRecord, SnapshotRecord
from edge_agent.records.scored import AlarmRecord, PipelineInfo, ScoreRecord
from edge_agent.records.told import EventRecord, FindingRecord, LossRecord

__all__ = [
    "FALLBACK_WORDS",
    "NO_CONTEXT",
    "NO_SCORE_WORDS",
    "AlarmRecord",
    "AlarmState",
    "DriftRecord",
    "EventRecord",
    "EvidenceRecord",
    "Fallback",
    "FindingRecord",
    "FindingState",
    "LabelRecord",
    "LossRecord",
    "NoScore",
    "PipelineInfo",
    "RawRecord",
    "Record",
    "RecordClass",
    "ScoreRecord",
    "SnapshotRecord",
    "Told",
    "Unseen",
]

Told = AlarmRecord | EventRecord | LossRecord | FindingRecord
Unseen = DriftRecord | SnapshotRecord | LabelRecord | EvidenceRecord | RawRecord
"""Of those SCADA is never told; they are numbered apart: it must see no gap there."""
Record = ScoreRecord | Told | Unseen
