"""Publish to score at 500 and 2,000 rows a second, 99th percentile included."""

from __future__ import annotations

from tests.bench.contenders import edge_agent, naive, over_mqtt
from tests.bench.measure import Table

RATES = (500, 2_000)
BATCH_WINDOW_MS = 3.0


def run(repeats: int, seconds: float) -> Table:
    """Latency, naive with TCP_NODELAY beside the agent."""
    table = Table(
        "latency",
        "From the publish of a row to the score of that row at a subscriber, through "
        "mosquitto; naive has TCP_NODELAY set.",
    )
    contenders = {"naive paho": naive, "edge-agent live": edge_agent("live")}
    for _ in range(repeats):
        for rate in RATES:
            for name, starter in contenders.items():
                figures = over_mqtt(starter, rate, seconds).figures
                table.add(f"{name}, {rate} rows/s", figures)
    for rate in RATES:
        ours = table.median(f"edge-agent live, {rate} rows/s")
        theirs = table.median(f"naive paho, {rate} rows/s")
        for figure in ("p50_ms", "p99_ms"):
            table.at_most(
                f"{figure} at {rate} rows/s, naive plus {BATCH_WINDOW_MS:g} ms window",
                ours[figure],
                theirs[figure] + BATCH_WINDOW_MS,
            )
    memory = [table.median(f"{name}, 2000 rows/s")["rss_mb"] for name in contenders]
    table.at_most("RSS beside naive with MQTT alone", memory[1] / memory[0], 1.3)
    return table
