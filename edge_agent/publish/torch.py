"""PyTorch modules, where PyTorch is installed.

How the output is read: one column is the score; as many columns as classes are their
probabilities, put through a softmax where rows do not add up to 1; as many as features
are the row given back, and the score is what differs (see `bundle.modelfile`).
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from onnx import helper

from edge_agent.errors import ModelRejected
from edge_agent.publish.converted import Converted, class_outputs, class_truth
from edge_agent.publish.graphs import OPSET, ROWS, read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.publish.converted import Truth, Wanted
    from edge_agent.samples import F64

_OUTPUT = "output"
_SUM_TO_ONE = 1e-3


def convert(model: Any, wanted: Wanted) -> Converted:
    """A module that takes float32[n, features] and gives one tensor.

    Raises:
        ModelRejected: it cannot be exported, or its output has a width that says
            nothing.
    """
    module = model.eval()
    first = torch.from_numpy(np.ascontiguousarray(wanted.rows[:8], np.float32))
    with torch.no_grad():
        table = np.asarray(module(first).numpy(), np.float64)
    width = table.shape[1] if table.ndim > 1 else 1
    reading, outputs = _reading(table, width, wanted)
    made = _exported(module, first)
    if reading == "logits":
        made.graph.node.append(
            helper.make_node("Softmax", [_OUTPUT], ["probabilities"], axis=1)
        )
        made.graph.output[0].name = "probabilities"
        onnx.checker.check_model(made)
    return Converted(
        source=f"PyTorch {torch.__version__} {type(model).__name__}",
        model=made.SerializeToString(),
        input=ROWS,
        outputs=outputs,
        truth=_truth(module, reading, wanted),
    )


def _reading(table: F64, width: int, wanted: Wanted) -> tuple[str, Any]:
    if wanted.outputs is not None:
        return "stated", wanted.outputs
    if wanted.classes and width == len(wanted.classes):
        sums = table.sum(axis=1)
        if (table >= 0).all() and np.allclose(sums, 1.0, atol=_SUM_TO_ONE):
            return "probabilities", class_outputs(_OUTPUT, wanted)
        return "logits", class_outputs("probabilities", wanted)
    if not wanted.classes and width == len(wanted.features) > 1:
        score = {"output": _OUTPUT, "read": "reconstruction"}
        return "reconstruction", {"score": score}
    if not wanted.classes and width == 1:
        return "score", {"score": {"output": _OUTPUT}}
    raise ModelRejected(
        f"the module gives {width} columns; wanted are 1 (the score), "
        f"{len(wanted.features)} (the row given back) or one for each of the classes "
        f"({', '.join(wanted.classes) or 'none given'})"
    )


def _truth(module: Any, reading: str, wanted: Wanted) -> Truth | None:
    if reading == "stated":
        return None

    def truth(rows: NDArray[np.float32]) -> dict[str, F64]:
        with torch.no_grad():
            given = module(torch.from_numpy(np.ascontiguousarray(rows)))
            if reading == "logits":
                given = torch.softmax(given, dim=1)
        table = np.asarray(given.numpy(), np.float64)
        if reading in {"probabilities", "logits"}:
            return class_truth(table, wanted)
        if reading == "score":
            return {"score": np.ravel(table)}
        parts = np.square(rows.astype(np.float64) - table)
        return {"score": parts.mean(axis=1), "contributions": parts}

    return truth


def _exported(module: Any, first: Any) -> onnx.ModelProto:
    """By the exporter that needs no further package."""
    body = io.BytesIO()
    try:
        with warnings.catch_warnings():
            # it is called old with every release; the new one needs onnxscript
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                module,
                (first,),
                body,
                dynamo=False,
                input_names=[ROWS],
                output_names=[_OUTPUT],
                dynamic_axes={ROWS: {0: "n"}, _OUTPUT: {0: "n"}},
                opset_version=OPSET,
            )
    except Exception as error:
        raise ModelRejected(
            f"PyTorch cannot export {type(module).__name__}: {error}"
        ) from error
    return read(body.getvalue())
