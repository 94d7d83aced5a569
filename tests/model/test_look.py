"""The look into a graph: real conversions pass, what is hidden in bytes does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import onnxmltools
import pytest
import xgboost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.neighbors import LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import OneClassSVM

from edge_agent.bundle import graph
from edge_agent.bundle.allowed import check_model
from edge_agent.bundle.contents import open_bundle
from edge_agent.bundle.sizes import check_sizes
from edge_agent.bundle.wire import Budget, fields
from edge_agent.errors import ModelRejected
from tests.model import bundles
from tests.registry import hostile

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.bundle.passport import Passport

WIDTH = 4
OPSETS = {"": 17, "ai.onnx.ml": 3}
_RANDOM = np.random.default_rng(5)
ROWS = _RANDOM.normal(size=(200, WIDTH)).astype(np.float32)
TARGET = ROWS @ np.arange(WIDTH)
LABELS = (TARGET > 0).astype(int) + (TARGET > 1)
HOLES = np.where(_RANDOM.random(ROWS.shape) < 0.1, np.nan, ROWS).astype(np.float32)


@pytest.fixture(scope="module")
def passport(tmp_path_factory: pytest.TempPathFactory) -> Passport:
    """A passport that allows every version."""
    made = bundles.make(tmp_path_factory.mktemp("any")).passport
    newest = made.model.model_copy(update={"opset": 40, "ir_version": 40})
    return made.model_copy(update={"model": newest})


SKLEARN = {
    "isolation forest": IsolationForest(n_estimators=10, random_state=0),
    "neighbours": LocalOutlierFactor(novelty=True),
    "one-class machine": OneClassSVM(),
    "k means": KMeans(3, random_state=0),
    "gaussian process": GaussianProcessRegressor(),
    "forest": RandomForestClassifier(10, random_state=0),
    "boosting": GradientBoostingRegressor(n_estimators=5),
    "network": make_pipeline(StandardScaler(), MLPClassifier((4,), tol=1.0)),
    "quantiles": make_pipeline(
        QuantileTransformer(n_quantiles=50), KMeans(2, random_state=0)
    ),
    "powers": make_pipeline(PolynomialFeatures(2), KMeans(2, random_state=0)),
}


@pytest.mark.parametrize("name", SKLEARN)
def test_models_of_scikit_learn_pass(name: str, passport: Passport) -> None:
    """What skl2onnx makes of the usual models holds nothing that is refused."""
    labels = LABELS if hasattr(SKLEARN[name], "predict_proba") else TARGET
    model = SKLEARN[name].fit(ROWS, labels)
    plain = {"zipmap": False} if hasattr(model, "predict_proba") else {}
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    options = {id(last): plain} if plain else None

    made = to_onnx(model, ROWS[:1], target_opset=OPSETS, options=options)

    assert check_model(made.SerializeToString(), passport).nodes > 0


@pytest.mark.parametrize("rows", [ROWS, HOLES], ids=["whole", "with holes"])
def test_models_of_boosting_libraries_pass(rows: Any, passport: Passport) -> None:  # noqa: ANN401
    """So do those of LightGBM and XGBoost, with splits on what is missing."""
    shape = [("rows", FloatTensorType([None, WIDTH]))]
    light = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(rows, TARGET)
    extreme = xgboost.XGBClassifier(n_estimators=5).fit(rows, LABELS)

    for made in (
        onnxmltools.convert_lightgbm(light, initial_types=shape, target_opset=15),
        onnxmltools.convert_xgboost(extreme, initial_types=shape, target_opset=15),
    ):
        assert check_model(made.SerializeToString(), passport).nodes > 0


def test_what_pytorch_exports_is_allowed(passport: Passport) -> None:
    """Recurrent layers, attention masks and shapes made from the rows' count pass."""
    node = helper.make_node
    nodes = [
        node("Unsqueeze", ["rows", "one"], ["u"]),
        node("Transpose", ["u"], ["t"], perm=[1, 0, 2]),
        node("GRU", ["t", "w", "r"], ["y", "h"], hidden_size=2),
        node("Shape", ["rows"], ["shape"]),
        node("Gather", ["shape", "first"], ["n"]),
        node("Concat", ["n", "two"], ["wanted"], axis=0),
        node("Expand", ["mask", "wanted"], ["masks"]),
        node("Reshape", ["h", "wanted"], ["flat"]),
        node("Where", ["yes", "flat", "masks"], ["safe"]),
        *hostile.nothing_of("safe"),
    ]
    weights: dict[str, Any] = {
        **hostile.NOUGHT,
        "one": np.array([1]),
        "first": np.array([0]),
        "two": np.array([2]),
        "mask": np.array(-np.inf, np.float32),
        "yes": np.array([True]),
        "w": np.ones((1, 6, WIDTH), np.float32),
        "r": np.ones((1, 6, 2), np.float32),
    }
    made = hostile.twisted(nodes, weights)

    assert check_model(made.SerializeToString(), passport).operators["ai.onnx::GRU"]


