"""Records that must be provable go from the journal into the log.

The journal tells of them and holds them until they are in the log with a head, on
disk; only then are they acknowledged. A disk that fails costs nothing but room in the
journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.errors import SinkLost
from edge_agent.evidence.changes import Standings, Steps
from edge_agent.evidence.checking import GROUP
from edge_agent.evidence.telling import facts_of
from edge_agent.records import EventRecord
from edge_agent.records.appetites import EVIDENCE_LOG
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.clock import Clock
    from edge_agent.evidence.changes import Standing
    from edge_agent.evidence.log import Log
    from edge_agent.evidence.recovery import Found
    from edge_agent.evidence.signing import Head
    from edge_agent.records import Record
    from edge_agent.store.journal import Journal
    from edge_agent.store.outbox import Stored

    Tell = Callable[[Record], object]

log = structlog.get_logger()

STOPPED = "agent stopped"
#: Seconds between two looks at what is due without a record.
LOOK = 5.0


class Keeper:
    """Keeps the log supplied.

    Args:
        book: the log.
        outbox: the journal.
        gateway: its name, for events.
        clock: agent time.
        tell: takes events and losses, from any thread, until the journal is closed.
        standing: how the agent stands; what changes in it is told.
    """

    name = EVIDENCE_LOG

    def __init__(
        self,
        book: Log,
        outbox: Journal,
        gateway: str,
        clock: Clock,
        tell: Tell,
        standing: Callable[[], Standing | None] = lambda: None,
    ) -> None:
        self._book, self._outbox = book, outbox
        self._gateway, self._clock, self._tell = gateway, clock, tell
        self._steps = Steps(clock, gateway)
        self._standings = Standings(book.folder, gateway, standing)
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._leaving = False
        self._deadline = 0.0
        self._parted = False
        self._waiting = False
        self._failing_since: int | None = None
        self._failure = ""
        self._damage: list[str] = []
        self._cut = 0
        outbox.listen(self.name, self._arrive, live=False)

    async def run(self) -> None:
        """Take records until `finish` is done.

        Raises:
            SinkLost: the disk refused; call again later.
        """
        self._loop = asyncio.get_running_loop()
        await self._work(self._open)
        while True:
            self._wake.clear()
            await self._take_all()
            await self._work(self._tend)
            if self._leaving and self._is_time():
                await self._work(self._book.close)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await self._wake.wait()

    def finish(self, within: float) -> None:
        """Take what is still owed, say that the agent stopped, anchor and return.

        Args:
            within: seconds to wait for the last records.
        """
        self._deadline = asyncio.get_running_loop().time() + within
        self._tell(self._event(STOPPED, self._gateway, "it was told to"))
        self._leaving = True
        self._wake.set()

    def head(self) -> Head | None:
        """The newest head, for status, reports and the centre; any thread."""
        return self._book.head()

    def status(self) -> dict[str, Any]:
        """For a technician; any thread."""
        since, now = self._failing_since, self._clock.now()
        state = "failing" if since is not None else "running"
        failure = self._failure
        if since is None and self._damage:
            state = "damaged"
            failure = f"{self._damage[0]}; see edge-agent evidence verify"
        return {
            "state": state if self._book.is_open or since is not None else "opening",
            "last_error": failure,
            "failing_for_s": 0.0 if since is None else (now - since) / NANOSECONDS,
            "damage": self._damage[:5],
            "cut_bytes": self._cut,
            **self._book.status(),
        }

    # -- on the event loop --------------------------------------------------------

    async def _take_all(self) -> None:
        """Everything owed, a group at a time."""
        after = -1
        while True:
            asked = self._outbox.backlog(self.name, after, GROUP, urgent=True)
            found = await asyncio.wrap_future(asked)
            if not found:
                break
            await self._work(lambda: self._take(found))  # noqa: B023 - awaited here
            after = found[-1].id

    async def _work(self, what: Callable[[], object]) -> None:
        """One piece of work with the disk, in a thread, and its failure in words."""
        try:
            await asyncio.to_thread(self._guarded, what)
        except OSError as why:
            text = f"{self._book.folder}: {why.strerror or why}"
            self._failed(text)
            raise SinkLost(text) from why
        self._works()

    def _patience(self) -> float:
        if not self._leaving:
            return LOOK
        left = self._deadline - asyncio.get_running_loop().time()
        return min(max(left, 0.0), 0.1)

    def _is_time(self) -> bool:
        now = asyncio.get_running_loop().time()
        return self._parted or now >= self._deadline

    def _failed(self, text: str) -> None:
        self._failure = text
        if self._failing_since is not None:
            return
        self._failing_since = self._clock.now()
        log.error("evidence cannot be written", why=text)
        said = (
            f"{text}; what belongs there waits in the store, which is bounded: check "
            "free space, mount options and owner; it goes on by itself"
        )
        self._tell(self._event("evidence failing", self._gateway, said))

    def _works(self) -> None:
        since, self._failing_since = self._failing_since, None
        if since is None:
            return
        self._failure = ""
        seconds = (self._clock.now() - since) / NANOSECONDS
        log.info("evidence is written again", failed_s=round(seconds, 1))
        said = f"it had failed for {seconds:.0f} s; nothing is missing"
        self._tell(self._event("evidence works again", self._gateway, said))

    # -- in a thread, one at a time -----------------------------------------------

    def _guarded(self, what: Callable[[], object]) -> None:
        with self._guard:
            what()

    def _open(self) -> None:
        if not self._book.is_open:
            self._opened(self._book.open())

    def _opened(self, found: Found) -> None:
        self._cut = found.cut
        self._damage = [str(one) for one in found.report.problems]
        if found.cut:
            log.info("evidence: a torn end was cut off", bytes=found.cut)
        if not found.report.segments and not found.fresh:
            self._tell(self._begun())
        elif lost := self._book.lost_key:
            self._tell(self._rekeyed(lost))
        if not found.fresh:
            return
        first = found.fresh[0]
        log.error("evidence damaged or changed", problems=len(found.fresh), first=first)
        said = (
            f"{first}; a new chain is begun, the old files are left as they are: "
            "keep a copy and run edge-agent evidence verify"
        )
        details = {"problems": found.fresh}
        event = self._event("evidence damaged", self._gateway, said, details)
        self._tell(event)

    def _begun(self) -> EventRecord:
        """Once in a gateway's life; a second time, somebody has emptied the folder."""
        key = self._book.key
        said = f"a new log of evidence, under the key {key}: note its id elsewhere"
        return self._event("evidence begun", self._gateway, said, {"key": key})

    def _rekeyed(self, lost: str) -> EventRecord:
        """Whoever holds the old key's id would take all from here on for forged."""
        key = self._book.key
        log.warning("evidence: the key was lost, a new one is made", why=lost, key=key)
        said = (
            f"{lost}; from here on the log is signed with {key}: find out why, and "
            "note the new id elsewhere"
        )
        return self._event("evidence key changed", self._gateway, said, {"key": key})

    def _take(self, group: list[Stored]) -> None:
        """Into the log first, then out of the journal."""
        taken = [facts for one in group if (facts := facts_of(one)) is not None]
        self._book.append(taken)
        self._outbox.acknowledge(self.name, [one.id for one in group])
        self._parted = self._parted or any(map(_parts, group))
        for loss in self._book.losses():
            self._tell(loss)

    def _tend(self) -> None:
        for event in self._steps.look():
            self._tell(event)
        self._standings.look(self._clock.now(), self._tell)
        self._book.tend()

    # -- any thread ---------------------------------------------------------------

    def _arrive(self, _records: list[Stored]) -> None:
        """Something is owed; called in the journal's threads."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: we stop
                self._loop.call_soon_threadsafe(self._wake.set)

    def _event(
        self, name: str, subject: str, said: str, details: dict[str, Any] | None = None
    ) -> EventRecord:
        return EventRecord(self._clock.now(), name, subject, said, details or {})


def _parts(stored: Stored) -> bool:
    record = stored.record
    return isinstance(record, EventRecord) and record.name == STOPPED
