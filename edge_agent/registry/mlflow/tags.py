"""A gateway's report as tags of a run, and back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.registry.listing import Gateway, ModelReport, Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GATEWAY, SITE, AGENT, AT = "edge.gateway", "edge.site", "edge.agent", "edge.at"
REPORTED = "edge.reported."

#: Characters of a tag's value; MLflow takes a few thousand.
_LONGEST = 1000


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


def _model(name: str, tags: Mapping[str, str]) -> ModelReport:
    def word(which: str) -> str:
        return tags.get(f"{REPORTED}{name}.{which}", "")

    release = word("release")
    return ModelReport(
        model=name,
        version=word("version"),
        digest=word("digest"),
        release=int(release) if release.isascii() and release.isdigit() else 0,
        state=word("state") or "none",
        candidate=word("candidate"),
        stage=word("stage"),
        reason=word("reason"),
    )
