"""The report as one HTML page: self-contained, printable, without a script. Pure.

Everything that comes from outside is escaped: names of models, tags and groups are
data, whoever wrote them.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from edge_agent.report import charts
from edge_agent.report.stylesheet import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.report.document import (
        Accuracy,
        Alarms,
        Column,
        Drift,
        Fairness,
        Happened,
        Measure,
        Place,
        Report,
        Version,
    )

#: Charts of one table of columns at most; the others are in the table.
_MOST_CHARTS = 12
_PARTS = (
    ("passport", "Passport"),
    ("places", "Where it runs"),
    ("drift", "Drift"),
    ("accuracy", "Accuracy"),
    ("alarms", "Alarms"),
    ("fairness", "Fairness"),
    ("incidents", "Incidents"),
    ("about", "About this report"),
)


def rendered(report: Report) -> str:
    """The whole page."""
    title = f"Model report: {report.model}"
    links = "".join(f'<a href="#{key}">{name}</a>' for key, name in _PARTS)
    made = {
        "passport": "".join(map(_version, report.versions)),
        "places": _places(report.places),
        "drift": "".join(map(_drift, report.drift)),
        "accuracy": "".join(map(_accuracy, report.accuracy)),
        "alarms": "".join(map(_alarms, report.alarms)),
        "fairness": "".join(map(_fairness, report.fairness)),
        "incidents": _incidents(report.incidents),
        "about": _about(report),
    }
    body = "".join(
        f'<section id="{key}"><h2>{name}</h2>{made[key] or _none(key)}</section>'
        for key, name in _PARTS
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1><p class=muted>{escape(_where(report))}</p>"
        f"</header>{_tiles(report)}<nav>{links}</nav>{body}</body></html>\n"
    )


def _where(report: Report) -> str:
    site = f", {report.site}" if report.site else ""
    return (
        f"Gateway {report.gateway}{site}. {report.since} to {report.until}, "
        f"made {report.made} by edge-agent {report.agent}."
    )


_NONE = {
    "passport": "No version of this model has been verified here.",
    "places": "No pipeline of this gateway uses the model.",
    "drift": "No stretch of data has been held against the reference yet.",
    "accuracy": "No labels have come for its predictions yet.",
    "alarms": "It has raised no alarm in this time.",
    "fairness": "Nothing says which group a row belongs to: no context, and no field "
    "under labels: groups.",
    "incidents": "Nothing happened that a person should know.",
}


def _none(key: str) -> str:
    return f"<p class=muted>{_NONE.get(key, '')}</p>"


def _tiles(report: Report) -> str:
    versions = ", ".join(sorted({p.version for p in report.places})) or "nowhere"
    count = _counted(len(report.places), "pipeline")
    tiles = [
        _tile("Runs at", count, versions, "good" if report.places else "warn"),
        *(_accuracy_tile(one) for one in report.accuracy[:2]),
        _drift_tile(report.drift),
        _alarm_tile(report.alarms),
        _finding_tile(report.places),
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _tile(name: str, value: str, more: str, kind: str) -> str:
    return (
        f'<div class="tile {kind}">{escape(name)}<b>{escape(value)}</b>'
        f"<span class=muted>{escape(more)}</span></div>"
    )


def _accuracy_tile(one: Accuracy) -> str:
    kind = {"met": "good", "breached": "bad"}.get(one.state, "warn")
    return _tile(f"Accuracy at {one.pipeline}", one.state, one.requirement, kind)


def _drift_tile(drift: Sequence[Drift]) -> str:
    off = [c.name for d in drift for c in d.columns if c.verdict == "drifted"]
    names = ", ".join(dict.fromkeys(off))
    if not drift:
        return _tile("Drift", "not judged", "no data yet", "warn")
    return _tile(
        "Drift", _counted(len(off), "column"), names or "steady", _kind(bool(off))
    )


def _alarm_tile(alarms: Sequence[Alarms]) -> str:
    total = sum(one.total for one in alarms)
    wrong = sum(one.rejected for one in alarms)
    return _tile(
        "Alarms", str(total), f"{wrong} rejected by people", _kind(bool(wrong))
    )


def _finding_tile(places: Sequence[Place]) -> str:
    found = [one for place in places for one in place.open_findings]
    return _tile(
        "Open findings",
        str(len(found)),
        found[0] if found else "none",
        _kind(bool(found)),
    )


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _kind(wrong: bool) -> str:
    return "warn" if wrong else "good"


def _version(one: Version) -> str:
    passport = one.passport
    facts = {
        "Title": passport.get("title"),
        "Kind": passport.get("kind"),
        "Digest": one.digest,
        "Signed by": one.signed_by or "nobody",
        "Owner": passport.get("owner"),
        "Contact": passport.get("contact"),
        "Approver": passport.get("approver"),
        "Intended use": passport.get("intended_use"),
        "Limits": passport.get("limits"),
        "Oversight": passport.get("oversight"),
        "Safety": passport.get("safety"),
        "Review by": passport.get("review_date"),
        "Expires": passport.get("expires"),
        "Licence": passport.get("licence"),
        "Training": _training(passport.get("training")),
        "Requirement": _plain(passport.get("accuracy")),
        "False alarms": _plain(passport.get("false_alarms")),
        "Thresholds": _plain(passport.get("thresholds")),
    }
    return (
        f"<h3>Version {escape(one.version)}</h3>{_list(facts)}"
        f"{_features(passport)}{_stages(one.stages)}"
    )


def _training(found: object) -> str:
    if not isinstance(found, dict):
        return ""
    rows, since, until = (found.get(k, "?") for k in ("rows", "start", "end"))
    made_by = found.get("run") or found.get("script", "")
    return f"{found.get('data', '')} ({rows} rows, {since} to {until}; {made_by})"


def _features(passport: Mapping[str, Any]) -> str:
    rows = [
        (
            str(one.get("name", "")),
            str(one.get("tag", "")),
            str(one.get("aggregate", "")),
            _plain(one.get("window")),
            _span(one.get("trained")),
        )
        for one in passport.get("features", ())
    ]
    if not rows:
        return ""
    head = ("Feature", "Tag", "Aggregate", "Window, s", "Trained between")
    table = _table(head, rows)
    return f"<details><summary>{len(rows)} features</summary>{table}</details>"


def _stages(stages: Sequence[Happened]) -> str:
    if not stages:
        return ""
    rows = [(one.at, one.what, one.message) for one in stages]
    return f"<h4>Its life here</h4>{_table(('When', 'What', 'Why'), rows)}"


def _places(places: Sequence[Place]) -> str:
    rows = [
        (
            one.pipeline,
            f"{one.asset_type} ({one.assets})",
            one.version,
            f"{one.scores_by} {one.because}".strip(),
            "; ".join(one.open_findings) or "none",
        )
        for one in places
    ]
    head = ("Pipeline", "Assets", "Version", "Scores by", "Open findings")
    return _table(head, rows) if rows else ""


def _drift(one: Drift) -> str:
    where = f"{one.pipeline}, {one.context}" if one.context else one.pipeline
    strongest = sorted(one.columns, key=lambda c: -(c.strength or 0.0))
    pictures = "".join(
        f"<figure>{charts.histogram(column)}<figcaption>{escape(column.name)}"
        f"{_verdict(column)}</figcaption></figure>"
        for column in strongest[:_MOST_CHARTS]
    )
    more = len(strongest) - _MOST_CHARTS
    rest = f"<p class=muted>{more} more are in the table.</p>" if more > 0 else ""
    head = (
        *("Column", "Verdict", "Mean then", "Mean now", "Std then", "Std now"),
        *("Missing", "PSI", "JS", "KS", "W1/std", "Effect / limit"),
    )
    title = "Largest effect of a column over its limit (dashed), day by day"
    days = _captioned(charts.line(one.days, title, limit=1.0), title)
    return (
        f"<h3>{escape(where)}</h3><p>{one.rows} rows, {escape(one.since)} to "
        f"{escape(one.until)}, against the passport's reference.</p>{days}"
        f'<div class="charts">{pictures}</div>{rest}'
        f"{_table(head, [_figures(column) for column in one.columns], numbers=2)}"
    )


def _verdict(column: Column) -> str:
    if column.verdict == "drifted":
        return ' <span class="finding">drifted</span>'
    return f" <span class=muted>{escape(column.verdict)}</span>"


def _figures(column: Column) -> tuple[str, ...]:
    unit = f" ({column.unit})" if column.unit else ""
    numbers = (
        *(column.reference_mean, column.live_mean),
        *(column.reference_std, column.live_std),
    )
    effects = (column.psi, column.js, column.ks, column.w1, column.strength)
    missing = "" if column.missing is None else f"{100 * column.missing:.1f} %"
    return (
        f"{column.name}{unit}",
        column.verdict,
        *map(_number, numbers),
        missing,
        *map(_number, effects),
    )


def _accuracy(one: Accuracy) -> str:
    share = "" if one.coverage is None else f" ({100 * one.coverage:.0f} % of all)"
    said = (
        f"{one.labels} labels{share}, {one.delay}"
        if one.delay
        else f"{one.labels} labels{share}"
    )
    head = ("Measure", "Value", "Interval", "Rows", "")
    rows = [_measure(m) for m in one.measures]
    title = f"{one.days_of} day by day, and what is required (dashed)"
    days = _captioned(charts.line(one.days, title, limit=one.level), title)
    return (
        f"<h3>{escape(one.pipeline)}, version {escape(one.version)}</h3>"
        f"<p>Required: {escape(one.requirement)}. <b>{escape(one.state)}</b>. "
        f"{escape(said)}.</p>{days}{_table(head, rows, numbers=1)}{_confusion(one)}"
    )


def _measure(one: Measure) -> tuple[str, ...]:
    span = ""
    if one.low is not None and one.high is not None:
        span = f"{_number(one.low)} to {_number(one.high)}"
    note = f"estimated, not measured. {one.note}" if one.estimated else one.note
    return (one.name, _number(one.value), span, str(one.count), note.strip())


def _confusion(one: Accuracy) -> str:
    if one.confusion is None:
        return ""
    tp, fp, fn, tn = map(str, one.confusion)
    head = ("", "was bad", "was good")
    return _table(head, [("alarm", tp, fp), ("no alarm", fn, tn)], numbers=1)


def _alarms(one: Alarms) -> str:
    week = "" if one.per_week is None else f", {one.per_week:.3g} an asset and week"
    counted = (
        f"{one.total} alarms{week}: {one.confirmed} confirmed, {one.rejected} "
        f"rejected, {one.unanswered} without an answer."
    )
    parts = (counted, f"Budget: {one.budget}." if one.budget else "", one.suggestion)
    said = " ".join(escape(part) for part in parts if part)
    title = "Alarms day by day"
    picture = _captioned(charts.bars(one.days, title), title)
    return f"<h3>{escape(one.pipeline)}</h3><p>{said}</p>{picture}"


def _fairness(one: Fairness) -> str:
    title = f"{one.rate} by {one.by}, {one.pipeline}"
    finding = f'<p class="finding">{escape(one.finding)}</p>' if one.finding else ""
    return f"<h3>{escape(title)}</h3>{finding}{charts.intervals(one.groups, title)}"


def _incidents(found: Sequence[Happened]) -> str:
    rows = [(one.at, one.what, one.subject, one.message) for one in found]
    return _table(("When", "What", "Where", "Said"), rows) if rows else ""


def _about(report: Report) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return (
        "<p>Made on the gateway from what lies there, without a network. The same as "
        f"data: <code>edge-agent report {escape(report.model)} --json</code>. "
        "Intervals are of 95 %. Shares and rates without enough rows are left out.</p>"
        f"<ul>{notes}</ul>"
    )


def _captioned(drawing: str, title: str) -> str:
    if not drawing:
        return ""
    return f"<figure>{drawing}<figcaption>{escape(title)}</figcaption></figure>"


def _list(facts: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(_plain(value))}</dd>"
        for name, value in facts.items()
        if value not in (None, "", [], {})
    )
    return f"<dl>{rows}</dl>"


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int | None = None
) -> str:
    """A table; columns from ``numbers`` on stand to the right."""

    def cell(tag: str, place: int, text: str) -> str:
        kind = " class=n" if numbers is not None and place >= numbers else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    top = "".join(cell("th", place, text) for place, text in enumerate(head))
    body = "".join(
        f"<tr>{''.join(cell('td', place, text) for place, text in enumerate(row))}</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _plain(value: object) -> str:
    """A passport's value in words."""
    if value is None:
        return ""
    if isinstance(value, dict):
        said = (f"{key.replace('_', ' ')} {_plain(one)}" for key, one in value.items())
        return ", ".join(said)
    if isinstance(value, list | tuple):
        return "; ".join(map(_plain, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _span(value: object) -> str:
    if isinstance(value, list | tuple) and len(value) == 2:  # noqa: PLR2004 - low, high
        return f"{_plain(value[0])} to {_plain(value[1])}"
    return _plain(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
