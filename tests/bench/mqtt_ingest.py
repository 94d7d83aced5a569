"""MQTT receive alone: CPU per message at 25,000 messages a second."""

from __future__ import annotations

import time

from tests.bench.arena import Arena
from tests.bench.measure import Child, Figures, Table, eventually, usage
from tests.bench.plant import TAGS

RATE = 25_000
ROW_RATE = 10_000
_KINDS = {"session": "edge-agent", "plain": "paho on the loop", "paho": "paho"}
_WHOLE = {"source": "edge-agent", "paho-json": "paho + json.loads"}
_EXPECTED = {0: 4, 1: 6}


def run(repeats: int, seconds: float) -> Table:
    """Our session beside paho's callbacks, then both with decoding."""
    table = Table(
        "mqtt_ingest",
        f"{RATE} small messages/s through mosquitto, the callback only counts; and "
        f"{ROW_RATE} rows/s of 20 tags decoded to columns (agent) or to a list of "
        "values (paho).",
    )
    for _ in range(repeats):
        for qos in _EXPECTED:
            for kind, name in _KINDS.items():
                figures = _once(kind, qos, RATE, 1, seconds)
                table.add(f"QoS {qos}: {name}", figures)
        for kind, name in _WHOLE.items():
            figures = _once(kind, 0, ROW_RATE, TAGS, seconds)
            table.add(f"rows decoded: {name}", figures)
    for qos, expected in _EXPECTED.items():
        ours = table.median(f"QoS {qos}: edge-agent")["cpu_us_msg"]
        for name in ("paho", "paho on the loop"):
            theirs = table.median(f"QoS {qos}: {name}")["cpu_us_msg"]
            table.at_least(f"QoS {qos}: less CPU than {name}", theirs / ours, expected)
    return table


def _once(kind: str, qos: int, rate: int, tags: int, seconds: float) -> Figures:
    with Arena() as arena:
        args = (kind, str(arena.port), str(qos))
        log = arena.log(kind)
        client = Child("-m", "tests.bench.mqtt_clients", *args, log=log)
        with client as subject, arena.generator(rate, qos, tags):
            eventually(lambda: subject.ask()["items"] > 0, "message", subject)
            time.sleep(min(2.0, seconds))
            return _measured(subject, arena, seconds, tags, kind)


def _measured(
    subject: Child, arena: Arena, seconds: float, tags: int, kind: str
) -> Figures:
    first, sent, before = subject.ask()["items"], arena.sent.rows, usage(subject.pid)
    time.sleep(seconds)
    last, offered, after = subject.ask()["items"], arena.sent.rows, usage(subject.pid)
    span = after.at - before.at
    messages = (last - first) / (tags if kind == "source" else 1)
    return {
        "cpu_us_msg": round(1e6 * (after.cpu - before.cpu) / max(messages, 1), 2),
        "messages_s": round(messages / span),
        "offered_s": round((offered - sent) / span),
        "cpu_share": round((after.cpu - before.cpu) / span, 3),
        "rss_mb": round(after.rss_mb, 1),
    }
