"""The demo: what it promises on the command line, and the books it keeps."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from edge_agent.clock import SystemClock
from edge_agent.demo import broker, script, view
from edge_agent.demo.ledger import Fault, Ledger, Outage
from edge_agent.demo.outcome import in_words, outcome, passed
from edge_agent.demo.scada import Scada
from edge_agent.demo.script import Act
from edge_agent.demo.show import Options, Show
from edge_agent.demo.site import PUMPS
from edge_agent.instruments import Instruments
from edge_agent.mqtt.session import MqttSession
from tests import peers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MODELS = Path(__file__).resolve().parents[2] / "models"
SECOND = 10**9
AT = 1_800_000_000 * SECOND
PREFIX = "edge/acme/hamburg/utilities/pump-hall"


def demo(*words: str, folder: Path | None = None) -> subprocess.Popen[str]:
    """``edge-agent demo``, in a process group of its own, as from a terminal."""
    temporary = {"TMPDIR": str(folder)} if folder else {}
    return subprocess.Popen(
        [sys.executable, "-m", "edge_agent", "demo", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | temporary,
        start_new_session=True,
    )


def left_behind(folder: Path) -> list[str]:
    """Command lines of processes that still use a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


@pytest.mark.timeout(180)
def test_sixty_seconds(tmp_path: Path) -> None:
    """A minute finds all faults, survives both cuts, loses nothing, and says so."""
    picture = tmp_path / "demo.svg"
    with demo("--seconds", "60", "--json", "--picture", str(picture)) as process:
        said, _ = process.communicate(timeout=150)

    told = json.loads(said.splitlines()[-1])
    assert process.returncode == 0, said
    assert told["faults_found"] == told["faults_injected"] == 3
    assert all(5 < seconds < 35 for seconds in told["seconds_to_find"].values())
    assert told["links_recovered"] == told["links_cut"] == 2
    assert told["records_lost"] == 0
    assert told["false_alarms_per_hour"] == 0.0
    assert told["rows_scored"] > 20 * len(PUMPS)
    assert told["rows_delivered_late"] > 5 * len(PUMPS)
    assert told["agent_exit_code"] == 0
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.rstrip().endswith("</svg>")
    assert "P-124" in drawn
    assert "@font-face" not in drawn


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_of_it(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM leave no process and no file, and are no failure."""
    with demo("--seed", "3", folder=tmp_path) as process:
        assert process.stdout is not None
        said = ""
        while "links are up" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert left_behind(tmp_path)
        process.send_signal(number)
        said += process.communicate(timeout=60)[0]

    assert process.returncode == 0, said
    assert "links recovered: 0 of 0" in said
    assert left_behind(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_without_models_it_says_where_it_looked(tmp_path: Path) -> None:
    """A folder without the model is refused before anything is started."""
    with demo("--models", str(tmp_path)) as process:
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert f"there is no pump-anomaly in {tmp_path}" in said


async def until(true: Callable[[], bool]) -> None:
    """Wait for a condition."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen within 20 s")


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
async def test_a_cut_broker_keeps_what_scada_missed(kind: str, tmp_path: Path) -> None:
    """What is sent after a cut and before SCADA is back waits for it."""
    if kind == "mosquitto":
        peers.require("mosquitto")
    one = broker.broker(kind, "broker", tmp_path)
    version = broker.VERSIONS[kind]
    heard: list[int] = []
    clock, instruments = SystemClock(), Instruments()

    def scada() -> Scada:
        return Scada(
            one.port,
            version,
            lambda _, message: heard.append(message["seq"]),
            clock=clock,
            instruments=instruments,
        )

    async def listen(numbers: range) -> None:
        listener = scada()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(listener.run())
            await asyncio.wait_for(listener.connected.wait(), 10)
            await until(lambda: heard == list(numbers))
            running.cancel()

    async def publish(numbers: range) -> None:
        acked: list[int] = []
        frames = [(b"edge/x/state", b'{"seq":%d}' % n, 1, False) for n in numbers]
        session = MqttSession(
            scada().link,
            client_id="publisher",
            clock=clock,
            instruments=instruments,
            on_acked=acked.extend,
        )
        async with session:
            session.publish_many(frames)
            await until(lambda: len(acked) == len(frames))

    await one.start()
    try:
        await listen(range(0))
        await one.cut()
        await one.start()
        await publish(range(30))
        await listen(range(30))
    finally:
        await one.child.stop()


