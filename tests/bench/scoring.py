"""The scoring stage alone, beside raw ONNX Runtime at batch 256 and row by row."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.contents import open_bundle
from edge_agent.scoring import OnnxScorer
from tests.bench.bundle import training_rows, write_bundle
from tests.bench.measure import Table
from tests.bench.naive_mqtt import open_model

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 256
_PERIOD_MS = 10


def run(repeats: int, seconds: float) -> Table:
    """Rows a second of one thread in this process, batch after batch."""
    table = Table(
        "scoring",
        f"Autoencoder 64-32-8-32-64, {_BATCH} rows a call, one thread, in process. "
        "Ours checks the input for NaN, reads score and contributions and judges them; "
        "raw ONNX Runtime fetches the same two outputs; row by row fetches the score.",
    )
    slice_s = min(seconds, 2.0)
    with tempfile.TemporaryDirectory() as folder:
        bundle = open_bundle(write_bundle(Path(folder), _PERIOD_MS))
        scorer = OnnxScorer(bundle)
        session = open_model(str(bundle.path / "model.onnx"))
        rows = np.resize(training_rows(_PERIOD_MS), (_BATCH, scorer.features))
        each = [{"features": rows[i : i + 1]} for i in range(_BATCH)]
        contenders: dict[str, Callable[[], object]] = {
            "edge-agent": lambda: scorer.score(rows),
            "raw batch 256": lambda: session.run(None, {"features": rows}),
            "one run per row": lambda: [session.run(["score"], one) for one in each],
        }
        for _ in range(repeats):
            for name, call in contenders.items():
                table.add(name, _timed(call, slice_s))
    ours = table.median("edge-agent")["rows_s"]
    raw, single = (table.median(n)["rows_s"] for n in list(contenders)[1:])
    table.at_least("rows/s of raw ONNX Runtime at batch 256", ours / raw, 0.5)
    table.at_least("rows/s of one run per row", ours / single, 15)
    return table


def _timed(call: Callable[[], object], seconds: float) -> dict[str, float]:
    call()
    calls, cpu, began = 0, time.process_time(), time.monotonic()
    while time.monotonic() - began < seconds:
        for _ in range(20):
            call()
        calls += 20
    rows, spent = calls * _BATCH, time.process_time() - cpu
    span = time.monotonic() - began
    return {"cpu_us_row": round(1e6 * spent / rows, 4), "rows_s": round(rows / span)}
