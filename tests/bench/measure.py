"""Processes under test, what they used, and the table that comes out."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE = 60.0
ROOT = Path(__file__).parents[2]
Figures = dict[str, float]


@dataclass(frozen=True)
class Usage:
    """What a process used until now."""

    at: float
    cpu: float
    rss_mb: float
    peak_mb: float


def usage(pid: int) -> Usage:
    """CPU seconds (user + system, all threads) and resident memory of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    memory = {k: v for k, _, v in (line.partition(":") for line in status)}
    return Usage(
        time.monotonic(),
        (int(fields[11]) + int(fields[12])) / _TICKS,
        int(memory["VmRSS"].split()[0]) / 1024,
        int(memory["VmHWM"].split()[0]) / 1024,
    )


class Child:
    """A process that is ended when the block is left.

    Args:
        command: program and arguments; ``-m`` first means this Python.
        ready: wait for this text at the start of a line of stdout; None: do not wait.
        log: file for stderr, shown when the process dies early.
    """

    def __init__(
        self,
        *command: str,
        ready: str | None = "ready",
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        python = [sys.executable] if command[0] == "-m" else []
        self._log = log
        self._name = " ".join(command[:2])
        self._process = subprocess.Popen(
            [*python, *command],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if ready else subprocess.DEVNULL,
            stderr=log.open("ab") if log else subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(env or {})},
        )
        if ready:
            self._await(ready)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def ask(self, question: str = "") -> dict[str, Any]:
        """Write a line, read the next line of JSON."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError(f"{self._name} ended: {self.tail()}")

    def _await(self, ready: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(ready):
                return
        raise RuntimeError(f"{self._name} ended before {ready!r}: {self.tail()}")

    def tail(self) -> str:
        """Last words on stderr."""
        return self._log.read_text()[-2000:] if self._log else ""

    def __enter__(self) -> Self:
        """Nothing: it runs already."""
        return self

    def __exit__(self, *exc: object) -> None:
        """End it, hard after ten seconds."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()


def eventually(condition: Callable[[], bool], what: str, child: Child) -> None:
    """Wait until a condition holds while a process lives.

    Raises:
        RuntimeError: it ended, or a minute passed.
    """
    until = time.monotonic() + _PATIENCE
    while not condition():
        if not child.alive() or time.monotonic() > until:
            raise RuntimeError(f"no {what}: {child.tail()}")
        time.sleep(0.05)


@dataclass
class Table:
    """One benchmark's outcome.

    Attributes:
        name: of the benchmark.
        what: one sentence on the work and the load.
        runs: contender -> figures of each repeat.
        verdicts: (what was expected, measured, met).
    """

    name: str
    what: str
    runs: dict[str, list[Figures]] = field(default_factory=dict)
    verdicts: list[tuple[str, str, bool]] = field(default_factory=list)

    def add(self, contender: str, figures: Figures) -> None:
        """Note one repeat."""
        self.runs.setdefault(contender, []).append(figures)
        shown = "  ".join(f"{k} {v:g}" for k, v in figures.items())
        print(f"  {self.name}: {contender}: {shown}", file=sys.stderr, flush=True)

    def median(self, contender: str) -> Figures:
        """Median of each figure over the repeats."""
        runs = self.runs[contender]
        return {key: statistics.median(run[key] for run in runs) for key in runs[0]}

    def at_least(self, what: str, measured: float, bound: float) -> None:
        """Judge a ratio that should not be below a bound."""
        self.verdicts.append(
            (f"{what} >= {bound:g}x", f"{measured:.2f}x", measured >= bound)
        )

    def at_most(self, what: str, measured: float, bound: float) -> None:
        """Judge a figure that should not be above a bound."""
        self.verdicts.append(
            (f"{what} <= {bound:.4g}", f"{measured:.4g}", measured <= bound)
        )

    def text(self) -> str:
        """Markdown: the sentence, medians, verdicts."""
        medians = {name: self.median(name) for name in self.runs}
        columns = list(dict.fromkeys(key for m in medians.values() for key in m))
        lines = [f"### {self.name}", "", self.what, ""]
        lines += [_row(["median", *columns]), _row(["---"] * (1 + len(columns)))]
        for name, figures in medians.items():
            cells = [f"{figures[c]:,.4g}" if c in figures else "" for c in columns]
            lines.append(_row([name, *cells]))
        lines += ["", *(f"- {_mark(ok)} {w}: {m}" for w, m, ok in self.verdicts), ""]
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        """Everything, each repeat included."""
        return {
            "what": self.what,
            "runs": self.runs,
            "medians": {name: self.median(name) for name in self.runs},
            "verdicts": [
                {"expected": w, "measured": m, "met": ok} for w, m, ok in self.verdicts
            ],
        }


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _mark(ok: bool) -> str:
    return "met" if ok else "MISSED"
