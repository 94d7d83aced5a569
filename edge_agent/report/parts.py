"""The page's parts on drift, accuracy, alarms, fairness and incidents. Pure.

Of many pipelines each part tells in one table, and shows those in full that matter
most: a page of three hundred pipelines must stay one that a browser opens.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from edge_agent.markup import (
    bullets,
    captioned,
    counted,
    folded,
    long_table,
    moment,
    muted,
    number,
    share,
    table,
)
from edge_agent.monitoring.contrast import Rate
from edge_agent.report import charts
from edge_agent.report.document import DRIFTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.report.document import (
        Accuracy,
        Alarms,
        Column,
        Drift,
        Fairness,
        Happened,
        Measure,
    )

#: Charts of one table of columns at most; the others are in the table.
_MOST_CHARTS = 8
#: Pipelines (and contexts) that are shown in full, that have a table, incidents.
_WEEKLY = Rate.WEEKLY.value
_IN_FULL, _TABLES, _INCIDENTS = 6, 60, 200
_LEGEND = (
    '<p class=legend><span class="key then"></span> in training '
    '<span class="key now"></span> now: in the stretch that is named. The outermost '
    "bars are what lies beyond the training's extremes. PSI, JS (base 2), KS and W1 "
    "(over the training's standard deviation) are those of the bins.</p>"
)


def drift(found: Sequence[Drift]) -> str:
    """All stretches."""
    if not found:
        return ""
    rows = [
        (
            one.pipeline,
            one.context or "all",
            one.version,
            f"{one.rows:,}",
            ", ".join(one.drifted) or ("not judged" if one.reference else "none"),
            number(one.strength) if not one.reference else "",
        )
        for one in found
    ]
    head = ("Pipeline", "Context", "Version", "Rows", "Drifted", "Effect / limit")
    shown = "".join(_drift(one) for one in found[:_IN_FULL])
    rest = "".join(
        folded(_where(one), _stretch(one) + _columns(one.columns))
        for one in found[_IN_FULL:_TABLES]
    )
    more = len(found) - _TABLES
    left = muted(f"Columns of {counted(more, 'more stretch')}es are in the JSON.")
    return long_table(head, rows) + _LEGEND + shown + rest + (left if more > 0 else "")


def _where(one: Drift) -> str:
    context = f", {one.context}" if one.context else ""
    return f"{one.pipeline}{context}, version {one.version}"


def _drift(one: Drift) -> str:
    strongest = sorted(one.columns, key=lambda c: (c.verdict != DRIFTED, _away(c)))
    drawn = [column for column in strongest if column.reference][:_MOST_CHARTS]
    pictures = "".join(
        f"<figure>{charts.histogram(column)}<figcaption>{escape(column.name)}"
        f"{_verdict(column)}</figcaption></figure>"
        for column in drawn
    )
    title = (
        "Largest effect of a column over its limit (dashed), day by day: what one day "
        "alone shows. A single day above it is chance; findings need several."
    )
    days = captioned(charts.line(one.days, title, limit=1.0), title)
    return (
        f"<h3>{escape(_where(one))}</h3>{_stretch(one)}{days}"
        f'<div class="charts">{pictures}</div>{_columns(one.columns)}'
    )


def _away(column: Column) -> float:
    return -(column.strength or 0.0)


def _stretch(one: Drift) -> str:
    gated = f"; {one.gated:,} more while it did not run" if one.gated else ""
    against = (
        f"Not held against training: {one.reference}."
        if one.reference
        else "Held against the passport's reference."
    )
    return f"<p>{one.rows:,} rows, {_span(one)}{gated}. {escape(against)}</p>"


def _span(one: Drift) -> str:
    return escape(f"{moment(one.since)} to {moment(one.until)}")


def _columns(columns: Sequence[Column]) -> str:
    head = (
        *("Column", "Verdict", "Mean then", "Mean now", "Std then", "Std now"),
        *("Missing", "PSI", "JS", "KS", "W1/std", "Effect / limit"),
    )
    return table(head, [_figures(column) for column in columns], numbers=2)


def _verdict(column: Column) -> str:
    if column.verdict == DRIFTED:
        return f' <span class="finding">{DRIFTED}</span>'
    return f" <span class=muted>{escape(column.verdict)}</span>"


def _figures(column: Column) -> tuple[str, ...]:
    unit = f" ({column.unit})" if column.unit else ""
    numbers = (
        *(column.reference_mean, column.live_mean),
        *(column.reference_std, column.live_std),
    )
    effects = (column.psi, column.js, column.ks, column.w1, column.strength)
    return (
        f"{column.name}{unit}",
        column.verdict,
        *map(number, numbers),
        share(column.missing),
        *map(number, effects),
    )


def accuracy(found: Sequence[Accuracy]) -> str:
    """Of all pipelines and versions."""
    if not found:
        return ""
    rows = [
        (
            *(one.pipeline, one.version, one.requirement or "nothing", one.state),
            _value(one),
            f"{one.labels:,}",
            share(one.coverage),
        )
        for one in found
    ]
    head = ("Pipeline", "Version", "Required", "State", "Found", "Labels", "Covered")
    shown = "".join(map(_accuracy, found[:_IN_FULL]))
    rest = "".join(
        folded(f"{one.pipeline}, version {one.version}", _accuracy(one))
        for one in found[_IN_FULL:_TABLES]
    )
    more = len(found) - _TABLES
    left = muted(f"Measures of {counted(more, 'more pipeline')} are in the JSON.")
    return long_table(head, rows) + shown + rest + (left if more > 0 else "")


def _value(one: Accuracy) -> str:
    found = next((m for m in one.measures if m.name == one.days_of), None)
    if found is None or found.value is None:
        return "not known"
    said = number(found.value)
    if found.low is not None and found.high is not None:
        said = f"{said} ({number(found.low)} to {number(found.high)})"
    return f"{said}, estimated" if found.estimated else said


def _accuracy(one: Accuracy) -> str:
    required = one.requirement or "nothing"
    state = "finding" if one.state == "breached" else "stated"
    share_ = "" if one.coverage is None else f" ({share(one.coverage)} of all rows)"
    said = f"{counted(one.labels, 'label')}{share_} as of {moment(one.at)}."
    rows = [_measure(m) for m in one.measures]
    title = f"{one.days_of} as it stood each day, with its interval" + (
        ", and what is required (dashed)" if one.level is not None else ""
    )
    days = captioned(charts.line(one.days, title, limit=one.level), title)
    head = ("Measure", "Value", "95 % interval", "Rows", "")
    return (
        f"<h3>{escape(one.pipeline)}, version {escape(one.version)}</h3>"
        f"<p>Required: {escape(required)}. <span class={state}>{escape(one.state)}"
        f"</span>. {escape(one.sentence)} {escape(said)} {escape(one.delay)}</p>{days}"
        f'<div class="pair">{table(head, rows)}{_confusion(one)}</div>'
    )


def _measure(one: Measure) -> tuple[str, ...]:
    span = ""
    if one.low is not None and one.high is not None:
        span = f"{number(one.low)} to {number(one.high)}"
    note = f"estimated, not measured. {one.note}" if one.estimated else one.note
    name = one.name.replace("_", " ")
    return (name, number(one.value) or "none", span, str(one.count), note.strip())


def _confusion(one: Accuracy) -> str:
    if one.confusion is None:
        return ""
    tp, fp, fn, tn = map(str, one.confusion)
    head = ("Labelled rows", "was bad", "was good")
    return table(head, [("alarm", tp, fp), ("no alarm", fn, tn)], numbers=1)


def alarms(found: Sequence[Alarms]) -> str:
    """Of all pipelines."""
    if not found:
        return ""
    head = (
        *("Pipeline", "Alarms", "Confirmed", "Rejected", "No answer"),
        *("An asset and week", "Made by", "Most from"),
    )
    rows = [
        (
            one.pipeline,
            str(one.total),
            *map(_known, (one.confirmed, one.rejected, one.unanswered)),
            number(one.per_week) or "not known",
            ", ".join(f"{name} {count}" for name, count in one.by),
            ", ".join(f"{name} {count}" for name, count in one.assets),
        )
        for one in found
    ]
    shown = [one for one in found if one.total or one.suggestion or one.budget]
    return long_table(head, rows) + "".join(map(_alarms, shown[:_IN_FULL]))


def _known(count: int | None) -> str:
    return "not kept" if count is None else str(count)


def _alarms(one: Alarms) -> str:
    budget = f"Budget: {one.budget}." if one.budget else ""
    parts = (one.said, budget, one.suggestion)
    said = " ".join(escape(part) for part in parts if part)
    title = "Alarms day by day"
    picture = captioned(charts.bars(one.days, title), title)
    over = ' <span class="finding">over budget</span>' if one.over else ""
    return f"<h3>{escape(one.pipeline)}{over}</h3><p>{said}</p>{picture}"


def fairness(found: Sequence[Fairness]) -> str:
    """All groupings; those that differ first."""
    shown = "".join(_fairness(one) for one in found[: 2 * _IN_FULL])
    more = len(found) - 2 * _IN_FULL
    left = muted(f"{counted(more, 'more comparison')} without a finding: see the JSON.")
    return shown + (left if more > 0 else "")


def _fairness(one: Fairness) -> str:
    rate = one.rate or "groups"
    title = f"{rate[:1].upper()}{rate[1:]} by {one.by}, {one.pipeline}"
    finding = f'<p class="finding">{escape(one.finding)}</p>' if one.finding else ""
    if one.groups and not one.finding:
        finding = muted("No group differs from the others more than chance explains.")
    drawn = captioned(
        charts.intervals(one.groups, title, shares=one.rate != _WEEKLY),
        "Rate, 95 % interval, and rows of a group",
    )
    return f"<h3>{escape(title)}</h3>{finding}{drawn}{muted(one.note)}"


def incidents(found: Sequence[Happened]) -> str:
    """The newest, in a table."""
    if not found:
        return ""
    newest = found[:_INCIDENTS]
    rows = [(moment(one.at), one.what, one.subject, one.message) for one in newest]
    more = len(found) - _INCIDENTS
    left = muted(f"{counted(more, 'older one')} in the JSON.")
    return table(("When", "What", "Where", "Said"), rows) + (left if more > 0 else "")


def notes(found: Sequence[str]) -> str:
    """What the report cannot tell."""
    if not found:
        return muted("Nothing is known to be missing.")
    return bullets(found)
