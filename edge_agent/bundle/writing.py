"""A bundle from what a training script has at hand.

The script brings the graph, the training rows and golden rows *with the outputs it
computed itself*; hashes, trained ranges and the reference profile are made here, and
the result is read back the way a gateway will read it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from edge_agent.bundle.contents import Bundle, open_bundle
from edge_agent.bundle.folders import PASSPORT_FILE
from edge_agent.bundle.reference import profiled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.bundle.reference import ReferenceFile

_HEADER = (
    "# Written by the training script; a change here changes the bundle's digest.\n"
)


def write_bundle(
    registry: Path,
    passport: Mapping[str, Any],
    *,
    model: bytes,
    training: NDArray[np.floating[Any]],
    golden_inputs: NDArray[np.float32],
    golden_outputs: Mapping[str, NDArray[np.floating[Any]]],
    reference: ReferenceFile | None = None,
    more: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Write ``registry/NAME/VERSION`` and open it as a gateway would.

    Args:
        registry: folder of all models.
        passport: passport.yaml without files, reference and the features' trained
            ranges, which are filled in.
        model: the ONNX file.
        training: [rows, features] the model was fitted on.
        golden_inputs: float32[g, features], a few rows, normal and not.
        golden_outputs: score and what else the passport binds, computed where the
            model was trained, not by the graph.
        reference: the training rows' profile; without it one of the features is made.
        more: other files by name, such as the model card.

    Raises:
        ModelRejected: the result breaks a rule of the passport.
    """
    text: dict[str, Any] = dict(passport)
    folder = registry / text["name"] / text["version"]
    folder.mkdir(parents=True, exist_ok=True)
    text["features"] = _with_trained(text["features"], training)
    names = [f["name"] for f in text["features"]]
    golden = {
        "inputs": _plain(golden_inputs),
        "outputs": {name: _plain(v) for name, v in golden_outputs.items()},
    }
    bodies = {
        text["model"].get("file", "model.onnx"): model,
        "golden.json": _json(golden),
        "reference.json": _json(
            (reference or profiled(names, training)).model_dump(mode="json")
        ),
        **(more or {}),
    }
    for name, body in bodies.items():
        (folder / name).write_bytes(body)
    text["files"] = {n: hashlib.sha256(b).hexdigest() for n, b in bodies.items()}
    written = yaml.safe_dump(text, sort_keys=False, allow_unicode=True, width=88)
    (folder / PASSPORT_FILE).write_text(_HEADER + written, encoding="utf-8")
    return open_bundle(folder)


def _with_trained(
    features: Sequence[Mapping[str, Any]], training: NDArray[np.floating[Any]]
) -> list[dict[str, Any]]:
    low, high = np.nanmin(training, axis=0), np.nanmax(training, axis=0)
    return [
        {**feature, "trained": [_rounded(low[i]), _rounded(high[i])]}
        for i, feature in enumerate(features)
    ]


def _rounded(value: float) -> float:
    return float(f"{float(value):.6g}")


def _plain(array: NDArray[np.floating[Any]]) -> Any:  # noqa: ANN401  (nested lists)
    return np.asarray(array, np.float64).tolist()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
