"""The one TaskGroup: what starts in which order, and how it stops.

Stop order, each step for the sake of the next: sources (no new samples), the last
turn and its commit, forwarding until a limit, the farewell to SCADA, the store.
A second signal stops waiting for forwarding.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from edge_agent.health import Notifier, Watchdog, watchdog_interval
from edge_agent.status import socket
from edge_agent.status.report import UP, summary
from edge_agent.supervision import supervise

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge_agent.evaluation.opening import Judgements
    from edge_agent.inbox import Inbox
    from edge_agent.inference import Inference
    from edge_agent.labels.hearing import Hearing
    from edge_agent.labels.watching import Watching
    from edge_agent.registry.adoption import Adoption
    from edge_agent.sources.source import Source

log = structlog.get_logger()

#: Seconds the last records get to reach the brokers: with the rest under 5 s.
DRAIN_LIMIT = 2.0
#: Seconds until a forwarder that does not end is cancelled.
STOP_LIMIT = 3.0


class Outlet(Protocol):
    """What takes records away."""

    name: str

    async def run(self) -> None:
        """Work until `finish` is done; raises SinkLost to be called again."""
        ...

    def finish(self, within: float) -> None:
        """Take what waits, then let `run` return."""
        ...

    def status(self) -> dict[str, Any]:
        """For a technician."""
        ...


@dataclass(frozen=True, slots=True)
class Agent:
    """Everything that runs, wired and not yet started."""

    inbox: Inbox
    sources: Sequence[Source]
    inference: Inference
    outlets: Sequence[Outlet]
    """Outputs, the evidence log, the centre: supervised, and parted from at the end."""
    adoption: Adoption
    runtime_dir: Path
    status: Callable[[], dict[str, Any]]
    answers: Mapping[str, Callable[[str], dict[str, Any]]]
    """What may be asked of it while it runs."""
    judges: Judgements
    """Labels, where a pipeline keeps any."""
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    """Runs until the end, and never ends by itself."""

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, then drain and return.

        Raises:
            BaseExceptionGroup: a bug ended a task; systemd starts the agent again.
        """
        notifier = Notifier.from_environment()
        stop = asyncio.Event()
        with _signals(stop):
            async with asyncio.TaskGroup() as tasks:
                turns = tasks.create_task(self._turns(), name="turn")
                forwards = [self._forward(tasks, one) for one in self.outlets]
                reads = [self._read(tasks, source) for source in self.sources]
                reads += self._hear(tasks)
                labels = tasks.create_task(self._labels(), name="labels")
                aside = [
                    tasks.create_task(self._watch(notifier), name="health"),
                    tasks.create_task(self._answer(), name="status"),
                    tasks.create_task(self._models(), name="models"),
                    *(tasks.create_task(work()) for work in self.beside),
                ]
                notifier.ready()
                log.info("running", sources=len(reads), outputs=len(forwards))
                await stop.wait()
                notifier.stopping()
                log.info("stopping")
                self.adoption.stop()
                await _end(reads)
                self.inference.stop()
                await turns
                self.judges.stop()  # the last turn's rows belong to them too
                await labels
                stop.clear()
                await self._drain(forwards, stop)
                await _end([*forwards, *aside])
        log.info("stopped")

    async def _turns(self) -> None:
        try:
            await asyncio.to_thread(self.inference.run)
        finally:
            # a bug elsewhere cancels this wait, not the thread: it would keep the
            # process, and systemd from starting a new one, for ever
            self.inference.stop()

    async def _models(self) -> None:
        """Lead models through their lives; it ends when told, and not before."""
        try:
            await asyncio.to_thread(self.adoption.run)
        finally:
            self.adoption.stop()

    def _hear(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Links that bring labels and verdicts."""
        return [
            tasks.create_task(
                supervise(link.name, link.run, log=log, is_up=partial(_is_up, link)),
                name=link.name,
            )
            for link in self.judges.links
        ]

    async def _labels(self) -> None:
        """Join and judge labels until told to end; a bug there takes no score away."""
        try:
            await asyncio.to_thread(self.judges.run)
        except Exception:
            log.exception("a bug in joining labels; scoring goes on without them")
        finally:
            self.judges.stop()

    async def _answer(self) -> None:
        """Tell the status and answer; scoring goes on where no socket can be made."""
        try:
            answers = {**self.answers, **self.judges.answers}
            await socket.serve(self.runtime_dir, self.status, answers)
        except OSError as why:
            folder = str(self.runtime_dir)
            log.warning("no status socket", runtime_dir=folder, why=str(why))

    def _read(self, tasks: asyncio.TaskGroup, source: Source) -> asyncio.Task[None]:
        name = f"source:{source.name}"
        life = partial(source.run, self.inbox)
        return tasks.create_task(
            supervise(name, life, log=log, is_up=lambda: _is_up(source)), name=name
        )

    def _forward(self, tasks: asyncio.TaskGroup, sink: Outlet) -> asyncio.Task[None]:
        name = f"forward:{sink.name}"
        return tasks.create_task(
            supervise(name, sink.run, log=log, is_up=lambda: _is_up(sink)), name=name
        )

    async def _watch(self, notifier: Notifier) -> None:
        watchdog = Watchdog(
            notifier,
            # not the journal: a disk that hangs must not restart what still scores
            {"turn": lambda: self.inference.turns},
            interval=watchdog_interval(),
            status=lambda: summary(self.status()),
        )
        await watchdog.run()

    async def _drain(
        self, forwards: Sequence[asyncio.Task[None]], again: asyncio.Event
    ) -> None:
        """Give the last records and the farewell a chance; a second signal ends it."""
        if not forwards:
            return
        for sink in self.outlets:
            sink.finish(DRAIN_LIMIT)
        async with asyncio.TaskGroup() as waiting:
            hurry = waiting.create_task(again.wait())
            finished = waiting.create_task(asyncio.wait(forwards, timeout=STOP_LIMIT))
            await asyncio.wait((hurry, finished), return_when=asyncio.FIRST_COMPLETED)
            hurry.cancel()
            finished.cancel()


def _is_up(link: Source | Outlet | Hearing | Watching) -> bool:
    return link.status().get("state") in UP


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGTERM, signal.SIGINT)
    for number in wanted:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)
