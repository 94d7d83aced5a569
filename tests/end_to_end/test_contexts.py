"""A machine that stops, starts and changes its recipe, as SCADA sees it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests import peers
from tests.end_to_end import pumps
from tests.end_to_end.listening import Historian
from tests.end_to_end.playing import Publisher
from tests.end_to_end.running import Agent
from tests.end_to_end.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)
_HIGH = 500.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """One broker for telemetry and SCADA."""
    with peers.Mosquitto(tmp_path / "broker") as running:
        yield running


def plant(folder: Path, broker: peers.Mosquitto) -> dict[str, Any]:
    """Two pumps that tell their state and recipe; recipe B may be louder."""
    config = pumps.configuration(folder, broker, broker)
    tags = config["assets"][0]["tags"]
    where = {"source": "cell", "topic": "hall/{id}", "text": True}
    tags |= {role: {**where, "field": role} for role in ("state", "recipe")}
    pipeline = config["pipelines"]["small"]
    pipeline["context"] = {"running": {"state": ["RUN"]}, "by": ["recipe"]}
    del pipeline["alarm"]["threshold"]
    pipeline["alarm"]["thresholds"] = {"A": 50, "B": _HIGH}
    return config


class Pump:
    """P-1, told row by row, and what SCADA heard of each row."""

    def __init__(self, publisher: Publisher, historian: Historian) -> None:
        self._publisher, self._historian = publisher, historian
        self.rows = 0

    def row(self, flow: float, **said: str) -> dict[str, Any]:
        """Publish a row; the state that came of it."""
        stamp = time.time_ns() // 10**6 * 10**6
        self._publisher.publish({"ts": stamp, "flow": flow, "pressure": 0.0, **said})
        self.rows += 1
        until(lambda: len(self._historian.rows()) >= self.rows, "the row")
        found = self._historian.rows()[-1]
        assert found["ts_ms"] == stamp // 10**6
        return found

    def alarms(self) -> list[tuple[str, str]]:
        """State and reason of every transition so far."""
        heard = self._historian.messages("alarm")
        return [(one.payload["state"], one.payload["reason"]) for one in heard]


def test_no_alarm_of_a_machine_that_stands(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """STOPPED: UNCERTAIN, no alarm; RUN: the alarm is back; recipe B: another limit."""
    with (
        Historian(tmp_path, broker) as historian,
        Publisher(broker, "hall/P-1") as publisher,
        Agent(tmp_path / "agent", plant(tmp_path, broker)) as agent,
    ):
        until(agent.connected, "links")
        pump = Pump(publisher, historian)
        unknown = pump.row(9.0)
        assert unknown["reason"] == "not judged: state is not known"
        runs = pump.row(9.0, state="RUN", recipe="A")
        assert (runs["alarm"], runs["quality"], runs["context"]) == (
            "ACTIVE",
            "GOOD",
            "A",
        )
        stands = pump.row(9.0, state="STOPPED", recipe="A")
        assert (stands["alarm"], stands["quality"]) == ("NORMAL", "UNCERTAIN")
        assert stands["score"] == runs["score"] > runs["threshold"] == 50.0
        assert stands["score_valid"]
        assert stands["reason"].startswith("not judged: state is STOPPED since ")
        assert stands["context"] == ""
        assert pump.row(99.0)["alarm"] == "NORMAL"
        again = pump.row(9.0, state="RUN", recipe="A")
        assert (again["alarm"], again["quality"]) == ("ACTIVE", "GOOD")
        other = pump.row(9.0, state="RUN", recipe="B")
        assert (other["alarm"], other["threshold"]) == ("NORMAL", _HIGH)
        until(lambda: len(pump.alarms()) == 4, "the alarms")
        states, reasons = zip(*pump.alarms(), strict=True)
        assert states == ("ACTIVE", "NORMAL", "ACTIVE", "NORMAL")
        assert reasons[1].startswith("not judged: state is STOPPED since ")

        shown = [row["context"] for row in historian.rows()]
        assert agent.stop()[0] == 0
        replayed = [line for line in agent.replayed() if "context" in line]
        assert [line["context"] for line in replayed] == shown

        agent.start()
        until(agent.connected, "links")
        after = pump.row(9.0)
        assert (after["context"], after["threshold"]) == ("B", _HIGH)
        historian.against_the_schema()
