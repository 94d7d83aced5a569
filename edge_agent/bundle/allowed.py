"""What a model may be made of: operators, versions, places for weights. Pure.

A list of what is allowed, not of what is bad: everything on it is deterministic,
touches nothing but numbers, and is used by models of rows as scikit-learn, LightGBM,
XGBoost and PyTorch export them. Left out, and why:

* random ones (``RandomNormal``, ``Multinomial``, ``Bernoulli``; ``Dropout`` and
  ``BatchNormalization`` while training): a score must be the same on replay;
* ``Loop``: how long it runs may hang on a row's numbers, and then no measurement
  bounds it. ``Scan``, ``LSTM`` and ``GRU`` run over a length that is known;
* sequences, maps, optionals, texts and images (``ZipMap``, ``StringNormalizer``,
  ``ImageDecoder``): a row is numbers, and so is a score;
* operators of other libraries and those that only optimised graphs have: they are
  made for one processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.bundle import graph
from edge_agent.bundle.sizes import check_sizes
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Collection

    from edge_agent.bundle.graph import Graph, GraphFacts
    from edge_agent.bundle.passport import Passport

_ARITHMETIC = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot
    BitwiseOr BitwiseXor Ceil Clip Cos Cosh CumProd CumSum Div Equal Erf Exp Floor
    Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Log Max Mean Min Mod Mul Neg Not
    Or Pow Reciprocal Round Sign Sin Sinh Sqrt Sub Sum Tan Tanh Where Xor
"""
_ACTIVATIONS = """
    Celu Elu Gelu HardSigmoid HardSwish Hardmax LeakyRelu LogSoftmax Mish PRelu Relu
    Selu Shrink Sigmoid Softmax Softplus Softsign SwiGLU Swish ThresholdedRelu
"""
_LAYERS = """
    Attention AveragePool BatchNormalization Conv ConvInteger ConvTranspose
    DequantizeLinear Det Dropout DynamicQuantizeLinear Einsum GRU Gemm GlobalAveragePool
    GlobalLpPool GlobalMaxPool GroupNormalization InstanceNormalization LRN LSTM
    LayerNormalization LpNormalization LpPool MatMul MatMulInteger MaxPool
    MeanVarianceNormalization QLinearConv QLinearMatMul QuantizeLinear RMSNormalization
    RNN RotaryEmbedding
"""
_REDUCTIONS = """
    ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean
    ReduceMin ReduceProd ReduceSum ReduceSumSquare TopK
"""
_SHAPES = """
    Cast CastLike Compress Concat Constant ConstantOfShape DepthToSpace Expand EyeLike
    Flatten Gather GatherElements GatherND Identity NonZero OneHot Pad Range Reshape
    Resize ReverseSequence ScatterElements ScatterND Shape Size Slice SpaceToDepth Split
    Squeeze Tile Transpose Trilu Unique Unsqueeze Upsample
"""
_SIGNALS = "BlackmanWindow DFT HammingWindow HannWindow STFT"
_CONTROL = "If Scan"
_CLASSIC = """
    ArrayFeatureExtractor Binarizer FeatureVectorizer Imputer LabelEncoder
    LinearClassifier LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor
    Scaler TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor
"""
#: Distances to the neighbours of a nearest-neighbour model.
_FUSED = "CDist"

DOMAINS = frozenset({"ai.onnx", "ai.onnx.ml", "com.microsoft"})
OPERATORS = frozenset(
    f"{domain}::{name}"
    for domain, names in (
        ("ai.onnx", _ARITHMETIC + _ACTIVATIONS + _LAYERS + _REDUCTIONS + _SHAPES),
        ("ai.onnx", f"{_SIGNALS} {_CONTROL}"),
        ("ai.onnx.ml", _CLASSIC),
        ("com.microsoft", _FUSED),
    )
    for name in names.split()
)
_INSTEAD = {
    "ai.onnx::Loop": "its length could depend on a row; use Scan, LSTM or GRU",
    "ai.onnx.ml::ZipMap": "a classifier from scikit-learn must be converted with "
    "zipmap=False",
}
_MAX_OPSETS = {"ai.onnx.ml": 10, "com.microsoft": 1}
_TRAINING_INPUT = 2


def check_model(model: bytes, passport: Passport) -> GraphFacts:
    """Refuse what must not run, before any runtime sees it.

    Args:
        model: the ONNX file.
        passport: what it is said to be.

    Returns:
        What was found on the way; weights in other files are still to be checked.

    Raises:
        ModelRejected: it breaks a rule; the text names the place and the rule.
    """
    facts = graph.inspect(model)
    _check_external(facts, passport)
    _check_domains(facts)
    _check_versions(facts, passport)
    if refused := sorted(set(facts.operators) - OPERATORS):
        raise ModelRejected(_not_allowed(refused))
    _check_training(facts.main)
    _check_values(facts.main)
    check_sizes(facts.main)
    return facts


def _check_external(facts: GraphFacts, passport: Passport) -> None:
    allowed: Collection[str] = set(passport.files) - {passport.model.file}
    for tensor in facts.external:
        if tensor.location not in allowed:
            raise ModelRejected(
                f"it keeps weights in other files ({tensor.tensor}), and "
                f"{tensor.location!r} is not the plain name of one that the passport "
                "lists under files: list it, or save the model with its weights inside"
            )


def _check_domains(facts: GraphFacts) -> None:
    used = {name.split("::")[0] for name in facts.operators}
    if strange := sorted((used | set(facts.opsets)) - DOMAINS):
        raise ModelRejected(f"it needs operators of {', '.join(strange)}: refused")


def _check_versions(facts: GraphFacts, passport: Passport) -> None:
    stated, opset = passport.model, facts.opsets.get("ai.onnx", 0)
    if opset > stated.opset or facts.ir_version > stated.ir_version:
        raise ModelRejected(
            f"it is opset {opset}, IR {facts.ir_version}; the passport says at most "
            f"opset {stated.opset}, IR {stated.ir_version}"
        )
    for domain, most in _MAX_OPSETS.items():
        if facts.opsets.get(domain, 0) > most:
            raise ModelRejected(
                f"it needs version {facts.opsets[domain]} of {domain}, later than "
                f"{most}, the last one known here"
            )


def _not_allowed(refused: list[str]) -> str:
    names = ", ".join(name.removeprefix("ai.onnx::") for name in refused[:5])
    advice = next((f" ({_INSTEAD[r]})" for r in refused if r in _INSTEAD), "")
    return f"it uses {names}, which no model may{advice}"


def _check_training(within: Graph) -> None:
    for node in within.nodes:
        told = node.operator == "ai.onnx::Dropout" and any(
            node.inputs[_TRAINING_INPUT:]
        )
        if told or node.flags.get("training_mode"):
            raise ModelRejected(
                f"{node.operator.removeprefix('ai.onnx::')} is in training mode and "
                "gives random numbers; export the model for inference"
            )
        for inner in node.graphs:
            _check_training(inner)


def _check_values(main: Graph) -> None:
    odd = {**main.inputs, **main.outputs}
    for name, sort in odd.items():
        if sort != "tensor":
            raise ModelRejected(
                f"{name!r} is a {sort}; inputs and outputs must be tensors"
            )
