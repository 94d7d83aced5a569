"""Load generator: rows as JSON messages over a raw socket, paced by the clock.

``python -m tests.bench.load PORT ROWS_PER_SECOND QOS TAGS SENT_FILE`` runs until
killed.
The stamp of a row is the scheduled start of its round: every (asset, stamp) is
unique even when the machine makes the generator late.
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

from tests.bench import wire
from tests.bench.plant import ASSETS, NAMES, Load, bodies, pool_row
from tests.bench.sent import ROUNDS, Sent

TOPIC = b"plant/%s/data"
_TICK = 0.001


class Generator:
    """Sends row after row; row k belongs to asset k % ASSETS."""

    def __init__(self, port: int, rows: int, qos: int, tags: int, sent: Sent) -> None:
        self._sock = wire.connect(port, b"bench-load")
        self._sock.setblocking(True)
        self._topics = [TOPIC % name.encode() for name in NAMES]
        self._bodies = bodies(tags)
        self._load = Load(rows, time.time_ns() // 1_000_000 + 1)
        self._qos = qos
        self._sent = sent
        self._next = 0
        sent.start = self._load.start

    def run(self) -> None:
        """Send for ever."""
        began = time.monotonic()
        rate = self._load.rows
        while True:
            due = int((time.monotonic() - began) * rate) - self._next
            if due > 0:
                self._send(min(due, rate // 20 + 1))
            self._discard_acks()
            pause = began + (self._next + 1) / rate - time.monotonic()
            time.sleep(max(pause, _TICK) if rate > 1 / _TICK else max(pause, 0))

    def _send(self, count: int) -> None:
        first, now = self._next, time.monotonic_ns()
        self._next += count
        for row in range(first, self._next):
            turn, asset = divmod(row, ASSETS)
            self._sent.at[turn % ROUNDS, asset] = now
        self._sock.sendall(b"".join(map(self._frame, range(first, self._next))))
        self._sent.rows = self._next

    def _frame(self, row: int) -> bytes:
        turn, asset = divmod(row, ASSETS)
        body = self._bodies[pool_row(turn, asset)]
        payload = b'{"ts":%d,%s}' % (self._load.stamp(turn), body)
        packet = row % 60_000 + 1 if self._qos else 0
        return wire.publish(self._topics[asset], payload, packet)

    def _discard_acks(self) -> None:
        if self._qos:
            try:
                while len(self._sock.recv(65_536, socket.MSG_DONTWAIT)) == 65_536:
                    pass
            except BlockingIOError:
                pass


if __name__ == "__main__":
    *numbers, path = sys.argv[1:]
    port, rows, qos, tags = map(int, numbers)
    Generator(port, rows, qos, tags, Sent(Path(path))).run()
