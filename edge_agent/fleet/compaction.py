"""One object a gateway and day of many: few objects are listed and opened faster.

The new object is written before the old ones are removed. A crash between the two
leaves rows there twice, in objects whose stretches overlap: `listing.apart` sees it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from edge_agent.centre.names import Named, sha_of
from edge_agent.centre.tables import TABLES
from edge_agent.errors import ArchiveUnavailable
from edge_agent.fleet.asked import date_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.fleet.lake import Lake


#: Columns of a newer release are kept, though we do not know them.
_WHAT = "SELECT * EXCLUDE (site, gateway, day)"


@dataclass(frozen=True, slots=True)
class Done:
    """What was compacted.

    Attributes:
        before, after: objects.
        read, written: bytes.
        partitions: gateways' days.
    """

    before: int = 0
    after: int = 0
    read: int = 0
    written: int = 0
    partitions: int = 0

    def sentence(self) -> str:
        """For people."""
        sizes = f"{self.read / 1e6:,.1f} MB became {self.written / 1e6:,.1f}"
        return (
            f"{self.before:,} objects of {self.partitions:,} gateways' days became "
            f"{self.after:,}, {sizes}"
        )


def compact(lake: Lake, table: str, *, least: int = 2, dry: bool = False) -> Done:
    """Compact the whole days of the time asked for.

    Args:
        lake: the archive.
        table: of `TABLES`.
        least: objects of a gateway and day, fewer are left as they are.
        dry: nothing is written.

    Raises:
        ArchiveUnavailable: it cannot be read or written.
    """
    listing = lake.archive.listing(table, lake.asked)
    lake.left_out |= listing.left_out
    over = date_of(lake.asked.until)[:10]
    done = Done()
    for _, group in groupby(listing.objects, key=lambda one: one.folder):
        some = tuple(group)
        if len(some) < max(least, 2) or some[0].day >= over:
            continue
        sound = lake.sound(some)
        if len(sound) == len(some):  # what cannot be read is for a person to look at
            done = _plus(done, _partition(lake, table, sound, dry=dry))
    return done


def _partition(lake: Lake, table: str, objects: Sequence[Named], *, dry: bool) -> Done:
    read = sum((lake.archive.root / str(one)).stat().st_size for one in objects)
    if dry:
        return Done(len(objects), 1, read, 0, 1)
    try:
        body = _rewritten(lake, table, objects)
    except duckdb.Error as why:
        first = str(why).partition("\n")[0]
        lake.left_out[objects[0].folder] = f"cannot be compacted: {first}"
        return Done()
    whole = Named(
        *(table, objects[0].site, objects[0].gateway, objects[0].day),
        *(min(o.first for o in objects), max(o.last for o in objects)),
        sha_of(body),
    )
    try:
        lake.archive.put(whole, body)
        for one in objects:
            if one != whole:
                lake.archive.remove(one)
    except OSError as why:
        raise ArchiveUnavailable(f"{whole} cannot be written: {why}") from why
    return Done(len(objects), 1, read, len(body), 1)


def _rewritten(lake: Lake, table: str, objects: Sequence[Named]) -> bytes:
    """All rows once, in order. The same objects make the same bytes."""
    order = ", ".join(dict.fromkeys(("boot", "seq", *TABLES[table].key)))
    with tempfile.TemporaryDirectory(prefix="edge-agent-compact-") as folder:
        path = Path(folder, "whole.parquet")
        lake.write(table, objects, _WHAT, f"ORDER BY {order}", path)
        return path.read_bytes()


def _plus(one: Done, other: Done) -> Done:
    return Done(
        one.before + other.before,
        one.after + other.after,
        one.read + other.read,
        one.written + other.written,
        one.partitions + other.partitions,
    )
