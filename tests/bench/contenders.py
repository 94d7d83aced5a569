"""The programs that turn values into scores, each started the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from tests.bench import agent
from tests.bench.arena import Arena, period
from tests.bench.measure import Child
from tests.bench.plant import SLOTS, features, pool, pool_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.arena import Window

    Starter = Callable[[Arena, int], Child]

INGEST_QOS = 0
"""QoS 0 in favours the naive peer: paho pays more per message at QoS 1."""
TOLERANCE = 1e-4


def naive(arena: Arena, rows: int) -> Child:
    """Paho and one run per message."""
    args = (str(arena.port), str(arena.model), str(period(rows)), str(INGEST_QOS))
    return Child("-m", "tests.bench.naive_mqtt", *args, log=arena.log("naive"))


def edge_agent(publish: str = "live", *, store: bool = True) -> Starter:
    """Our agent, as it is shipped."""

    def start(arena: Arena, rows: int) -> Child:
        source = agent.mqtt_source(arena, INGEST_QOS)
        return agent.start(arena, source, period(rows), publish=publish, store=store)

    return start


def over_mqtt(starter: Starter, rows: int, seconds: float) -> Window:
    """One repeat: MQTT rows in, scores out, checked against the oracle.

    Raises:
        ArithmeticError: a score on the wire is not the model's.
    """
    with Arena() as arena, arena.reader(period(rows)) as reader:
        with starter(arena, rows) as subject, arena.generator(rows, INGEST_QOS):
            window = arena.measure(
                subject, reader, seconds, rows=rows, offered=lambda: arena.sent.rows
            )
        window.figures["off_by"] = worst_error(arena, window, rows)
    if not window.figures["off_by"] < TOLERANCE:
        raise ArithmeticError(f"scores are off by {window.figures['off_by']}")
    return window


def worst_error(arena: Arena, window: Window, rows: int) -> float:
    """Largest relative difference of the sampled scores to an offline computation."""
    session = ort.InferenceSession(arena.model.read_bytes())
    values, worst = pool(), 0.0
    for turn, asset, score in window.samples:
        first = turn - SLOTS + 1
        if first < 0:
            continue
        rows_of = [pool_row(first + slot, asset) for slot in range(SLOTS)]
        inputs = features(values[rows_of], period(rows) / 1000).astype(np.float32)
        (wanted,) = session.run(["score"], {"features": inputs[None]})
        worst = max(worst, abs(float(wanted[0]) - score) / float(wanted[0]))
    return worst
