"""The fleet as one HTML page: self-contained, printable, without a script. Pure.

Everything that comes from outside is escaped: names of sites, gateways and models are
data, whoever wrote them. Of many rows those that matter most are shown; the JSON has
all.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from edge_agent.fleet import drawing, lines
from edge_agent.fleet.heatmap import heat_map
from edge_agent.fleet.losses import how_many
from edge_agent.fleet.overview import PSI_MOVED
from edge_agent.markup import bullets, counted, long_table, moment, muted
from edge_agent.stylesheet import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.fleet.accuracy import Accuracy, Figure
    from edge_agent.fleet.alarms import Alarms
    from edge_agent.fleet.overview import Overview, Version

_MORE = """
.tile { flex-basis: 8rem }
.shares { display: flex; height: 1.1rem; min-width: 8rem; border: 1px solid #bbb }
.shares span { display: block } .swatch { display: inline-block; width: .8em;
  height: .8em; margin-right: .4em; vertical-align: -1px }
.heat { width: auto } .heat td, .heat th { text-align: right; white-space: nowrap;
  min-width: 3.2rem } .heat td:first-child, .heat th:first-child { text-align: left;
  position: sticky; left: 0; background: #fff; min-width: 0; max-width: 16rem;
  overflow: hidden; text-overflow: ellipsis }
.heat th { max-width: 7rem; overflow: hidden; text-overflow: ellipsis }
.drawn td { vertical-align: middle } .drawn svg { display: block; max-width: none }
.drawn td, .drawn th { white-space: nowrap }
@media (max-width: 30rem) { body { margin: 1rem auto; padding: 0 .6rem }
  dl { grid-template-columns: 1fr } .heat td:first-child { max-width: 7.5rem } }
"""
_PARTS = (
    ("versions", "Model versions"),
    ("silent", "Silent gateways"),
    ("drift", "Drift"),
    ("accuracy", "Accuracy"),
    ("alarms", "Alarms"),
    ("losses", "Losses"),
    ("pipelines", "Every pipeline"),
    ("about", "About this page"),
)
_NONE = {
    "versions": "No gateway has told how its pipelines stand.",
    "silent": "Every gateway was heard within a day.",
    "drift": "No drift rows in this time.",
    "accuracy": "No labels in this time.",
    "alarms": "No alarms in this time, and no pipeline that could have had some.",
    "losses": "Nothing was lost.",
    "pipelines": "None is known.",
}
_ROWS, _PIPELINES = 40, 2_000


def rendered(found: Overview, left_out: Mapping[str, str]) -> str:
    """The whole page."""
    made = {
        "versions": _versions(found.versions),
        "silent": _table(lines.SILENT, lines.silent(found.silent)),
        "drift": heat_map(found.drift),
        "accuracy": _accuracy(found.accuracy),
        "alarms": _alarms(found.alarms),
        "losses": _table(lines.LOSSES, lines.losses(found.losses)),
        "pipelines": _pipelines(found),
        "about": _about(found, left_out),
    }
    body = "".join(
        f'<section id="{key}"><h2>{name}</h2>{made[key] or muted(_NONE.get(key, ""))}'
        "</section>"
        for key, name in _PARTS
    )
    links = "".join(f'<a href="#{key}">{name}</a>' for key, name in _PARTS)
    span = f"{moment(found.since)} to {moment(found.until)}, UTC"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Fleet report</title><style>{STYLE}{_MORE}</style></head><body>"
        f"<header><h1>Fleet report</h1>{muted(span)}</header>"
        f"{_tiles(found, left_out)}<nav>{links}</nav>{body}</body></html>\n"
    )


def _tiles(found: Overview, left_out: Mapping[str, str]) -> str:
    alarms = sum(one.count for one in found.alarms)
    lost, unknown = found.lost
    tiles = [
        (f"{found.gateways:,}", f"gateways at {counted(found.sites, 'site')}", ""),
        (
            f"{len(found.silent):,}",
            "silent for a day",
            "bad" if found.silent else "good",
        ),
        (
            f"{len(found.moved):,}",
            f"features moved (PSI from {PSI_MOVED:g} on)",
            "warn" if found.moved else "good",
        ),
        (
            f"{len(found.breached):,}",
            "promises of accuracy broken",
            "bad" if found.breached else "",
        ),
        (f"{alarms:,}", "alarms", ""),
        (how_many(lost, unknown), "rows lost", "warn" if found.losses else "good"),
    ]
    if left_out:
        tiles.append((f"{len(left_out):,}", "objects left out, see below", "bad"))
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile {kind}"><b>{escape(number)}</b>{escape(what)}</div>'
            for number, what, kind in tiles
        )
        + "</div>"
    )


def _versions(found: Sequence[Version]) -> str:
    made = []
    for model in dict.fromkeys(one.model for one in found):
        mine = [one for one in found if one.model == model]
        bar = drawing.shares([(one.version, one.pipelines) for one in mine])
        rows = [
            (
                f'<span class="swatch" style="background:{drawing.hue(place)}"></span>'
                + escape(one.version or "no version"),
                f"{one.gateways:,}",
                f"{one.pipelines:,}",
                escape(", ".join(f"{count:,} {state}" for state, count in one.states)),
            )
            for place, one in enumerate(mine)
        ]
        head = ("Version", "Gateways", "Pipelines", "State")
        made.append(f"<h3>{escape(model or 'no model')}</h3>{bar}{_drawn(head, rows)}")
    return "".join(made)


def _accuracy(found: Sequence[Accuracy]) -> str:
    if not found:
        return ""
    head = (
        *("Site", "Model", "Version", "Labels", "Precision", "", "Recall", ""),
        *("F1", "MAE", "Required", "Remark"),
    )
    held = len(head) if any(one.required or one.because for one in found) else -2
    order = sorted(
        found, key=lambda a: (a.standing != "breached", a.site != "", a.site)
    )
    rows = [_accurate(one)[:held] for one in order[:_ROWS]]
    note = muted(
        "Values with their 95 % intervals; the red line is what is required. Rows of "
        "an asset within a shift count as one piece of evidence."
    )
    return note + _drawn(head[:held], rows) + _rest(found, _ROWS)


def _accurate(one: Accuracy) -> tuple[str, ...]:
    metric, _, level = one.required.partition(" ")

    def bar(name: str, figure: Figure) -> str:
        limit = float(level) if metric == name else None
        return drawing.interval(*figure, 1.0, limit)

    standing = (
        f'<span class="finding">{escape(one.standing)}</span>'
        if one.standing == "breached"
        else escape(one.standing)
    )
    return (
        *map(escape, (one.site or lines.ALL, one.model, one.model_version)),
        f"{one.labels:,}",
        *(escape(lines.number(one.precision.value)), bar("precision", one.precision)),
        *(escape(lines.number(one.recall.value)), bar("recall", one.recall)),
        *(escape(lines.figure(one.f1)), escape(lines.figure(one.mae))),
        *(escape(one.required), f"{standing}{escape(one.because)}"),
    )


def _alarms(found: Sequence[Alarms]) -> str:
    if not found:
        return ""
    top = max((one.high or one.rate or 0.0 for one in found), default=0.0)
    head = (
        *("Site", "Pipeline", "Alarms", "An asset and week", ""),
        *("Flood hours", "Most from"),
    )
    rows = [
        (
            *(escape(one.site), escape(one.pipeline), f"{one.count:,}"),
            escape(lines.ends(one.rate, one.low, one.high) or "not known"),
            drawing.interval(one.rate, one.low, one.high, top),
            str(one.flood_hours),
            escape(", ".join(f"{asset or gate} {n}" for gate, asset, n in one.top[:3])),
        )
        for one in found[:_ROWS]
    ]
    note = muted(
        "Alarms that became active, an asset and week, with 95 % intervals; the "
        "highest first. An hour of a site is one of flood when ten minutes of it have "
        "more than ten alarms."
    )
    return note + _drawn(head, rows) + _rest(found, _ROWS)


def _pipelines(found: Overview) -> str:
    rows = lines.models(found.models[:_PIPELINES])
    return _table(lines.MODELS, rows) + _rest(found.models, _PIPELINES)


def _about(found: Overview, left_out: Mapping[str, str]) -> str:
    names = [f"{name} {why}" for name, why in left_out.items()]
    said = (
        f"<p>Left out, as they could not be read:</p>{bullets(names[:_ROWS])}"
        + _rest(names, _ROWS)
        if names
        else ""
    )
    return said + muted(
        f"Made from the archive of {counted(found.gateways, 'gateway')}, without a "
        "network. The same as data lies beside it, with .json at its end."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = [title.capitalize() for title in head]
    return long_table(titles, rows) if rows else ""


def _drawn(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    top = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        f'<div class="scroll"><table class="drawn"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _rest(every: Sequence[object], shown: int) -> str:
    more = len(every) - shown
    return muted(f"{more:,} more in the JSON." if more > 0 else "")
