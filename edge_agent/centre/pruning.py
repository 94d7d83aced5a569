"""Old days of an archive in a folder go, where the operator says how long they stay.

Only a gateway's own: the folder may be everybody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog

from edge_agent.centre.names import named
from edge_agent.centre.rows import DAY, date
from edge_agent.centre.tables import TABLES
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from edge_agent.centre.bucket import Bucket

log = structlog.get_logger()


class Pruning:
    """Looks once a day.

    Args:
        site: where the gateway stands.
        gateway: whose objects go.
        keep: seconds that they stay; None for ever.
    """

    def __init__(self, site: str, gateway: str, keep: float | None) -> None:
        self._whose = site, gateway
        self._keep = None if keep is None else int(keep * NANOSECONDS)
        self._looked = ""

    def look(self, bucket: Bucket, wall: int) -> None:
        """Remove what is too old.

        Args:
            bucket: the archive.
            wall: ns UTC now.

        Raises:
            SinkLost: the folder was lost; call again.
        """
        today = date(wall // 1000 // DAY)
        if self._keep is None or today == self._looked:
            return
        before = date((wall - self._keep) // 1000 // DAY)
        if gone := prune(bucket, *self._whose, before):
            log.info("old days removed from the archive", objects=gone, before=before)
        self._looked = today


def prune(bucket: Bucket, site: str, gateway: str, before: str) -> int:
    """Remove a gateway's objects of days before one; gives how many went.

    Args:
        bucket: the archive.
        site: where the gateway stands.
        gateway: whose.
        before: UTC, ``YYYY-MM-DD``.

    Raises:
        SinkLost: the folder was lost; call again.
    """
    gone = 0
    below = f"site={quote(site, safe='')}/gateway={quote(gateway, safe='')}"
    for table in TABLES:
        old = [
            name
            for name, _ in bucket.names(f"{table}/{below}")
            if (found := named(name)) is not None and found.day < before
        ]
        bucket.remove(old)
        gone += len(old)
    return gone
