"""A press whose quality model knows its chances, parts of which labels come late.

The model is exact: the chance of bad is the flow, clipped to 0..1. What a part really
was is drawn from that chance, or from another one where the model shall be wrong.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from edge_agent.bundle import writing
from tests.end_to_end.playing import Publisher

if TYPE_CHECKING:
    from pathlib import Path

    from tests import peers

PIPELINE, ASSET = "quality", "PR-1"
LABELS = "lab/{id}/label"


def publish(folder: Path, version: str, *, level: float = 0.6, least: int = 60) -> None:
    """Put a version of the model into the folder of models.

    Args:
        folder: of models.
        version: of the passport.
        level: recall it promises.
        least: labels before which nothing is said.
    """
    rng = np.random.default_rng(3)
    training = rng.uniform(0, 1, (400, 1))
    golden = training[:24].astype(np.float32)
    chance = np.clip(golden[:, 0].astype(np.float64), 0, 1)
    table = np.stack([1 - chance, chance], axis=1)
    writing.write_bundle(
        folder,
        _passport(version, level, least),
        model=_graph().SerializeToString(),
        training=training,
        golden_inputs=golden,
        golden_outputs={"score": chance, "probabilities": table},
    )


def _graph() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Clip", ["X", "low", "high"], ["p"]),
        helper.make_node("Sub", ["high", "p"], ["q"]),
        helper.make_node("Concat", ["q", "p"], ["P"], axis=1),
    ]
    numbers = [
        helper.make_tensor("low", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("high", TensorProto.FLOAT, [], [1.0]),
    ]
    graph = helper.make_graph(
        nodes,
        "chance",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 1])],
        [helper.make_tensor_value_info("P", TensorProto.FLOAT, [None, 2])],
        numbers,
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


def _passport(version: str, level: float, least: int) -> dict[str, Any]:
    return {
        "passport": 1,
        "name": PIPELINE,
        "version": version,
        "release": int(version.split(".")[1]) + 1,
        "kind": "quality",
        "asset_type": "press",
        "title": "Whether a part is bad",
        "tags": {"flow": {"range": [-10.0, 10.0], "usual": [0.0, 1.0]}},
        "features": [{"name": "flow", "tag": "flow", "aggregate": "last"}],
        "model": {
            "opset": 17,
            "ir_version": 8,
            "input": "X",
            "outputs": {
                "score": {"output": "P", "class_name": "bad"},
                "probabilities": {"output": "P", "classes": ["good", "bad"]},
            },
        },
        "thresholds": [{"value": 0.5, "severity": 400}],
        "accuracy": {"metric": "recall", "level": level, "min_labels": least},
        "intended_use": "Parts of a test.",
        "limits": ["Knows one press."],
        "owner": "test",
        "contact": "test",
        "approver": "test",
        "training": {
            "script": "tests/end_to_end/presses.py",
            "data": "drawn",
            "start": "2020-01-01T00:00:00Z",
            "end": "2020-01-02T00:00:00Z",
            "rows": 400,
            "seed": 3,
        },
        "review_date": "2100-01-01",
    }


def configuration(
    place: Path,
    broker: peers.Mosquitto,
    **labels: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """One press, a row a part, labels as given."""
    where = {"host": broker.host, "port": broker.port}
    binding = {"source": "cell", "topic": "press/{id}"}
    return {
        "site": {"enterprise": "acme", "site": "lab"},
        "gateway": "gw",
        "sources": {"cell": {"type": "mqtt", "time_field": "ts", **where}},
        "assets": [
            {
                "type": "press",
                "ids": [ASSET],
                "tags": {
                    "flow": {**binding, "field": "flow"},
                    "part": {**binding, "field": "part", "text": True},
                },
            }
        ],
        "pipelines": {
            PIPELINE: {
                "assets": "press",
                "model": PIPELINE,
                "score": {"on": "cycle", "part": "part"},
                "alarm": {"on_delay": "0s", "off_delay": "0s", "hysteresis": 0},
                "promotion": {"policy": "at-once"},
                "labels": labels,
            }
        },
        "registry": {
            "type": "directory",
            "path": str(place / "models"),
            "poll": "1s",
        },
        "outputs": {"scada": {"type": "mqtt", **where}},
    }


@dataclass
class Parts:
    """Parts that went through the press.

    Attributes:
        flow: of each, which is the model's chance of bad.
        bad: what each really was.
    """

    flow: list[float] = field(default_factory=list)
    bad: list[bool] = field(default_factory=list)

    def press(self, broker: peers.Mosquitto, count: int, wrong: float = 0.0) -> range:
        """Press some more parts.

        Args:
            broker: where the press speaks.
            count: of them.
            wrong: share of the parts that are not as the model says, whatever it says.
        """
        first = len(self.flow)
        rng = np.random.default_rng(first + 1)
        chance = rng.beta(0.5, 0.5, count)
        flipped = rng.uniform(size=count) < wrong
        bad = (rng.uniform(size=count) < chance) ^ (flipped & (chance > 0.5))
        bad |= flipped & (chance < 0.5)
        self.flow += np.float32(chance).astype(float).tolist()
        self.bad += bad.tolist()
        with Publisher(broker, f"press/{ASSET}") as publisher:
            for k in range(first, first + count):
                stamp = time.time_ns() // 10**6 * 10**6
                publisher.publish({"ts": stamp, "part": name(k), "flow": self.flow[k]})
                time.sleep(0.004)
            publisher.finish()
        return range(first, first + count)

    def label(self, broker: peers.Mosquitto, parts: range) -> None:
        """Say over MQTT what the parts really were."""
        with Publisher(broker, LABELS.replace("{id}", ASSET)) as publisher:
            for k in parts:
                publisher.publish({"part": name(k), **self.found(k)})
            publisher.finish()

    def found(self, k: int) -> dict[str, str]:
        """What the lab writes of a part."""
        return {"label": "bad" if self.bad[k] else "good", "lot": f"L{k % 2}"}

    def csv(self, parts: range) -> str:
        """The same as a list for a spreadsheet."""
        rows = [f"{name(k)};{self.found(k)['label']};L{k % 2}" for k in parts]
        return "\n".join(["part;label;lot", *rows]) + "\n"


def name(k: int) -> str:
    """Id of a part."""
    return f"part-{k:05}"


def verdict(occurrence: str, said: str) -> str:
    """What SCADA sends of an alarm."""
    return json.dumps({"occurrence": occurrence, "verdict": said, "by": "Erika"})
