"""Accuracy and fairness as they stood, from kept snapshots. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.dates import date_of
from edge_agent.report import document
from edge_agent.report.document import Day, Group, Measure
from edge_agent.report.spans import name_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.report.bodies import Accuracy, Fairness, Figure, Names
    from edge_agent.report.spans import Span
    from edge_agent.store.snapshots import Snapshot

#: Figures of these are shown, worst first, before all others.
_WORST = ("breached", "below but within chance", "cannot be told", "not yet")
_BASES = {
    "weighted": "weighted for which rows got a label",
    "estimated": "from the model's own chances, without labels",
}


def accuracy(
    rows: Sequence[tuple[Snapshot, Accuracy]], span: Span
) -> tuple[document.Accuracy, ...]:
    """Of each pipeline and version, the newest and how it went; the worst first.

    Args:
        rows: newest first.
        span: of the report.
    """
    found: dict[tuple[str, str], list[tuple[Snapshot, Accuracy]]] = {}
    for row, body in rows:
        key = (row.pipeline, body.version or row.subject)
        found.setdefault(key, []).append((row, body))
    made = [_accuracy(*key, some, span) for key, some in found.items()]
    order = {state: place for place, state in enumerate(_WORST)}
    return tuple(sorted(made, key=lambda one: order.get(one.state, len(order))))


def _accuracy(
    pipeline: str,
    version: str,
    rows: Sequence[tuple[Snapshot, Accuracy]],
    span: Span,
) -> document.Accuracy:
    newest, body = rows[0]
    metric = body.metric or _first(body.measures)
    days = {}
    for row, each in reversed(rows):
        figure = each.measures.get(metric)
        if figure is not None:
            days[row.day] = Day(
                *(name_of(row.day), figure.value, figure.low, figure.high),
                figure.count,
            )
    return document.Accuracy(
        pipeline,
        version,
        body.requirement,
        body.state,
        body.labels,
        body.coverage,
        body.delay,
        tuple(_measure(name, one) for name, one in body.measures.items()),
        body.confusion,
        span.days(days),
        metric,
        body.level,
        date_of(newest.at + newest.wall_offset),
        body.sentence,
    )


def _first(measures: Mapping[str, Figure]) -> str:
    known = (name for name, one in measures.items() if one.value is not None)
    return next(known, "")


def _measure(name: str, one: Figure) -> Measure:
    note = one.note or _BASES.get(one.basis, "")
    estimated = one.basis == "estimated"
    ends = (one.value, one.low, one.high)
    return Measure(name, *ends, one.count, estimated=estimated, note=note)


def fairness(
    rows: Sequence[tuple[Snapshot, Fairness]],
) -> tuple[document.Fairness, ...]:
    """The newest of each grouping and rate; those that differ first.

    Args:
        rows: newest first.
    """
    newest: dict[tuple[str, str], tuple[Snapshot, Fairness]] = {}
    for row, body in rows:
        newest.setdefault((row.pipeline, row.subject), (row, body))
    made = [_fairness(row, body) for row, body in newest.values()]
    return tuple(sorted(made, key=lambda one: (not one.finding, one.pipeline, one.by)))


def _fairness(row: Snapshot, body: Fairness) -> document.Fairness:
    by = f"{body.by} in {body.context}" if body.context else body.by
    notes = [body.refused, _left(body.pooled, "too small, put together")]
    notes.append(_left(body.untold, "cannot be told"))
    return document.Fairness(
        row.pipeline,
        by,
        body.rate,
        tuple(
            Group(one.name, one.count, one.value, one.low, one.high, one.differs)
            for one in body.groups
        ),
        body.finding,
        body.version,
        date_of(row.at + row.wall_offset),
        "; ".join(note for note in notes if note),
    )


def _left(names: Names, why: str) -> str:
    if not names.count:
        return ""
    more = names.count - len(names.names)
    rest = f" and {more} more" if more > 0 else ""
    return f"{why}: {', '.join(names.names)}{rest}"
