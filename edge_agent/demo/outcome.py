"""What came out of a run: for machines, and in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.demo.ledger import kind_of
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from edge_agent.demo.ledger import Outage
    from edge_agent.demo.show import Show

_HOUR = 3600.0
_TOLD = 20  # faults that are told in words, the last ones


def outcome(show: Show) -> dict[str, Any]:
    """The run's figures, as `edge-agent demo --json` prints them."""
    ledger, seconds = show.ledger, show.elapsed
    recovered = [outage for outage in ledger.outages if _recovered(outage)]
    per_hour = len(ledger.false_alarms) * _HOUR / seconds if seconds else 0.0
    return {
        "seconds": round(seconds, 1),
        "pumps": len(ledger.pumps),
        "rows_scored": ledger.rows,
        "rows_without_score": ledger.rows_without_score,
        "rows_delivered_late": ledger.rows_late,
        "faults_injected": len(ledger.faults),
        "faults_found": len(ledger.found),
        "seconds_to_find": {
            fault.name: None if fault.seconds is None else round(fault.seconds, 1)
            for fault in ledger.faults
        },
        "faults": [
            {
                "kind": fault.kind,
                "class": kind_of(fault),
                "pump": fault.pump,
                "found": fault.found is not None,
                "reason": fault.reason,
            }
            for fault in ledger.faults
        ],
        "links_cut": len(ledger.outages),
        "links_recovered": len(recovered),
        "alarms": ledger.raised,
        "false_alarms": [
            {"pump": alarm.pump, "reason": alarm.reason}
            for alarm in ledger.false_alarms
        ],
        "false_alarms_per_hour": round(per_hour, 2),
        "records_lost": ledger.lost,
        "records_repeated": ledger.repeated,
        "agent_exit_code": show.agent_code,
    }


def passed(show: Show) -> bool:
    """Everything was found, came back and arrived."""
    ledger = show.ledger
    links = all(_recovered(outage) for outage in ledger.outages)
    found = len(ledger.found) == len(ledger.faults)
    return found and links and not ledger.lost and not show.agent_code


def in_words(show: Show) -> list[str]:
    """The same for a person."""
    ledger, figures = show.ledger, outcome(show)
    lines = [
        (
            f"{figures['rows_scored']} rows scored in {figures['seconds']:.0f} s,"
            f" {figures['rows_delivered_late']} of them delivered late,"
            f" {figures['records_lost']} records lost"
        ),
        f"faults found: {figures['faults_found']} of {figures['faults_injected']}",
    ]
    for fault in ledger.faults[-_TOLD:]:
        if fault.seconds is None:
            until = fault.ended or show.ended or show.clock.now()
            age = (until - fault.began) / NANOSECONDS
            lines.append(f"  {fault.name}: not found in {age:.0f} s")
        else:
            lines.append(f"  {fault.name}: after {fault.seconds:.0f} s. {fault.reason}")
    lines += [
        f"links recovered: {figures['links_recovered']} of {figures['links_cut']}",
        (
            f"false alarms: {len(ledger.false_alarms)},"
            f" {figures['false_alarms_per_hour']:g} an hour"
        ),
    ]
    lines += [f"  {alarm.pump}: {alarm.reason}" for alarm in ledger.false_alarms]
    return lines


def _recovered(outage: Outage) -> bool:
    return outage.recovered is not None
