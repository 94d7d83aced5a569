"""What monitoring found, kept: one row a transition of a finding.

A ring (see `rings`). A finding is open as long as the row that closed it is missing;
so it is known after a restart too, whoever acknowledged it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from edge_agent.records import FindingRecord, FindingState
from edge_agent.store import rings
from edge_agent.store.outbox import SEQ_BITS, Stored
from edge_agent.store.rings import Table
from edge_agent.store.traces import number

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from edge_agent.store.traces import Origin

#: Transitions kept at most.
KEPT = 50_000
#: Open findings told at a start, the newest of them.
OPEN = 20_000
_SMALLEST, _LARGEST = 64 << 10, 16 << 20
_WORD, _SENTENCE, _EVIDENCE = 200, 2_000, 8_000  # characters
_LEFT_OUT = '{"left_out":"too long"}'


class Finding(NamedTuple):
    """One transition of one finding; the fields are the table's columns in order."""

    id: int
    """As in the outbox: ``boot << 44 | seq``."""
    episode: str
    """`FindingRecord.id`."""
    gateway: str
    pipeline: str
    asset: str
    tag: str
    context: str
    what: str
    cause: str
    state: int
    """`records.FindingState`."""
    at: int
    """Agent time, ns."""
    since: int
    """When the episode began, agent time, ns."""
    wall_offset: int
    """ns to add to both for the wall clock's date."""
    strength: float | None
    sentence: str
    action: str
    evidence: str
    """A JSON object; what is no number is null."""
    model: str
    model_version: str
    configuration: str
    """SHA-256 of the configuration that was running."""

    @property
    def event(self) -> str:
        """Its id in SCADA."""
        seq = self.id & ((1 << SEQ_BITS) - 1)
        return f"{self.gateway}-{self.id >> SEQ_BITS}-{seq}"


TABLE = Table(
    "finding",
    Finding,
    Finding._fields,
    (
        *("episode", "gateway", "pipeline", "asset", "tag", "context", "what", "cause"),
        *("sentence", "action", "evidence", "model", "model_version", "configuration"),
    ),
)
#: What a row and its record have under the same name.
_WORDS = (
    *("at", "since", "what", "cause", "pipeline", "asset", "tag", "context"),
    *("sentence", "action", "model", "model_version"),
)


def share(limit: int) -> int:
    """Bytes the ring may hold in a store of some limit."""
    return min(max(limit // 32, _SMALLEST), _LARGEST)


def left_by(records: Iterable[Stored], origin: Origin) -> Iterator[Finding]:
    """Rows of the findings among some records."""
    for stored in records:
        if isinstance(stored.record, FindingRecord):
            yield _row(stored, stored.record, origin)


def open_now(
    sql: sqlite3.Connection | None, waiting: Iterable[Finding] = ()
) -> tuple[list[Finding], int]:
    """Findings that nothing has closed, oldest first; and how many rows were damaged.

    Args:
        sql: the store, None while its disk is failing.
        waiting: transitions not yet on the disk.
    """
    kept, damaged = _open_kept(sql) if sql is not None else ([], 0)
    after = sorted(waiting)
    over = {one.episode for one in after if one.state == FindingState.CLOSED}
    once = {one.id: one for one in kept if one.episode not in over}
    once |= {one.id: one for one in after if one.episode not in over}
    return [once[id_] for id_ in sorted(once)], damaged


def stored_of(finding: Finding) -> Stored:
    """The record that left a row."""
    words = {name: getattr(finding, name) for name in _WORDS}
    record = FindingRecord(
        **words,
        state=FindingState(finding.state),
        id=finding.episode,
        strength=float("nan") if finding.strength is None else finding.strength,
        evidence=evidence_of(finding),
    )
    return Stored(finding.id, record, finding.wall_offset)


def evidence_of(finding: Finding) -> dict[str, Any]:
    """The numbers behind it."""
    found: dict[str, Any] = msgspec.json.decode(finding.evidence, type=dict[str, Any])
    return found


def _open_kept(sql: sqlite3.Connection) -> tuple[list[Finding], int]:
    clause = (
        "WHERE state = 1 AND NOT EXISTS (SELECT 1 FROM finding AS later"
        " WHERE later.episode = finding.episode AND later.state = 0)"
        " ORDER BY id DESC LIMIT ?"
    )
    return rings.read(sql, TABLE, clause, OPEN)


def _row(stored: Stored, record: FindingRecord, origin: Origin) -> Finding:
    evidence = msgspec.json.encode(record.evidence, enc_hook=str).decode()
    return Finding(
        stored.id,
        record.id[:_WORD],
        origin.gateway,
        record.pipeline[:_WORD],
        record.asset[:_WORD],
        record.tag[:_WORD],
        record.context[:_WORD],
        record.what[:_WORD],
        record.cause[:_WORD],
        int(record.state),
        record.at,
        record.since,
        stored.offset,
        number(record.strength),
        record.sentence[:_SENTENCE],
        record.action[:_SENTENCE],
        evidence if len(evidence) <= _EVIDENCE else _LEFT_OUT,
        record.model[:_WORD],
        record.model_version[:_WORD],
        origin.configuration,
    )
