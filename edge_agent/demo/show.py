"""One run of the demo: servers up, the agent beside them, the script, the curtain."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent import logs
from edge_agent.clock import SystemClock
from edge_agent.demo import script
from edge_agent.demo.children import DemoFailed
from edge_agent.demo.floor import Floor
from edge_agent.demo.ledger import Fault, Ledger, Outage
from edge_agent.demo.scada import Scada
from edge_agent.demo.script import Act, Cue
from edge_agent.demo.site import PLC, PUMPS, SCADA
from edge_agent.demo.stage import Stage
from edge_agent.instruments import Instruments
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from pathlib import Path
    from typing import Any

    from edge_agent.clock import Clock

_LOOK = 0.25  # seconds between two questions to the agent
_OWED = 30.0  # seconds after the last one for what is still on its way
_QUIET = 0.5  # seconds without a message after which SCADA has heard all
_FAREWELL = 5.0  # seconds to wait for that quiet


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for.

    Attributes:
        seconds: how long; None until it is stopped.
        seed: of the hall and of the script.
        models: the registry.
        brokers: ``mosquitto`` or ``amqtt``.
        keep: leave the files of the run where they are.
    """

    seconds: float | None
    seed: int
    models: Path
    brokers: str
    keep: bool = False


@dataclass(slots=True)
class Show:
    """A run, and all that can be seen of it.

    Attributes:
        options: what was asked for.
        tell: takes a line for every happening.
        curtain: called when the script is over and everything still runs.
        ledger: the books.
        doing: what is going on, in a word.
        began: agent time the script began.
        ended: agent time it ended.
        agent_code: the agent's exit code.
    """

    options: Options
    tell: Callable[[str], None]
    curtain: Callable[[], None] = lambda: None
    clock: Clock = field(default_factory=SystemClock)
    ledger: Ledger = field(default_factory=Ledger)
    doing: str = "starting"
    began: int | None = None
    ended: int | None = None
    agent_code: int | None = None
    stage: Stage = field(init=False)
    _leave: asyncio.Event = field(default_factory=asyncio.Event)
    _performance: asyncio.Task[None] | None = None
    _floor: Floor = field(init=False)
    _scada: Scada = field(init=False)

    def __post_init__(self) -> None:
        asked = self.options
        self.stage = Stage(asked.models, asked.brokers, keep=asked.keep)
        site, instruments = self.stage.site, Instruments()
        self._floor = Floor(
            self.options.seed,
            self.stage.feed_plc,
            site.monitor_port,
            site.mqtt_version,
            clock=self.clock,
            instruments=instruments,
        )
        self._scada = Scada(
            site.scada_port,
            site.mqtt_version,
            self.ledger.take,
            clock=self.clock,
            instruments=instruments,
        )

    @property
    def elapsed(self) -> float:
        """Seconds since the script began; 0 before."""
        if self.began is None:
            return 0.0
        return ((self.ended or self.clock.now()) - self.began) / NANOSECONDS

    async def run(self, *beside: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Perform, and leave nothing behind.

        Args:
            beside: what runs all the while, for example a view.

        Raises:
            DemoFailed: something did not work.
            asyncio.CancelledError: it was stopped before it had begun.
        """
        with (self.stage.site.folder / "demo.log").open("w", encoding="utf-8") as log:
            logs.configure(stream=log)  # the screen belongs to the view
            async with self.stage:
                await self._watched(beside)

    def leave(self) -> None:
        """Come to an end; at once where nothing has begun, or when said twice."""
        if self._performance is not None and (
            self.began is None or self._leave.is_set()
        ):
            self._performance.cancel()
        self._leave.set()

    async def _watched(
        self, beside: Iterable[Callable[[], Coroutine[Any, Any, None]]]
    ) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                performance = self._performance = tasks.create_task(self._perform())
                with _signals(self.leave):
                    running = [tasks.create_task(one()) for one in beside]
                    await asyncio.wait([performance])
                for task in running:
                    task.cancel()
        except BaseExceptionGroup as group:
            failed, bugs = group.split(DemoFailed)
            if failed is None or bugs is not None:
                raise
            raise _first(failed) from None
        if performance.cancelled():
            raise asyncio.CancelledError

    # -- the performance ------------------------------------------------------

    async def _perform(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            running = await self._open(tasks)
            await self._play(tasks)
            await self._close()
            for task in running:
                task.cancel()

    async def _open(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Servers first, then those who use them, the agent last."""
        stage = self.stage
        self.tell("starting two MQTT brokers, an OPC UA server and the agent …")
        await stage.start_brokers()
        running = [tasks.create_task(self._scada.run())]
        await stage.start_plc()
        running.append(tasks.create_task(self._floor.run()))
        await self._scada.connected.wait()
        await stage.start_agent()
        running.append(tasks.create_task(self._watch()))
        self.began = self.clock.now()
        self.doing = "running"
        self.tell(
            f"{len(PUMPS)} pumps; all links are up; the first scores come when the"
            " windows of ten seconds are full"
        )
        return running

    async def _watch(self) -> None:
        """See the links go and come back, as the agent tells it."""
        while True:
            await self.stage.look()
            self.ledger.look(self.stage.links(), self.clock.now())
            await asyncio.sleep(_LOOK)

    async def _play(self, tasks: asyncio.TaskGroup) -> None:
        seconds, seed = self.options.seconds, self.options.seed
        cues: Iterable[Cue] = script.endless(len(PUMPS), seed)
        if seconds is not None:
            cues = script.timed(seconds, len(PUMPS), seed)
        for cue in cues:
            if not await self._reached(cue.at):
                break
            self._obey(cue, tasks)
        if seconds is not None:
            await self._reached(seconds)
        self.ended = self.clock.now()
        self.curtain()

    async def _reached(self, at: float) -> bool:
        """Wait for a second of the script; False when it is time to leave."""
        return await self._rested(max(at - self.elapsed, 0))

    async def _rested(self, seconds: float) -> bool:
        """Wait a while; False when it is time to leave."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leave.wait()
        return not self._leave.is_set()

    def _obey(self, cue: Cue, tasks: asyncio.TaskGroup) -> None:
        match cue.act:
            case Act.FAULT:
                self._fault(cue)
            case Act.REPAIR:
                self._repair(cue)
            case Act.CUT_BROKER:
                tasks.create_task(self._cut_broker(cue.lasts))
            case Act.RESTART_PLC:
                tasks.create_task(self._restart_plc(cue.lasts))

    def _fault(self, cue: Cue) -> None:
        role = cue.role or "flow"
        self._floor.hall.inject(cue.kind, cue.pump, role=role)
        fault = Fault(cue.kind, PUMPS[cue.pump], cue.role, self.clock.now())
        self.ledger.faults.append(fault)
        self.tell(f"fault: {fault.name}")

    def _repair(self, cue: Cue) -> None:
        self._floor.hall.clear(cue.pump, cue.kind)
        for fault in self.ledger.faults:
            if (fault.kind, fault.pump) == (cue.kind, PUMPS[cue.pump]):
                fault.ended = fault.ended or self.clock.now()
        self.tell(f"repaired: {PUMPS[cue.pump]}")

    async def _cut_broker(self, seconds: float) -> None:
        outage = Outage(SCADA, "SCADA's broker", self.clock.now())
        self.ledger.outages.append(outage)
        self.tell(f"link: SCADA's broker is gone for {seconds:g} s")
        await self.stage.scada_broker.cut()
        if not await self._rested(seconds):
            return
        await self.stage.scada_broker.start()
        outage.back = self.clock.now()
        self.tell("link: SCADA's broker is there again")

    async def _restart_plc(self, seconds: float) -> None:
        outage = Outage(PLC, "the PLC", self.clock.now())
        self.ledger.outages.append(outage)
        self.tell(f"link: the PLC restarts, {seconds:g} s without power")
        await self.stage.kill_plc()
        if not await self._rested(seconds):
            return
        await self.stage.start_plc()
        outage.back = self.clock.now()
        self.tell("link: the PLC is there again")

    # -- the end --------------------------------------------------------------

    async def _close(self) -> None:
        """Wait for what is owed, stop the agent as systemd does, hear it out."""
        self.doing = "ending"
        owed = 0.0 if self._leave.is_set() else _OWED
        while owed > 0 and not self.ledger.settled:
            await asyncio.sleep(_LOOK)
            owed -= _LOOK
        self.agent_code = await self.stage.stop_agent()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                heard = -1
                while heard != self._scada.heard:
                    heard = self._scada.heard
                    await asyncio.sleep(_QUIET)
        self.doing = "over"


def _first(group: BaseExceptionGroup[DemoFailed]) -> DemoFailed:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, DemoFailed)  # noqa: S101 - split() saw to it
    return error


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in wanted:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)
