"""OPC UA to score to MQTT: real servers at equal load, and a flood for the bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench import agent
from tests.bench.arena import Arena, free_port, period
from tests.bench.measure import Child, Table
from tests.bench.plant import TAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.measure import Figures

    Starter = Callable[[Arena, str, int], Child]


@dataclass(frozen=True)
class Plc:
    """A server and the load it offers.

    Attributes:
        name: in the table.
        command: program and arguments; PORT is replaced.
        rows: rows a second offered; sets the windows too.
    """

    name: str
    command: tuple[str, ...]
    rows: int

    def start(self, arena: Arena, port: int) -> Child:
        """Run it."""
        args = [str(port) if part == "PORT" else part for part in self.command]
        return Child(*args, log=arena.log("plc"))


SERVERS = (
    Plc("asyncua", ("-m", "tests.bench.opcua_server", "PORT", "250"), 250),
    Plc("node-opcua", ("node", "tests/bench/opcua_server.js", "PORT", "500"), 500),
    Plc("flood", ("-m", "tests.bench.flood", "PORT", "uniform", "10000"), 10_000),
)
_MODES = {"naive, run per row": "row", "naive, run per sample": "sample"}


def _naive(mode: str) -> Starter:
    def start(arena: Arena, endpoint: str, rows: int) -> Child:
        args = (endpoint, str(arena.port), str(arena.model), str(period(rows)), mode)
        return Child("-m", "tests.bench.naive_opcua", *args, log=arena.log("naive"))

    return start


def _agent(arena: Arena, endpoint: str, rows: int) -> Child:
    return agent.start(arena, agent.opcua_source(endpoint), period(rows))


def run(repeats: int, seconds: float) -> Table:
    """CPU per row of twenty values."""
    table = Table(
        "opcua_rows",
        "2,000 variables, twenty values to a row, publishing interval 100 ms, score "
        "published at QoS 1. Real servers at the same paced load for every contender; "
        "the flood answers 10,000 rows/s or as fast as it is asked. A row of 'run per "
        "sample' is twenty scores.",
    )
    starters = {name: _naive(mode) for name, mode in _MODES.items()}
    starters["edge-agent"] = _agent
    for _ in range(repeats):
        for plc in SERVERS:
            for name, starter in starters.items():
                scores = TAGS if name == "naive, run per sample" else 1
                figures = _once(plc, starter, seconds, scores)
                table.add(f"{plc.name}: {name}", figures)
    for plc in SERVERS:
        theirs = table.median(f"{plc.name}: naive, run per row")["cpu_us_row"]
        ours = table.median(f"{plc.name}: edge-agent")["cpu_us_row"]
        each = table.median(f"{plc.name}: naive, run per sample")["cpu_us_row"]
        table.at_least(f"{plc.name}: less CPU than run per row", theirs / ours, 20)
        table.at_least(f"{plc.name}: less CPU than run per sample", each / ours, 20)
    memory = [
        table.median(f"node-opcua: {name}")["rss_mb"]
        for name in ("naive, run per row", "edge-agent")
    ]
    table.at_most("RSS beside naive with OPC UA and MQTT", memory[1] / memory[0], 1.3)
    return table


def _once(plc: Plc, starter: Starter, seconds: float, scores_a_row: int) -> Figures:
    port = free_port()
    with Arena() as arena, arena.reader(-1) as reader, plc.start(arena, port) as server:
        endpoint = f"opc.tcp://127.0.0.1:{port}"
        with starter(arena, endpoint, plc.rows) as subject:
            figures = arena.measure(
                subject,
                reader,
                seconds,
                rows=plc.rows,
                offered=lambda: int(server.ask()["items"]) // TAGS,
            ).figures
    figures["rows_s"] = round(figures["rows_s"] / scores_a_row, 1)
    figures["cpu_us_row"] = round(figures["cpu_us_row"] * scores_a_row, 2)
    return figures
