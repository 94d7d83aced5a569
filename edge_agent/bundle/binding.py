"""How the passport ties the graph's input and outputs to features and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from edge_agent.bundle.modelfile import Outputs
    from edge_agent.bundle.passport import Passport
    from edge_agent.samples import F64

_FLOATS = frozenset({"tensor(float)", "tensor(double)"})
_MATRIX = 2


class Node(Protocol):
    """One input or output of a graph, as the runtime describes it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def type(self) -> str:
        """Its type, e.g. ``tensor(float)``."""
        ...

    @property
    def shape(self) -> Sequence[int | str | None]:
        """Its dimensions; a name or None for one that is free."""
        ...


def outputs_read(outputs: Outputs) -> list[str]:
    """Names of the graph's outputs that the agent asks for."""
    names = [outputs.score.output, outputs.contributions]
    if outputs.probabilities is not None:
        names.append(outputs.probabilities.output)
    return list(dict.fromkeys(name for name in names if name is not None))


def binding_problems(
    inputs: Sequence[Node], results: Sequence[Node], passport: Passport
) -> list[str]:
    """What in the graph's inputs and outputs is not as the passport says."""
    stated, problems = passport.model, list[str]()
    outputs = {o.name: o for o in results}
    if [i.name for i in inputs] != [stated.input]:
        names = ", ".join(i.name for i in inputs)
        problems.append(f"its inputs are {names}; the passport says {stated.input}")
    else:
        problems += _input_problems(inputs[0], passport)
    for name in outputs_read(stated.outputs):
        if name not in outputs:
            problems.append(f"it has no output {name!r}; it has {', '.join(outputs)}")
        elif outputs[name].type not in _FLOATS:
            problems.append(
                f"output {name!r} is {outputs[name].type}, not numbers (a classifier "
                "from scikit-learn must be converted with zipmap=False)"
            )
        else:
            problems += _output_problems(outputs[name], passport)
    return problems


def _input_problems(node: Node, passport: Passport) -> list[str]:
    stated, width = passport.model, len(passport.features)
    if node.type != "tensor(float)":
        return [f"input {node.name!r} is {node.type}; float32 is wanted"]
    if len(node.shape) != _MATRIX:
        return [
            f"input {node.name!r} has shape {node.shape}; [rows, features] is wanted"
        ]
    rows, columns = node.shape
    if isinstance(columns, int) and columns != width:
        return [
            f"input {node.name!r} takes {columns} features, the passport lists {width}"
        ]
    if isinstance(rows, int) and (
        stated.batch == "dynamic" or set(stated.batch) != {rows}
    ):
        return [f"it takes exactly {rows} rows; the passport must say batch: [{rows}]"]
    return []


def _output_problems(node: Node, passport: Passport) -> list[str]:
    outputs, width = passport.model.outputs, len(passport.features)
    columns = node.shape[1] if len(node.shape) == _MATRIX else 1
    if len(node.shape) not in {1, _MATRIX} or not isinstance(columns, int):
        return []  # unknown until run; the golden rows decide
    shape = f"output {node.name!r} has shape {node.shape}"
    problems = []
    if node.name == outputs.contributions and columns != width:
        problems.append(f"{shape}; contributions need {width} columns")
    score, classes = outputs.score, outputs.probabilities
    if node.name == score.output and score.read == "column" and score.column >= columns:
        problems.append(f"{shape}; the passport reads column {score.column}")
    if (
        node.name == score.output
        and score.read == "reconstruction"
        and columns != width
    ):
        problems.append(f"{shape}; a reconstruction needs {width} columns")
    if classes and node.name == classes.output and columns != len(classes.classes):
        problems.append(f"{shape}; the passport names {len(classes.classes)} classes")
    return problems


def score_and_parts(
    outputs: Mapping[str, NDArray[Any]], rows: NDArray[np.float32], stated: Outputs
) -> tuple[F64, NDArray[np.float32] | None]:
    """One number a row, and each feature's part of it, as the passport binds them.

    Raises:
        ValueError: an output has another shape than the rows ask for.
    """
    if stated.score.read == "reconstruction":
        return _reconstruction(outputs[stated.score.output], rows, stated)
    score = _reduced(outputs[stated.score.output], stated)
    name = stated.contributions
    parts = outputs[name].astype(np.float32, copy=False) if name else None
    if parts is not None and parts.shape != rows.shape:
        raise ValueError(f"contributions have shape {list(parts.shape)}")
    return (1.0 - score if stated.score.complement else score), parts


def _reconstruction(
    output: NDArray[Any], rows: NDArray[np.float32], stated: Outputs
) -> tuple[F64, NDArray[np.float32]]:
    """The mean squared difference of a row to what the model makes of it."""
    if output.shape != rows.shape:
        raise ValueError(f"the reconstruction has shape {list(output.shape)}")
    parts: NDArray[np.float32] = np.subtract(output, rows, dtype=np.float32)
    np.square(parts, out=parts)
    score = parts.sum(axis=1).astype(np.float64) / rows.shape[1]
    return (1.0 - score if stated.score.complement else score), parts


def _reduced(output: NDArray[Any], stated: Outputs) -> F64:
    """One number of each row of a table."""
    read = stated.score.read
    if output.ndim == 1:
        output = output[:, None]
    if output.ndim != _MATRIX:
        raise ValueError(f"the score has shape {list(output.shape)}")
    if read == "column":
        return output[:, _column(stated)].astype(np.float64)
    table = output.astype(np.float64)
    if read == "max":
        highest: F64 = table.max(axis=1)
        return highest
    if read == "norm":
        np.square(table, out=table)
    total: F64 = table.sum(axis=1)
    if read == "norm":
        return np.sqrt(total)
    return total / table.shape[1] if read == "mean" else total


def _column(stated: Outputs) -> int:
    name, classes = stated.score.class_name, stated.probabilities
    return classes.classes.index(name) if name and classes else stated.score.column
