"""The SQLite file: its schema, its settings and every statement.

Used by one thread only. Methods raise `sqlite3.Error`; `journal` decides what it means.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from typing import TYPE_CHECKING, TypeVar

from edge_agent.errors import StoreDamaged
from edge_agent.store import (
    archive,
    checkpoints,
    codec,
    findings,
    history,
    holdings,
    ledger,
    looking,
    outputs,
    pages,
    quarantine,
    soundness,
)
from edge_agent.store.archive import Left
from edge_agent.store.outbox import SEQ_BITS, Loss, Stored
from edge_agent.store.rows import as_new, read_row, row_of
from edge_agent.store.schema import is_damage, migrate, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge_agent.records import PipelineInfo
    from edge_agent.store.looking import Found, Query
    from edge_agent.store.outbox import LossKey
    from edge_agent.store.rows import OnDisk, Row, Transaction
    from edge_agent.store.traces import Trace

T = TypeVar("T")
_OUTBOX_FULL = "outbox full: store.limit reached while an output was unreachable"
_URGENT = "class < 3"
_SCORES = "class >= 3"


class Database:
    """An open store file.

    Args:
        path: the file; made when missing.
        limit: bytes of bodies kept at most.

    Raises:
        StoreDamaged: not a store, or not intact.
        sqlite3.OperationalError: the disk does not let us.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.limit = path, limit
        self._bits: list[int] = []
        # isolation_level None: transactions are written out
        self._sql = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        # a flipped bit can make text of anything: reading it must not fail
        self._sql.text_factory = lambda raw: raw.decode("utf-8", "replace")
        try:
            self.engine, self.whole = prepare(self._sql, path, limit)
            migrate(self._sql)
            self._known = self._infos()
            self.held = holdings.measured(self._sql)
            self.fill = archive.measured(self._sql)
            # a flipped bit that SQLite does not see must show here, not later
            self.last_boot(), self.checkpoint(), self.ledger()
        except BaseException as error:
            self._sql.close()
            if is_damage(error) and not isinstance(error, StoreDamaged):
                raise StoreDamaged(f"{path}: {error}") from error
            raise

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        self._sql.close()

    def last_boot(self) -> int:
        """Highest number an opening had so far."""
        asked = "SELECT number, (SELECT max(id) FROM outbox) FROM boot"
        number, newest = self._sql.execute(asked).fetchone()
        return max(int(number), int(newest or 0) >> SEQ_BITS)

    def note_boot(self, number: int) -> None:
        """Remember the number of this opening."""
        self._sql.execute("UPDATE boot SET number = ?", (number,))

    def set_outputs(self, names: Sequence[str]) -> list[str]:
        """Take the configured outputs; returns names no longer configured.

        Bit i of every mask given to this object is output i of ``names``; a removed
        output's debts are cancelled and counted.
        """
        known = outputs.known(self._sql)
        gone = [name for name in known if name not in names]
        self._bits = [1 << known[name] if name in known else 0 for name in names]
        if not gone and all(self._bits):
            return gone
        with self._transaction():
            known = outputs.change(self._sql, known, names)
            self.held = holdings.measured(self._sql)
        self._bits = [1 << known[name] for name in names]
        return gone

    def checkpoint(self) -> tuple[dict[str, bytes], list[str]]:
        """State of the core by name, and the names of damaged ones."""
        return checkpoints.read(self._sql)

    def ledger(self) -> dict[LossKey, Loss]:
        """Losses not yet turned into a record."""
        return ledger.read(self._sql)

    def commit(self, work: Transaction) -> dict[LossKey, Loss]:
        """Write everything or nothing; returns all losses it put in the ledger."""
        losses = dict(work.losses)
        pages.check_log(self._sql, self.path)
        rows: Sequence[Row] = self._rows(
            (one.stored, one.owed & ~work.acks.get(one.stored.id, 0))
            for one in work.entries
        )
        acks = {id_: self._disk(having) for id_, having in work.acks.items()}
        with self._transaction():
            # first: what an output has is not dropped and counted as lost
            holdings.settle(self._sql, self.held, acks)
            # of what is there: what comes may well fit once that is gone
            self._make_room((), work.make_room, "disk full", losses)
            excess = self._excess(rows)
            self._insert(self._make_room(rows, excess, _OUTBOX_FULL, losses))
            self._keep(Left.by((e.stored for e in work.entries), work.origin))
            quarantine.write(self._sql, work.refused, losses)
            ledger.write(self._sql, losses, work.reported)
            ledger.write(self._sql, work.told, {})
            checkpoints.write(self._sql, work.checkpoint)
        return losses

    def set_limit(self, limit: int) -> None:
        """Hold at most this much from the next commit on."""
        self.limit = limit
        pages.bound(self._sql, limit)

    def owed_to(
        self, bit: int, after: int, limit: int, *, urgent: bool
    ) -> tuple[list[Stored], list[int]]:
        """Records an output has not acknowledged, oldest first; ids of unreadable ones.

        Args:
            bit: the output.
            after: only ids above.
            limit: records at most.
            urgent: those above the class of scores, or only scores.
        """
        rows = self._sql.execute(
            f"SELECT id, class, rows, at_first, at_last, wall_offset, crc, body"  # noqa: S608 - constants
            f" FROM outbox WHERE {_URGENT if urgent else _SCORES}"
            " AND owed & ? AND id > ? ORDER BY id LIMIT ?",
            (self._disk(bit), after, limit),
        ).fetchall()
        good, bad = [], []
        for row in rows:
            stored = read_row(row, self._known)
            if stored is None:
                bad.append(int(row[0]))
            else:
                good.append(stored)
        return good, bad

    def discard(self, ids: Iterable[int], cause: str) -> dict[LossKey, Loss]:
        """Drop records that cannot be read, counted in the ledger."""
        losses: dict[LossKey, Loss] = {}
        with self._transaction():
            for id_ in ids:
                gone = ledger.drop(self._sql, id_, cause, losses)
                if gone is not None:
                    self.held.take(gone)
            ledger.write(self._sql, losses, {})
        return losses

    def sweep(self, cause: str) -> None:
        """Drop and count rows that damage has hidden from every reader."""
        if found := soundness.hidden(self._sql):
            self.discard(found, cause)

    def look_at(self, after: int) -> tuple[list[int], int | None]:
        """Check some records; see `soundness.piece`."""
        return soundness.piece(self._sql, after)

    def oldest(self) -> int | None:
        """Agent time of the oldest record on disk."""
        asked = "SELECT at_first FROM outbox ORDER BY id LIMIT 1"
        return next((int(at) for (at,) in self._sql.execute(asked)), None)

    def inquire(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """What a function reads from the file."""
        return read(self._sql)

    def reusable(self) -> int:
        """Bytes of the file's pages that hold nothing."""
        return pages.reusable(self._sql)

    def look(self, query: Query, waiting: Iterable[Trace]) -> Found:
        """Transitions of alarms, those that still wait for the disk included."""
        return looking.look(self._sql, query, waiting)

    def recall(self, query: history.Query, waiting: Left) -> history.Page:
        """A page of what is kept, with what still waits for the disk."""
        return history.read(self._sql, query, waiting, self.fill.calendar.changes)

    def open_findings(self) -> list[Stored]:
        """Findings that nothing has closed, as records."""
        return [findings.stored_of(f) for f in findings.open_now(self._sql)[0]]

    def keep(self, left: Left, losses: Mapping[LossKey, Loss] | None = None) -> None:
        """Take over what was kept in a damaged file, or noted beside this one."""
        with self._transaction():
            self._keep(left)
            ledger.write(self._sql, losses or {}, {})

    def adopt(
        self, salvaged: Sequence[tuple[OnDisk, int]], infos: Iterable[PipelineInfo] = ()
    ) -> None:
        """Take over sound rows of a damaged file, each with the mask of its debtors."""
        with self._transaction():
            for info in infos:
                self._write_info(info)
            masked = ((row, self._disk(owed)) for row, owed in salvaged)
            self._insert(as_new(row, mask) for row, mask in masked if mask)

    def _infos(self) -> dict[bytes, PipelineInfo]:
        known = {}
        for digest, crc, body in self._sql.execute("SELECT * FROM info").fetchall():
            if zlib.crc32(body) == crc:
                known[digest] = codec.unpack_info(body)
        return known

    # --- inside a transaction ------------------------------------------------

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, on disk and in what this object remembers."""
        before = self.held.copy(), self.fill, dict(self._known)
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._sql.execute("COMMIT")
        except BaseException:
            self.held, self.fill, self._known = before
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise

    def _disk(self, mask: int) -> int:
        """A mask of configured outputs as bits of the file."""
        return sum(bit for i, bit in enumerate(self._bits) if mask >> i & 1)

    def _rows(self, records: Iterable[tuple[Stored, int]]) -> list[Row]:
        """What is to be written; what every output has leaves but its trace."""
        masks = ((stored, self._disk(owed)) for stored, owed in records)
        return [row_of(stored, mask) for stored, mask in masks if mask]

    def _insert(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row.info is not None:
                self._write_info(row.info)
            holdings.insert(self._sql, self.held, row)

    def _excess(self, rows: Iterable[Row]) -> int:
        """Bytes that are too many once some rows are written.

        By their own size, or by the pages of the file: many that are half full.
        """
        over = pages.used(self._sql) - pages.most(self.limit)
        return holdings.size_of(rows) + max(self.held.bytes - self.limit, over)

    def _keep(self, left: Left) -> None:
        self.fill = archive.write(self._sql, left, self.fill, self.limit)

    def _write_info(self, info: PipelineInfo) -> None:
        digest, packed = codec.pack_info(info)
        if digest not in self._known:
            self._known[digest] = info
            row = (digest, zlib.crc32(packed), packed)
            self._sql.execute("INSERT OR REPLACE INTO info VALUES (?, ?, ?)", row)

    def _make_room(
        self,
        coming: Sequence[Row],
        excess: int,
        cause: str,
        losses: dict[LossKey, Loss],
    ) -> Sequence[Row]:
        asked = (coming, excess, cause, losses)
        return holdings.make_room(self._sql, self.held, *asked)
