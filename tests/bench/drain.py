"""What draining a backlog does to live messages, and how fast it drains.

A forwarder with 100,000 owed rows and more, live scores beside it, through a link with
delay and a rate. Held back and flowing alternate in one run, so that both see the same
machine. Also, nothing live: how fast a backlog goes by itself.
"""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench import wire
from tests.bench.arena import free_port
from tests.bench.measure import Child, Table, eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

BACKLOG = 100_000


@dataclass(frozen=True)
class Case:
    """Live scores over a link.

    Attributes:
        records: live records a second.
        rows: of each; the backlog is made of the same.
        delay_ms: one way.
        rate: bytes a second.
        inflight: window of the output.
        share: of the backlog.
    """

    records: int
    rows: int
    delay_ms: float
    rate: float
    inflight: int = 20
    share: float = 0.5

    @property
    def name(self) -> str:
        """As in the table."""
        link = f"{self.delay_ms * 2:g} ms, {self.rate * 8 / 1e6:g} Mbit/s"
        if not self.rate:
            link = "loopback"
        shape = f"{self.records}x{self.rows}/s"
        return f"{shape}, {link}, window {self.inflight}"


CASES = (
    Case(10, 1, 0, 0),
    Case(20, 5, 0, 0),
    Case(50, 20, 0, 0),
    Case(1, 1000, 0, 0),
    Case(10, 1, 10, 2.5e6),
    Case(20, 5, 10, 2.5e6),
    Case(20, 5, 10, 2.5e6, 200),
    Case(50, 20, 2.5, 12.5e6, 200),
    Case(1, 1000, 2.5, 12.5e6, 200),
)