def test_weights_beside_the_graph_come_with_the_bundle(tmp_path: Path) -> None:
    """A file with a hash is read once, under the name that the graph says."""
    folder = bundles.make(tmp_path).path
    before = open_bundle(folder)
    hostile.beside(folder, name="3f2a.data")

    found = open_bundle(folder)

    assert before.external == {}
    assert found.external == {"3f2a.data": hostile.ONES}
    assert found.digest != before.digest


@given(
    ints=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=300),
    floats=st.lists(st.floats(width=32, allow_nan=False), max_size=300),
    words=st.lists(st.binary(max_size=200), max_size=20),
)
@settings(max_examples=60)
def test_runs_are_read_as_protobuf_reads_them(
    ints: list[int], floats: list[float], words: list[bytes]
) -> None:
    """Long runs of numbers are passed in one go, and nothing behind them is missed."""
    attribute = AttributeProto(
        name="a", ints=ints, floats=floats, strings=words, type=AttributeProto.INTS
    )
    body = memoryview(attribute.SerializeToString())

    found = list(fields(body, Budget(5000), frozenset({8})))

    numbers = b"".join(bytes(v) for n, v in found if n == 7 and not isinstance(v, int))
    assert np.frombuffer(numbers, "<f4").tolist() == list(attribute.floats)
    assert [bytes(v) for n, v in found if n == 9 and not isinstance(v, int)] == words
    assert [v for n, v in found if n == 20] == [AttributeProto.INTS]
    assert sum(n == 8 for n, _ in found) <= len(ints)
    assert [n for n, _ in found][:1] == [1]


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
@pytest.mark.parametrize("raw", [True, False])
def test_half_floats_are_looked_into(kind: int, *, raw: bool) -> None:
    """NaN is seen in both 16-bit floats, however they are stored; numbers pass."""
    nan = 0x7E00 if kind == TensorProto.FLOAT16 else 0x7FC0
    for bits in ([0x3C00, 0x0001], [0x3C00, nan]):
        tensor = TensorProto(name="half", data_type=kind, dims=[2])
        if raw:
            tensor.raw_data = np.array(bits, "<u2").tobytes()
        else:
            tensor.int32_data.extend(bits)
        made = bundles.graph(WIDTH)
        made.graph.initializer.append(tensor)
        if nan in bits:
            with pytest.raises(ModelRejected, match="tensor half holds NaN"):
                graph.inspect(made.SerializeToString())
        else:
            assert "half" in graph.inspect(made.SerializeToString()).main.weights


