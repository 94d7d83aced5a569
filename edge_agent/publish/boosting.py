"""LightGBM and XGBoost models, alone or behind scalers in a Pipeline."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from onnxmltools.convert.common.data_types import FloatTensorType

from edge_agent.errors import ModelRejected
from edge_agent.publish.converted import Converted, class_outputs, class_truth
from edge_agent.publish.graphs import ROWS, pruned
from edge_agent.publish.scaling import staged
from edge_agent.publish.trees import floor32, fold

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edge_agent.publish.converted import Truth, Wanted
    from edge_agent.samples import F64

_OPSET = 15  # the highest onnxmltools knows for both
_THRESHOLDS = re.compile(r"^threshold=(.*)$", re.MULTILINE)
_SIZES = re.compile(r"^tree_sizes=.*\n", re.MULTILINE)


def convert(model: Any, wanted: Wanted) -> Converted:
    """A fitted wrapper (LGBMClassifier, XGBRegressor, …), Booster or Pipeline.

    Raises:
        ModelRejected: it cannot be converted, or stands behind steps that are no plain
            scalers.
    """
    found = staged(model)
    if found.others:
        raise ModelRejected(
            f"{', '.join(found.others)} before {type(found.model).__name__} cannot be "
            "converted; put plain scalers there, or nothing: trees need no scaling"
        )
    library = type(found.model).__module__.split(".")[0]
    made = (_lightgbm if library == "lightgbm" else _xgboost)(found.model, wanted)
    if found.scalers:
        with sklearn.config_context(assume_finite=True):
            fold(made, found.scaled, len(wanted.features))
    output = made.graph.output[-1].name  # a classifier's labels come first
    outputs = (
        class_outputs(output, wanted)
        if wanted.classes
        else {"score": {"output": output}}
    )
    moved = " and moved past the scaler" if found.scalers else ""
    return Converted(
        source=f"{library} {type(found.model).__name__}",
        model=pruned(made, [output]).SerializeToString(),
        input=ROWS,
        outputs=outputs,
        truth=_truth(model, library, wanted),
        notes=(f"Thresholds decide in float32 as in the source{moved}.",),
    )


def _truth(model: Any, library: str, wanted: Wanted) -> Truth:
    """What the source says: Boosters and wrappers answer differently."""

    def truth(rows: NDArray[np.float32]) -> dict[str, F64]:
        if hasattr(model, "predict_proba"):
            found = model.predict_proba(rows)
        elif library == "xgboost" and type(model).__name__ == "Booster":
            found = _xgboost_says(model, rows)
        else:
            found = model.predict(rows)
        table = np.asarray(found, np.float64)
        if not wanted.classes:
            return {"score": np.ravel(table)}
        if table.ndim == 1:  # a Booster tells the second of two classes
            table = np.column_stack([1.0 - table, table])
        return class_truth(table, wanted)

    return truth


def _xgboost_says(booster: Any, rows: NDArray[np.float32]) -> Any:
    import xgboost

    return booster.predict(xgboost.DMatrix(rows, feature_names=booster.feature_names))


def _lightgbm(model: Any, wanted: Wanted) -> onnx.ModelProto:
    """From the booster's text, its thresholds rounded down to float32.

    LightGBM compares in float64; the converter would round to the nearest.
    """
    import lightgbm
    from onnxmltools import convert_lightgbm

    booster = getattr(model, "booster_", model)
    text = booster.model_to_string()
    if re.search(r"^num_cat=[1-9]", text, re.MULTILINE):
        raise ModelRejected(
            "the LightGBM model splits on categories; a gateway's features are "
            "numbers: fit it without categorical_feature"
        )
    # sizes of the trees' texts would no longer be right, and a wrong one ends the
    # process; without them the text is read from top to bottom
    text = _SIZES.sub("", _THRESHOLDS.sub(_rounded_down, text))
    rounded = lightgbm.Booster(model_str=text)
    made: onnx.ModelProto = _tried(
        convert_lightgbm,
        rounded,
        initial_types=_input(wanted),
        zipmap=False,
        target_opset=_OPSET,
    )
    return made


def _rounded_down(line: re.Match[str]) -> str:
    values = floor32(np.array(line[1].split(), np.float64)).astype(np.float64)
    return "threshold=" + " ".join(repr(float(v)) for v in values)


def _xgboost(model: Any, wanted: Wanted) -> onnx.ModelProto:
    """XGBoost decides in float32 itself; names of columns are the converter's own."""
    from onnxmltools import convert_xgboost

    booster = model if type(model).__name__ == "Booster" else model.get_booster()
    names = booster.feature_names
    booster.feature_names = None
    try:
        made: onnx.ModelProto = _tried(
            convert_xgboost,
            model,
            initial_types=_input(wanted),
            target_opset=_OPSET,
        )
    finally:
        booster.feature_names = names
    return made


def _input(wanted: Wanted) -> list[tuple[str, Any]]:
    return [(ROWS, FloatTensorType([None, len(wanted.features)]))]


def _tried(converter: Any, model: Any, **options: Any) -> Any:
    try:
        return converter(model, **options)
    except Exception as error:
        raise ModelRejected(
            f"onnxmltools cannot convert {type(model).__name__}: {error}"
        ) from error
