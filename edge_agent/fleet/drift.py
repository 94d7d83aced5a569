"""How far each feature has moved, over sites and the fleet.

Rows of one baseline add up exactly: what is said of a site or the fleet is what
counting all its rows at once would have said. The statistics are the agent's own
(`monitoring.statistics`), of the merged counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from edge_agent.fleet.merging import Baseline, Merged, statistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.fleet.lake import Lake

#: More bins than any passport's columns have.
MOST_BINS = 1_001
_BASELINES = """
SELECT baseline_id, context, feature, n, edges, counts
FROM baselines
GROUP BY baseline_id, context, feature, n, edges, counts
QUALIFY row_number() OVER (
  PARTITION BY baseline_id, context, feature
  ORDER BY count(DISTINCT (site, gateway)) DESC, edges, counts) = 1
"""
NO_BASELINE = "no gateway has told what the model was trained on"
NO_CONTEXT = "the model was not trained in this context"
OTHER_BINS = "it was counted over other bins than those of the baseline"


class Whose(NamedTuple):
    """What is merged: rows that are counted over the same bins."""

    model: str
    model_version: str
    baseline_id: str
    context: str
    feature: str


@dataclass(frozen=True, slots=True)
class Feature:
    """How far a feature has moved.

    Attributes:
        site: empty for the whole fleet.
        missing: share of the rows without a number; None without a row.
        psi, js, ks: as `monitoring.statistics.binned` has them, None where they cannot
            be told.
        because: why they cannot, or what they are worth; empty where all is well.
    """

    site: str
    model: str
    model_version: str
    context: str
    feature: str
    gateways: int
    n: int
    missing: float | None
    low: float | None
    high: float | None
    psi: float | None
    js: float | None
    ks: float | None
    because: str
    baseline_id: str


def drift(lake: Lake) -> tuple[Feature, ...]:
    """Every feature, of the fleet and of each site, those that moved most first.

    Raises:
        ArchiveUnavailable: the archive cannot be read.
    """
    known = baselines(lake)
    sites = merged(lake, max((len(one.counts) for one in known.values()), default=0))
    fleet: dict[Whose, Merged] = {}
    for (_, whose), one in sites.items():
        fleet[whose] = fleet[whose].plus(one) if whose in fleet else one
    every = {**{("", whose): one for whose, one in fleet.items()}, **sites}
    return tuple(sorted(_compared(every, known), key=_worst))


def baselines(lake: Lake) -> dict[tuple[str, str, str], Baseline]:
    """By baseline, context and feature; where gateways differ, what most say."""
    found = {}
    for baseline, context, feature, n, edges, counts in lake.rows(
        ("baselines",), _BASELINES
    ):
        fits = edges and counts and len(counts) == len(edges) + 1 <= MOST_BINS
        if fits and sum(counts) == n and list(edges) == sorted(edges):
            key = (baseline or "", context or "", feature or "")
            found[key] = Baseline(n, tuple(edges), tuple(counts))
    return found


def merged(lake: Lake, bins: int) -> dict[tuple[str, Whose], Merged]:
    """Rows added up, by site and what they are counts of.

    Args:
        lake: the archive.
        bins: at most.
    """
    # a column a bin: to unnest the lists takes ten times as long
    sums = "".join(f", sum(counts[{i}])::BIGINT AS b{i}" for i in range(1, bins + 1))
    sql = f"""
    SELECT site, model, model_version, baseline_id, context, feature,
      count(DISTINCT gateway), sum(n)::BIGINT, sum(missing)::BIGINT, sum(total),
      sum(square), min(low), max(high), min(len(counts)), max(len(counts)){sums}
    FROM drift GROUP BY ALL
    """  # noqa: S608
    return {
        (row[0], Whose(*(text or "" for text in row[1:6]))): _merged(row[6:])
        for row in lake.rows(("drift",), sql)
    }


def _merged(row: Sequence[int | float | None]) -> Merged:
    gateways, n, missing, total, square, low, high, fewest, most, *counts = row
    fits = fewest == most and fewest is not None and fewest <= len(counts)
    kept = tuple(int(c or 0) for c in counts[: int(fewest or 0)]) if fits else ()
    return Merged(
        *(int(gateways or 0), int(n or 0), int(missing or 0)),
        *(float(total or 0.0), float(square or 0.0)),
        *(low, high),
        kept if sum(kept) == n else (),
    )


def _compared(
    every: Mapping[tuple[str, Whose], Merged],
    known: Mapping[tuple[str, str, str], Baseline],
) -> Iterable[Feature]:
    contexts: dict[str, set[str]] = {}
    for baseline, context, _ in known:
        contexts.setdefault(baseline, set()).add(context)
    pairs, told = [], []
    for (site, whose), one in every.items():
        found, why = _reference(whose, known, contexts)
        if found is not None and len(found.counts) != len(one.counts):
            found, why = None, OTHER_BINS
        if found is None:
            told.append(_feature(site, whose, one, None, why))
        else:
            pairs.append((site, whose, one, found))
    apart = statistics([(found, one) for _, _, one, found in pairs])
    for (site, whose, one, _), (numbers, why) in zip(pairs, apart, strict=True):
        told.append(_feature(site, whose, one, numbers, why))
    return told


def _reference(
    whose: Whose,
    known: Mapping[tuple[str, str, str], Baseline],
    contexts: Mapping[str, set[str]],
) -> tuple[Baseline | None, str]:
    """As a gateway chooses it (`drift.yardstick`): the context, or one around it."""
    there = contexts.get(whose.baseline_id, set())
    if not there:
        return None, NO_BASELINE
    named = there - {""}
    context: str | None = ""
    if named and whose.context:
        parts = whose.context.split("/")
        begun = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
        context = next((one for one in begun if one in named), None)
    if context is None:
        return None, NO_CONTEXT
    found = known.get((whose.baseline_id, context, whose.feature))
    return found, "" if found else NO_BASELINE


def _feature(
    site: str,
    whose: Whose,
    one: Merged,
    numbers: tuple[float, float, float] | None,
    why: str,
) -> Feature:
    rows = one.n + one.missing
    psi, js, ks = numbers or (None, None, None)
    return Feature(
        *(site, whose.model, whose.model_version, whose.context, whose.feature),
        *(one.gateways, one.n, one.missing / rows if rows else None),
        *(one.low, one.high),
        *(psi, js, ks),
        *(why, whose.baseline_id),
    )


def _worst(one: Feature) -> tuple[float, str, str, str, str, str, str]:
    away = -1.0 if one.psi is None else one.psi
    names = (one.site, one.model, one.model_version, one.context, one.feature)
    return (-away, *names, one.baseline_id)
