"""scikit-learn models, alone or behind scalers in a Pipeline.

How each is read: an IsolationForest by ``-score_samples`` (0..1), PCA and an
MLPRegressor fitted on its own input by the reconstruction error, a classifier by its
probabilities, any other regressor by what it predicts: the higher, the worse.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx

from edge_agent.errors import ModelRejected
from edge_agent.publish import forest, histogram, linear, reconstruction
from edge_agent.publish.converted import (
    COLUMN,
    Converted,
    class_outputs,
    class_truth,
)
from edge_agent.publish.graphs import OPSETS, ROWS, pruned
from edge_agent.publish.scaling import Staged, staged
from edge_agent.publish.trees import floor32, fold

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edge_agent.publish.converted import Truth, Wanted
    from edge_agent.samples import F64

_FLIPS = 1e-3
"""Share of rows that may differ where trees stand behind steps in float32."""


def convert(model: Any, wanted: Wanted) -> Converted:
    """A fitted estimator or Pipeline as a graph.

    Raises:
        ModelRejected: there is no conversion; the text says what there is.
    """
    found = staged(model)
    name, features = type(found.model).__name__, len(wanted.features)
    if name == "IsolationForest":
        return _isolation(model, found, wanted)
    if name == "PCA":
        return reconstruction.pca(found, features)
    if name == "MLPRegressor" and found.model.n_outputs_ == features > 1:
        return reconstruction.network(found, features)
    if not hasattr(found.model, "predict_proba") and not _regressor(found.model):
        raise ModelRejected(
            f"{name} cannot be published: it has no class probabilities and predicts "
            "no number; there are IsolationForest, PCA, MLPRegressor on its own input, "
            "classifiers with predict_proba, regressors, or your own .onnx file"
        )
    if (explained := linear.convert(found, wanted)) is not None:
        return explained
    made, flips, notes = _graph(model, found, wanted)
    return _read(model, made, wanted, flips, notes)


def source_truth(model: Any, wanted: Wanted) -> Truth:
    """What a classifier or regressor says, in the agent's words."""

    def truth(rows: NDArray[np.float32]) -> dict[str, F64]:
        if wanted.classes:
            table = np.asarray(model.predict_proba(rows), np.float64)
            return class_truth(table, wanted)
        return {"score": np.ravel(model.predict(rows)).astype(np.float64)}

    return truth


def _isolation(model: Any, found: Staged, wanted: Wanted) -> Converted:
    if found.others:
        return _plain_isolation(model, wanted, found.others)
    made = forest.compiled(found.model)
    _fold(made, found, len(wanted.features))
    trees = len(found.model.estimators_)
    folded = ", the scaler in its thresholds" if found.scalers else ""
    return Converted(
        source=_source(model),
        model=made.SerializeToString(),
        input=ROWS,
        outputs=COLUMN,
        truth=_isolation_truth(model),
        notes=(f"{trees} isolation trees compiled into one tree ensemble{folded}.",),
        plain=lambda: _plain_isolation(model, wanted, ()),
    )


def _isolation_truth(model: Any) -> Truth:
    return lambda rows: {"score": -np.asarray(model.score_samples(rows), np.float64)}


def _plain_isolation(model: Any, wanted: Wanted, others: tuple[str, ...]) -> Converted:
    """As skl2onnx writes it; its score is the distance to the offset, upside down."""
    made = _skl2onnx(model, wanted)
    offset = np.array(-float(staged(model).model.offset_), np.float32)
    made.graph.initializer.append(numpy_helper.from_array(offset, "turned"))
    made.graph.node.append(helper.make_node("Sub", ["turned", "scores"], ["score"]))
    made.graph.output.append(
        helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])
    )
    notes = [f"{name} stands before the forest: not compiled." for name in others]
    return Converted(
        source=_source(model),
        model=pruned(made, ["score"]).SerializeToString(),
        input=made.graph.input[0].name,
        outputs=COLUMN,
        truth=_isolation_truth(model),
        flips=_FLIPS if others else 0.0,
        notes=tuple(notes),
    )


def _graph(
    model: Any, found: Staged, wanted: Wanted
) -> tuple[onnx.ModelProto, float, tuple[str, ...]]:
    """A graph, the share of rows that may flip, and what was done."""
    name = type(found.model).__name__
    if name.startswith("HistGradientBoosting"):
        if found.others:
            raise ModelRejected(
                f"{name} behind {', '.join(found.others)} cannot be converted; put "
                "plain scalers before it, or nothing: trees need no scaling"
            )
        made = histogram.compiled(found.model)
        _fold(made, found, len(wanted.features))
        return made, 0.0, ("Trees compiled into one tree ensemble.",)
    if not _is_trees(found.model):
        return _skl2onnx(model, wanted), 0.0, ()
    if found.others:
        return _skl2onnx(model, wanted), _FLIPS, ()
    made = _skl2onnx(_floored(found.model), wanted)
    if _fold(made, found, len(wanted.features)):
        done = " and moved past the scaler" if found.scalers else ""
        return made, 0.0, (f"Thresholds rounded down to float32{done}.",)
    return _skl2onnx(model, wanted), _FLIPS, ()


def _read(
    model: Any,
    made: onnx.ModelProto,
    wanted: Wanted,
    flips: float,
    notes: tuple[str, ...],
) -> Converted:
    names = [output.name for output in made.graph.output]
    output = names[-1]  # a classifier's labels come first
    if wanted.classes and not hasattr(model, "predict_proba"):
        raise ModelRejected(
            f"{type(model).__name__} gives no probabilities, which a quality model "
            "needs; calibrate it, or publish it as an anomaly model"
        )
    outputs = (
        class_outputs(output, wanted)
        if wanted.classes
        else {"score": {"output": output}}
    )
    return Converted(
        source=_source(model),
        model=pruned(made, [output]).SerializeToString(),
        input=made.graph.input[0].name,
        outputs=outputs,
        truth=source_truth(model, wanted),
        flips=flips,
        notes=notes,
    )


def _skl2onnx(model: Any, wanted: Wanted) -> onnx.ModelProto:
    options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
    first = wanted.rows[:1]
    try:
        made: onnx.ModelProto = to_onnx(
            model, first, target_opset=dict(OPSETS), options=options
        )
    except Exception as error:
        raise ModelRejected(
            f"skl2onnx cannot convert {_source(model)}: {_first_line(error)}"
        ) from error
    return made


def _fold(made: onnx.ModelProto, found: Staged, features: int) -> bool:
    if not found.scalers:
        return True
    # what a threshold is tried with may leave float32 on its way through two scalers
    with sklearn.config_context(assume_finite=True):
        return fold(made, found.scaled, features)


def _floored(model: Any) -> Any:
    """A copy whose thresholds are numbers of float32 that decide alike."""
    twin = copy.deepcopy(model)
    for estimator in np.ravel(getattr(twin, "estimators_", [twin])):
        tree = estimator.tree_
        tree.threshold[:] = floor32(tree.threshold)
    return twin


def _is_trees(model: Any) -> bool:
    inner = np.ravel(getattr(model, "estimators_", [model]))
    return all(hasattr(estimator, "tree_") for estimator in inner)


def _regressor(model: Any) -> bool:
    return bool(sklearn.base.is_regressor(model))


def _source(model: Any) -> str:
    found = staged(model)
    steps = [*map(type, found.scalers), type(found.model)]
    names = [*found.others, *(step.__name__ for step in steps)]
    return f"scikit-learn {sklearn.__version__} {' + '.join(names)}"


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:300] if text else type(error).__name__
