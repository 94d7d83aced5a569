"""A pump or two on a broker, with a small model: for what needs no real data."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tests.end_to_end.playing import Publisher
from tests.model import bundles

if TYPE_CHECKING:
    from pathlib import Path

    from tests import peers

IDS = ("P-1", "P-2")
LOUD = 9.0
"""A flow, in standard deviations, that any threshold notices."""


def configuration(
    folder: Path, source: peers.Mosquitto, output: peers.Mosquitto
) -> dict[str, Any]:
    """Two pumps from one broker, a row an update, to another broker.

    Args:
        folder: for the registry.
        source: broker of the telemetry.
        output: broker of SCADA.
    """
    bundles.make(folder / "models", passport())
    where = {"source": "cell", "topic": "hall/{id}"}
    units = {tag: facts["unit"] for tag, facts in bundles.TAGS.items()}
    return {
        "site": {"enterprise": "acme", "site": "lab"},
        "gateway": "gw",
        "sources": {
            "cell": {
                "type": "mqtt",
                "host": source.host,
                "port": source.port,
                "time_field": "ts",
            }
        },
        "assets": [
            {
                "type": "pump",
                "ids": list(IDS),
                "tags": {
                    tag: {**where, "field": tag, "unit": unit}
                    for tag, unit in units.items()
                },
            }
        ],
        "pipelines": {"small": pipeline("small", on="update")},
        "registry": {"type": "directory", "path": str(folder / "models")},
        "outputs": {
            "scada": {
                "type": "mqtt",
                "host": output.host,
                "port": output.port,
                "keepalive": "5s",
                "backlog_rate": 2000,
            }
        },
        "store": {"flush": "200ms"},
    }


def passport() -> dict[str, Any]:
    """The small model on newest values alone: it scores from the first row on."""
    text = bundles.passport()
    newest = [f for f in text["features"] if f["aggregate"] == "last"]
    # or the agent's state says, some day, that its model is due for review
    return {**text, "features": newest, "review_date": "2099-01-01"}


def pipeline(model: str, **score: str) -> dict[str, Any]:
    """A pipeline whose alarm comes and goes at once.

    Args:
        model: its name.
        **score: settings of the trigger.
    """
    return {
        "assets": "pump",
        "model": model,
        "score": score,
        "alarm": {"threshold": 50, "on_delay": "0s", "off_delay": "0s"},
    }


class Hall:
    """Publishes rows of both pumps until it is left; each has a stamp of its own.

    Each twentieth second row of a pump begins an excursion of four: an alarm.

    Args:
        broker: where to.
        rate: rows a second of each pump.
    """

    def __init__(self, broker: peers.Mosquitto, rate: float = 40) -> None:
        self.rows: list[tuple[str, int]] = []
        """Pump and stamp, ns, of every row published so far."""
        self._publishers = {pump: Publisher(broker, f"hall/{pump}") for pump in IDS}
        self._rate = rate
        self._random = np.random.default_rng(5)
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> list[tuple[str, int]]:
        """Stop, wait until the broker has everything; returns the rows."""
        self._enough.set()
        self._thread.join()
        for publisher in self._publishers.values():
            publisher.finish()
        self._publishers = {}
        return self.rows

    def _run(self) -> None:
        row = 0
        while not self._enough.wait(1 / self._rate):
            for pump, publisher in self._publishers.items():
                flow, pressure = self._random.normal(size=2).tolist()
                loud = row % 20 in (16, 17, 18, 19)
                stamp = time.time_ns() // 10**6 * 10**6
                publisher.publish(
                    {
                        "ts": stamp,
                        "flow": flow + LOUD * loud,
                        "pressure": pressure,
                    }
                )
                self.rows.append((pump, stamp))
            row += 1
