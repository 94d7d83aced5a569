"""A gateway's report as tags of a run, and back. Pure."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING

from edge_agent.registry.listing import (
    UNOBSERVED,
    Gateway,
    ModelReport,
    Observed,
    Report,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

GATEWAY, SITE, AGENT, AT = "edge.gateway", "edge.site", "edge.agent", "edge.at"
REPORTED = "edge.reported."

#: Characters of a tag's value; MLflow takes a few thousand.
_LONGEST = 1000
#: Digits of a whole number.
_DIGITS = 18


def to_tags(report: Report, known: Mapping[str, str]) -> dict[str, str]:
    """A report's tags; those of models that are gone are empty, the time comes last.

    Args:
        report: what to say.
        known: the tags there are.
    """
    said = {key: "" for key in known if key.startswith(REPORTED)}
    said |= {SITE: report.gateway.site, AGENT: report.agent}
    for one in report.models:
        said |= {f"{REPORTED}{one.model}.{word}": value for word, value in _words(one)}
    return said | {AT: str(report.at)}


def from_tags(tags: Mapping[str, str]) -> Report | None:
    """The report that a run's tags are; None where they are none."""
    try:
        at = int(tags[AT])
        gateway = Gateway(tags[GATEWAY], tags.get(SITE, ""))
    except (KeyError, ValueError):
        return None
    names = {
        key.removeprefix(REPORTED).rpartition(".")[0]
        for key, value in tags.items()
        if key.startswith(REPORTED) and value
    }
    models = tuple(_model(name, tags) for name in sorted(names) if name)
    return Report(gateway, tags.get(AGENT, ""), at, models)


def _words(one: ModelReport) -> Iterator[tuple[str, str]]:
    yield "version", one.version
    yield "release", str(one.release)
    yield "state", one.state
    yield "digest", one.digest
    yield "candidate", one.candidate
    yield "stage", one.stage
    yield "reason", one.reason[:_LONGEST]
    for field in fields(one.observed):
        value = getattr(one.observed, field.name)
        if value != getattr(UNOBSERVED, field.name):
            yield field.name, str(value)[:_LONGEST]


def _model(name: str, tags: Mapping[str, str]) -> ModelReport:
    def word(which: str) -> str:
        return tags.get(f"{REPORTED}{name}.{which}", "")

    return ModelReport(
        model=name,
        version=word("version"),
        digest=word("digest"),
        release=_count(word("release")),
        state=word("state") or "none",
        candidate=word("candidate"),
        stage=word("stage"),
        reason=word("reason"),
        observed=_observed(word),
    )


def _observed(word: Callable[[str], str]) -> Observed:
    """Tags that are absent, empty or odd say nothing."""
    return Observed(
        accuracy=word("accuracy"),
        measure=word("measure"),
        value=_number(word("value")),
        low=_number(word("low")),
        high=_number(word("high")),
        labels=_count(word("labels")),
        drift=word("drift"),
        strength=_number(word("strength")) or 0.0,
        findings=_count(word("findings")),
    )


def _number(said: str) -> float | None:
    try:
        found = float(said)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _count(said: str) -> int:
    plain = said.isascii() and said.isdigit() and len(said) <= _DIGITS
    return int(said) if plain else 0
