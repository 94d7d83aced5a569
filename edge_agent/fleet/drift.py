"""How far each feature has moved, over sites and the fleet.

Rows of one baseline add up exactly: what is said of a site or the fleet is what
counting all its rows at once would have said. The statistics are the agent's own
(`monitoring.statistics`), of the merged counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.monitoring.statistics.answers import Reason, of_tallies
from edge_agent.monitoring.tallies import Grid, Tallies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

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
_WHY = {
    Reason.EMPTY_REFERENCE: "the model was trained without a number",
    Reason.EMPTY_CURRENT: "there is no number",
    Reason.TOO_FEW: "there are too few numbers",
    Reason.CONSTANT_REFERENCE: "the model was trained on one number only",
}
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
class Merged:
    """Counts of a feature, added up exactly.

    Attributes:
        gateways: they come from.
        n, missing: numbers, and rows without one.
        total, square: sums about the bins' origin.
        low, high: None where n is 0.
        counts: by bin; empty where rows do not fit together.
    """

    gateways: int
    n: int
    missing: int
    total: float
    square: float
    low: float | None
    high: float | None
    counts: tuple[int, ...]

    def plus(self, other: Merged) -> Merged:
        """Both together; of different gateways."""
        fits = len(self.counts) == len(other.counts)
        pairs = zip(self.counts, other.counts, strict=True) if fits else ()
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        return Merged(
            self.gateways + other.gateways,
            self.n + other.n,
            self.missing + other.missing,
            self.total + other.total,
            self.square + other.square,
            min(lows, default=None),
            max(highs, default=None),
            tuple(a + b for a, b in pairs),
        )


class Baseline(NamedTuple):
    """What a feature was trained on."""

    n: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]


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
    apart = _statistics([(found, one) for _, _, one, found in pairs])
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


def _statistics(
    pairs: Sequence[tuple[Baseline, Merged]],
) -> list[tuple[tuple[float, float, float] | None, str]]:
    """PSI, Jensen-Shannon and KS of each pair, or why there is none."""
    if not pairs:
        return []
    edges = [one.edges for one, _ in pairs]
    # the middle edge, as a bundle's bins have it: only a constant column asks for it
    grid = Grid.of([""] * len(pairs), edges, [one[len(one) // 2] for one in edges])
    now = [one for _, one in pairs]
    apart = of_tallies(grid, _trained(grid, [one for one, _ in pairs]), _now(grid, now))
    found: list[tuple[tuple[float, float, float] | None, str]] = []
    columns = zip(apart.psi, apart.jensen_shannon, apart.ks, apart.reason, strict=True)
    for psi, js, ks, reason in columns:
        why = _WHY.get(Reason(int(reason)), "")
        known = (float(psi), float(js), float(ks))
        found.append((None if np.isnan(psi) else known, why))
    return found


def _trained(grid: Grid, found: Sequence[Baseline]) -> Tallies:
    n = np.array([one.n for one in found], np.int64)
    # the first edge lies just below the smallest number (`bundle.profile`)
    first = np.array([one.edges[0] for one in found], np.float32)
    low = np.nextafter(first, np.float32(np.inf)).astype(np.float64)
    high = np.array([one.edges[-1] for one in found], np.float64)
    none = np.zeros(len(found))
    counts = _table(grid, [one.counts for one in found])
    return Tallies(0, n, np.zeros_like(n), none, none, low, high, counts)


def _now(grid: Grid, found: Sequence[Merged]) -> Tallies:
    def numbers(of: Iterable[float | None], empty: float) -> NDArray[np.float64]:
        return np.array([empty if one is None else one for one in of], np.float64)

    return Tallies(
        0,
        np.array([one.n for one in found], np.int64),
        np.array([one.missing for one in found], np.int64),
        numbers((one.total for one in found), 0.0),
        numbers((one.square for one in found), 0.0),
        numbers((one.low for one in found), np.inf),
        numbers((one.high for one in found), -np.inf),
        _table(grid, [one.counts for one in found]),
    )


def _table(grid: Grid, counts: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    table = np.zeros((len(counts), grid.width), np.int64)
    for row, own in zip(table, counts, strict=True):
        row[: len(own)] = own
    return table


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
