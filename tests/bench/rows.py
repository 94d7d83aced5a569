"""MQTT JSON to score to MQTT through mosquitto, 10,000 rows a second."""

from __future__ import annotations

from tests.bench.contenders import edge_agent, naive, over_mqtt
from tests.bench.measure import Table

RATE = 10_000


def run(repeats: int, seconds: float) -> Table:
    """CPU per row and memory, naive beside the agent."""
    table = Table(
        "rows",
        f"{RATE} rows/s offered: 100 assets x 20 tags as JSON (QoS 0) through "
        "mosquitto, 64 features, autoencoder, score published at QoS 1. The agent "
        "stores what is not acknowledged (live) or everything before it is sent "
        "(committed); naive stores nothing. bytes_row: size of a published score.",
    )
    contenders = {
        "naive paho": naive,
        "edge-agent live": edge_agent("live"),
        "edge-agent committed": edge_agent("committed"),
    }
    for _ in range(repeats):
        for name, starter in contenders.items():
            table.add(name, over_mqtt(starter, RATE, seconds).figures)
    ours, theirs = table.median("edge-agent live"), table.median("naive paho")
    ratio = theirs["cpu_us_row"] / ours["cpu_us_row"]
    table.at_least("less CPU per row than naive, live", ratio, 3)
    committed = table.median("edge-agent committed")
    ratio = theirs["cpu_us_row"] / committed["cpu_us_row"]
    table.at_least("less CPU per row than naive, committed", ratio, 3)
    table.at_least("rows/s of the offered", ours["rows_s"] / ours["offered_s"], 0.99)
    return table