# -- the books ------------------------------------------------------------------


def row(seq: int, at: int = AT, **fields: float | str) -> dict[str, Any]:
    """A state message, as far as the books read it."""
    return {
        "boot": 1,
        "seq": seq,
        "ts_ms": at // 10**6,
        "score": 1.0,
        "score_valid": True,
        "threshold": 5.4,
        "alarm": "NORMAL",
        "quality": "GOOD",
        "no_score": "",
        "top1_tag": "",
        **fields,
    }


def state(ledger: Ledger, message: dict[str, Any], leaf: str = "state") -> None:
    """Book a row of P-101."""
    ledger.take(f"{PREFIX}/P-101/ml/pump-anomaly/{leaf}", message)


def alarm(ledger: Ledger, seq: int, pump: str, at: int, name: str = "active") -> None:
    """Book a transition."""
    ledger.take(
        f"{PREFIX}/{pump}/ml/pump-anomaly/events",
        {
            "boot": 1,
            "seq": seq,
            "ts_ms": at // 10**6,
            "event": f"alarm {name}",
            "subject": f"pump-anomaly/{pump}",
            "message": "because",
        },
    )


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)))
def test_gaps_are_losses_whatever_the_order(order: list[int], lost: set[int]) -> None:
    """Missing numbers below the highest are counted, repetitions are not."""
    ledger = Ledger()
    for seq in (seq for seq in order if seq not in lost):
        state(ledger, row(seq))
        state(ledger, row(seq), "history")
    arrived = set(order) - lost
    assert ledger.lost == len([s for s in lost if s < max(arrived, default=0)])
    assert ledger.rows == ledger.repeated == len(arrived)


def test_losses_the_agent_reports_count() -> None:
    """A loss event counts with its number of records, not as one."""
    ledger = Ledger()
    details = '{"what":"scores","count":17,"cause":"store full"}'
    event = {"boot": 1, "seq": 0, "event": "records lost", "details": details}
    ledger.take(f"{PREFIX}/gw-demo/agent/events", event)
    assert ledger.lost == 17


def test_an_old_state_does_not_replace_a_newer_one() -> None:
    """The view shows the newest row, also when the backlog comes later."""
    ledger = Ledger()
    state(ledger, row(1, score=2.0, at=AT + SECOND))
    state(ledger, row(0, score=9.0), "history")
    assert ledger.pumps["P-101"].score == 2.0


def test_found_or_false() -> None:
    """An alarm finds the fault of its pump; before it, or elsewhere, it is false."""
    ledger = Ledger()
    ledger.faults.append(Fault("cavitation", "P-102", "", AT))
    alarm(ledger, 0, "P-102", AT - SECOND)
    alarm(ledger, 1, "P-101", AT + SECOND)
    assert [one.pump for one in ledger.false_alarms] == ["P-102", "P-101"]
    assert ledger.found == []

    alarm(ledger, 2, "P-102", AT + 11 * SECOND)
    alarm(ledger, 3, "P-102", AT + 40 * SECOND)
    assert ledger.faults[0].seconds == pytest.approx(11, abs=0.01)
    assert len(ledger.false_alarms) == 2


def test_an_alarm_that_went_is_no_longer_shown() -> None:
    """The list of alarms holds those that are on; a repetition changes nothing."""
    ledger = Ledger()
    alarm(ledger, 0, "P-102", AT)
    alarm(ledger, 1, "P-102", AT + SECOND, "normal")
    alarm(ledger, 0, "P-102", AT)
    assert ledger.alarms == {}
    assert ledger.raised == 1


def test_a_link_has_recovered_when_scores_come_again() -> None:
    """That the agent calls a link up is not enough."""
    ledger = Ledger()
    ledger.outages.append(Outage("plc", "the PLC", AT))
    state(ledger, row(0))
    ledger.look({"plc": True}, AT)
    ledger.look({"plc": False}, AT + SECOND)
    ledger.outages[0].back = AT + 5 * SECOND
    ledger.look({"plc": True}, AT + 6 * SECOND)
    state(ledger, row(1, at=AT + 7 * SECOND, score_valid=False))
    ledger.look({"plc": True}, AT + 7 * SECOND)
    assert ledger.outages[0].recovered is None

    state(ledger, row(2, at=AT + 8 * SECOND))
    ledger.look({"plc": True}, AT + 8 * SECOND)
    assert ledger.outages[0].noticed == AT + SECOND
    assert ledger.outages[0].recovered == AT + 8 * SECOND


