"""The report as one HTML page: self-contained, printable, without a script. Pure.

Everything that comes from outside is escaped: names of models, tags and groups are
data, whoever wrote them.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from edge_agent.markup import bullets, counted, long_table, moment, muted
from edge_agent.report import card, parts
from edge_agent.stylesheet import STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.report.document import Accuracy, Alarms, Drift, Place, Report

_PARTS = (
    ("passport", "Passport"),
    ("places", "Where it runs"),
    ("drift", "Drift"),
    ("accuracy", "Accuracy"),
    ("alarms", "Alarms"),
    ("fairness", "Fairness"),
    ("incidents", "Incidents"),
    ("unseen", "What this report cannot tell"),
    ("about", "About this report"),
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
#: Places of one table; findings of one place; tiles on accuracy.
_PLACES, _FINDINGS, _TILES = 400, 5, 2
_RUNS = ("model", "scoring")


def rendered(report: Report) -> str:
    """The whole page."""
    title = f"Model report: {report.model}"
    links = "".join(f'<a href="#{key}">{name}</a>' for key, name in _PARTS)
    made = {
        "passport": card.versions(report.versions),
        "places": _places(report.places),
        "drift": parts.drift(report.drift),
        "accuracy": parts.accuracy(report.accuracy),
        "alarms": parts.alarms(report.alarms),
        "fairness": parts.fairness(report.fairness),
        "incidents": parts.incidents(report.incidents),
        "unseen": parts.notes(report.notes),
        "about": _about(report),
    }
    body = "".join(
        f'<section id="{key}"><h2>{name}</h2>{made[key] or muted(_NONE.get(key, ""))}'
        "</section>"
        for key, name in _PARTS
    )
    short = bullets(report.summary, "short")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1>{muted(_where(report))}"
        f"</header>{short}{_tiles(report)}<nav>{links}</nav>{body}</body></html>\n"
    )


def _where(report: Report) -> str:
    site = f", {report.site}" if report.site else ""
    return (
        f"Gateway {report.gateway}{site}. {moment(report.since)} to "
        f"{moment(report.until)} UTC, made {moment(report.made)} by edge-agent "
        f"{report.agent}."
    )


def _tiles(report: Report) -> str:
    versions = ", ".join(sorted({p.version for p in report.places if p.version}))
    count = counted(len(report.places), "pipeline")
    stopped = any(place.scores_by not in _RUNS for place in report.places)
    kind = "good" if report.places and not stopped else "warn"
    tiles = [
        _tile("Configured at", count, f"version {versions}" if versions else "", kind),
        *_accuracy_tiles(report.accuracy),
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


def _accuracy_tiles(found: Sequence[Accuracy]) -> list[str]:
    if len(found) <= _TILES:
        return [_accuracy_tile(one) for one in found]
    states = Counter(one.state for one in found)
    said = ", ".join(f"{count} {state}" for state, count in states.most_common())
    kind = "bad" if "breached" in states else "good" if "met" in states else "warn"
    return [_tile("Accuracy", counted(len(found), "version"), said, kind)]


def _accuracy_tile(one: Accuracy) -> str:
    kind = {"met": "good", "breached": "bad"}.get(one.state, "warn")
    return _tile(f"Accuracy at {one.pipeline}", one.state, one.requirement, kind)


def _drift_tile(drift: Sequence[Drift]) -> str:
    if not drift:
        return _tile("Drift", "not judged", "no data yet", "warn")
    if all(one.reference for one in drift):
        return _tile("Drift", "not judged", drift[0].reference, "warn")
    names = list(dict.fromkeys(name for one in drift for name in one.drifted))
    said = counted(len(names), "column")
    return _tile("Drift", said, ", ".join(names[:3]) or "steady", _kind(bool(names)))


def _alarm_tile(alarms: Sequence[Alarms]) -> str:
    total = sum(one.total for one in alarms)
    wrong = [one.rejected for one in alarms if one.rejected is not None]
    said = f"{sum(wrong)} rejected by people" if wrong else "no verdicts are kept"
    return _tile("Alarms", f"{total:,}", said, _kind(bool(sum(wrong))))


def _finding_tile(places: Sequence[Place]) -> str:
    found = [one for place in places for one in place.open_findings]
    first = found[0] if found else "none"
    return _tile("Open findings", str(len(found)), first, _kind(bool(found)))


def _kind(wrong: bool) -> str:
    return "warn" if wrong else "good"


def _places(places: Sequence[Place]) -> str:
    if not places:
        return ""
    rows = [
        (
            one.pipeline,
            _assets(one),
            one.version or "none",
            f"{one.scores_by}: {one.because}" if one.because else one.scores_by,
            _findings(one.open_findings),
        )
        for one in places[:_PLACES]
    ]
    head = ("Pipeline", "Assets", "Version", "Scored by", "Open findings")
    shown = long_table(head, rows)
    more = len(places) - _PLACES
    left = muted(f"{counted(more, 'more pipeline')} in the JSON.") if more > 0 else ""
    return shown + left + muted("When each version scored is under Passport.")


def _assets(one: Place) -> str:
    kind = one.asset_type or "not known"
    return kind if one.assets is None else f"{kind} ({one.assets})"


def _findings(found: Sequence[str]) -> str:
    more = len(found) - _FINDINGS
    rest = f"; and {more} more" if more > 0 else ""
    return ("; ".join(found[:_FINDINGS]) or "none") + rest


def _about(report: Report) -> str:
    return (
        "<p>Made on the gateway from what lies there, without a network. The same as "
        f"data: <code>edge-agent report {escape(report.model)} --json</code>. "
        "Intervals are of 95 %. Shares and rates without enough rows are left out. "
        "Times are UTC.</p>"
    )
