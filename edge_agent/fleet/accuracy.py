"""How right the models were, by site and version, with intervals.

The newest row of a ``row_id`` is its label. Sums are made by DuckDB, measures and
intervals of them by the agent's own formulas (`monitoring.accuracy`). Rows of an asset
within a shift are one piece of evidence, as on the gateway; parts stand for themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_agent.monitoring.accuracy.counting import Part, Sums
from edge_agent.monitoring.accuracy.measures import PLACE, Basis, Measure
from edge_agent.monitoring.accuracy.measuring import measured
from edge_agent.monitoring.accuracy.reliability import BINS
from edge_agent.monitoring.accuracy.requirement import Requirement, held

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.fleet.lake import Lake
    from edge_agent.monitoring.accuracy.measures import Measures

SHIFT_S = 28_800
SHOWN = (Measure.PRECISION, Measure.RECALL, Measure.F1, Measure.MAE)
_NEED_CALM = (Measure.RECALL, Measure.F1, Measure.SPECIFICITY, Measure.ACCURACY)
ONLY_ALARMS = "only rows with an alarm have a label"
_PARTS = tuple(part.name.lower() for part in Part)
_PRODUCTS = tuple(
    (one, other) for place, one in enumerate(_PARTS) for other in _PARTS[place:]
)
_BY_SITE = f"""
WITH newest AS (
  SELECT * FROM labels
  QUALIFY row_number() OVER (
    PARTITION BY site, gateway, pipeline, row_id ORDER BY boot DESC, seq DESC) = 1
), judged AS (
  SELECT site, gateway, model, model_version, pipeline, asset,
    CASE WHEN part <> '' THEN row_id
      ELSE (epoch_us(ts) // {SHIFT_S * 1_000_000})::VARCHAR END AS stretch,
    part <> '' AS is_part,
    (predicted = 'bad' AND state = 'bad')::INT::DOUBLE AS tp,
    (predicted = 'bad' AND state = 'good')::INT::DOUBLE AS fp,
    (predicted = 'good' AND state = 'bad')::INT::DOUBLE AS fn,
    (predicted = 'good' AND state = 'good')::INT::DOUBLE AS tn,
    tp + tn AS "right",
    (value IS NOT NULL AND isfinite(value) AND isfinite(score))::INT::DOUBLE AS numbers,
    CASE WHEN numbers > 0 THEN abs(score - value) ELSE 0 END AS absolute,
    absolute * absolute AS square
  FROM newest WHERE tp + fp + fn + tn + numbers > 0
), pieces AS (
  SELECT site, model, model_version, count(*) AS rows,
    {", ".join(f'sum("{part}") AS "{part}"' for part in _PARTS)}
  FROM judged
  GROUP BY site, gateway, model, model_version, pipeline, asset, is_part, stretch
)
SELECT site, model, model_version, sum(rows)::BIGINT, count(*),
  {", ".join(f'sum("{part}")' for part in _PARTS)},
  {", ".join(f'sum("{one}" * "{other}")' for one, other in _PRODUCTS)}
FROM pieces GROUP BY site, model, model_version ORDER BY ALL
"""  # noqa: S608


class Figure(NamedTuple):
    """A measure; None where it cannot be told."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of a model version at a site.

    Attributes:
        site: empty for the whole fleet.
        labels: rows whose newest label says something.
        evidence: pieces of it that count as independent.
        tp, fp, fn, tn: alarms that were right and wrong, rows missed and rightly calm.
        precision, recall, f1, mae: with 95 % intervals.
        because: why some are not told.
        required: as the passport says; empty where that is not known.
        standing: towards it, see `requirement.Standing`.
    """

    site: str
    model: str
    model_version: str
    labels: int
    evidence: int
    tp: int
    fp: int
    fn: int
    tn: int
    precision: Figure
    recall: Figure
    f1: Figure
    mae: Figure
    because: str
    required: str
    standing: str


def accuracy(
    lake: Lake, requirements: Mapping[str, Requirement] | None = None
) -> tuple[Accuracy, ...]:
    """By site and version, and of each version in the whole fleet (site is empty).

    Args:
        lake: the archive.
        requirements: by model; what is not in it is not held against anything.

    Raises:
        ArchiveUnavailable: the archive cannot be read.
    """
    rows = lake.rows(("labels",), _BY_SITE)
    if not rows:
        return ()
    keys = [tuple(text or "" for text in row[:3]) for row in rows]
    sums, counts = _sums(rows), [row[3] for row in rows]
    fleet = sorted({key[1:] for key in keys})
    whole = [[p for p, key in enumerate(keys) if key[1:] == one] for one in fleet]
    total = Sums(
        *(
            np.stack([getattr(sums, name)[places].sum(axis=0) for places in whole])
            for name in Sums.__slots__
        )
    )
    wanted = requirements or {}
    made = [
        *_told([("", *one) for one in fleet], total, _summed(counts, whole), wanted),
        *_told(keys, sums, counts, wanted),
    ]
    return tuple(sorted(made, key=lambda a: (a.model, a.model_version, a.site)))


def _summed(counts: Sequence[int], places: Sequence[Sequence[int]]) -> list[int]:
    return [sum(counts[p] for p in some) for some in places]


def _sums(rows: Sequence[Sequence[Any]]) -> Sums:
    """What the agent would have summed of the same rows."""
    k, parts = len(rows), len(Part)
    table = np.array([row[3:] for row in rows], np.float64)
    product = np.zeros((k, parts, parts))
    places = {name: place for place, name in enumerate(_PARTS)}
    for column, (one, other) in enumerate(_PRODUCTS):
        a, b = places[one], places[other]
        product[:, a, b] = product[:, b, a] = table[:, 2 + parts + column]
    none = np.zeros(k, np.int64)
    return Sums(
        *(table[:, 2 : 2 + parts], product),
        *(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)),
        none,
        np.zeros(k),
        np.zeros((k, BINS, 3)),
    )


def _told(
    keys: Sequence[Sequence[str]],
    sums: Sums,
    labels: Sequence[int],
    requirements: Mapping[str, Requirement],
) -> list[Accuracy]:
    found = measured(sums)
    calm = sums.part(Part.FN) + sums.part(Part.TN)
    alarms = sums.part(Part.TP) + sums.part(Part.FP)
    # of what was missed nobody has looked: recall would read 1
    blind = (calm == 0) & (alarms > 0)
    for measure in _NEED_CALM:
        for column in (found.value, found.low, found.high):
            column[PLACE[measure], blind] = np.nan
        found.basis[PLACE[measure], blind] = Basis.REFUSED
    return [
        _accuracy(key, sums, found, int(labels[place]), place, requirements)
        for place, key in enumerate(keys)
    ]


def _accuracy(
    key: Sequence[str],
    sums: Sums,
    found: Measures,
    labels: int,
    place: int,
    requirements: Mapping[str, Requirement],
) -> Accuracy:
    cells = [int(sums.total[place, part]) for part in tuple(Part)[:4]]
    wanted = requirements.get(key[1])
    said = held(wanted, found, int(sums.pieces[place]), place) if wanted else None
    refused = found.of(Measure.RECALL, place).basis is Basis.REFUSED
    precision, recall, f1, mae = (_figure(found, measure, place) for measure in SHOWN)
    return Accuracy(
        *(key[0], key[1], key[2], labels, int(sums.pieces[place])),
        *(cells[0], cells[1], cells[2], cells[3]),
        *(precision, recall, f1, mae),
        ONLY_ALARMS if refused else "",
        f"{wanted.metric} {wanted.level:g}" if wanted else "",
        said.standing.value if said else "",
    )


def _figure(found: Measures, measure: Measure, place: int) -> Figure:
    one = found.of(measure, place)
    ends = (one.value, one.low, one.high)
    return Figure(*(None if isnan(number) else number for number in ends))
