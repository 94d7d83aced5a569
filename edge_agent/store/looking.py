"""Looking for the traces of alarms: by occurrence, event id, model, or the last one.

Used by the running agent's writer and, when none runs, on the file itself
(`offline`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.store.outbox import SEQ_BITS
from edge_agent.store.plain import text
from edge_agent.store.traces import COLUMNS, intact

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.store.traces import Trace

#: Rows looked through for the alarms of a model: 40 ms of the writer's time.
RECENT = 1_000
#: Newest occurrences named when nothing was found.
NAMED = 5
LAST = "last"
_OF_ONE = 100  # transitions of one occurrence: two a pipeline
_LONGEST = 500  # characters
_DIGEST = re.compile(r"[0-9a-fA-F]{8,64}")
_EVENT_ID = re.compile(r"(.+)-([0-9]{1,6})-([0-9]{1,14})")
_MOST_BOOTS = 1 << (63 - SEQ_BITS)


@dataclass(frozen=True, slots=True)
class Found:
    """What the store knows of an alarm or a model.

    Attributes:
        traces: transitions that were asked for, oldest first.
        newest: the newest transition of each of the newest occurrences, newest first.
        damaged: rows met that could not be read.
    """

    traces: tuple[Trace, ...] = ()
    newest: tuple[Trace, ...] = ()
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody looks for: text of whole characters."""

    what: str

    @staticmethod
    def of(typed: str) -> Query:
        """Read what somebody typed.

        Args:
            typed: an occurrence, an event id (gateway-boot-seq), the beginning of a
                model digest (8 digits or more), or ``last``.
        """
        return Query(text(typed.strip()[:_LONGEST]))

    @property
    def digest(self) -> str:
        """The beginning of a digest, empty when something else is meant."""
        return self.what.lower() if _DIGEST.fullmatch(self.what) else ""

    @property
    def event(self) -> tuple[str, int] | None:
        """Gateway and id of an event, None when it cannot be one."""
        match = _EVENT_ID.fullmatch(self.what)
        if match is None or int(match[2]) >= _MOST_BOOTS:
            return None
        seq = int(match[3])
        return None if seq >> SEQ_BITS else (match[1], int(match[2]) << SEQ_BITS | seq)


def look(
    sql: sqlite3.Connection | None, query: Query, waiting: Iterable[Trace] = ()
) -> Found:
    """Find transitions.

    Args:
        sql: the store, None while its disk is failing.
        query: what to find.
        waiting: those not yet on the disk.
    """
    reader = _Reader(sql)
    count = RECENT if query.digest else _OF_ONE
    recent = {t.id: t for t in reader.read("ORDER BY id DESC LIMIT ?", count)}
    recent |= {t.id: t for t in waiting}
    newest = _newest_each(recent[id_] for id_ in sorted(recent, reverse=True))
    if query.digest:
        chosen = [t for t in recent.values() if t.model_digest.startswith(query.digest)]
    else:
        chosen = _episode(reader, query, recent, newest)
    once = {t.id: t for t in chosen}
    traces = tuple(once[id_] for id_ in sorted(once))
    return Found(traces, newest[:NAMED], reader.damaged)


class _Reader:
    """Reads rows and counts those that are damaged."""

    def __init__(self, sql: sqlite3.Connection | None) -> None:
        self._sql = sql
        self.damaged = 0

    def read(self, where: str, *values: object) -> list[Trace]:
        """Rows by a clause of ours."""
        if self._sql is None:
            return []
        rows = self._sql.execute(
            f"SELECT {COLUMNS} FROM alarm {where}",  # noqa: S608 - constants
            values,
        ).fetchall()
        good = list(intact(rows))
        self.damaged += len(rows) - len(good)
        return good


def _episode(
    reader: _Reader, query: Query, recent: Mapping[int, Trace], newest: Sequence[Trace]
) -> list[Trace]:
    """All transitions of the occurrence that is meant."""
    one = newest[0] if query.what == LAST and newest else None
    if query.event is not None:
        one = _event(reader, *query.event, recent)
    occurrence = query.what if one is None else one.occurrence
    found = reader.read("WHERE occurrence = ? ORDER BY id LIMIT ?", occurrence, _OF_ONE)
    found += [trace for trace in recent.values() if trace.occurrence == occurrence]
    # two pipelines on one asset may begin an episode at the same moment
    return [t for t in found if one is None or t.pipeline == one.pipeline]


def _event(
    reader: _Reader, gateway: str, id_: int, recent: Mapping[int, Trace]
) -> Trace | None:
    """The transition with an id; one of another gateway may have the same numbers."""
    known = [recent[id_]] if id_ in recent else reader.read("WHERE id = ?", id_)
    return next((trace for trace in known if trace.gateway in ("", gateway)), None)


def _newest_each(traces: Iterable[Trace]) -> tuple[Trace, ...]:
    """The first transition of each occurrence."""
    each: dict[tuple[str, str], Trace] = {}
    for trace in traces:
        each.setdefault((trace.pipeline, trace.occurrence), trace)
    return tuple(each.values())
