"""What monitoring says, for the status: plain data, and words for one line. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.dates import date_of
from edge_agent.monitoring.conditions import What

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge_agent.records import FindingRecord

#: Findings shown of one pipeline, and named in the summary.
SHOWN, NAMED = 20, 3
#: What leaves a pipeline degraded; all other findings are advice.
_BREACHES = frozenset({What.ACCURACY.value})


def said_of(
    findings: Iterable[FindingRecord], offset: int
) -> dict[str, dict[str, Any]]:
    """Open findings by pipeline, worst first, as `status.report.report` takes them.

    Those without a pipeline are under the empty name.

    Args:
        findings: that are open.
        offset: ns to add to agent time for the wall clock.
    """
    found: dict[str, list[FindingRecord]] = {}
    for one in sorted(findings, key=lambda one: (-one.strength, one.since, one.id)):
        found.setdefault(one.pipeline, []).append(one)
    return {
        pipeline: {
            "findings": [_plain(one, offset) for one in some[:SHOWN]],
            "findings_open": len(some),
        }
        for pipeline, some in found.items()
    }


def _plain(finding: FindingRecord, offset: int) -> dict[str, Any]:
    return {
        "id": finding.id,
        "what": finding.what,
        "cause": finding.cause,
        "asset": finding.asset,
        "tag": finding.tag,
        "context": finding.context,
        "strength": finding.strength,
        "since": date_of(finding.since + offset),
        "sentence": finding.sentence,
        "action": finding.action,
    }


def breaches(monitoring: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is wrong, a sentence each."""
    return [
        f"{name}: {one['sentence'] or one['what']}"
        for name, said in monitoring.items()
        for one in said.get("findings", ())
        if one["what"] in _BREACHES
    ]


def advice(monitoring: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What else was found: some in a few words each, the rest as a number."""
    named = [
        f"{name or one['asset'] or 'all assets'}: {_briefly(one, named=bool(name))}"
        for name, said in monitoring.items()
        for one in said.get("findings", ())
        if one["what"] not in _BREACHES
    ]
    count = sum(said.get("findings_open", 0) for said in monitoring.values())
    more = count - len(breaches(monitoring)) - len(named[:NAMED])
    behind = [f"{more} more finding{'s' if more > 1 else ''}"] if more > 0 else []
    return [*named[:NAMED], *behind]


def _briefly(one: Mapping[str, Any], *, named: bool) -> str:
    what = f"{one['what']} of {one['tag']}" if one["tag"] else str(one["what"])
    return f"{what} at {one['asset']}" if one["asset"] and named else what
