"""Which records each kind of output takes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.records.central import EvidenceRecord, LabelRecord, RawRecord
from edge_agent.records.monitored import DriftRecord, SnapshotRecord
from edge_agent.records.scored import AlarmRecord, ScoreRecord
from edge_agent.records.told import EventRecord, FindingRecord, LossRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

Appetite = frozenset[type]

#: SCADA, over MQTT.
SCADA: Appetite = frozenset(
    {ScoreRecord, AlarmRecord, EventRecord, LossRecord, FindingRecord}
)
#: The chained log; the centre has events and findings from there.
EVIDENCE: Appetite = frozenset(
    {AlarmRecord, EventRecord, LossRecord, FindingRecord, EvidenceRecord}
)
#: The archive of all gateways.
CENTRE: Appetite = frozenset(
    {
        ScoreRecord,
        AlarmRecord,
        LossRecord,
        DriftRecord,
        SnapshotRecord,
        LabelRecord,
        RawRecord,
    }
)
#: Names of the outputs that are not configured under ``outputs``.
EVIDENCE_LOG, CENTRAL = "@evidence", "@centre"


def takers(outputs: Sequence[Appetite]) -> dict[type, int]:
    """Bits of the outputs that take a type of record; bit i is output i."""
    found: dict[type, int] = {}
    for place, appetite in enumerate(outputs):
        for kind in appetite:
            found[kind] = found.get(kind, 0) | 1 << place
    return found
