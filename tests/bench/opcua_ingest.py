"""OPC UA notifications per CPU-second at 1,000 items a publish."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.bench.arena import free_port
from tests.bench.measure import Child, Figures, Table, eventually, usage

_EXPECTED = {"uniform": 15, "mixed": 8}
_OURS, _THEIRS = "edge-agent", "asyncua handler"


def run(repeats: int, seconds: float) -> Table:
    """Our source beside asyncua's handler client, under flood."""
    table = Table(
        "opcua_ingest",
        "A server answers every Publish with 1,000 items as fast as it is asked. "
        "edge-agent: decoded, bound to tags, pushed and drained; asyncua: a handler "
        "that counts. uniform: all Double; mixed: five types in turn.",
    )
    for _ in range(repeats):
        for kind in _EXPECTED:
            for name in (_OURS, _THEIRS):
                table.add(f"{kind}: {name}", _once(kind, name, seconds))
    for kind, expected in _EXPECTED.items():
        ours = table.median(f"{kind}: {_OURS}")["items_per_cpu_s"]
        theirs = table.median(f"{kind}: {_THEIRS}")["items_per_cpu_s"]
        table.at_least(f"{kind}: items per CPU-second", ours / theirs, expected)
    return table


def _once(kind: str, name: str, seconds: float) -> Figures:
    port = free_port()
    endpoint = f"opc.tcp://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = {
            _OURS: ("tests.bench.opcua_client", endpoint, folder),
            _THEIRS: ("tests.bench.handler_client", endpoint),
        }[name]
        flood = ("tests.bench.flood", str(port), kind, "0")
        server, client = Child("-m", *flood, log=log), Child("-m", *command, log=log)
        with server, client as subject:
            eventually(lambda: subject.ask()["items"] > 0, "notification", subject)
            time.sleep(min(2.0, seconds))
            sent = server.ask()["items"]
            first, before = subject.ask()["items"], usage(subject.pid)
            time.sleep(seconds)
            last, after = subject.ask()["items"], usage(subject.pid)
            sent = server.ask()["items"] - sent
    cpu, items = after.cpu - before.cpu, max(last - first, 1)
    return {
        "cpu_us_item": round(1e6 * cpu / items, 3),
        "items_per_cpu_s": round(items / cpu),
        "items_s": round(items / (after.at - before.at)),
        "sent_s": round(sent / (after.at - before.at)),
        "cpu_share": round(cpu / (after.at - before.at), 3),
        "rss_mb": round(after.rss_mb, 1),
    }
