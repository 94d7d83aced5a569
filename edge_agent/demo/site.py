"""The demo's plant on paper: pumps, topics, ports, and the agent's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PUMPS = tuple(f"P-{number}" for number in range(101, 125))
#: Measured by the vibration monitor, which speaks MQTT; the rest is the PLC's.
MONITORED = frozenset({"vibration_rms"})
PIPELINE = "pump-anomaly"
#: Names of the agent's links, as in site.yaml.
PLC, MONITOR, SCADA = "plc", "monitor", "scada"


@dataclass(frozen=True, slots=True)
class Site:
    """Where everything is.

    Attributes:
        folder: for all files of this run.
        models: the registry.
        plc_port, monitor_port, scada_port: on the loopback.
        mqtt_version: what the brokers speak.
    """

    folder: Path
    models: Path
    plc_port: int
    monitor_port: int
    scada_port: int
    mqtt_version: str

    @property
    def config(self) -> Path:
        """The agent's configuration file."""
        return self.folder / "agent.yaml"

    @property
    def runtime(self) -> Path:
        """Where the agent's status socket is."""
        return self.folder / "run"

    @property
    def state(self) -> Path:
        """Where the agent keeps its store and certificates."""
        return self.folder / "state"

    def write(self) -> None:
        """Write the agent's configuration."""
        text = files(__package__).joinpath("site.yaml").read_text(encoding="utf-8")
        filled = Template(text).substitute(
            folder=self.folder,
            models=self.models,
            plc_port=self.plc_port,
            monitor_port=self.monitor_port,
            scada_port=self.scada_port,
            mqtt_version=self.mqtt_version,
            pumps=", ".join(PUMPS),
        )
        self.config.write_text(filled, encoding="utf-8")