@dataclass
class Reader(threading.Thread):
    """Latency of live states, seen by a subscriber beside the broker."""

    port: int
    live: list[tuple[float, float]] = field(default_factory=list)
    old: int = 0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._sock = wire.connect(self.port, b"reader")
        wire.subscribe(self._sock, b"edge/#")
        self._sock.settimeout(None)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Read until the broker ends."""
        data = b""
        while True:
            try:
                more = self._sock.recv(1 << 18)
            except OSError:
                return
            if not more:
                return
            now, data, end = time.monotonic(), data + more, 0
            for _, start, end in wire.frames(data):
                self._take(data[start:end], now)
            data = data[end:]

    def _take(self, body: bytes, now: float) -> None:
        if b"/history" in body[:100]:
            self.old += 1
        elif b"/state" in body[:100] and b'"score_valid":true' in body:
            at = body.index(b'"score":') + 8
            self.live.append((now, now - float(body[at : body.index(b",", at)])))

    def within(self, spans: Sequence[tuple[float, float]]) -> list[float]:
        """Latencies of live messages within spans of time, in order of size."""
        return sorted(
            late for at, late in list(self.live) if any(a <= at < b for a, b in spans)
        )


class Stage:
    """Broker, link, agent."""

    def __init__(self, case: Case, *, backlog: int, held: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-drain-"))
        broker, through = free_port(), free_port()
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {broker} 127.0.0.1\nallow_anonymous true\n"
            "set_tcp_nodelay true\nmax_inflight_messages 1000\n"
            "max_queued_messages 0\nlog_type error\n"
        )
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if program is None:
            raise RuntimeError("mosquitto is not installed: apt-get install mosquitto")
        self.broker = Child(program, "-c", str(config), ready=None)
        eventually(lambda: _listens(broker), "broker", self.broker)
        self.link = None
        if case.rate or case.delay_ms:
            words = map(str, (through, broker, case.delay_ms, case.rate))
            self.link = Child("-m", "tests.sinks.narrow", *words)
        self.reader = Reader(broker)
        self.reader.start()
        given = {
            "output": {"inflight": case.inflight, "backlog_share": case.share},
            "records": case.records,
            "rows": case.rows,
            "backlog": backlog,
            "held": held,
        }
        self.agent = Child(
            "-m",
            "tests.bench.drain_agent",
            str(through if self.link else broker),
            str(self.folder),
            json.dumps(given),
            log=self.folder / "agent.log",
        )

    def ask(self, word: str) -> dict[str, Any]:
        """Hold (0) or let go (1); counters."""
        return self.agent.ask(word)

    def close(self) -> None:
        """End everything."""
        for child in (self.agent, self.link, self.broker):
            if child is not None:
                child.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)


def beside(case: Case, seconds: float, turns: int = 3) -> dict[str, float]:
    """Held and flowing in turns; figures of both."""
    stage = Stage(case, backlog=BACKLOG, held=True)
    try:
        stage.ask("0")
        time.sleep(2.0)
        spans: dict[str, list[tuple[float, float]]] = {"0": [], "1": []}
        drained = took = cpu = sent = 0.0
        for turn in range(2 * turns):
            word = "01"[turn % 2]
            stage.ask(word)
            time.sleep(0.5)
            before, old = stage.ask(word), stage.reader.old
            time.sleep(seconds)
            after = stage.ask(word)
            spans[word].append((before["at"], after["at"]))
            if word == "1":
                if not after["status"]["backlog_rows"]:
                    raise RuntimeError("the backlog was drained too early")
                drained += stage.reader.old - old
                took += after["at"] - before["at"]
                cpu += after["cpu"] - before["cpu"]
                sent += after["status"]["messages"] - before["status"]["messages"]
        alone, loaded = (stage.reader.within(spans[word]) for word in "01")
    finally:
        stage.close()
    live = case.records * case.rows
    return {
        "drain_per_s": drained / took,
        "drain/live": drained / took / live,
        "p50_alone_ms": _at(alone, 0.5),
        "p50_ms": _at(loaded, 0.5),
        "p99_alone_ms": _at(alone, 0.99),
        "p99_ms": _at(loaded, 0.99),
        "p99 ratio": _at(loaded, 0.99) / _at(alone, 0.99),
        "cpu_us_a_message": cpu / max(sent, 1) * 1e6,
    }


def by_itself(case: Case, seconds: float) -> dict[str, float]:
    """A backlog with nothing beside it."""
    quiet = Case(0, case.rows, case.delay_ms, case.rate, case.inflight)
    stage = Stage(quiet, backlog=BACKLOG, held=False)
    try:
        stage.ask("1")
        time.sleep(1.0)
        before, began = stage.reader.old, time.monotonic()
        used = stage.ask("1")
        while time.monotonic() - began < seconds and stage.reader.old < BACKLOG:
            time.sleep(0.05)
        got, took = stage.reader.old - before, time.monotonic() - began
        after = stage.ask("1")
    finally:
        stage.close()
    return {
        "drain_per_s": got / took,
        "cpu_us_a_message": (after["cpu"] - used["cpu"]) / max(got, 1) * 1e6,
    }


def run(repeats: int, seconds: float) -> Table:
    """Every case, live beside a backlog and a backlog by itself."""
    table = Table(
        "drain",
        "Live scores with a backlog held back and flowing in turns; live latency from"
        " submit to a subscriber, drained rows a second. Links: loopback, or round trip"
        " and rate.",
    )
    for _ in range(repeats):
        for case in CASES:
            table.add(case.name, beside(case, seconds))
        for case in (CASES[0], CASES[3], CASES[4], CASES[6]):
            table.add(f"nothing live: {case.name}", by_itself(case, seconds))
    for case in CASES:
        figures = table.median(case.name)
        table.at_least(f"drain/live, {case.name}", figures["drain/live"], 5.0)
        table.at_most(f"p99 ratio, {case.name}", figures["p99 ratio"], 2.0)
    return table


def _at(ordered: Sequence[float], part: float) -> float:
    if not ordered:
        raise RuntimeError("no live message arrived")
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] * 1000


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
