"""A graph that is an ONNX file already.

There is no source model to hold it against. The golden rows are then what the graph
itself gives where the bundle is built, which proves a gateway's arithmetic and not the
conversion; the model card says so. Who has the source can give its answers on the
held-out rows, and they are compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from edge_agent.errors import ModelRejected
from edge_agent.publish.converted import Converted, Wanted, class_outputs
from edge_agent.publish.graphs import pruned, read


def convert(model: Any, wanted: Wanted) -> Converted:
    """A file, its bytes or an ``onnx.ModelProto``.

    Raises:
        ModelRejected: no ONNX, not one input, or several outputs and nothing said of
            which is the score.
    """
    made, source = _loaded(model)
    weights = {one.name for one in made.graph.initializer}
    inputs = [one.name for one in made.graph.input if one.name not in weights]
    if len(inputs) != 1:
        raise ModelRejected(
            f"{source} has the inputs {', '.join(inputs) or 'none'}; one is wanted, "
            "float32 [rows, features]"
        )
    outputs = dict(wanted.outputs or _guessed(made, wanted, source))
    return Converted(
        source=source,
        model=pruned(made, _names(outputs)).SerializeToString(),
        input=inputs[0],
        outputs=outputs,
        truth=None,
    )


def _loaded(model: Any) -> tuple[onnx.ModelProto, str]:
    if isinstance(model, onnx.ModelProto):
        copied = onnx.ModelProto()
        copied.CopyFrom(model)
        return copied, "ONNX model"
    if isinstance(model, bytes):
        return read(model), "ONNX model"
    path = Path(model)
    try:
        # external weights are read from beside the file and go into the one file
        return onnx.load_model(str(path)), f"ONNX file {path.name}"
    except OSError as error:
        raise ModelRejected(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:
        raise ModelRejected(f"{path} is not an ONNX model: {error}") from error


def _guessed(made: onnx.ModelProto, wanted: Wanted, source: str) -> dict[str, Any]:
    """How to read the outputs, where there is only one way."""
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
    tables = [
        o.name for o in made.graph.output if o.type.tensor_type.elem_type in floats
    ]
    if len(tables) != 1:
        listed = ", ".join(o.name for o in made.graph.output)
        raise ModelRejected(
            f"{source} has the outputs {listed}; say which is the score with "
            'outputs={"score": {"output": NAME}}, as in passport.yaml'
        )
    if wanted.classes:
        return class_outputs(tables[0], wanted)
    return {"score": {"output": tables[0]}}


def _names(outputs: dict[str, Any]) -> list[str]:
    tables = [outputs.get("score"), outputs.get("probabilities")]
    names = [table["output"] for table in tables if table]
    return [*names, *([outputs["contributions"]] if "contributions" in outputs else [])]
