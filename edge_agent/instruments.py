"""Counters and gauges about the agent itself, in Prometheus text.

Counted per batch, never per sample. A counter is what the operator asks for when
something is missing: every drop, gap and refusal has one.
"""

from __future__ import annotations

from threading import Lock

from edge_agent.losses import Losses

#: What monitoring counts; the labels of each are behind it.
FINDINGS = "findings_total"  # what, pipeline: each when it opens
FINDINGS_OPEN = "findings_open"  # pipeline; a gauge
DRIFT_LOOKS = "drift_looks_total"  # pipeline: a window held against its reference
DRIFT_NOT_JUDGED = "drift_not_judged_total"  # pipeline, reason: columns of such a look
MONITORED_ROWS = "monitored_rows_total"  # pipeline
MONITORING_FAILURES = "monitoring_failures_total"  # part, of: watches a bug ended
GATED_ROWS = "gated_rows_total"  # pipeline, reason: idle, warming up

Labels = tuple[tuple[str, str], ...]


class Instruments:
    """Named numbers, safe to touch from any thread.

    Attributes:
        losses: where a counter's loss goes besides, for the ledger: what, when, why.
    """

    def __init__(self) -> None:
        self.losses = Losses()
        self._lock = Lock()
        self._counters: dict[tuple[str, Labels], int] = {}
        self._gauges: dict[tuple[str, Labels], float] = {}

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Add to a counter; a zero amount makes it visible without moving it."""
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            self._counters[key] = self._counters.get(key, 0) + int(amount)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        with self._lock:
            self._gauges[(name, tuple(sorted(labels.items())))] = float(value)

    def counter(self, name: str, **labels: str) -> int:
        """Sum of a counter over every label set that has these labels."""
        wanted = set(labels.items())
        with self._lock:
            return sum(
                amount
                for (known, having), amount in self._counters.items()
                if known == name and wanted <= set(having)
            )

    def snapshot(self) -> dict[str, float]:
        """Every number by its Prometheus name with labels."""
        with self._lock:
            items = [*self._counters.items(), *self._gauges.items()]
        return {_written(name, labels): value for (name, labels), value in items}

    def prometheus(self) -> str:
        """Text exposition format, one line a number."""
        lines = (f"edgeagent_{k} {v:g}" for k, v in sorted(self.snapshot().items()))
        return "\n".join(lines) + "\n"


def _written(name: str, labels: Labels) -> str:
    if not labels:
        return name
    inner = ",".join(f'{key}="{value}"' for key, value in labels)
    return f"{name}{{{inner}}}"
