"""Receiver of the scores: counts rows, finds doubled ones, measures latency.

``python -m tests.bench.reader PORT PERIOD_MS SENT_FILE``; a line on stdin makes it
print one JSON line about the time since the last one. PERIOD_MS > 0: latency from
the generator's send of that very row; -1: from the row's stamp; 0: count only.
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path

import numpy as np

from tests.bench import wire
from tests.bench.plant import ASSETS
from tests.bench.sent import ROUNDS, Sent

_SAMPLES = 400


class Reader:
    """Counts score messages that a broker delivers."""

    def __init__(self, port: int, period: int, sent: Sent) -> None:
        self._sock = wire.connect(port, b"bench-reader")
        wire.subscribe(self._sock, b"edge/#")
        self._sock.setblocking(False)
        self._period = period
        self._sent = sent
        self._rest = b""
        self._seen = [-1] * (ROUNDS * ASSETS)
        self._reset()

    def _reset(self) -> None:
        self._rows = self._doubled = self._history = self._bytes = 0
        self._delays: list[int] = []
        self._samples: list[tuple[int, int, float]] = []

    def run(self) -> None:
        """Serve until stdin closes."""
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([self._sock, sys.stdin], [], [])
            if self._sock in ready:
                self._take(self._sock.recv(1 << 18))
            if sys.stdin in ready:
                if not sys.stdin.readline():
                    return
                print(json.dumps(self._report()), flush=True)
                self._reset()

    def _take(self, data: bytes) -> None:
        now, wall = time.monotonic_ns(), time.time_ns()
        data = self._rest + data
        end = 0
        for first, begin, end in wire.frames(data):
            if first & 0xF0 == 0x30:
                self._message(data, begin, end, now, wall)
        self._rest = data[end:]

    def _message(self, data: bytes, begin: int, end: int, now: int, wall: int) -> None:
        size = data[begin] << 8 | data[begin + 1]
        topic = data[begin + 2 : begin + 2 + size]
        if not topic.endswith((b"/state", b"/history")):
            return
        self._rows += 1
        self._bytes += end - begin
        self._history += topic.endswith(b"/history")
        if not self._period:
            return
        at = data.index(b'"ts_ms":', begin) + 8
        stamp = int(data[at : data.index(b",", at)])
        if self._period < 0:
            self._delays.append(wall - stamp * 1_000_000)
            return
        asset = int(topic[topic.index(b"/ml/") - 3 : topic.index(b"/ml/")])
        self._match(data, begin, asset, stamp, now)

    def _match(self, data: bytes, begin: int, asset: int, stamp: int, now: int) -> None:
        turn = (stamp - self._sent.start) // self._period
        slot = turn % ROUNDS
        if self._seen[slot * ASSETS + asset] == turn:
            self._doubled += 1
        self._seen[slot * ASSETS + asset] = turn
        self._delays.append(now - int(self._sent.at[slot, asset]))
        if len(self._samples) < _SAMPLES and self._rows % 7 == 0:
            self._sample(data, begin, asset, turn)

    def _sample(self, data: bytes, begin: int, asset: int, turn: int) -> None:
        at = data.index(b'"score":', begin) + 8
        stop = min(i for i in (data.find(b",", at), data.find(b"}", at)) if i > 0)
        self._samples.append((turn, asset, float(data[at:stop])))

    def _report(self) -> dict[str, object]:
        delays = np.array(self._delays or [0]) / 1e6
        p50, p99 = np.percentile(delays, [50, 99])
        return {
            "rows": self._rows,
            "doubled": self._doubled,
            "history": self._history,
            "bytes": self._bytes,
            "p50_ms": round(float(p50), 3),
            "p99_ms": round(float(p99), 3),
            "max_ms": round(float(delays.max()), 3),
            "samples": self._samples,
        }


if __name__ == "__main__":
    port, period, path = sys.argv[1:]
    Reader(int(port), int(period), Sent(Path(path))).run()
