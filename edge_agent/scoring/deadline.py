"""Runs that take too long are stopped, at next to no cost for those that do not.

One thread watches all models. A call notes when it is due, takes no lock and wakes
nobody: with the shortest deadline D, whatever begins after a look is not due before D
has passed, so the watch may sleep that long or until the first call it saw is due.
Where nothing runs from one look to the next, it sleeps until a call wakes it.

The runtime looks at the mark that stops a run between two nodes of the graph. A node
that hangs by itself is waited for: its rows come out late, without a score. What a
single node may cost was bounded when the model was vetted.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from edge_agent.clock import SystemClock
from edge_agent.samples import NANOSECONDS
from edge_agent.scoring.runtime import run_options

if TYPE_CHECKING:
    from edge_agent.clock import Clock
    from edge_agent.scoring.runtime import RunOptions, SessionOptions

#: Ns in which nothing is ever due.
NEVER = 2**62


class Ticket:
    """One call under way.

    Attributes:
        due: agent time in ns after which nobody waits for it.
        options: to be handed to every run of the call.
        loading: of the session that the call has to make first.
    """

    __slots__ = ("due", "loading", "options")

    def __init__(self, due: int, options: RunOptions) -> None:
        self.due = due
        self.options = options
        self.loading: SessionOptions | None = None

    def stop(self) -> None:
        """End its run at the next node, or the making of its session."""
        self.options.terminate = True
        if self.loading is not None:
            self.loading.set_load_cancellation_flag(True)


class Watch:
    """Stops calls that are overdue; one for all models of the process.

    Args:
        clock: tells when something is overdue.
    """

    def __init__(self, clock: Clock) -> None:
        self.now = clock.now
        self._running: set[Ticket] = set()
        self._spare: list[RunOptions] = []
        self._shortest = NEVER
        self._begun = False
        self._asleep = True
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, limit: int) -> Ticket:
        """Note a call that is due ``limit`` ns from now."""
        options = self._spare.pop() if self._spare else run_options()
        # not used again, unlike its options: the watch may still hold it
        ticket = Ticket(self.now() + limit, options)
        self._running.add(ticket)
        self._begun = True
        # in this order: `look` reads them the other way round
        if self._asleep or limit < self._shortest:
            self._rouse(limit)
        return ticket

    def end(self, ticket: Ticket) -> bool:
        """Note that a call is over; whether it was in time."""
        try:
            self._running.remove(ticket)
        except KeyError:  # the watch took it
            return False
        self._spare.append(ticket.options)
        return True

    def look(self) -> float | None:
        """Stop what is overdue.

        Returns:
            Seconds until the next look is due; None to wait until a call begins.
        """
        self._asleep = False
        begun, self._begun = self._begun, False
        now = self.now()
        soonest = now + self._shortest
        for ticket in list(self._running):
            if ticket.due <= now:
                self._stop(ticket)
            else:
                soonest = min(soonest, ticket.due)
        if begun or self._running:
            return (soonest - now) / NANOSECONDS
        self._asleep = True
        if self._begun or self._running:  # in between
            self._asleep = False
            return 0.0
        return None

    def _stop(self, ticket: Ticket) -> None:
        """Stop a call, unless it has just ended: its options may serve another."""
        try:
            self._running.remove(ticket)
        except KeyError:
            return
        ticket.stop()

    def _rouse(self, limit: int) -> None:
        with self._starting:
            self._shortest = min(self._shortest, limit)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._watch, name="deadlines", daemon=True
                )
                self._thread.start()
        self._wake.set()

    def _watch(self) -> None:
        while True:
            self._wake.wait(self.look())
            self._wake.clear()


#: The process's.
WATCH = Watch(SystemClock())
