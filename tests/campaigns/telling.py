"""What a campaign found, as a table and as JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass
class Findings:
    """Figures of one campaign.

    Attributes:
        name: of the campaign.
        seed: it was run with.
        figures: what was counted, in order.
        broken: promises that did not hold, in words; empty when all did.
    """

    name: str
    seed: int
    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def promise(self, held: object, what: str) -> None:
        """Note a promise that did not hold."""
        if not held:
            self.broken.append(what)
            print(f"  BROKEN: {what}", file=sys.stderr, flush=True)

    def text(self) -> str:
        """The figures as a table."""
        lines = [
            f"\n## {self.name}, seed {self.seed}\n",
            "| what | figure |",
            "|---|---|",
        ]
        lines += [f"| {what} | {_shown(of)} |" for what, of in self.figures.items()]
        lines += [f"| broken | {what} |" for what in self.broken or ["nothing"]]
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """Keep them as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {
            "name": self.name,
            "seed": self.seed,
            "load": os.getloadavg()[0],
            "figures": self.figures,
            "broken": self.broken,
        }
        path.write_text(json.dumps(told, indent=2) + "\n", "utf-8")


class Progress:
    """A line now and then.

    Args:
        name: of the campaign.
        total: steps it has.
    """

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total = name, total
        self._began = self._told = time.monotonic()

    def step(self, done: int, note: str = "") -> None:
        """So many steps are done."""
        now = time.monotonic()
        if now - self._told < 10 and done < self._total:
            return
        self._told = now
        took = now - self._began
        line = f"{self._name}: {done}/{self._total} in {took:.0f} s {note}"
        print(line, file=sys.stderr, flush=True)


def quiet() -> None:
    """No log: what it would tell is counted."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=False,
    )


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """Median, p99 and largest; empty for none."""
    if not values:
        return {}
    ranked = sorted(values)
    last = len(ranked) - 1
    return {
        "p50": round(ranked[round(last * 0.5)], 3),
        "p99": round(ranked[round(last * 0.99)], 3),
        "max": round(ranked[last], 3),
    }


def _shown(of: object) -> str:
    if isinstance(of, dict):
        return ", ".join(f"{key} {value}" for key, value in of.items())
    return str(of)
