"""Records to objects: by table and day, in the store's order. Pure but for Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge_agent.centre import parquet, told
from edge_agent.centre.columns import rows_of
from edge_agent.centre.names import Named, sha_of
from edge_agent.centre.plan import Planned
from edge_agent.centre.rows import by_day, date, joined
from edge_agent.records import DriftRecord, LabelRecord, RawRecord, ScoreRecord
from edge_agent.store.outbox import SEQ_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.centre.rows import Rows
    from edge_agent.centre.told import Entry
    from edge_agent.records import Record
    from edge_agent.store.outbox import Stored


class Made(NamedTuple):
    """An object that can be sent."""

    named: Named
    body: bytes
    rows: int

    @property
    def planned(self) -> Planned:
        """As it stands in a plan."""
        return Planned(str(self.named), self.rows, len(self.body))


class Packed(NamedTuple):
    """Objects of some records, and records that no object can hold, with the reason."""

    objects: list[Made]
    refused: list[tuple[Stored, str]]


def packed(
    records: Sequence[Stored], entries: Sequence[Entry], site: str, gateway: str
) -> Packed:
    """The objects of some records and entries of the evidence log.

    Args:
        records: by rising id.
        entries: by rising number.
        site: where the gateway stands.
        gateway: whose they are.
    """
    refused: list[tuple[Stored, str]] = []
    tables: dict[str, list[tuple[Stored, Rows]]] = {}
    for stored in records:
        try:
            rows = rows_of(stored)
        except Exception as why:  # noqa: BLE001 - one record must not stop all others
            refused.append((stored, _reason(why)))
            continue
        if rows is not None:
            tables.setdefault(rows.table, []).append((stored, rows))
    objects: list[Made] = []
    for name in sorted(tables):
        objects += _of_table(tables[name], refused, site, gateway)
    if entries:
        objects += _made([told.evidence(entries)], site, gateway)
    return Packed(objects, refused)


def weight(record: Record) -> int:
    """How many rows a record becomes."""
    if isinstance(record, (ScoreRecord, LabelRecord, RawRecord)):
        return len(record)
    return len(record.columns) if isinstance(record, DriftRecord) else 1


def _of_table(
    given: Sequence[tuple[Stored, Rows]],
    refused: list[tuple[Stored, str]],
    site: str,
    gateway: str,
) -> list[Made]:
    try:
        return _made([rows for _, rows in given], site, gateway)
    except Exception:  # noqa: BLE001 - as above
        return _made(_sound(given, refused), site, gateway)


def _sound(
    given: Sequence[tuple[Stored, Rows]], refused: list[tuple[Stored, str]]
) -> list[Rows]:
    """Rows that Arrow takes; who spoils it for the others is found one by one."""
    sound = []
    for stored, rows in given:
        try:
            parquet.batch(rows)
        except Exception as why:  # noqa: BLE001 - as above
            refused.append((stored, _reason(why)))
        else:
            sound.append(rows)
    return sound


def _made(parts: Sequence[Rows], site: str, gateway: str) -> list[Made]:
    if not parts:
        return []
    made = []
    for day, rows in by_day(joined(parts)):
        body = parquet.written(rows)
        first, last = _id(rows, 0), _id(rows, -1)
        sha = sha_of(body)
        named = Named(rows.table, site, gateway, date(day), first, last, sha)
        made.append(Made(named, body, len(rows)))
    return made


def _id(rows: Rows, at: int) -> int:
    """A row's place in the store's order."""
    return int(rows.columns["boot"][at]) << SEQ_BITS | int(rows.columns["seq"][at])


def _reason(why: Exception) -> str:
    return f"the archive cannot hold it: {type(why).__name__}: {why}"[:300]
