"""SIGKILL of the whole agent at random moments, under load, with a slow broker.

Telemetry comes over MQTT, a model scores it, and two outputs take the scores: one at
once, one through a link that is far, slow, deaf or gone. What lay in the dead agent's
store is read without its code, from a copy.

A campaign is made of plants of some kills each, with a seed each; their results are
kept in a file as they come, and one that was interrupted goes on behind them.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_agent.records import RecordClass
from edge_agent.store.outbox import SEQ_BITS
from tests import peers
from tests.campaigns.plants import INFLIGHT, Life, Plant, findings_of, plant_of
from tests.campaigns.slowness import MANNERS, SlowLink
from tests.campaigns.telling import Findings, Progress
from tests.campaigns.witnesses import Account, Ear, Id, Victim
from tests.end_to_end import pumps
from tests.end_to_end.pumps import Hall
from tests.end_to_end.waiting import until
from tests.store.lives import victims

#: Kills of one plant.
PLANT = 50
#: Rows a second of each of the two pumps.
RATE = 40.0
#: One start in so many is the whole command, imports and all.
_WHOLE = 5
_SLOW, _QUICK = "scada", "panel"
_QUEUES = "max_queued_messages 0"
_WEIGHTS = {"quick": 3, "far": 3, "slow": 5, "narrow": 3, "deaf": 2, "gone": 2}


def run(count: int, seed: int, kept: Path) -> Findings:
    """Kill so many times.

    Args:
        count: kills.
        seed: of the first plant; each further one has the next.
        kept: file with the plants that are done, a line each.
    """
    done = [json.loads(line) for line in _lines(kept)]
    plants = [plant_of(one) for one in done]
    progress = Progress("kills", count)
    while (so_far := sum(len(p.lives) for p in plants)) < count:
        one = live(min(PLANT, count - so_far), seed + len(plants), progress, so_far)
        plants.append(one)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(one)) + "\n")
    return findings_of(plants, seed)


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
        agent = Victim(folder / "agent", config, forks)
        stack.callback(agent.end)
        ears = {
            name: stack.enter_context(Ear(folder / f"{name}-ear", broker))
            for name, broker in brokers.items()
        }
        accounts = {name: Account() for name in brokers}
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
            _settle(ear, accounts[name], committed[name])
    slow = accounts[_SLOW]
    plant.lost = len(committed[_SLOW] - set(slow.known))
    plant.lost_quick = len(committed[_QUICK] - set(accounts[_QUICK].known))
    plant.disordered = sum(a.disordered for a in accounts.values())
    plant.examples = [one for a in accounts.values() for one in a.examples[:5]]
    plant.different = sum(a.different for a in accounts.values())
    plant.committed, plant.heard = len(committed[_SLOW]), len(slow.known)
    plant.published = len(hall.rows)
    return plant


def _live_and_die(
    agent: Victim, life: Life, dice: random.Random, ear: Ear, account: Account
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
            life.waited = agent.waited()
    life.early = early
    if not early and life.again is None:
        print(f"no score within 60 s:\n{_condition(agent)}", file=sys.stderr)
    if not early:
        time.sleep(after)
    agent.kill()


def _condition(agent: Victim) -> str:
    """What an agent that does not score says of itself."""
    try:
        status = agent.status()
    except (OSError, TimeoutError) as why:
        return f"{why!r}\n{agent.log()[-2000:]}"
    kept = {name: status.get(name) for name in ("pipelines", "sources", "store")}
    return json.dumps(kept, indent=1, default=str)


def _drain(plant: Plant, agent: Victim, hall: Hall) -> None:
    """A last life that sends everything and stops in order."""
    began = time.monotonic()
    agent.start()
    hall.finish()
    until(agent.connected, "links", 120)
    until(lambda: agent.status()["store"]["rows"] == 0, "acknowledged", 300)
    plant.drained = round(time.monotonic() - began, 1)
    agent.stop()
    plant.damaged = agent.log().count("store damaged")


def _settle(ear: Ear, account: Account, owed: set[Id]) -> None:
    """Read on until nothing comes any more; for what is owed somewhat longer."""
    quiet, give_up = 0, time.monotonic() + 30
    while quiet < 5 or (owed - account.known.keys() and time.monotonic() < give_up):
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
