"""Who shall work at a pipeline's post, from the life of its versions. Pure.

The fallback ladder: the active version; where it has expired, is missing or was taken
off, the last known good one; where there is none, the limits of a version that was
verified here; else nothing. The operator chooses which rungs there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.records import Fallback
from edge_agent.registry.lifecycle import ON_ITS_WAY, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_agent.registry.lifecycle import Life, Version

    #: Why a version must not score today (it has expired); empty where it may.
    Barred = Callable[[Version], str]


@dataclass(frozen=True, slots=True)
class Crew:
    """Who scores, who watches.

    Attributes:
        rung: of the ladder.
        version: that scores; on the rung of limits, whose limits; None on the last.
        because: why it is not the wanted version, in a sentence; empty when it is.
        beside: the version that scores the same rows and is not acted on.
        control: ``beside`` is the former version, held against the new one.
    """

    rung: Fallback
    version: Version | None = None
    because: str = ""
    beside: Version | None = None
    control: bool = False


def crew_of(
    life: Life,
    rungs: Sequence[str],
    barred: Barred,
    unfit: frozenset[str] = frozenset(),
    waits: str = "",
    model: str = "",
) -> Crew:
    """The highest rung there is.

    Args:
        life: the pipeline's versions.
        rungs: the operator's ``fallback``.
        barred: why a version must not score today.
        unfit: keys of versions whose limits could not be read.
        waits: why no version can be had; empty where that is not known.
        model: that is configured; a version of another only stands in for it.
    """
    active, why = life.active, ""
    if active is not None and life.limited and active.key not in unfit:
        return Crew(Fallback.LIMITS, active, life.limited)
    if active is not None:
        why, instead = barred(active), life.returned
        if model not in ("", active.name):
            instead = f"{model} is configured now, and {_why_none(life, waits)}"
        if not why and not instead:
            return Crew(Fallback.MODEL, active, "", *_beside(life, barred))
        why = why or instead
        if not barred(active) and "last-known-good" in rungs:
            said = f"by {active.shown}, the last known good: {instead}"
            return Crew(Fallback.LAST_KNOWN_GOOD, active, said, *_beside(life, barred))
    former = life.previous
    why = why or life.returned or _why_none(life, waits)
    if former is not None and not barred(former) and "last-known-good" in rungs:
        said = f"by {former.shown}, the last known good: {why}"
        return Crew(Fallback.LAST_KNOWN_GOOD, former, said, _watched(life))
    if "limits" in rungs:
        known = next(
            (v for v in _verified(life) if v.digest and v.key not in unfit), None
        )
        if known is not None:
            return Crew(Fallback.LIMITS, known, why)
    return Crew(Fallback.NO_SCORE, None, why)


def _beside(life: Life, barred: Barred) -> tuple[Version | None, bool]:
    """A probation comes first: it ends by itself, and a challenger's watch does not."""
    active, former = life.active, life.previous
    on_probation = active is not None and not active.settled
    if on_probation and former is not None and not barred(former):
        return former, True
    return _watched(life), False


def _watched(life: Life) -> Version | None:
    """The one on its way to take over comes before the challenger."""
    for version in (life.candidate, life.challenger):
        if version is not None and version.stage is Stage.SHADOW:
            return version
    return None


def _verified(life: Life) -> Iterator[Version]:
    """Versions whose passport was verified here: those nearest to scoring first."""
    order = (Stage.ACTIVE, Stage.PREVIOUS, Stage.REFUSED, Stage.RETIRED)
    for stage in (*order, *ON_ITS_WAY):
        yield from (v for v in reversed(life.versions) if v.stage is stage)


def _why_none(life: Life, waits: str) -> str:
    refused, candidate = life.refused, life.candidate
    if candidate is not None:
        why = f": it {candidate.reason}" if candidate.reason else ""
        return f"{candidate.shown} is not ready yet ({candidate.stage}){why}"
    if refused is not None:
        return f"{refused.shown} was refused: {refused.reason}"
    return waits or "no version of the model is on this gateway"
