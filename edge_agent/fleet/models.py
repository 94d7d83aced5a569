"""Which model runs where: the newest word of each pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.fleet.asked import MICROSECOND, date_of

if TYPE_CHECKING:
    from edge_agent.fleet.lake import Lake

_SECOND = 1_000_000_000
# a window over all rows would hold them in memory: gigabytes for a fleet's month
_NEWEST = """
SELECT site, gateway, pipeline, unnest(newest) FROM (
  SELECT site, gateway, pipeline, arg_max({
    model: model, model_version: model_version, model_digest: model_digest,
    state: state, because: because, agent_version: agent_version, assets: assets,
    findings: findings, backlog_rows: backlog_rows, lost_rows: lost_rows,
    told: epoch_us(ts)}, (ts, boot, seq)) AS newest
  FROM health GROUP BY site, gateway, pipeline)
ORDER BY site, gateway, pipeline
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A pipeline of a gateway, as it was when it last said so.

    Attributes:
        at: when that was, UTC.
        age_s: how long ago, by our clock; negative where the gateway's is ahead.
        state, because: see the table ``health``.
        assets, findings, backlog_rows, lost_rows: likewise; None where not told.
    """

    site: str
    gateway: str
    pipeline: str
    model: str
    model_version: str
    model_digest: str
    state: str
    because: str
    agent_version: str
    assets: int | None
    findings: int | None
    backlog_rows: int | None
    lost_rows: int | None
    at: str
    age_s: float


def models(lake: Lake, now: int) -> tuple[Place, ...]:
    """Every pipeline of the fleet.

    Args:
        lake: the archive.
        now: ns since 1970.

    Raises:
        ArchiveUnavailable: it cannot be read.
    """
    return tuple(_place(row, now) for row in lake.rows(("health",), _NEWEST))


def _place(row: tuple[Any, ...], now: int) -> Place:
    site, gateway, pipeline, model, version, digest, state, because, agent = (
        text or "" for text in row[:9]
    )
    at = row[13] * MICROSECOND
    return Place(
        *(site, gateway, pipeline, model, version, digest, state, because, agent),
        *(row[9], row[10], row[11], row[12]),
        *(date_of(at), (now - at) / _SECOND),
    )
