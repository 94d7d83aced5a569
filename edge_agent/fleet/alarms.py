"""How often alarms come, from whom, and when they come as a flood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.monitoring.accuracy.intervals import poisson

if TYPE_CHECKING:
    from edge_agent.fleet.lake import Lake

#: ISA-18.2: more than ten alarms in ten minutes are more than a person can answer.
FLOOD, FLOOD_MINUTES = 10, 10
TOP = 5
_OBSERVED = """
SELECT site, pipeline, sum(assets)::DOUBLE / 7 AS weeks FROM (
  SELECT site, gateway, pipeline, day, max(assets) AS assets
  FROM health GROUP BY ALL)
GROUP BY site, pipeline
"""
_COUNTED = """
SELECT site, pipeline, gateway, asset,
  count(DISTINCT coalesce(occurrence, boot || '.' || seq)) AS alarms
FROM alarms WHERE state = 'active'
GROUP BY ALL ORDER BY site, pipeline, alarms DESC, gateway, asset
"""
_FLOODS = f"""
SELECT site, count(DISTINCT time_bucket(INTERVAL '1 hour', began)) FROM (
  SELECT site, time_bucket(INTERVAL '{FLOOD_MINUTES} minutes', ts) AS began
  FROM alarms WHERE state = 'active'
  GROUP BY ALL HAVING count(*) > {FLOOD})
GROUP BY site
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Alarms:
    """Of a pipeline at a site.

    Attributes:
        count: alarms that became active.
        asset_weeks: observed, by the days with a health row and the assets it names;
            None where there is none.
        rate, low, high: alarms an asset and week, with a 95 % interval; None where
            nothing says how long was observed.
        top: assets with most alarms: gateway, asset, count.
        flood_hours: hours of the site in which ten minutes had more than ten alarms.
    """

    site: str
    pipeline: str
    count: int
    asset_weeks: float | None
    rate: float | None
    low: float | None
    high: float | None
    top: tuple[tuple[str, str, int], ...]
    flood_hours: int


def alarms(lake: Lake) -> tuple[Alarms, ...]:
    """Each site's pipelines, those with the highest rate first.

    Raises:
        ArchiveUnavailable: the archive cannot be read.
    """
    weeks = {row[:2]: row[2] for row in lake.rows(("health",), _OBSERVED)}
    floods: dict[str, int] = dict(lake.rows(("alarms",), _FLOODS))
    by: dict[tuple[str, str], list[tuple[str, str, int]]] = {
        (site, pipeline): [] for site, pipeline in weeks
    }
    for site, pipeline, gateway, asset, count in lake.rows(("alarms",), _COUNTED):
        by.setdefault((site, pipeline), []).append((gateway, asset or "", count))
    found = [
        _alarms(site, pipeline or "", some, weeks.get((site, pipeline)), floods)
        for (site, pipeline), some in by.items()
    ]
    return tuple(sorted(found, key=lambda a: (-(a.rate or 0.0), a.site, a.pipeline)))


def _alarms(
    site: str,
    pipeline: str,
    some: list[tuple[str, str, int]],
    weeks: float | None,
    floods: dict[str, int],
) -> Alarms:
    count = sum(one[2] for one in some)
    rate = low = high = None
    if weeks:
        rate = count / weeks
        low, high = map(float, poisson(count, weeks))
    return Alarms(
        *(site, pipeline, count, weeks or None, rate, low, high),
        *(tuple(some[:TOP]), floods.get(site, 0)),
    )
