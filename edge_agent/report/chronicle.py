"""The versions of a model: how far each came, and when it scored where. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.dates import date_of
from edge_agent.report.document import Happened, Version
from edge_agent.report.models import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.registry.life import Life
    from edge_agent.registry.life import Version as Met
    from edge_agent.report.models import Kept
    from edge_agent.store.drifts import Drift
    from edge_agent.store.traces import Trace

#: Versions of a report, and pipelines of which one tells when it scored there.
MOST, MOST_PLACES = 100, 400


@dataclass(slots=True)
class _Scored:
    """When a version scored at a pipeline, as far as rows tell."""

    since: int
    until: int
    rows: int = 0
    alarms: int = 0


def versions(
    kept: Sequence[Kept],
    lives: Mapping[str, Life],
    model: str,
    only: str,
    traces: Iterable[Trace],
    rows: Iterable[Drift],
) -> tuple[Version, ...]:
    """Those with a passport, and those that were only seen or refused.

    Args:
        kept: passports.
        lives: by pipeline.
        model: name.
        only: this version; empty for all.
        traces: its alarms.
        rows: its drift rows.
    """
    met = [
        (pipeline, one)
        for pipeline, life in lives.items()
        for one in life.versions
        if one.name == model
    ]
    scored = _scored(traces, rows)
    found = [
        Version(
            one.version,
            one.digest,
            one.signed_by,
            one.facts,
            (
                *_stages([m for m in met if m[1].digest == one.digest]),
                *_times({k: v for k, v in scored.items() if _same(k[1], one.digest)}),
            ),
            one.problem,
        )
        for one in in_order(kept)
    ]
    found += _without(kept, met)
    wanted = [one for one in found if only in {"", one.version}]
    running = {m.digest for _, m in met if m.stage == "active" and m.digest}
    wanted.sort(key=lambda one: one.digest not in running)
    return tuple(wanted[:MOST])


def _same(some: str, digest: str) -> bool:
    """An older agent's rows have the first digits alone."""
    return bool(some) and digest.startswith(some)


def _without(kept: Sequence[Kept], met: Sequence[tuple[str, Met]]) -> list[Version]:
    """Versions that have no passport here."""
    there = {one.digest for one in kept}
    others: dict[tuple[str, str], list[tuple[str, Met]]] = {}
    for pipeline, one in met:
        if one.digest not in there:
            key = (one.label or one.version, one.digest)
            others.setdefault(key, []).append((pipeline, one))
    return [
        Version(
            version,
            digest,
            some[0][1].signer,
            {},
            tuple(_stages(some)),
        )
        for (version, digest), some in others.items()
    ]


def _stages(met: Sequence[tuple[str, Met]]) -> list[Happened]:
    return [
        Happened("", str(one.stage), pipeline, _why(one))
        for pipeline, one in met[:MOST_PLACES]
    ]


def _why(one: Met) -> str:
    chosen = f"chosen by {one.via}" if one.via else ""
    watched = "only watched" if one.watch else ""
    return "; ".join(word for word in (chosen, watched, one.reason) if word)


def _scored(
    traces: Iterable[Trace], rows: Iterable[Drift]
) -> dict[tuple[str, str], _Scored]:
    found: dict[tuple[str, str], _Scored] = {}
    for row in rows:
        begin, end = row.since + row.wall_offset, row.until + row.wall_offset
        one = _widened(found, (row.pipeline, row.model_digest), begin, end)
        one.rows += row.rows
    for trace in traces:
        at = trace.at + trace.wall_offset
        one = _widened(found, (trace.pipeline, trace.model_digest), at, at)
        one.alarms += trace.state
    return found


def _widened(
    found: dict[tuple[str, str], _Scored], key: tuple[str, str], begin: int, end: int
) -> _Scored:
    one = found.setdefault(key, _Scored(begin, end))
    one.since, one.until = min(one.since, begin), max(one.until, end)
    return one


def _times(scored: Mapping[tuple[str, str], _Scored]) -> list[Happened]:
    first = sorted(scored.items(), key=lambda pair: pair[1].since)[:MOST_PLACES]
    return [
        Happened(date_of(one.since), "scored", pipeline, _worked(one))
        for (pipeline, _), one in first
    ]


def _worked(one: _Scored) -> str:
    until = date_of(one.until)[:16].replace("T", " ")
    return f"until {until}: {one.rows:,} rows, {one.alarms:,} alarms"


def rows_seen(seen: Mapping[str, int], traces: Iterable[Any]) -> dict[str, int]:
    """When each pipeline's first row or alarm was made, ns of the wall clock."""
    found = dict(seen)
    for trace in traces:
        at = trace.at + trace.wall_offset
        found[trace.pipeline] = min(found.get(trace.pipeline, at), at)
    return found
