"""The factory floor: the hall's physics in real time, behind PLC and monitor.

Half a second a cycle. The PLC gets its readings as lines on stdin, the vibration
monitor publishes its own over MQTT; both with the time they were taken.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from edge_agent.config.schema import MqttLink
from edge_agent.demo.children import HOST, DemoFailed
from edge_agent.demo.hall import Hall
from edge_agent.demo.site import MONITORED, PUMPS
from edge_agent.mqtt.session import LinkLost, MqttSession
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_agent.clock import Clock
    from edge_agent.instruments import Instruments
    from edge_agent.samples import F64

CYCLE = 0.5


class Floor:
    """Moves the hall and shows its readings.

    Args:
        seed: of the hall.
        plc: takes a line for the PLC's next cycle.
        monitor_port: of the monitor's broker.
        version: of MQTT.
        clock: agent time.
        instruments: for the session.
    """

    def __init__(
        self,
        seed: int,
        plc: Callable[[bytes], None],
        monitor_port: int,
        version: str,
        *,
        clock: Clock,
        instruments: Instruments,
    ) -> None:
        self.hall = Hall(seed, len(PUMPS))
        self._plc = plc
        self._clock = clock
        self._session = MqttSession(
            MqttLink.model_validate(
                {"host": HOST, "port": monitor_port, "version": version}
            ),
            client_id="demo-vibration-monitor",
            clock=clock,
            instruments=instruments,
        )

    async def run(self) -> None:
        """Cycle until cancelled.

        Raises:
            DemoFailed: the monitor's broker is lost, which is not part of the plan.
        """
        loop = asyncio.get_running_loop()
        try:
            async with self._session:
                due = loop.time()
                while True:
                    self._cycle()
                    due = max(due + CYCLE, loop.time())
                    await asyncio.sleep(due - loop.time())
        except LinkLost as lost:
            raise DemoFailed(f"the vibration monitor: {lost}") from lost

    def _cycle(self) -> None:
        at = self._clock.now()
        shown = self.hall.step(CYCLE)
        self._plc(msgspec.json.encode({"at": at, "values": _named(shown)}))
        ts = at / NANOSECONDS
        frames = [
            (
                f"pump-hall/{pump}/vibration".encode(),
                msgspec.json.encode({"ts": ts, "rms": round(value, 4)}),
                1,
                False,
            )
            for pump, value in zip(PUMPS, shown["vibration_rms"].tolist(), strict=True)
        ]
        self._session.publish_many(frames)


def _named(shown: Mapping[str, F64]) -> dict[str, float]:
    """The PLC's readings by the names of its variables."""
    return {
        f"{pump}.{role}": round(value, 4)
        for role, values in shown.items()
        if role not in MONITORED
        for pump, value in zip(PUMPS, values.tolist(), strict=True)
    }
