"""SIGKILL of the whole agent at random moments, under load, with a slow broker.

Telemetry comes over MQTT, a model scores it, and two outputs take the scores: one at
once, one through a link that is far, slow, deaf or gone. What lay in the dead agent's
store is read without its code, from a copy.

A campaign is made of plants of some kills each, with a seed each; their results are
kept in a file as they come, and one that was interrupted goes on behind them.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.records import RecordClass
from edge_agent.store.outbox import SEQ_BITS
from tests import peers
from tests.campaigns.slowness import MANNERS, SlowLink
from tests.campaigns.telling import Findings, Progress, quantiles
from tests.end_to_end import pumps
from tests.end_to_end.listening import Heard, Historian
from tests.end_to_end.pumps import Hall
from tests.end_to_end.running import Agent
from tests.end_to_end.waiting import until
from tests.store.lives import victims

if TYPE_CHECKING:
    from collections.abc import Iterable

Id = tuple[int, int]

#: Kills of one plant.
PLANT = 50
#: Messages the agent may have unacknowledged, as configured.
INFLIGHT = 20
#: Old messages that may have been acknowledged within the last flush (200 ms at 2,000 a
#: second), which the disk does not know of at a kill.
UNWRITTEN = 400
#: Rows a second of each of the two pumps.
RATE = 40.0
#: One start in so many is the whole command, imports and all.
_WHOLE = 5
_SLOW, _QUICK = "scada", "panel"
_QUEUES = "max_queued_messages 0"
_WEIGHTS = {"quick": 3, "far": 3, "slow": 5, "narrow": 3, "deaf": 2, "gone": 2}


@dataclass
class Life:
    """One start and its end.

    Attributes:
        manner: of the slow link.
        again: seconds from the start to the first new score; None when it was killed
            before.
        doubled: messages heard again until the next kill.
        committed: rows and alarms in the store of the dead agent.
        early: it was to be killed without waiting for a score.
        forked: its start did without imports.
    """

    manner: str
    again: float | None = None
    doubled: int = 0
    committed: int = 0
    early: bool = False
    forked: bool = False


@dataclass
class Plant:
    """What became of one plant."""

    seed: int
    lives: list[Life] = field(default_factory=list)
    lost: int = 0
    """Rows and alarms that were committed and that the slow output never got."""
    lost_quick: int = 0
    disordered: int = 0
    """First hearings with a smaller number than one before on their topic."""
    different: int = 0
    """Repetitions that say something else."""
    committed: int = 0
    heard: int = 0
    published: int = 0
    damaged: int = 0
    """Stores found damaged at a start."""
    drained: float = 0.0
    """Seconds until everything was acknowledged, at the end."""


class _Ear(Historian):
    """A historian that is asked for what is new."""

    def __init__(self, folder: Path, broker: peers.Mosquitto) -> None:
        super().__init__(folder, broker)
        self._to = 0

    def fresh(self) -> list[Heard]:
        """What was heard since the last time."""
        self._read_on()
        found = self._heard[self._to :]
        self._to = len(self._heard)
        return found


class _Victim(Agent):
    """The agent, without a recording, and not waited for.

    Args:
        folder: for configuration, state and log.
        config: the configuration without its folders.
        forks: `agents`.
    """

    def __init__(
        self, folder: Path, config: dict[str, Any], forks: subprocess.Popen[bytes]
    ) -> None:
        super().__init__(folder, config)
        self._forks = forks
        self._pid = 0

    def spawn(self, *, forked: bool) -> None:
        """Start it: as a command, or forked from one that has imported all."""
        log = self.folder / "log"
        if not forked:
            words = ("run", "--config", str(self.path))
            with log.open("ab") as out:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "edge_agent", *words], stdout=out, stderr=out
                )
            return
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        self._forks.stdin.write(f"{self.path} {log}\n".encode())
        self._forks.stdin.flush()
        self._pid = int(self._forks.stdout.readline())

    def kill(self) -> None:
        """SIGKILL."""
        if not self._pid:
            super().kill()
            return
        assert self._forks.stdout is not None
        os.kill(self._pid, signal.SIGKILL)
        assert self._forks.stdout.readline() == b"dead\n"
        self._pid = 0

    def end(self) -> None:
        """Leave none behind."""
        if self._pid:
            self.kill()
        self.__exit__()


class _Account:
    """What one output heard, id by id."""

    def __init__(self) -> None:
        self.known: dict[Id, dict[str, Any]] = {}
        self._last: dict[str, Id] = {}
        self.disordered = self.different = self.doubled = 0

    def take(self, messages: Iterable[Heard]) -> int:
        """Count messages; returns how many of them were heard before."""
        before = self.doubled
        for one in messages:
            if one.leaf not in ("state", "history", "events"):
                continue
            if one.payload.get("no_score") == "agent stopped":
                continue
            key = one.payload["boot"], one.payload["seq"]
            known = self.known.get(key)
            if known is None:
                self.known[key] = one.payload
                self.disordered += key < self._last.get(one.topic, (0, 0))
                self._last[one.topic] = key
                continue
            self.doubled += 1
            self.different += {**known, "hist": 0} != {**one.payload, "hist": 0}
        return self.doubled - before


def run(count: int, seed: int, kept: Path) -> Findings:
    """Kill so many times.

    Args:
        count: kills.
        seed: of the first plant; each further one has the next.
        kept: file with the plants that are done, a line each.
    """
    done = [json.loads(line) for line in _lines(kept)]
    plants = [_plant_of(one) for one in done]
    progress = Progress("kills", count)
    while (so_far := sum(len(p.lives) for p in plants)) < count:
        one = live(min(PLANT, count - so_far), seed + len(plants), progress, so_far)
        plants.append(one)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(one)) + "\n")
    return _findings(plants, seed)


def live(kills: int, seed: int, progress: Progress, before: int = 0) -> Plant:
    """Run one plant and kill its agent so many times."""
    dice, plant = random.Random(seed), Plant(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kills-")))
        brokers = {
            name: stack.enter_context(peers.Mosquitto(folder / name, config=_QUEUES))
            for name in (_QUICK, _SLOW)
        }
        link = stack.enter_context(SlowLink(brokers[_SLOW].port))
        forks = stack.enter_context(victims("tests.campaigns.agents"))
        config = _configuration(folder, brokers, link)
        agent = _Victim(folder / "agent", config, forks)
        stack.callback(agent.end)
        ears = {
            name: stack.enter_context(_Ear(folder / f"{name}-ear", broker))
            for name, broker in brokers.items()
        }
        accounts = {name: _Account() for name in brokers}
        committed: dict[str, set[Id]] = {name: set() for name in brokers}
        hall = stack.enter_context(Hall(brokers[_QUICK], RATE))
        for number in range(kills):
            life = Life(dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0])
            life.forked = number % _WHOLE != 0
            link.behave(MANNERS[life.manner])
            _live_and_die(agent, life, dice, ears[_QUICK], accounts[_QUICK])
            life.doubled = accounts[_SLOW].take(ears[_SLOW].fresh())
            for name, found in _owed(agent.store).items():
                committed[name] |= found
                life.committed = max(life.committed, len(found))
            plant.lives.append(life)
            progress.step(before + number + 1, f"{life.manner} {life.again}")
        link.behave(MANNERS["quick"])
        _drain(plant, agent, hall)
        for name, ear in ears.items():
            _settle(ear, accounts[name])
    slow = accounts[_SLOW]
    plant.lost = len(committed[_SLOW] - set(slow.known))
    plant.lost_quick = len(committed[_QUICK] - set(accounts[_QUICK].known))
    plant.disordered = sum(a.disordered for a in accounts.values())
    plant.different = sum(a.different for a in accounts.values())
    plant.committed, plant.heard = len(committed[_SLOW]), len(slow.known)
    plant.published = len(hall.rows)
    return plant


def _live_and_die(
    agent: _Victim, life: Life, dice: random.Random, ear: _Ear, account: _Account
) -> None:
    """Start, and kill some time after the first new score, or one in five before."""
    account.take(ear.fresh())
    newest = max((boot for boot, _ in account.known), default=0)
    early = dice.random() < 0.2
    after = dice.uniform(0.0, 2.0) if early else dice.uniform(0.0, 0.8)
    began = time.monotonic()
    agent.spawn(forked=life.forked)
    give_up = began + (after if early else 60)
    while time.monotonic() < give_up and life.again is None:
        time.sleep(0.01)
        heard = ear.fresh()
        account.take(heard)
        if any(
            one.payload.get("boot", 0) > newest and one.leaf == "state" for one in heard
        ):
            life.again = time.monotonic() - began
    life.early = early
    if not early and life.again is None:
        print(f"no score within 60 s:\n{_condition(agent)}", file=sys.stderr)
    if not early:
        time.sleep(after)
    agent.kill()


def _condition(agent: _Victim) -> str:
    """What an agent that does not score says of itself."""
    try:
        status = agent.status()
    except (OSError, TimeoutError) as why:
        return f"{why!r}\n{agent.log()[-2000:]}"
    kept = {name: status.get(name) for name in ("pipelines", "sources", "store")}
    return json.dumps(kept, indent=1, default=str)


def _drain(plant: Plant, agent: _Victim, hall: Hall) -> None:
    """A last life that sends everything and stops in order."""
    began = time.monotonic()
    agent.start()
    hall.finish()
    until(agent.connected, "links", 120)
    until(lambda: agent.status()["store"]["rows"] == 0, "acknowledged", 300)
    plant.drained = round(time.monotonic() - began, 1)
    agent.stop()
    plant.damaged = agent.log().count("store damaged")


def _settle(ear: _Ear, account: _Account) -> None:
    """Read on until nothing comes any more."""
    quiet = 0
    while quiet < 5:
        heard = ear.fresh()
        account.take(heard)
        quiet = 0 if heard else quiet + 1
        time.sleep(0.1)


def _owed(store: Path) -> dict[str, set[Id]]:
    """Rows and alarms in a dead agent's store that an output has not acknowledged."""
    found: dict[str, set[Id]] = {_SLOW: set(), _QUICK: set()}
    if not store.exists():
        return found
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / store.name
        for side in ("", "-wal"):
            one = store.with_name(store.name + side)
            if one.exists():
                shutil.copyfile(one, copy.with_name(copy.name + side))
        with closing(sqlite3.connect(copy)) as sql:
            if not sql.execute("PRAGMA user_version").fetchone()[0]:
                return found
            bits = dict(sql.execute("SELECT name, bit FROM output"))
            rows = sql.execute(
                "SELECT id, rows, owed FROM outbox WHERE class IN (?, ?)",
                (RecordClass.SCORE, RecordClass.ALARM),
            ).fetchall()
    for number, count, owed in rows:
        boot, seq = number >> SEQ_BITS, number & ((1 << SEQ_BITS) - 1)
        for name, ids in found.items():
            if name in bits and owed >> bits[name] & 1:
                ids |= {(boot, seq + row) for row in range(count)}
    return found


