"""What matters most of a report, in sentences. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edge_agent.report.document import Accuracy, Place, Report

#: Sentences at the head of a report.
MOST = 8
_NAMED = 3


def sentences(report: Report) -> tuple[str, ...]:
    """The gravest first; what is well at the end, so that there is always something."""
    found = (*_grave(report), *_wanting(report), *_well(report))
    return tuple(dict.fromkeys(found))[:MOST]


def _grave(report: Report) -> Iterator[str]:
    yield from _first(map(_breach, filter(_breached, report.accuracy)))
    yield from _first(map(_below, filter(_fallen, report.places)))
    yield from _first(
        f"{f.pipeline}: {f.finding}" for f in report.fairness if f.finding
    )
    yield from _first(
        f"{one.pipeline}: more false alarms than the budget. {one.said}"
        for one in report.alarms
        if one.over
    )
    yield from _drifted(report)


def _first(sentences: Iterable[str]) -> Iterator[str]:
    """The first of some that say the same of many pipelines."""
    said = list(sentences)
    more = len(said) - 1
    if more >= 0:
        rest = f" The same goes for {more} more." if more else ""
        yield f"{said[0]}{rest}"


def _breached(one: Accuracy) -> bool:
    return one.state == "breached"


def _breach(one: Accuracy) -> str:
    where = f"Version {one.version} at {one.pipeline}"
    said = one.sentence or f"It was required: {one.requirement}."
    return f"{where} does not meet its requirement. {said}"


def _fallen(place: Place) -> bool:
    return place.scores_by not in {"model", "stopped", "scoring"}


def _below(place: Place) -> str:
    because = f": {place.because}" if place.because else ""
    who = f"{place.scores_by}{because}"
    return f"{place.pipeline} is not scored by its model but by {who}."


def _drifted(report: Report) -> Iterator[str]:
    drifted = {
        f"{name} at {one.pipeline}" + (f" ({one.context})" if one.context else "")
        for one in report.drift
        for name in one.drifted
    }
    if drifted:
        named = sorted(drifted)
        more = len(named) - _NAMED
        rest = f" and {more} more" if more > 0 else ""
        yield f"Drifted: {', '.join(named[:_NAMED])}{rest}."


def _wanting(report: Report) -> Iterator[str]:
    running = {place.version for place in report.places}
    for one in report.versions:
        if one.version not in running:
            continue
        if one.problem:
            yield f"The passport of version {one.version} cannot be believed."
        for key, said in (
            ("expires", "expired on"),
            ("review_date", "was due a review on"),
        ):
            day = str(one.passport.get(key) or "")
            if day and day[:10] < report.until[:10]:
                yield f"Version {one.version} {said} {day[:10]}."
        if not one.problem and not one.signed_by:
            yield f"Nobody is known to have signed version {one.version}."
    waiting = sum(len(place.open_findings) for place in report.places)
    if waiting:
        first = next(p.open_findings[0] for p in report.places if p.open_findings)
        word = "finding is" if waiting == 1 else "findings are"
        yield f"{waiting} {word} open: {first}"
    states = {one.state for one in report.accuracy}
    if report.places and not report.accuracy:
        yield "Nothing is known of its accuracy: no snapshot of it is kept."
    elif states and "met" not in states and "breached" not in states:
        yield "Whether it meets its requirement cannot be told yet."


def _well(report: Report) -> Iterator[str]:
    if not report.places:
        yield f"No pipeline of this gateway uses {report.model}."
    yield from _first(
        f"Version {one.version} at {one.pipeline} meets its requirement. {one.sentence}"
        for one in report.accuracy
        if one.state == "met"
    )
    if report.drift and not any(one.drifted for one in report.drift):
        yield "No column has drifted from its training."
    elif not report.drift:
        yield "No drift rows are kept: nothing can be said of drift."
    total = sum(one.total for one in report.alarms)
    wrong = [one.rejected for one in report.alarms if one.rejected is not None]
    said = f", {sum(wrong)} rejected by people" if wrong else ""
    between = f"between {report.since[:10]} and {report.until[:10]}"
    yield f"{total:,} alarms came {between}{said}."
