"""A model as a graph, beside what the model it was made from says."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_agent.samples import F64

Truth = Callable[["NDArray[np.float32]"], "Mapping[str, F64]"]
"""The source model on float32[n, features]: ``score`` [n], and where it tells them
``contributions`` [n, features] and ``probabilities`` [n, classes]."""


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What the build asks of a converter.

    Attributes:
        features: names, in the order of the columns.
        rows: float32[n, features], some training rows.
        classes: names of the classes in the order of the model's; empty for none.
        good: the class that needs no alarm; empty for an anomaly model.
        outputs: how the graph's outputs are read, as in the passport, where the user
            said so.
    """

    features: tuple[str, ...]
    rows: NDArray[np.float32]
    classes: tuple[str, ...] = ()
    good: str = ""
    outputs: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """A graph and its source.

    Attributes:
        source: what was converted, for the card: ``scikit-learn IsolationForest``.
        model: the ONNX file.
        input: name of its input.
        outputs: the passport's ``model.outputs``.
        truth: the source model; None where only the graph is at hand.
        flips: share of rows that may fall on the other side of a tree's threshold,
            where the graph computes the tree's input in another precision; else 0.
        notes: what was done on the way, in sentences.
        plain: makes the same as the usual converter would write it, to compare; None
            where that is what was done.
    """

    source: str
    model: bytes
    input: str
    outputs: Mapping[str, Any]
    truth: Truth | None
    flips: float = 0.0
    notes: tuple[str, ...] = ()
    plain: Callable[[], Converted] | None = None


def told_by(source: Truth, rows: NDArray[np.float32]) -> Mapping[str, F64]:
    """What the source says of rows, without its remarks on columns that have no names.

    Models fitted on a table with names warn about every array without; the order of
    the columns has been checked.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return source(rows)


def class_outputs(output: str, wanted: Wanted) -> dict[str, Any]:
    """``model.outputs`` of class probabilities: the score is 1 - P(good)."""
    return {
        "score": {"output": output, "class_name": wanted.good, "complement": True},
        "probabilities": {"output": output, "classes": list(wanted.classes)},
    }


def class_truth(table: F64, wanted: Wanted) -> dict[str, F64]:
    """Score and probabilities from float64[n, classes]."""
    good = table[:, wanted.classes.index(wanted.good)]
    return {"score": 1.0 - good, "probabilities": table}


COLUMN: Mapping[str, Any] = {"score": {"output": "score"}}
EXPLAINED: Mapping[str, Any] = {
    "score": {"output": "score"},
    "contributions": "contributions",
}
