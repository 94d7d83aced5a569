"""The naive peer: paho's callbacks, one ``session.run`` per message.

``python -m tests.bench.naive_mqtt PORT MODEL PERIOD_MS QOS`` as an experienced Python
engineer would write it in an afternoon, with the known traps avoided: TCP_NODELAY,
no in-flight limit, windows as NumPy rings, one ONNX thread without spinning, only the
score fetched.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

import numpy as np
import onnxruntime as ort
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.plant import ASSETS, ROLES, SLOPES, SLOTS, TAGS


class Windows:
    """A ring of the last rows per asset, and the features of one asset."""

    def __init__(self, period_s: float) -> None:
        self._rings = np.zeros((ASSETS, SLOTS, TAGS))
        self._next = [0] * ASSETS
        time = (np.arange(SLOTS) - (SLOTS - 1) / 2) * period_s
        weights = time / (time @ time)
        # a slope needs time order: one weight vector for each position of the ring
        self._weights = [np.roll(weights, shift) for shift in range(SLOTS)]

    def add(self, asset: int, row: list[float]) -> np.ndarray[Any, Any] | None:
        """float32[1, 64] once the window is full."""
        ring, at = self._rings[asset], self._next[asset]
        ring[at % SLOTS] = row
        self._next[asset] = at + 1
        if at + 1 < SLOTS:
            return None
        out = np.empty((1, 3 * TAGS + SLOPES), np.float32)
        out[0, :TAGS] = row
        out[0, TAGS : 2 * TAGS] = ring.mean(0)
        out[0, 2 * TAGS : 3 * TAGS] = ring.std(0)
        out[0, 3 * TAGS :] = self._weights[(at + 1) % SLOTS] @ ring[:, :SLOPES]
        return out


def open_model(path: str) -> ort.InferenceSession:
    """The model on one thread that does not spin."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def open_client(port: int, name: str) -> mqtt.Client:
    """A connected paho client with Nagle off and a wide in-flight window."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
    # any limit makes paho walk all unacknowledged messages at every PUBACK
    client.max_inflight_messages_set(0)
    client.on_socket_open = _no_delay
    client.connect("127.0.0.1", port)
    return client


def _no_delay(_client: mqtt.Client, _data: object, sock: Any) -> None:  # noqa: ANN401
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Naive:
    """Everything in the callback, on paho's thread."""

    def __init__(self, model: str, period_s: float) -> None:
        self._windows = Windows(period_s)
        self._session = open_model(model)

    def on_message(
        self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage
    ) -> None:
        """One message in, one score out."""
        values = json.loads(message.payload)
        name = message.topic.split("/")[1]
        row = [values[role] for role in ROLES]
        features = self._windows.add(int(name[1:]), row)
        if features is None:
            return
        score = float(self._session.run(["score"], {"features": features})[0][0])
        out = {"ts_ms": values["ts"], "asset": name, "score": score}
        client.publish(f"edge/bench/{name}/ml/bench/state", json.dumps(out), qos=1)


def main() -> None:
    """Score until killed."""
    port, model, period, qos = sys.argv[1:]
    naive = Naive(model, int(period) / 1000)
    client = open_client(int(port), "naive")
    client.on_message = naive.on_message
    client.subscribe("plant/+/data", int(qos))
    print("ready", flush=True)
    client.loop_forever()


if __name__ == "__main__":
    main()
