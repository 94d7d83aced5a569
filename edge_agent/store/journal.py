"""The journal: one thread that writes records and the checkpoint to disk.

`submit` numbers records, keeps them in memory and returns; the thread commits them
in groups. Who sends records on is told by `listen`; who reads an old one asks
`backlog`. Nothing here ever waits for a network, and nobody who submits ever waits
for a disk: while it fails, records wait in memory, bounded, and every one that is
dropped is counted.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from edge_agent.records import RecordClass
from edge_agent.records.appetites import SCADA
from edge_agent.samples import NANOSECONDS
from edge_agent.store import owing, quarantine
from edge_agent.store.audience import Audience
from edge_agent.store.disk import written_by
from edge_agent.store.looking import Query
from edge_agent.store.owing import Owed
from edge_agent.store.traces import NOWHERE
from edge_agent.store.tray import Tray
from edge_agent.store.work import Inquiry, Look, Opened, Read, Recall, Recovered, T
from edge_agent.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.config.keeping import Store
    from edge_agent.instruments import Instruments
    from edge_agent.records import Record
    from edge_agent.records.appetites import Appetite
    from edge_agent.store import history
    from edge_agent.store.audience import Listener
    from edge_agent.store.looking import Found
    from edge_agent.store.outbox import Entry, Stored
    from edge_agent.store.traces import Origin

#: Bytes of records held in memory at most, whatever the disk may hold.
MEMORY_LIMIT = 64 << 20


class Journal:
    """Durable records of the agent.

    Args:
        path: the store's file; its folder is made.
        sinks: names of the outputs.
        settings: flush interval, what is promised, and a limit if there is one.
        clock: agent time.
        instruments: counters of commits, drops, failures.
        origin: what is kept of this run shares.
        appetites: what an output takes, by its name; those without one take what SCADA
            does. Reports keep also what nobody takes.
    """

    def __init__(
        self,
        path: Path,
        *,
        sinks: Sequence[str],
        settings: Store,
        clock: Clock,
        instruments: Instruments,
        origin: Origin = NOWHERE,
        appetites: Mapping[str, Appetite] | None = None,
    ) -> None:
        self._path = path
        self._bits = {name: 1 << position for position, name in enumerate(sinks)}
        self._clock = clock
        self._instruments = instruments
        memory = min(settings.limit or MEMORY_LIMIT, MEMORY_LIMIT)
        taken = [(appetites or {}).get(name, SCADA) for name in sinks]
        self._tray = Tray(settings.flush, memory, taken, clock)
        self._audience = Audience()
        self._notices = quarantine.Notices()
        self._writer = Writer(
            path,
            settings,
            list(sinks),
            self._tray,
            self._hand_out,
            clock,
            instruments,
            origin,
        )
        self._telling = threading.Lock()
        self._opened: Future[Opened] = Future()
        self._threads: list[threading.Thread] = []

    def start(self) -> Recovered:
        """Open the store and begin to write.

        A damaged file is put aside and replaced; a disk that fails is waited for
        while records are kept in memory.

        Raises:
            StoreInUse: another agent has the file.
        """
        for name, run in (("journal", self._run), ("overdue", self._watch)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            self._threads.append(thread)
        self._threads[0].start()
        opened = self._opened.result()
        self._threads[1].start()
        self._tray.put(opened.events, {})
        self._instruments.losses.pass_on(self._tray.lose, self._clock.now)
        known, events = dict(opened.checkpoint), list(opened.events)
        findings = tuple(opened.findings)
        return Recovered(opened.boot, known, events, findings, opened.last_seen)

    def submit(
        self, records: Sequence[Record], checkpoint: Mapping[str, bytes]
    ) -> list[Stored]:
        """Take a turn's records and its checkpoint, to be written together.

        Any thread; never waits for the disk. Live listeners are called here, with
        the scores; everything else is told after the commit.

        Returns:
            The records with their ids.

        Raises:
            RuntimeError: the writer has died of a bug.
        """
        numbered = self._tray.put(records, checkpoint)
        scores = [s for s in numbered if s.record.kind is RecordClass.SCORE]
        if scores:
            self._audience.submitted(scores)
        return numbered

    def reserve(self, rows: int) -> int:
        """Id of the first of ``rows`` ids for messages that are not stored."""
        return self._tray.reserve(rows)

    def acknowledge(self, sink: str, ids: Iterable[int]) -> None:
        """An output has these records; any thread, unknown ids are ignored."""
        self._tray.acknowledge(self._bits[sink], ids)

    def quarantine(
        self, sink: str, stored: Stored, reason: str, rows: Sequence[int] = ()
    ) -> None:
        """Keep aside what an output will never take, and say so.

        The record stays owed until it is acknowledged: other rows may be under way.
        See `quarantine.refused`.
        """
        at = self._clock.now()
        self._tray.refuse(refused := quarantine.refused(stored, sink, reason, rows, at))
        self._instruments.count("store_quarantined_total", refused.rows, sink=sink)
        if (event := self._notices.of(refused, stored)) is not None:
            self._tray.put([event], {})

    def owed(self, sink: str, after_id: int, limit: int) -> Future[Owed]:
        """Debts to an output among some records of the file; see `owing.owed`."""
        read = partial(owing.owed, output=sink, after=after_id, limit=limit)
        return self.inquire(Inquiry(read, Owed()))

    def inquire(self, asked: Inquiry[T]) -> Future[T]:
        """What a function reads from the file; see `look`."""
        self._tray.ask(asked)
        return asked.answer

    def listen(self, sink: str, callback: Listener, *, live: bool = True) -> None:
        """Tell an output of records from now on.

        The callback must be quick and must not call the journal: it runs in the
        submitting thread (scores, when live) or in one of the journal's (all else,
        after the commit; alarms and events before it when the disk takes longer
        than half a second). Order is by id; deliveries may overtake each other.

        Args:
            sink: the output.
            callback: gets records with their ids.
            live: scores are told at once instead of after their commit.
        """
        self._audience.join(sink, self._bits[sink], callback, live=live)

    def tell(self) -> None:
        """Tell of alarms and events now that wait for their commit; any thread."""
        self._hand_out(partial(self._tray.take_overdue, patient=False))

    def backlog(
        self, sink: str, after_id: int, limit: int, *, urgent: bool = False
    ) -> Future[list[Stored]]:
        """Oldest records an output has not acknowledged.

        Args:
            sink: the output.
            after_id: only ids above.
            limit: records at most.
            urgent: alarms, events and losses, or (False) scores.

        Returns:
            Answered by the journal's thread; also while the disk is failing.
        """
        live = self._audience.is_live(sink)
        read = Read(self._bits[sink], after_id, limit, urgent, live)
        self._tray.ask(read)
        return read.answer

    def look(self, typed: str) -> Future[Found]:
        """What alarms have left behind, sent and acknowledged long ago or not.

        Args:
            typed: see `looking.Query.of`.

        Returns:
            Answered by the journal's thread; also while the disk is failing.

        Raises:
            RuntimeError: the writer has died of a bug.
        """
        asked = Look(Query.of(typed))
        self._tray.ask(asked)
        return asked.answer

    def recall(self, query: history.Query) -> Future[history.Page]:
        """A page of what is kept; see `look`."""
        asked = Recall(query)
        self._tray.ask(asked)
        return asked.answer

    def stop(self, timeout: float) -> bool:
        """Write what waits and close the file.

        Args:
            timeout: seconds to wait for the disk.

        Returns:
            Whether everything was written.
        """
        self._tray.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout)
        return not self._threads[0].is_alive() and self._tray.depth()[0] == 0

    def status(self) -> dict[str, Any]:
        """Depth, age and health, for a technician."""
        rows, size, oldest, elided = self._tray.depth()
        disk = dict(self._writer.status)
        since = disk.pop("failing_since", None)
        now = self._clock.now()
        first = min((t for t in (oldest, disk.pop("oldest", None)) if t), default=now)
        return disk | {
            "state": "failing" if since is not None else "ok",
            "failing_for_s": 0.0 if since is None else (now - since) / NANOSECONDS,
            "rows": rows + disk.get("disk_rows", 0),
            "bytes": size + disk.get("disk_bytes", 0),
            **self._writer.pledge.told(now),
            "memory_rows": rows,
            "oldest_age_s": max(now - first, 0) / NANOSECONDS,
            "commits": self._instruments.counter("store_commits_total"),
            "rows_never_written": elided,
            "rows_lost": self._instruments.counter("store_lost_total"),
            "bytes_written": written_by(self._threads[0].native_id)
            if self._threads
            else 0,
        }

    # --- the two threads -----------------------------------------------------

    def _run(self) -> None:
        try:
            opened = self._writer.open()
            self._tray.begin(opened.boot, opened.seq, opened.checkpoint)
        except BaseException as error:  # noqa: BLE001 - start raises it
            self._opened.set_exception(error)
            return
        self._opened.set_result(opened)
        try:
            self._writer.run()
        except BaseException as error:
            # the next submit raises: a bug here must end the process, not hang it
            self._tray.give_up(error)
            raise

    def _watch(self) -> None:
        while self._tray.overdue():
            late = self._hand_out(self._tray.take_overdue)
            self._instruments.count("store_sent_before_commit_total", len(late))

    def _hand_out(self, take: Callable[[], list[Entry]]) -> list[Entry]:
        # taken and told in one: the other thread must not tell what is newer first
        with self._telling:
            entries = take()
            if entries:
                self._audience.committed(entries)
        return entries
