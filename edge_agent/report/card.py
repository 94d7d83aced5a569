"""The page's part on versions: who answers for them, and how far they came. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from edge_agent.markup import (
    counted,
    facts,
    folded,
    long_table,
    moment,
    muted,
    plain,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.report.document import Happened, Version

#: Versions that are shown unfolded, and lines of one's life.
_SHOWN, _LINES = 2, 400
_LOWER = frozenset({"mae"})


def versions(found: Sequence[Version]) -> str:
    """All of them, those that run first."""
    return "".join(
        _version(one)
        if place < _SHOWN
        else folded(f"Version {_named(one)}", _card(one))
        for place, one in enumerate(found)
    )


def _named(one: Version) -> str:
    return one.version or (one.digest[:8] if one.digest else "without a name")


def _version(one: Version) -> str:
    return f"<h3>Version {escape(_named(one))}</h3>{_card(one)}"


def _card(one: Version) -> str:
    passport = one.passport
    problem = f'<p class="finding">{escape(one.problem)}</p>' if one.problem else ""
    if not passport and not one.problem:
        problem = muted("Its passport was never kept here: it did not come so far.")
    return (
        f"{problem}{facts(_answers(one, passport))}{_features(passport)}"
        f"{_stages(one.stages)}"
    )


def _answers(one: Version, passport: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked first comes first."""
    return {
        "Title": passport.get("title"),
        "Approved by": passport.get("approver"),
        "Owner": passport.get("owner"),
        "Contact": passport.get("contact"),
        "Signed by": one.signed_by
        or ("nobody, as far as is known" if passport else ""),
        "Intended use": passport.get("intended_use"),
        "Not for": passport.get("limits"),
        "Oversight": passport.get("oversight"),
        "Safety": passport.get("safety"),
        **_training(passport.get("training")),
        "Must reach": required(passport.get("accuracy")),
        "False alarms": _promised(passport.get("false_alarms")),
        "Alarm thresholds": _thresholds(passport.get("thresholds")),
        "Review by": passport.get("review_date"),
        "Expires": passport.get("expires"),
        "Licence": passport.get("licence"),
        "Kind": passport.get("kind"),
        "Release": passport.get("release"),
        "Digest": one.digest,
    }


def _training(found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        return {}
    rows, since, until = (found.get(k, "?") for k in ("rows", "start", "end"))
    return {
        "Trained on": f"{found.get('data', '')} ({rows} rows, {since} to {until})",
        "Trained by": found.get("script"),
        "Run": found.get("run"),
        "Commit": found.get("commit"),
    }


def required(found: object) -> str:
    """A passport's requirement in words."""
    if not isinstance(found, dict):
        return ""
    metric, level = str(found.get("metric", "")), found.get("level")
    bound = "at most" if metric in _LOWER else "at least"
    said = f"{metric} {bound} {plain(level)} on {found.get('min_labels', '?')} labels"
    reached = found.get("reached")
    if reached is None:
        return said
    kept = found.get("labels")
    return f"{said}; it reached {plain(reached)} on {kept} labels that were kept aside"


def _promised(found: object) -> str:
    if not isinstance(found, dict):
        return ""
    budget, seen = found.get("budget_per_week"), found.get("seen_per_week")
    hours, note = found.get("asset_hours"), found.get("note") or ""
    said = f"thresholds set for {plain(budget)} an asset and week; {plain(seen)} seen"
    return f"{said} in {plain(hours)} asset-hours that were kept aside. {note}".strip()


def _thresholds(found: object) -> str:
    if not isinstance(found, list | tuple):
        return plain(found)
    pairs = (one for one in found if isinstance(one, dict))
    return "; ".join(
        f"score {plain(one.get('value'))} (severity {plain(one.get('severity'))})"
        for one in pairs
    )


def _features(passport: Mapping[str, Any]) -> str:
    given = passport.get("features")
    some = given if isinstance(given, list | tuple) else ()
    rows = [
        (
            str(one.get("name", "")),
            str(one.get("tag", "")),
            str(one.get("aggregate", "")),
            plain(one.get("window")) or ("cycle" if one.get("cycle") else ""),
            _between(one.get("trained")),
        )
        for one in some
        if isinstance(one, dict)
    ]
    if not rows:
        return ""
    head = ("Feature", "Tag", "Aggregate", "Window", "Trained between")
    return folded(f"{len(rows)} features", table(head, rows))


def _stages(stages: Sequence[Happened]) -> str:
    if not stages:
        return "<h4>Its life here</h4>" + muted("No pipeline remembers it.")
    rows = [
        (moment(one.at) or "not kept", one.subject, one.what, one.message)
        for one in stages[:_LINES]
    ]
    rows.sort(key=lambda row: row[1])  # what a pipeline did stands together
    more = len(stages) - _LINES
    rest = muted(f"{counted(more, 'more line')} in the JSON.") if more > 0 else ""
    head = ("When", "Pipeline", "What", "How")
    return f"<h4>Its life here</h4>{long_table(head, rows)}{rest}"


def _between(value: object) -> str:
    if isinstance(value, list | tuple) and len(value) == 2:  # noqa: PLR2004 - low, high
        return f"{plain(value[0])} to {plain(value[1])}"
    return plain(value)
