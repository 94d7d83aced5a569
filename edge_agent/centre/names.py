"""What an object of the archive is called. Pure.

``TABLE/site=SITE/gateway=GATEWAY/day=YYYY-MM-DD/FIRST-LAST-SHA.parquet``: partitions
as Hive, Spark, Trino and DuckDB read them. FIRST and LAST are ids of the store's order
in 16 hexadecimal digits, SHA begins the SHA-256 of the bytes. The same rows make the
same bytes and so the same name: a retried upload changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

_NAME = re.compile(
    r"(?P<table>[a-z]+)/site=(?P<site>[^/]+)/gateway=(?P<gateway>[^/]+)"
    r"/day=(?P<day>\d{4}-\d\d-\d\d)"
    r"/(?P<first>[0-9a-f]{16})-(?P<last>[0-9a-f]{16})-(?P<sha>[0-9a-f]{16})\.parquet"
)


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """An object's place.

    Attributes:
        table: of `tables.TABLES`.
        site, gateway: whose rows.
        day: UTC, ``YYYY-MM-DD``, of every row.
        first, last: ids of the first and last row.
        sha: first 16 hexadecimal digits of the SHA-256 of its bytes.
    """

    table: str
    site: str
    gateway: str
    day: str
    first: int
    last: int
    sha: str

    @property
    def folder(self) -> str:
        """Where it lies, without a slash at the end."""
        site, gateway = quote(self.site, safe=""), quote(self.gateway, safe="")
        return f"{self.table}/site={site}/gateway={gateway}/day={self.day}"

    def __str__(self) -> str:
        """The name below the archive's prefix."""
        return f"{self.folder}/{self.first:016x}-{self.last:016x}-{self.sha}.parquet"


def named(name: str) -> Named | None:
    """Inverse of ``str``; None for anything else that lies there."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return Named(
        found["table"],
        unquote(found["site"]),
        unquote(found["gateway"]),
        found["day"],
        int(found["first"], 16),
        int(found["last"], 16),
        found["sha"],
    )


def sha_of(body: bytes) -> str:
    """How bytes are named."""
    return hashlib.sha256(body).hexdigest()[:16]