@pytest.mark.parametrize("array", [
    np.arange(6, dtype=np.int64).reshape(2, 3),
    np.array([True, False]),
    np.array(["a", "b"], object),
    np.zeros((0, 3), np.float32),
    np.array(1.5),
    np.array([2**63], np.uint64),
])  # fmt: skip
@pytest.mark.parametrize("typed", [True, False])
def test_sound_tensors_pass(array: Any, *, typed: bool) -> None:  # noqa: ANN401
    """Every kind a model uses, raw or typed, holds what it declares."""
    made = bundles.graph(WIDTH)
    if typed:
        kind = numpy_helper.from_array(array).data_type
        tensor = helper.make_tensor("more", kind, array.shape, array.ravel().tolist())
    else:
        tensor = numpy_helper.from_array(array, "more")
    made.graph.initializer.append(tensor)

    assert "more" in graph.inspect(made.SerializeToString()).main.weights


def test_a_split_at_infinity_is_no_broken_weight(passport: Passport) -> None:
    """Trees part what is missing from what is there by comparing with infinity."""
    made = hostile.tree(nodes_values=[np.inf, 0.0, 0.0])

    assert check_model(made.SerializeToString(), passport).nodes > 1


def test_a_name_used_again_does_not_wash_a_row_clean() -> None:
    """Numbers of the rows are followed into and out of inner graphs."""
    node = helper.make_node
    for source, fine in ("two", True), ("rows", False):
        cast = node("Cast", [source], ["whole"], to=TensorProto.INT64)
        inner = hostile.body([cast], [], ["whole"])
        made = hostile.twisted(
            [
                node("If", ["true"], ["count"], then_branch=inner, else_branch=inner),
                node("ConstantOfShape", ["count"], ["large"]),
                *hostile.nothing_of("large"),
            ],
            {
                **hostile.NOUGHT,
                "true": np.array([True]),
                "two": np.array([2.0], np.float32),
            },
        )
        main = graph.inspect(made.SerializeToString()).main
        if fine:
            check_sizes(main)
        else:
            with pytest.raises(ModelRejected, match="depend on the numbers in"):
                check_sizes(main)


@given(cut=st.integers(0, 300), flips=st.lists(st.integers(0, 9000), max_size=6))
@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_bytes_crash_the_check(
    passport: Passport, cut: int, flips: list[int]
) -> None:
    """Damaged graphs with tensors, trees and inner graphs are refused or read."""
    made = ModelProto()
    made.CopyFrom(hostile.tree())
    made.graph.initializer.append(
        hostile.weights(1.0, np.float16).graph.initializer[-1]
    )
    body = bytearray(made.SerializeToString())
    body = body[: max(len(body) - cut, 0)]
    for bit in flips:
        if bit // 8 < len(body):
            body[bit // 8] ^= 1 << bit % 8
    try:
        facts = check_model(bytes(body), passport)
    except ModelRejected:
        return
    assert facts.nodes > 0


def test_a_longer_key_ends_a_run() -> None:
    """A key of two bytes that ends like the run's key is another field."""
    body = memoryview(b"\x40\x01" * 40 + b"\xc8\x40\x05" + b"\x40\x01")

    found = list(fields(body, Budget(), frozenset({8})))

    assert (found[0], found[1]) == ((8, 1), (1033, 5))


def test_what_a_scan_carries_round_is_of_the_rows() -> None:
    """A state that begins as a constant may come back as a row's number."""
    node = helper.make_node
    body = hostile.body(
        [
            node("Cast", ["s_in"], ["count"], to=TensorProto.INT64),
            node("ConstantOfShape", ["count"], ["large"]),
            node("ReduceMax", ["large"], ["nothing"], keepdims=0),
            node("ReduceMax", ["rows"], ["most"], keepdims=0),
            node("Add", ["most", "nothing"], ["s_out"]),
        ],
        ["s_in", "x"],
        ["s_out"],
    )
    made = hostile.twisted(
        [
            node("Scan", ["start", "steps"], ["end"], num_scan_inputs=1, body=body),
            *hostile.nothing_of("end"),
        ],
        {
            **hostile.NOUGHT,
            "start": np.array([1], np.float32),
            "steps": np.ones(2, np.float32),
        },
    )

    with pytest.raises(ModelRejected, match="what ConstantOfShape makes would depend"):
        check_sizes(graph.inspect(made.SerializeToString()).main)
