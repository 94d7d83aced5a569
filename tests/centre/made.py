"""Uploaders, journals and archives for tests, and what DuckDB reads there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from edge_agent.centre.bucket import open_bucket
from edge_agent.centre.told import Entry
from edge_agent.centre.uploader import Uploader
from edge_agent.clock import SystemClock
from edge_agent.config.keeping import Centre, Store
from edge_agent.instruments import Instruments
from edge_agent.records.appetites import CENTRAL, CENTRE
from edge_agent.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_agent.centre.bucket import Bucket
    from edge_agent.clock import Clock

SITE, GATEWAY = "ham burg", "gw-07"
#: A day in 2026, ns.
DAY = 1_790_035_200_000_000_000


class OneDay(SystemClock):
    """A clock whose wall has the noon of that day, so that no day is over."""

    def wall_offset(self) -> int:
        """To noon."""
        return DAY + 12 * 3600 * 10**9 - self.now()


def journal(folder: Path, **store: Any) -> Journal:  # noqa: ANN401 - any setting
    """A journal whose one output is the centre."""
    return Journal(
        folder / "store.db",
        sinks=(CENTRAL,),
        settings=Store.model_validate({"flush": "10ms", **store}),
        clock=SystemClock(),
        instruments=Instruments(),
        appetites={CENTRAL: CENTRE},
    )


def entry(number: int) -> Entry:
    """One of the evidence log."""
    body = f'{{"number":{number}}}'
    what = ("alarm", "active", "P-101", body, f"{number - 1:064x}", f"{number:064x}")
    return Entry(number, 1, number, DAY + number, *what)


@dataclass
class Log:
    """An evidence log.

    Attributes:
        many: entries in it.
    """

    many: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)

    def after(self, number: int, limit: int) -> Sequence[Entry]:
        """Entries after a number."""
        self.asked.append((number, limit))
        last = min(self.many, number + limit)
        return [entry(one) for one in range(number + 1, last + 1)]


def uploader(
    folder: Path,
    outbox: Journal,
    settings: Centre,
    password: str | None = None,
    *,
    log: Log | None = None,
    clock: Clock | None = None,
    bucket: Bucket | None = None,
) -> Uploader:
    """One that keeps its plan below a folder."""
    return Uploader(
        settings,
        SITE,
        GATEWAY,
        outbox,
        lambda: bucket or open_bucket(settings, password),
        folder / "centre",
        clock=clock or OneDay(),
        instruments=Instruments(),
        entries=log.after if log else None,
    )


def copied(bucket: Bucket, folder: Path) -> Path:
    """An archive's objects in a folder, for DuckDB."""
    for name, size in bucket.names():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bucket.get(name))
        assert path.stat().st_size == size
    return folder


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    """A table's rows as DuckDB reads them, in the store's order; times as numbers."""
    glob = str(folder / f"{table}/*/*/*/*.parquet")
    found = duckdb.sql(
        "select * replace (epoch_us(ts) as ts) from read_parquet(?, "
        "hive_partitioning=true, union_by_name=true, hive_types_autocast=false) "
        "order by boot, seq",
        params=[glob],
    )
    assert found is not None
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
