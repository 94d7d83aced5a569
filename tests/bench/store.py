"""The durable store on and off: what commit before publish costs."""

from __future__ import annotations

from tests.bench.contenders import edge_agent, over_mqtt
from tests.bench.measure import Table

RATE = 20_000


def run(repeats: int, seconds: float) -> Table:
    """Rows a second near the broker's limit, and CPU per row."""
    table = Table(
        "store",
        f"{RATE} rows/s offered through mosquitto; synchronous=FULL and commit before "
        "publish, beside live publishing and beside a journal that forgets everything.",
    )
    contenders = {
        "store off": edge_agent("live", store=False),
        "store on, live": edge_agent("live"),
        "store on, committed": edge_agent("committed"),
    }
    for _ in range(repeats):
        for name, starter in contenders.items():
            table.add(name, over_mqtt(starter, RATE, seconds).figures)
    off = table.median("store off")["rows_s"]
    for name in ("store on, committed", "store on, live"):
        table.at_least(f"rows/s, {name}", table.median(name)["rows_s"] / off, 0.9)
    return table
