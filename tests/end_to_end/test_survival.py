"""What a plant does to an agent: brokers that go away, cables, a kill -9."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.records import RecordClass
from edge_agent.store.outbox import SEQ_BITS
from tests import peers
from tests.end_to_end import pumps
from tests.end_to_end.figures import figure
from tests.end_to_end.listening import Historian
from tests.end_to_end.pumps import Hall
from tests.end_to_end.running import Agent
from tests.end_to_end.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)
_QUEUES = "max_queued_messages 0"
Id = tuple[int, int]


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """The broker of the telemetry."""
    with peers.Mosquitto(tmp_path / "plant", config=_QUEUES) as running:
        yield running


@pytest.fixture
def scada(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """The broker of SCADA, which remembers its sessions when it is stopped."""
    folder = tmp_path / "scada"
    with peers.Mosquitto(folder, config=_QUEUES, persistence=True) as running:
        yield running


def id_of(payload: dict[str, Any]) -> Id:
    """What is never given to two different rows."""
    return payload["boot"], payload["seq"]


def by_id(historian: Historian) -> dict[Id, dict[str, Any]]:
    """Rows without repetitions; a repetition says the same."""
    found: dict[Id, dict[str, Any]] = {}
    for payload in historian.rows():
        known = found.setdefault(id_of(payload), payload)
        assert {**known, "hist": False} == {**payload, "hist": False}
    return found


def stamps(rows: list[tuple[str, int]]) -> Counter[int]:
    """How often each millisecond was published."""
    return Counter(stamp // 10**6 for _, stamp in rows)


def heard_stamps(historian: Historian) -> Counter[int]:
    """How often each millisecond was scored, by different rows."""
    return Counter(payload["ts_ms"] for payload in by_id(historian).values())


def waiting_rows(agent: Agent) -> int:
    """Rows that are on the disk and that SCADA does not have."""
    return int(agent.status()["store"]["disk_rows"])


def check_alarms(historian: Historian) -> int:
    """Each transition was announced under one id; returns how many there were."""
    ids: dict[tuple[str, str, str], set[str]] = {}
    for one in historian.messages("events"):
        if one.payload["event"].startswith("alarm "):
            key = one.topic, one.payload["event"], one.payload["details"]
            ids.setdefault(key, set()).add(one.payload["id"])
    assert {len(found) for found in ids.values()} == {1}
    return len(ids)


def test_no_row_is_lost_or_doubled_when_the_broker_is_restarted(
    tmp_path: Path, plant: peers.Mosquitto, scada: peers.Mosquitto
) -> None:
    """Live and late rows together hold every published row exactly once."""
    config = pumps.configuration(tmp_path, plant, scada)
    with ExitStack() as stack:
        historian = stack.enter_context(Historian(tmp_path, scada))
        agent = stack.enter_context(Agent(tmp_path / "agent", config))
        until(agent.connected, "links")
        hall = stack.enter_context(Hall(plant))
        until(lambda: len(historian.rows()) > 100, "live rows")
        scada.stop()
        until(lambda: waiting_rows(agent) > 200, "rows in the store")
        scada.start()
        until(lambda: bool(historian.messages("history")), "late rows")
        published = hall.finish()
        until(lambda: heard_stamps(historian).total() >= len(published), "all rows")
        until(lambda: agent.status()["store"]["rows"] == 0, "acknowledged")
        agent.stop()

    assert heard_stamps(historian) == stamps(published)
    assert check_alarms(historian) > 0
    late = len(historian.messages("history"))
    checked = historian.against_the_schema()
    figure(
        f"broker restarted: {len(published)} rows, {late} of them late, 0 lost, 0"
        f" doubled by (boot, seq); {checked} messages as the schema says"
    )


def test_a_killed_agent_loses_nothing_committed_and_repeats_no_alarm(
    tmp_path: Path, plant: peers.Mosquitto, scada: peers.Mosquitto
) -> None:
    """What lay in the store at a SIGKILL reaches SCADA after the next start."""
    config = pumps.configuration(tmp_path, plant, scada)
    with ExitStack() as stack:
        historian = stack.enter_context(Historian(tmp_path, scada))
        agent = stack.enter_context(Agent(tmp_path / "agent", config))
        until(agent.connected, "links")
        hall = stack.enter_context(Hall(plant))
        until(lambda: len(historian.rows()) > 100, "live rows")
        scada.stop()
        until(lambda: waiting_rows(agent) > 300, "rows in the store")
        agent.kill()
        committed = outbox(agent)
        scada.start()
        began = time.monotonic()
        agent.start()
        until(lambda: any(p["boot"] == 2 for p in historian.rows()), "scores again")
        seconds = time.monotonic() - began
        hall.finish()
        until(lambda: agent.status()["store"]["rows"] == 0, "acknowledged")
        until(lambda: committed[0] <= set(by_id(historian)), "all rows")
        agent.stop()

    assert len(committed[0]) > 200
    assert len(committed[1]) > 0
    events = {id_of(one.payload) for one in historian.messages("events")}
    assert committed[1] <= events
    transitions = check_alarms(historian)
    check_alternation(historian)
    historian.against_the_schema()
    again = (heard_stamps(historian) - stamps(hall.rows)).total()
    never = (stamps(hall.rows) - heard_stamps(historian)).total()
    figure(
        f"SIGKILL with {len(committed[0])} rows and {len(committed[1])} alarms"
        f" committed: 0 lost, none of {transitions} alarm transitions repeated;"
        f" of {len(hall.rows)} rows {again} scored again, {never} died unscored;"
        f" scoring again {seconds:.1f} s after the start"
    )


def outbox(agent: Agent) -> tuple[set[Id], set[Id]]:
    """Ids of rows and of alarms in a dead agent's store, read without its code."""
    rows: set[Id] = set()
    alarms: set[Id] = set()
    with closing(sqlite3.connect(f"file:{agent.store}?mode=ro", uri=True)) as sql:
        for number, kind, count in sql.execute("SELECT id, class, rows FROM outbox"):
            boot, seq = number >> SEQ_BITS, number & ((1 << SEQ_BITS) - 1)
            if kind == RecordClass.SCORE:
                rows |= {(boot, seq + row) for row in range(count)}
            elif kind == RecordClass.ALARM:
                alarms.add((boot, seq))
    return rows, alarms


def check_alternation(historian: Historian) -> None:
    """Of each pump, an alarm comes, goes, comes, goes."""
    for pump in pumps.IDS:
        mine = {
            id_of(one.payload): one.payload["event"]
            for one in historian.messages("events")
            if f"/{pump}/" in one.topic
        }
        told = [mine[key] for key in sorted(mine)]
        assert told[::2] == ["alarm active"] * len(told[::2])
        assert told[1::2] == ["alarm normal"] * len(told[1::2])