def _configuration(
    folder: Path, brokers: dict[str, peers.Mosquitto], link: SlowLink
) -> dict[str, Any]:
    config = pumps.configuration(folder, brokers[_QUICK], brokers[_QUICK])
    quick = config["outputs"].pop("scada") | {"inflight": INFLIGHT}
    config["outputs"] = {
        _SLOW: {**quick, "host": link.host, "port": link.port},
        _QUICK: quick,
    }
    return config


def _lines(kept: Path) -> list[str]:
    return kept.read_text("utf-8").splitlines() if kept.exists() else []


def _plant_of(told: dict[str, Any]) -> Plant:
    return Plant(**{**told, "lives": [Life(**life) for life in told["lives"]]})


def _findings(plants: list[Plant], seed: int) -> Findings:
    lives = [life for plant in plants for life in plant.lives]
    again = [life.again for life in lives if life.again is not None]
    whole = [one.again for one in lives if one.again is not None and not one.forked]
    never = [one for one in lives if one.again is None and not one.early]
    found = Findings("kills", seed)
    total = {
        name: sum(getattr(plant, name) for plant in plants)
        for name in ("lost", "lost_quick", "disordered", "different", "damaged")
    }
    doubled = [life.doubled for life in lives]
    found.figures = {
        "kills": len(lives),
        "of them before the first score": len(lives) - len(again) - len(never),
        "never scored within 60 s": len(never),
        "rows published": sum(p.published for p in plants),
        "rows and alarms committed and owed at a kill": sum(
            p.committed for p in plants
        ),
        "committed lost, slow output / quick output": [
            total["lost"],
            total["lost_quick"],
        ],
        "out of order on their topic": total["disordered"],
        "repetitions that say something else": total["different"],
        "stores found damaged": total["damaged"],
        "messages heard again, a kill": quantiles(doubled)
        | {"mean": round(sum(doubled) / max(len(doubled), 1), 2)},
        "in-flight window / and acknowledged, not yet written": [INFLIGHT, UNWRITTEN],
        "kills with more repetitions than in flight": sum(
            d > INFLIGHT for d in doubled
        ),
        "start of the command to first new score, s": quantiles(whole),
        "... forked, without imports, s": quantiles(
            [one.again for one in lives if one.again is not None and one.forked]
        ),
        "last drain, s": quantiles([p.drained for p in plants]),
    }
    found.promise(not total["lost"] and not total["lost_quick"], "committed rows lost")
    found.promise(not total["disordered"], "order on a topic")
    found.promise(not total["different"], "a repetition says the same")
    found.promise(not total["damaged"], "no kill damages the store")
    window = INFLIGHT + UNWRITTEN
    found.promise(max(doubled, default=0) <= window, "repetitions within the window")
    found.promise(not never, "scores again at all")
    found.promise(max(whole, default=0) < 5, "scores again within 5 s")
    return found
