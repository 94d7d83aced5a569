"""A broker, a folder and the programs around the process under test."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.bench.measure import Child, eventually, usage
from tests.bench.model import autoencoder
from tests.bench.plant import SLOTS, TAGS, Load
from tests.bench.sent import Sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.measure import Figures

_BROKER = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_inflight_messages 2000
max_queued_messages 0
log_type error
"""


_SETTLE_S = 2.0


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Window:
    """One measured stretch of one contender."""

    figures: Figures
    samples: list[tuple[int, int, float]]


class Arena:
    """Fresh broker and folder for one repeat of one contender."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-bench-"))
        self.model = self.folder / "model.onnx"
        self.model.write_bytes(autoencoder())
        self.port = free_port()
        config = self.folder / "mosquitto.conf"
        config.write_text(_BROKER.format(port=self.port))
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if program is None:
            raise RuntimeError("mosquitto is not installed: apt-get install mosquitto")
        self.broker = Child(program, "-c", str(config), ready=None)
        eventually(self._listening, "broker", self.broker)
        self.sent_file = self.folder / "sent"
        self.sent = Sent(self.sent_file)

    def _listening(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self) -> Self:
        """The broker runs already."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop the broker, remove the folder."""
        self.broker.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self, name: str) -> Path:
        """File for a process's stderr."""
        return self.folder / f"{name}.log"

    def reader(self, period: int) -> Child:
        """The receiver of the scores."""
        args = (str(self.port), str(period), str(self.sent_file))
        return Child("-m", "tests.bench.reader", *args, log=self.log("reader"))

    def generator(self, rows: int, qos: int, tags: int = TAGS) -> Child:
        """The MQTT load."""
        args = (*map(str, (self.port, rows, qos, tags)), str(self.sent_file))
        return Child("-m", "tests.bench.load", *args, ready=None, log=self.log("load"))

    def measure(
        self,
        subject: Child,
        reader: Child,
        seconds: float,
        *,
        rows: int,
        offered: Callable[[], int] | None = None,
    ) -> Window:
        """Wait for the first scores and until every window is full, measure.

        Args:
            subject: the process under test.
            reader: the receiver of its scores.
            seconds: to measure.
            rows: a second, offered; says how long a window takes to fill.
            offered: how many rows were sent so far.
        """
        eventually(lambda: reader.ask()["rows"] > 0, "score", subject)
        time.sleep(_SETTLE_S + SLOTS * period(rows) / 1000)
        reader.ask()
        broker = usage(self.broker.pid)
        sent, before = (offered or _zero)(), usage(subject.pid)
        time.sleep(seconds)
        report, after = reader.ask(), usage(subject.pid)
        span = after.at - before.at
        scored = max(report["rows"], 1)
        figures: Figures = {
            "cpu_us_row": round(1e6 * (after.cpu - before.cpu) / scored, 2),
            "rows_s": round(report["rows"] / span, 1),
            "cpu_share": round((after.cpu - before.cpu) / span, 3),
            "p50_ms": report["p50_ms"],
            "p99_ms": report["p99_ms"],
            "rss_mb": round(after.rss_mb, 1),
            "bytes_row": round(report["bytes"] / scored, 1),
            "history": report["history"],
            "doubled": report["doubled"],
            "broker_share": round((usage(self.broker.pid).cpu - broker.cpu) / span, 3),
        }
        if offered:
            figures["offered_s"] = round((offered() - sent) / span, 1)
        if not subject.alive() or not report["rows"]:
            raise RuntimeError(f"the program under test stopped: {subject.tail()}")
        return Window(figures, [tuple(s) for s in report["samples"]])


def _zero() -> int:
    return 0


def period(rows: int) -> int:
    """Milliseconds between two rows of an asset."""
    return Load(rows).period
