"""Drift of the fleet as a table of colours: features by sites. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from edge_agent.fleet import drawing, lines
from edge_agent.fleet.overview import PSI_LOOK, PSI_MOVED
from edge_agent.markup import counted, muted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.fleet.drift import Feature

_FEATURES, _SITES = 25, 16


def heat_map(found: Sequence[Feature]) -> str:
    """Those that moved most, of the sites where most has moved.

    Args:
        found: those that moved most first.
    """
    if not found:
        return ""
    whose = {(one.model, one.model_version, one.context, one.feature) for one in found}
    worst: dict[tuple[str, str, str, str], None] = {}
    sites: dict[str, None] = {"": None}
    for one in found:  # those that moved most come first
        worst[one.model, one.model_version, one.context, one.feature] = None
        sites[one.site] = None
    columns = list(sites)[: _SITES + 1]
    cells = {
        (one.model, one.model_version, one.context, one.feature, one.site): one
        for one in reversed(found)
    }
    head = "".join(f"<th>{escape(site or lines.ALL)}</th>" for site in columns)
    body = "".join(
        f"<tr>{_named(key)}{''.join(_cell(cells.get((*key, s))) for s in columns)}</tr>"
        for key in list(worst)[:_FEATURES]
    )
    left = [
        f"{len(whose) - _FEATURES:,} more features" if len(whose) > _FEATURES else "",
        f"{len(sites) - len(columns):,} more sites"
        if len(sites) > len(columns)
        else "",
    ]
    more = muted(
        f"{' and '.join(filter(None, left))} in the JSON." if any(left) else ""
    )
    legend = muted(
        "Population stability index of each feature against what its model was trained "
        "on, by site; those that moved most first. Counts of all gateways are added up "
        f"exactly. From {PSI_LOOK:g} on it is worth a look, from {PSI_MOVED:g} on it "
        "has moved. Hatched: it cannot be told, or there are no rows."
    )
    return (
        f'{legend}<div class="scroll"><table class="heat"><thead><tr><th>Feature</th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _named(key: tuple[str, str, str, str]) -> str:
    model, version, context, feature = key
    where = f", {context}" if context else ""
    said = f"{model} {version}{where}"
    return (
        f'<td title="{escape(f"{feature} of {said}", quote=True)}">{escape(feature)}'
        f"<br><small class=muted>{escape(said)}</small></td>"
    )


def _cell(one: Feature | None) -> str:
    if one is None:
        return f'<td style="{drawing.heat(None)}"></td>'
    said = f"{one.n:,} rows of {counted(one.gateways, 'gateway')}"
    why = f"{said}; {one.because}" if one.because else said
    shown = "" if one.psi is None else f"{one.psi:.2f}"
    return (
        f'<td style="{drawing.heat(one.psi)}" title="{escape(why, quote=True)}">'
        f"{shown}</td>"
    )
