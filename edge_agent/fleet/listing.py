"""Which objects hold what is asked, and which of them may hold a row twice. Pure.

Rows are in an object in the store's order, from FIRST to LAST of its name. A row is in
two objects only where these stretches overlap: an object that was written again with
more rows, or one that compaction made of others that still lie there. Only such objects
are read row by row to keep one of each; the others are read as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from edge_agent.centre.names import Named, named
from edge_agent.centre.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.fleet.asked import Asked

NOT_NAMED = "is not named as an object of the archive"


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies there of a table.

    Attributes:
        objects: in the order of their names.
        gateways: site and gateway of every folder, also those without an object.
        left_out: names of what cannot be read, and why.
    """

    objects: tuple[Named, ...] = ()
    gateways: frozenset[tuple[str, str]] = frozenset()
    left_out: Mapping[str, str] = field(default_factory=dict)


def listed(table: str, names: Iterable[str], asked: Asked) -> Listing:
    """Sort names of a table's objects and folders.

    Args:
        table: of `TABLES`.
        names: below the archive, as its folder or bucket gives them; one that ends in
            a slash is a folder.
        asked: what is looked for.
    """
    objects, gateways, left_out = [], set(), {}
    for name in names:
        whose = gateway_of(name)
        if whose is None or not asked.of(*whose):
            continue
        gateways.add(whose)
        if name.endswith("/") or _unfinished(name):
            continue
        found = named(name)
        if found is None or found.table != table or str(found) != name:
            left_out[name] = NOT_NAMED
        elif asked.takes(found.site, found.gateway, found.day):
            objects.append(found)
    return Listing(tuple(sorted(objects)), frozenset(gateways), left_out)


def gateway_of(name: str) -> tuple[str, str] | None:
    """Site and gateway of an object or folder; None where there are none."""
    parts = name.split("/")
    if len(parts) < 4 or parts[0] not in TABLES:  # noqa: PLR2004 - table, both, rest
        return None
    site, gateway = parts[1], parts[2]
    if not (site.startswith("site=") and gateway.startswith("gateway=")):
        return None
    return unquote(site[5:]), unquote(gateway[8:])


def apart(objects: Sequence[Named]) -> tuple[list[Named], list[Named]]:
    """Objects that hold rows of their own, and those that share some with others.

    The same bytes under two names are one object.
    """
    alone: list[Named] = []
    shared: list[Named] = []
    seen: set[tuple[str, str]] = set()
    run: list[Named] = []
    last = -1
    for one in sorted(objects, key=lambda o: (o.folder, o.first, o.last)):
        if (one.folder, one.sha) in seen:
            continue
        seen.add((one.folder, one.sha))
        if run and run[-1].folder == one.folder and one.first <= last:
            run.append(one)
            last = max(last, one.last)
            continue
        (shared if len(run) > 1 else alone).extend(run)
        run, last = [one], one.last
    (shared if len(run) > 1 else alone).extend(run)
    return alone, shared


def _unfinished(name: str) -> bool:
    """What a writer has not given its name yet."""
    last = name.rsplit("/", 1)[-1]
    return last.startswith((".", "_")) or "#" in last
