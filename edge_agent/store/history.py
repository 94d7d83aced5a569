"""Reading what is kept, a page at a time: findings, drift, alarms, snapshots, losses.

Used by the running agent's writer, which must be back with its commits soon, and, when
none runs, on the file itself (`offline`). A page looks through so many rows of the
table, newest first, and says where the next one begins.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.errors import QuestionWrong
from edge_agent.store import findings, lost, rings
from edge_agent.store.archive import TABLES, Left
from edge_agent.store.drifts import Drift
from edge_agent.store.findings import Finding  # noqa: TC001 - msgspec reads types
from edge_agent.store.lost import Lost
from edge_agent.store.plain import text
from edge_agent.store.snapshots import Snapshot  # noqa: TC001
from edge_agent.store.traces import Trace  # noqa: TC001

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

NEWEST = (1 << 63) - 1
_OLDEST = -(1 << 63)


class Of(StrEnum):
    """What is asked for."""

    FINDINGS = "findings"
    DRIFT = "drift"
    ALARMS = "alarms"
    SNAPSHOTS = "snapshots"
    LOSSES = "losses"


#: Rows that one page looks through: a few milliseconds of the writer's time.
A_PAGE = {
    Of.FINDINGS: 500,
    Of.DRIFT: 100,
    Of.ALARMS: 1000,
    Of.SNAPSHOTS: 100,
    Of.LOSSES: 1000,
}


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows; times are ns UTC by the wall clock.

    Attributes:
        of: of which kind.
        pipeline: only this one's; empty for all, those without a pipeline included.
        model: only this model's (not for snapshots, losses); empty for all.
        name: of snapshots, only these; empty for all.
        since: only what is of this moment or later; drift that ends behind it.
        until: only what is of an earlier moment; drift that begins before it.
        open: only findings that nothing has closed; all of them in one page.
        before: only ids below: where the page before ended.
    """

    of: Of
    pipeline: str = ""
    model: str = ""
    name: str = ""
    since: int = _OLDEST
    until: int = NEWEST
    open: bool = False
    before: int = NEWEST


class Page(msgspec.Struct, frozen=True):
    """Some rows, newest first.

    Attributes:
        findings, drift, alarms, snapshots, losses: rows of the kind that was asked for.
        before: where the next page begins, -1 when there is none.
        damaged: rows met that could not be read.
        changes: another number than that of the page before: drift was added up
            meanwhile, so begin anew.
        oldest: when the oldest row was made that this page looked through, meant or
            not; `NEWEST` without any.
    """

    findings: tuple[Finding, ...] = ()
    drift: tuple[Drift, ...] = ()
    alarms: tuple[Trace, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    losses: tuple[Lost, ...] = ()
    before: int = -1
    damaged: int = 0
    changes: int = 0
    oldest: int = NEWEST

    def of(self, kind: Of) -> tuple[Any, ...]:
        """Rows of a kind."""
        rows: tuple[Any, ...] = getattr(self, kind.value)
        return rows


_read = msgspec.json.Decoder(Query).decode


def query_of(typed: str) -> Query:
    """The query that somebody sent as JSON.

    Raises:
        QuestionWrong: it is none.
    """
    try:
        asked = _read(text(typed))
    except (msgspec.MsgspecError, RecursionError) as why:
        raise QuestionWrong(f"no query of what is kept: {why}") from why
    bounds = (asked.since, asked.until, asked.before)
    if any(not _OLDEST <= one <= NEWEST for one in bounds):
        raise QuestionWrong("no query of what is kept: a time is beyond 64 bits")
    return asked


def read(
    sql: sqlite3.Connection | None,
    query: Query,
    waiting: Left | None = None,
    changes: int = 0,
) -> Page:
    """One page.

    Args:
        sql: the store, None while its disk is failing.
        query: what to find.
        waiting: rows not yet on the disk.
        changes: see `Page`.
    """
    more = getattr(waiting or Left(), query.of.value)
    if query.open and query.of is Of.FINDINGS:
        still, damaged = findings.open_now(sql, more)
        rows, before = list[Any](still[::-1]), -1
    else:
        rows, damaged, before = _some(sql, query, more)
    oldest = min((_made(row) for row in rows), default=NEWEST)
    if query.of is Of.LOSSES:
        rows = lost.some(sql, rows, first=query.before == NEWEST)
    found = tuple(row for row in rows if _meant(query)(row))
    told: dict[str, Any] = {query.of.value: found, "damaged": damaged}
    return Page(**told, before=before, changes=changes, oldest=oldest)


def _some(
    sql: sqlite3.Connection | None, query: Query, waiting: Sequence[Any]
) -> tuple[list[Any], int, int]:
    """Rows below an id, newest first; how many more are damaged; where to go on."""
    rows: list[Any] = []
    damaged, before, count = 0, -1, A_PAGE[query.of]
    if sql is not None:
        table, values = TABLES[query.of.value], (query.before, count)
        # every page is as long for the writer, however few rows of it are meant
        clause = "WHERE id < ? ORDER BY id DESC LIMIT ?"
        select = f"SELECT id FROM {table.name} {clause}"  # noqa: S608 - constants
        ids = sql.execute(select, values).fetchall()
        before = int(ids[-1][0]) if len(ids) == count else -1
        rows, damaged = rings.read(sql, table, clause, *values)
    once = {row.id: row for row in rows}
    once |= {row.id: row for row in waiting if before < row.id < query.before}
    return [once[id_] for id_ in sorted(once, reverse=True)], damaged, before


def _meant(query: Query) -> Callable[[Any], bool]:
    def meant(row: Any) -> bool:  # noqa: ANN401 - a row of any kind
        begins, ends = _span(row)
        return (
            query.pipeline in ("", getattr(row, "pipeline", ""))
            and (not query.model or query.model == getattr(row, "model", ""))
            and (not query.name or query.name == getattr(row, "name", ""))
            and ends >= query.since
            and begins < query.until
        )

    return meant


def _span(row: Any) -> tuple[int, int]:  # noqa: ANN401 - a row of any kind
    if isinstance(row, Drift):
        return row.since + row.wall_offset, row.until + row.wall_offset - 1
    if isinstance(row, Lost):
        return row.at_first + row.wall_offset, row.at_last + row.wall_offset
    return row.at + row.wall_offset, row.at + row.wall_offset


def _made(row: Any) -> int:  # noqa: ANN401 - a row of any kind
    return row.at + row.wall_offset if isinstance(row, Lost) else _span(row)[0]