# -- the script -----------------------------------------------------------------


@given(st.floats(60, 10_000), st.integers(0, 1000))
def test_a_timed_script_leaves_time_to_find_and_recover(
    seconds: float, seed: int
) -> None:
    """Faults hit three pumps after warm-up; the rest suffices for what follows."""
    cues = script.timed(seconds, len(PUMPS), seed)
    faults = [cue for cue in cues if cue.act is Act.FAULT]
    links = [cue for cue in cues if cue.act in {Act.CUT_BROKER, Act.RESTART_PLC}]
    assert [cue.at for cue in cues] == sorted(cue.at for cue in cues)
    assert len({cue.pump for cue in faults}) == 3
    assert faults[0].at >= 9
    assert all(cue.at + 20 <= links[-1].at for cue in faults)
    assert all(cue.at + 2 * cue.lasts + 12 <= seconds for cue in links)


@given(st.integers(0, 1000))
def test_the_endless_script_breaks_no_broken_pump(seed: int) -> None:
    """Cues come in order, and a pump is whole when it is broken again."""
    broken: set[int] = set()
    before = 0.0
    for _, cue in zip(range(100), script.endless(len(PUMPS), seed), strict=False):
        assert cue.at >= before
        before = cue.at
        if cue.act is Act.FAULT:
            assert cue.pump not in broken
            broken.add(cue.pump)
        elif cue.act is Act.REPAIR:
            broken.remove(cue.pump)
    assert 3 <= len(broken) <= 4


# -- what is shown ----------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(100, 40), (80, 24), (60, 12)])
async def test_the_view_fits(width: int, height: int) -> None:
    """It fills the terminal and no more, with every pump, at any moment of a run."""
    async with shown() as show:
        for moment in ("before", "amid"):
            if moment == "amid":
                busy(show)
            console = Console(width=width, height=height, file=StringIO(), record=True)
            console.print(view.view(show, height))
            lines = console.export_text().splitlines()
            assert len(lines) == height
            assert max(map(len, lines)) <= width
            if height >= 24:
                assert all(any(pump in line for line in lines) for pump in PUMPS)


async def test_the_outcome_fails_on_what_was_not_found() -> None:
    """A fault without an alarm, or a link that stays away, is a failure."""
    async with shown() as show:
        assert passed(show)
        busy(show)
        assert not passed(show)
        figures = outcome(show)
        assert figures["faults_found"] == 1
        assert figures["links_recovered"] == 0
        assert any(
            "bearing wear P-109: not found in 20 s" in line for line in in_words(show)
        )


@asynccontextmanager
async def shown() -> AsyncIterator[Show]:
    """A show that is not performed."""
    show = Show(Options(60.0, 7, MODELS, broker.kind_at_hand()), lambda _: None)
    async with show.stage:
        yield show


def busy(show: Show) -> None:
    """Alarms, faults, a dead link and long sentences."""
    now = show.clock.now()
    show.began = now - 30 * SECOND
    ledger = show.ledger
    for seq, pump in enumerate(PUMPS):
        message = row(seq, now, score=float(seq), top1_tag="bearing_temperature")
        ledger.take(f"{PREFIX}/{pump}/ml/pump-anomaly/state", message)
    ledger.faults += [
        Fault("cavitation", "P-105", "", now - 20 * SECOND),
        Fault("bearing_wear", "P-109", "", now - 20 * SECOND),
    ]
    for seq, pump in enumerate(PUMPS, 24):
        if pump != "P-109":
            alarm(ledger, seq, pump, now)
    ledger.outages.append(Outage("scada", "SCADA's broker", now))
    show.stage.status = {
        "state": "degraded",
        "summary": "output scada disconnected: " + "why " * 50,
        "sources": {"plc": {"state": "up"}, "monitor": {"state": "connected"}},
        "outputs": {"scada": {"state": "disconnected"}},
        "store": {"rows": 1234},
    }
