"""Answers as rows of words, for terminals and pages. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.fleet.accuracy import Accuracy, Figure
    from edge_agent.fleet.alarms import Alarms
    from edge_agent.fleet.drift import Feature
    from edge_agent.fleet.losses import Lost
    from edge_agent.fleet.models import Place
    from edge_agent.fleet.silent import Silent

    Rows = list[tuple[str, ...]]

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_DIGEST = 12
ALL = "all"

MODELS = (
    *("SITE", "GATEWAY", "PIPELINE", "MODEL", "VERSION", "DIGEST", "STATE", "HEARD"),
    *("AGENT", "BECAUSE"),
)
DRIFT = (
    *("SITE", "MODEL", "VERSION", "CONTEXT", "FEATURE", "PSI", "JS", "KS"),
    *("MISSING", "ROWS", "GATEWAYS", "REMARK"),
)
ACCURACY = (
    *("SITE", "MODEL", "VERSION", "LABELS", "PIECES", "PRECISION", "RECALL", "F1"),
    *("MAE", "REQUIRED", "STANDING", "REMARK"),
)
ALARMS = ("SITE", "PIPELINE", "ALARMS", "AN ASSET AND WEEK", "FLOOD HOURS", "MOST FROM")
LOSSES = ("SITE", "WHAT", "SUBJECT", "CAUSE", "COUNT", "GATEWAYS", "FIRST", "LAST")
SILENT = ("SITE", "GATEWAY", "LAST HEARD", "OF", "SILENT")


def models(found: Sequence[Place]) -> Rows:
    """A pipeline a line."""
    return [
        (
            *(one.site, one.gateway, one.pipeline, one.model, one.model_version),
            *(one.model_digest[:_DIGEST], one.state, lasting(one.age_s)),
            *(one.agent_version, one.because),
        )
        for one in found
    ]


def drift(found: Sequence[Feature]) -> Rows:
    """A feature a line."""
    return [
        (
            *(one.site or ALL, one.model, one.model_version, one.context or ALL),
            *(one.feature, number(one.psi), number(one.js), number(one.ks)),
            *(share(one.missing), f"{one.n:,}", str(one.gateways), one.because),
        )
        for one in found
    ]


def accuracy(found: Sequence[Accuracy]) -> Rows:
    """A version of a site a line."""
    return [
        (
            *(one.site or ALL, one.model, one.model_version),
            *(f"{one.labels:,}", f"{one.evidence:,}"),
            *map(figure, (one.precision, one.recall, one.f1, one.mae)),
            *(one.required, one.standing, one.because),
        )
        for one in found
    ]


def alarms(found: Sequence[Alarms]) -> Rows:
    """A pipeline of a site a line."""
    return [
        (
            *(one.site, one.pipeline, f"{one.count:,}"),
            *(ends(one.rate, one.low, one.high), str(one.flood_hours)),
            ", ".join(
                f"{asset or gateway} {count}" for gateway, asset, count in one.top
            ),
        )
        for one in found
    ]


def losses(found: Sequence[Lost]) -> Rows:
    """A cause of a site a line."""
    return [
        (
            *(one.site, one.what, one.subject, one.cause, one.how_many),
            *(str(one.gateways), minute(one.first), minute(one.last)),
        )
        for one in found
    ]


def silent(found: Sequence[Silent]) -> Rows:
    """A gateway a line."""
    return [
        (
            *(one.site, one.gateway, minute(one.last) or "not in this time"),
            *(one.table, "" if one.silent_s is None else lasting(one.silent_s)),
        )
        for one in found
    ]


def figure(one: Figure) -> str:
    """A value with its interval."""
    return ends(*one)


def ends(value: float | None, low: float | None, high: float | None) -> str:
    """A value with the ends of its interval, where there are any."""
    if value is None:
        return ""
    if low is None or high is None:
        return number(value)
    return f"{number(value)} ({number(low)} to {number(high)})"


def number(value: float | None) -> str:
    """Three digits; empty where it is not known."""
    return "" if value is None else f"{value:.3g}"


def share(value: float | None) -> str:
    """As a percentage; empty where it is not known."""
    return "" if value is None else f"{100 * value:.3g} %"


def minute(text: str) -> str:
    """A time to the minute."""
    return text[:16].replace("T", " ")


def lasting(seconds: float) -> str:
    """A time that has passed; one that has not is a wrong clock."""
    if seconds < -60:  # noqa: PLR2004 - two clocks differ a little
        return "clock ahead"
    size, unit = next(
        ((size, unit) for size, unit in _UNITS if seconds >= 2 * size), _UNITS[-1]
    )
    return f"{max(seconds, 0.0) / size:.0f} {unit}"
