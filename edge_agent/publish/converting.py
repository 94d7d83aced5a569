"""A model of any library to a graph, by where its class comes from."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.errors import ModelRejected
from edge_agent.publish.scaling import staged

if TYPE_CHECKING:
    from edge_agent.publish.converted import Converted, Wanted

_FAMILIES = {
    "sklearn": "sklearn",
    "lightgbm": "boosting",
    "xgboost": "boosting",
    "torch": "torch",
    "onnx": "ready",
}


def convert(model: Any, wanted: Wanted) -> Converted:
    """The model as a graph; only the library it comes from is imported.

    Raises:
        ModelRejected: no library known here made it, or it cannot be converted.
    """
    _check_columns(model, wanted)
    family = _family(model)
    try:
        found = import_module(f"edge_agent.publish.{family}")
    except ModuleNotFoundError as error:
        raise ModelRejected(
            f"to convert it takes {error.name}, which is not installed here: "
            "pip install edge-agent[publish]"
        ) from error
    made: Converted = found.convert(model, wanted)
    return made


def classes_of(model: Any) -> tuple[str, ...]:
    """Names of a classifier's classes in its order, empty for anything else."""
    known = getattr(model, "classes_", None)
    if known is None or not hasattr(model, "predict_proba"):
        return ()
    return tuple(str(one) for one in known)


def _check_columns(model: Any, wanted: Wanted) -> None:
    """Refuse a model that was fitted on other columns, or in another order."""
    count = getattr(model, "n_features_in_", None)
    if isinstance(count, int) and count != len(wanted.features):
        raise ModelRejected(
            f"the model was fitted on {count} columns; features lists "
            f"{len(wanted.features)}"
        )
    names = [str(one) for one in getattr(model, "feature_names_in_", ())]
    mine = list(wanted.features)
    if names != mine and sorted(names) == sorted(mine):
        first = next(i for i, name in enumerate(names) if name != mine[i])
        raise ModelRejected(
            "the model was fitted on the same columns in another order: its column "
            f"{first + 1} is {names[first]}, features has {mine[first]} there"
        )


def _family(model: Any) -> str:
    if isinstance(model, str | Path | bytes):
        return "ready"
    for one in (staged(model).model, model):
        for kind in type(one).__mro__:
            family = _FAMILIES.get(kind.__module__.split(".")[0])
            if family is not None:
                return family
    raise ModelRejected(
        f"{type(model).__name__} is no model known here; there are scikit-learn, "
        "LightGBM, XGBoost, PyTorch, and the path of an .onnx file"
    )
