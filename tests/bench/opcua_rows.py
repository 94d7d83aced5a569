"""OPC UA to score to MQTT: real servers at equal load, and a flood for the bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench import agent
from tests.bench.arena import Arena, free_port, period
from tests.bench.measure import Child, Table
from tests.bench.plant import TAGS

if TYPE_CHECKING:
    from tests.bench.measure import Figures

OURS = "edge-agent"
PER_ROW, PER_SAMPLE = "naive, run per row", "naive, run per sample"


@dataclass(frozen=True)
class Plc:
    """A server and the load it offers.

    Attributes:
        name: in the table.
        command: program and arguments; PORT is replaced.
        rows: rows a second offered; sets the windows too.
        publishing: milliseconds, for every contender.
        contenders: who meets it.
    """

    name: str
    command: tuple[str, ...]
    rows: int
    publishing: int
    contenders: tuple[str, ...] = (PER_ROW, OURS)

    def start(self, arena: Arena, port: int) -> Child:
        """Run it."""
        args = [str(port) if part == "PORT" else part for part in self.command]
        return Child(*args, log=arena.log("plc"))


_ASYNCUA = ("-m", "tests.bench.opcua_server", "PORT", "250")
_NODE = ("node", "tests/bench/opcua_server.js", "PORT", "500")
_FLOOD = ("-m", "tests.bench.flood", "PORT", "uniform", "10000")
SERVERS = (
    Plc("asyncua, 500 ms", _ASYNCUA, 250, 500),
    Plc("node-opcua, 500 ms", _NODE, 500, 500),
    Plc("node-opcua, 100 ms", _NODE, 500, 100),
    Plc("flood", _FLOOD, 10_000, 100, (PER_ROW, PER_SAMPLE, OURS)),
)
_MODES = {PER_ROW: "row", PER_SAMPLE: "sample"}


def _start(name: str, plc: Plc, arena: Arena, endpoint: str) -> Child:
    every = period(plc.rows)
    if name == OURS:
        source = agent.opcua_source(endpoint, plc.publishing)
        return agent.start(arena, source, every)
    numbers = (str(every), str(plc.publishing))
    args = (endpoint, str(arena.port), str(arena.model), *numbers, _MODES[name])
    return Child("-m", "tests.bench.naive_opcua", *args, log=arena.log("naive"))


def run(repeats: int, seconds: float) -> Table:
    """CPU per row of twenty values."""
    table = Table(
        "opcua_rows",
        "2,000 variables, twenty values to a row, score published at QoS 1. Real "
        "servers at the same paced load and publishing interval for every contender "
        "(asyncua 250 rows/s, node-opcua 500); the flood answers 10,000 rows/s, or "
        "as fast as it is asked. A row of 'run per sample' is twenty scores.",
    )
    for _ in range(repeats):
        for plc in SERVERS:
            for name in plc.contenders:
                figures = _once(plc, name, seconds)
                table.add(f"{plc.name}: {name}", figures)
    for plc in SERVERS:
        ours = table.median(f"{plc.name}: {OURS}")["cpu_us_row"]
        for name in plc.contenders[:-1]:
            theirs = table.median(f"{plc.name}: {name}")["cpu_us_row"]
            table.at_least(f"{plc.name}: less CPU than {name}", theirs / ours, 20)
    memory = [
        table.median(f"node-opcua, 500 ms: {name}")["rss_mb"]
        for name in (PER_ROW, OURS)
    ]
    table.at_most("RSS beside naive with OPC UA and MQTT", memory[1] / memory[0], 1.3)
    return table


def _once(plc: Plc, name: str, seconds: float) -> Figures:
    port = free_port()
    with Arena() as arena, arena.reader(-1) as reader, plc.start(arena, port) as server:
        endpoint = f"opc.tcp://127.0.0.1:{port}"
        with _start(name, plc, arena, endpoint) as subject:
            figures = arena.measure(
                subject,
                reader,
                seconds,
                rows=plc.rows,
                offered=lambda: int(server.ask()["items"]) // TAGS,
            ).figures
    scores_a_row = TAGS if name == PER_SAMPLE else 1
    figures["rows_s"] = round(figures["rows_s"] / scores_a_row, 1)
    figures["cpu_us_row"] = round(figures["cpu_us_row"] * scores_a_row, 2)
    return figures
