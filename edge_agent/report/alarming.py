"""Alarms of a model's pipelines, and what people said of them. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edge_agent.dates import date_of
from edge_agent.records import AlarmState, Fallback
from edge_agent.report.document import Alarms, Day
from edge_agent.report.spans import DAY, WEEK, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.report.bodies import Alarms as Body
    from edge_agent.report.spans import Span
    from edge_agent.store.snapshots import Snapshot
    from edge_agent.store.traces import Trace

#: Assets that are named.
_WORST = 5
_LEAST = DAY // 24


def alarms(
    traces: Iterable[Trace],
    said: Sequence[tuple[Snapshot, Body]],
    assets: Mapping[str, int | None],
    seen: Mapping[str, int],
    span: Span,
) -> tuple[Alarms, ...]:
    """Of each pipeline, those with most alarms first.

    Args:
        traces: transitions of the model's alarms.
        said: what people said, newest first.
        assets: how many each pipeline has; pipelines without an alarm are shown too.
        seen: when each pipeline's first row of the span was made, ns of the wall
            clock; rates count from there.
        span: of the report.
    """
    came: dict[str, list[Trace]] = {name: [] for name in assets}
    for trace in traces:
        if trace.state == AlarmState.ACTIVE:
            came.setdefault(trace.pipeline, []).append(trace)
    newest: dict[str, tuple[Snapshot, Body]] = {}
    for row, body in said:
        came.setdefault(row.pipeline, [])
        newest.setdefault(row.pipeline, (row, body))
    found = [
        _of_one(name, mine, newest.get(name), assets.get(name), _from(name, seen, span))
        for name, mine in came.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.total, one.pipeline)))


def _from(name: str, seen: Mapping[str, int], span: Span) -> Span:
    return type(span)(max(seen.get(name, span.since), span.since), span.until)


def _of_one(
    name: str,
    came: Sequence[Trace],
    said: tuple[Snapshot, Body] | None,
    assets: int | None,
    span: Span,
) -> Alarms:
    by_day = Counter((trace.at + trace.wall_offset) // DAY for trace in came)
    days = {day: Day(name_of(day), None, count=n) for day, n in by_day.items()}
    weeks = max(span.until - span.since, _LEAST) / WEEK
    body = said[1] if said else None
    rungs = Counter(_rung(trace.fallback) for trace in came)
    return Alarms(
        name,
        len(came),
        body.confirmed if body else None,
        body.rejected if body else None,
        body.unanswered if body else None,
        len(came) / (assets * weeks) if assets else None,
        _budget(body),
        _suggestion(body),
        span.days(days),
        _said(said),
        bool(body and body.over),
        tuple(Counter(trace.asset for trace in came).most_common(_WORST)),
        tuple(rungs.most_common()),
    )


def _rung(code: int) -> str:
    try:
        return Fallback(code).name.lower().replace("_", "-")
    except ValueError:
        return "not known"


def _budget(body: Body | None) -> str:
    if body is None or body.budget is None:
        return ""
    return f"{body.budget:.3g} false alarms an asset and week"


def _suggestion(body: Body | None) -> str:
    if body is None or not body.suggestion:
        return ""
    applied = " It is applied by itself, as configured." if body.applied else ""
    return body.suggestion + applied


def _said(said: tuple[Snapshot, Body] | None) -> str:
    if said is None:
        return "What people said of them is not kept here."
    row, body = said
    when = date_of(row.at + row.wall_offset)[:10]
    return f"{body.sentence} (as of {when})" if body.sentence else f"As of {when}."
