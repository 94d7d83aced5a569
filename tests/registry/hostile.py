"""Bundles that are right in everything but the one thing that makes them hostile."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edge_agent.registry.verdict import VetLimits
from tests.model import bundles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

WIDTH = 4
GB40 = 10**10
ML = helper.make_opsetid("ai.onnx.ml", 3)
QUICK = VetLimits(cpu_s=2, wall_s=20)
_node = helper.make_node


@dataclass(frozen=True)
class Case:
    """One hostile bundle.

    Attributes:
        spoil: turns a good bundle's folder into it.
        reason: what the refusal must match.
        limits: to vet it with.
    """

    spoil: Callable[[Path], None]
    reason: str
    limits: VetLimits = field(default_factory=VetLimits)


def twisted(
    nodes: list[NodeProto],
    weights: Mapping[str, NDArray[Any]] | None = None,
    *,
    opset: int = 17,
    ir: int = 8,
    rows: int = TensorProto.FLOAT,
) -> ModelProto:
    """The good graph, with ``extra`` added to its score; nobody checks the result."""
    every = [
        _node("Mul", ["rows", "scale"], ["scaled"]),
        _node("Mul", ["scaled", "scaled"], ["contributions"]),
        _node("MatMul", ["contributions", "ones"], ["plain"]),
        *nodes,
        _node("Add", ["plain", "extra"], ["score"]),
    ]
    constants = {
        "scale": np.ones(WIDTH, np.float32),
        "ones": np.ones((WIDTH, 1), np.float32),
        **(weights or {}),
    }
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        every,
        "twisted",
        [value("rows", rows, ["N", WIDTH])],
        [
            value("score", TensorProto.FLOAT, ["N", 1]),
            value("contributions", TensorProto.FLOAT, ["N", WIDTH]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset), ML], ir_version=ir
    )


def nothing_of(name: str) -> list[NodeProto]:
    """``extra`` = 0 made from a tensor, so that it must be computed."""
    return [
        _node("ReduceMax", [name], ["most"], keepdims=0),
        _node("Mul", ["most", "nought"], ["extra"]),
    ]


def root_of_twenty_less() -> Callable[[Path], None]:
    """NaN for a row that holds more than 20: no training row does."""
    return twist(
        [
            _node("Sub", ["limit", "rows"], ["room"]),
            _node("Sqrt", ["room"], ["root"]),
            _node("MatMul", ["root", "ones"], ["sum"]),
            _node("Mul", ["sum", "nought"], ["extra"]),
        ],
        {**NOUGHT, "limit": np.array(20, np.float32)},
    )


NOUGHT = {"nought": np.array(0, np.float32)}


def graph(made: ModelProto, **stated: int) -> Callable[[Path], None]:
    """Put a graph in, with its hash and the versions it states."""

    def spoil(folder: Path) -> None:
        raw(made.SerializeToString())(folder)
        bundles.rewrite(folder, lambda text: text["model"].update(stated))

    return spoil


def raw(body: bytes) -> Callable[[Path], None]:
    """Put bytes in as the graph, with their hash."""
    return lambda folder: bundles.replace_file(folder, "model.onnx", body)


def twist(
    nodes: list[NodeProto],
    weights: Mapping[str, NDArray[Any]] | None = None,
    **versions: int,
) -> Callable[[Path], None]:
    """A twisted graph, put in."""
    return graph(twisted(nodes, weights, **versions))


def passport(change: Callable[[Any], object]) -> Callable[[Path], None]:
    """Change the passport."""
    return lambda folder: bundles.rewrite(folder, change)


def bomb(
    operator: str, *inputs: str, **weights: NDArray[Any]
) -> Callable[[Path], None]:
    """A small graph that wants 40 GB of constants."""
    made = _node(operator, list(inputs), ["large"])
    return twist([made, *nothing_of("large")], {**NOUGHT, **weights})


def growing() -> Callable[[Path], None]:
    """Rows x rows x rows x rows numbers: harmless for one row."""
    return twist(
        [
            _node("Shape", ["rows"], ["n"], start=0, end=1),
            _node("Concat", ["n", "n", "n", "n"], ["four"], axis=0),
            _node("ConstantOfShape", ["four"], ["large"]),
            *nothing_of("large"),
        ],
        NOUGHT,
    )


def body(nodes: list[NodeProto], inputs: list[str], outputs: list[str]) -> Any:  # noqa: ANN401
    """An inner graph of float scalars."""
    kinds = {"i": TensorProto.INT64, "go": TensorProto.BOOL, "on": TensorProto.BOOL}

    def values(names: list[str]) -> list[Any]:
        return [
            helper.make_tensor_value_info(n, kinds.get(n[:2], kinds.get(n, 1)), None)
            for n in names
        ]

    return helper.make_graph(nodes, "body", values(inputs), values(outputs))


def endless_loop(*, nested: bool = False) -> Callable[[Path], None]:
    """A loop without an end, or 10^12 rounds in two loops."""
    step = [
        _node("Identity", ["go_in"], ["on_out"]),
        _node("Add", ["s_in", "nought"], ["s_out"]),
    ]
    inner = body(step, ["i", "go_in", "s_in"], ["on_out", "s_out"])
    if nested:
        again = _node("Loop", ["trips", "go_in", "s_in"], ["s_out"], body=inner)
        outer = [_node("Identity", ["go_in"], ["on_out"]), again]
        inner = body(outer, ["i", "go_in", "s_in"], ["on_out", "s_out"])
    loop = _node("Loop", ["trips", "true", "nought"], ["extra"], body=inner)
    weights = {"trips": np.array(2**62), "true": np.array(True)}
    return twist([loop], {**NOUGHT, **weights})


def long_scan(*, nested: bool = False) -> Callable[[Path], None]:
    """Ten million steps over a constant, or ten thousand in ten thousand."""
    steps = 10_000 if nested else 10_000_000
    add = [_node("Add", ["s_in", "x"], ["s_out"])]
    inner = body(add, ["s_in", "x"], ["s_out"])
    if nested:
        again = _node(
            "Scan", ["t_in", "many"], ["t_out"], num_scan_inputs=1, body=inner
        )
        inner = body([again], ["t_in", "y"], ["t_out"])
    # the sum starts from a row, so that it is not folded away when the model is loaded
    return twist(
        [
            _node("ReduceMax", ["rows"], ["start"], keepdims=0),
            _node("ConstantOfShape", ["count"], ["many"]),
            _node("Scan", ["start", "many"], ["most"], num_scan_inputs=1, body=inner),
            _node("Mul", ["most", "nought"], ["extra"]),
        ],
        {**NOUGHT, "count": np.array([steps])},
    )


def heavy_constants() -> Callable[[Path], None]:
    """Work that is done while the model is loaded, before any row is."""
    nodes = [_node("ConstantOfShape", ["count"], ["m0"])]
    nodes += [_node("MatMul", [f"m{i}", f"m{i}"], [f"m{i + 1}"]) for i in range(200)]
    return twist(
        [*nodes, *nothing_of("m200")], {**NOUGHT, "count": np.array([1500] * 2)}
    )


def external(location: str, *, offset: int = 0) -> ModelProto:
    """A graph that keeps the weights ``ones`` in another file."""
    made = bundles.graph(WIDTH)
    tensor = next(t for t in made.graph.initializer if t.name == "ones")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    tensor.external_data.add(key="offset", value=str(offset))
    tensor.external_data.add(key="length", value=str(4 * WIDTH))
    return made


ONES = np.ones(WIDTH, np.float32).tobytes()


def beside(
    folder: Path, *, name: str = "weights.data", content: bytes = ONES, offset: int = 0
) -> None:
    """A bundle whose weights lie beside it, as they should."""
    graph(external(name, offset=offset))(folder)
    bundles.replace_file(folder, name, content)


def linked(link: Callable[[Path, Path], None]) -> Callable[[Path], None]:
    """Weights that are a link to a file elsewhere, with the right hash."""

    def spoil(folder: Path) -> None:
        beside(folder)
        elsewhere = folder.parent / "elsewhere"
        (folder / "weights.data").rename(elsewhere)
        link(elsewhere, folder / "weights.data")

    return spoil


def soft(target: Path, link: Path) -> None:
    """A symbolic link."""
    link.symlink_to(target)


def hard(target: Path, link: Path) -> None:
    """A hard link."""
    link.hardlink_to(target)


def pipe(folder: Path) -> None:
    """A named pipe for a graph: whoever opens it waits for ever."""
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")


def weights(value: float, kind: type[np.floating[Any]] = np.float32) -> ModelProto:
    """A graph with one bad weight, or a constant of another kind."""
    if kind is np.float32:
        ones = np.ones((WIDTH, 1), np.float32)
        ones[2] = value
        return bundles.graph(WIDTH, ones=ones)
    odd = np.array([1.0, value], kind)
    cast = _node("Cast", ["odd"], ["single"], to=TensorProto.FLOAT)
    return twisted([cast, *nothing_of("single")], {**NOUGHT, "odd": odd})


def tree(**changes: Any) -> ModelProto:  # noqa: ANN401
    """A stump of a tree, with something changed."""
    stump: dict[str, Any] = {
        "n_targets": 1,
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [1.0, 2.0],
    }
    made = _node(
        "TreeEnsembleRegressor", ["rows"], ["extra"], domain=ML.domain,
        **{**stump, **changes},
    )  # fmt: skip
    return twisted([made])


def only_at_a_corner() -> Callable[[Path], None]:
    """0/0 where the first feature is at its lowest, and nowhere else."""

    def spoil(folder: Path) -> None:
        trained: list[list[float]] = []
        bundles.rewrite(
            folder, lambda text: trained.extend(f["trained"] for f in text["features"])
        )
        low = np.array([pair[0] for pair in trained], np.float32)
        twist(
            [
                _node("Sub", ["rows", "low"], ["above"]),
                _node("Mul", ["above", "nought"], ["zero"]),
                _node("Div", ["zero", "above"], ["nan_there"]),
                _node("MatMul", ["nan_there", "ones"], ["extra"]),
            ],
            {**NOUGHT, "low": low},
        )(folder)

    return spoil


def nested(depth: int) -> bytes:
    """A graph in an If in a graph in an If, and so on."""
    graph = ONE_NODE
    for _ in range(depth):
        branch = message(1, b"then_branch") + message(6, graph)
        graph = message(1, message(4, b"If") + message(5, branch))
    return HEAD + message(7, graph)


def message(number: int, content: bytes) -> bytes:
    """One protobuf field that holds bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """A number on the wire."""
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


HEAD = b"\x08\x08" + message(8, b"\x10\x11")  # IR 8, opset 17
ONE_NODE = message(1, message(1, b"a") + message(2, b"a") + message(4, b"Relu"))


def tensor_of(dims: list[int], content: bytes) -> bytes:
    """A graph with one float tensor that declares these dimensions."""
    said = b"".join(b"\x08" + varint(d) for d in dims)
    tensor = said + b"\x10\x01" + message(8, b"big") + message(9, content)
    return HEAD + message(7, message(5, tensor))


def changed(change: Callable[[ModelProto], object]) -> Callable[[Path], None]:
    """The good graph with something changed."""
    made = bundles.graph(WIDTH)
    change(made)
    return graph(made)


def add_function(made: ModelProto) -> None:
    """Two functions that call each other."""
    for name, other in ("F", "G"), ("G", "F"):
        made.functions.append(
            helper.make_function(
                "own",
                name,
                ["a"],
                ["b"],
                [_node(other, ["a"], ["b"], domain="own")],
                [helper.make_opsetid("own", 1)],
            )
        )


def add_sparse(made: ModelProto) -> None:
    """One number in a table of 10^12."""
    values = numpy_helper.from_array(np.ones(1, np.float32), "thin")
    places = numpy_helper.from_array(np.zeros(1, np.int64), "places")
    made.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, places, [10**6, 10**6])
    )


def second_input(made: ModelProto) -> None:
    """One input more than there are rows for."""
    made.graph.input.append(helper.make_tensor_value_info("more", 1, ["N", WIDTH]))


def backwards(made: ModelProto) -> None:
    """Nodes that wait for each other."""
    made.graph.node[0].input[1] = "contributions"


def named_graph(folder: Path, file: str) -> None:
    """A hash of a file that is not the bundle's to name."""
    bundles.rewrite(folder, lambda text: text["files"].update({file: "0" * 64}))


def wrong_golden(folder: Path) -> None:
    """Golden rows of another training."""
    text = json.loads((folder / "golden.json").read_text())
    text["outputs"]["score"][5] += 0.5
    bundles.replace_file(folder, "golden.json", json.dumps(text).encode())


def text_outputs() -> ModelProto:
    """Labels as text where a score should be."""
    enc = _node(
        "LabelEncoder", ["plain"], ["score"], domain=ML.domain,
        keys_floats=[1.0], values_strings=["bad"], default_string="good",
    )  # fmt: skip
    made = twisted([])
    made.graph.node.pop()
    made.graph.node.append(enc)
    made.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
    return made


def maps() -> ModelProto:
    """What scikit-learn's default conversion gives: a list of dictionaries."""
    made = twisted([])
    made.graph.node.pop()
    made.graph.node.append(
        _node("ZipMap", ["contributions"], ["score"], domain=ML.domain,
              classlabels_int64s=[0, 1, 2, 3])
    )  # fmt: skip
    del made.graph.output[:]
    kind = helper.make_map_type_proto(
        TensorProto.INT64, helper.make_tensor_type_proto(1, [])
    )
    made.graph.output.append(
        helper.make_value_info("score", helper.make_sequence_type_proto(kind))
    )
    return made


def slow(folder: Path) -> None:
    """Some milliseconds of work where its passport allows one."""
    nodes = [_node("MatMul", ["rows", "w"], ["m0"])]
    nodes += [_node("MatMul", [f"m{i}", "v"], [f"m{i + 1}"]) for i in range(20)]
    square = np.eye(500, dtype=np.float32)
    twist(
        [*nodes, *nothing_of("m20")],
        {**NOUGHT, "w": np.ones((WIDTH, 500), np.float32), "v": square},
    )(folder)
    bundles.rewrite(folder, lambda text: text.update(allowance={"p99": "1ms"}))


def greedy(folder: Path) -> None:
    """40 MB of weights where its passport allows five."""
    table = np.ones((WIDTH, 2_500_000), np.float32)
    twist(
        [_node("MatMul", ["mean", "table"], ["all"]), *nothing_of("all")],
        {**NOUGHT, "table": table, "mean": np.ones((1, WIDTH), np.float32)},
    )(folder)
    bundles.rewrite(folder, lambda text: text.update(allowance={"memory_mb": 5}))


def crash() -> Callable[[Path], None]:
    """The lowest int64 divided by -1, which ends a process that does not look."""
    return twist(
        [
            _node("Div", ["lowest", "minus"], ["odd"]),
            _node("Cast", ["odd"], ["single"], to=TensorProto.FLOAT),
            *nothing_of("single"),
        ],
        {**NOUGHT, "lowest": np.array([-(2**63)]), "minus": np.array([-1])},
    )


def crash_at_the_end_of_floats() -> Callable[[Path], None]:
    """The same, and only for rows that golden rows do not have."""
    return twist(
        [
            _node("Cast", ["rows"], ["whole"], to=TensorProto.INT64),
            _node("Div", ["whole", "minus"], ["odd"]),
            _node("Cast", ["odd"], ["single"], to=TensorProto.FLOAT),
            *nothing_of("single"),
        ],
        {**NOUGHT, "minus": np.array([-1])},
    )


def magic_row() -> Callable[[Path], None]:
    """40 GB when one feature reads 1234, and nothing before that night."""
    return twist(
        [
            _node("Equal", ["rows", "magic"], ["is_it"]),
            _node("Cast", ["is_it"], ["one"], to=TensorProto.INT64),
            _node("ReduceMax", ["one"], ["any"], keepdims=0),
            _node("Mul", ["any", "much"], ["count"]),
            _node("ConstantOfShape", ["count"], ["large"]),
            *nothing_of("large"),
        ],
        {**NOUGHT, "magic": np.array(1234, np.float32), "much": np.array([GB40])},
    )


def two_paths() -> Callable[[Path], None]:
    """Another graph for some rows than the one that was measured."""
    branch = body([_node("Identity", ["plain"], ["r"])], [], ["r"])
    return twist(
        [
            _node("ReduceMax", ["rows"], ["most"], keepdims=0),
            _node("Greater", ["most", "nought"], ["test"]),
            _node("If", ["test"], ["extra"], then_branch=branch, else_branch=branch),
        ],
        NOUGHT,
    )


def random(operator: str, *inputs: str, **attributes: Any) -> Callable[[Path], None]:  # noqa: ANN401
    """A graph that throws dice, too softly for the golden rows to notice."""
    return twist(
        [_node(operator, list(inputs), ["dice"], **attributes), *nothing_of("dice")],
        {**NOUGHT, "half": np.array(0.5, np.float32), "true": np.array(True)},
    )


def strange(operator: str, domain: str = "") -> Callable[[Path], None]:
    """A graph with an operator that is not on the list."""
    made = twisted([_node(operator, ["plain"], ["extra"], domain=domain)])
    if domain:
        made.opset_import.append(helper.make_opsetid(domain, 1))
    return graph(made)


def sequence() -> Callable[[Path], None]:
    """A list of tensors on the way."""
    return twist(
        [
            _node("SequenceConstruct", ["plain"], ["list"]),
            _node("SequenceAt", ["list", "at"], ["extra"]),
        ],
        {"at": np.array(0)},
    )


_FLOOD = b"\x22\x00" * 3_000_000

CASES: dict[str, Case] = {
    # memory
    "40 GB by ConstantOfShape": Case(
        bomb("ConstantOfShape", "s", s=np.array([GB40])),
        r"^it asked for more than 192 MiB of memory$",
    ),
    "40 GB by Expand": Case(
        bomb("Expand", "nought", "s", s=np.array([GB40])), "more than 192 MiB"
    ),
    "2 GB by Tile": Case(
        bomb("Tile", "v", "s", v=np.ones(1, np.float32), s=np.array([5 * 10**8])),
        "more than 192 MiB",
    ),
    "40 GB by Range": Case(
        bomb(
            "Range", "nought", "to", "by",
            to=np.array(1e10, np.float32), by=np.array(1, np.float32),
        ),
        "more than 192 MiB",
    ),
    "memory that grows with the rows": Case(growing(), "more than 192 MiB"),
    "40 GB for one magic row": Case(magic_row(), "depend on the numbers in the rows"),
    "more memory than allowed": Case(greedy, r"adds \d+\.\d MiB .* allows 5 MiB"),
    # time
    "endless loop": Case(endless_loop(), "uses Loop, which no model may"),
    "loop in a loop": Case(endless_loop(nested=True), "uses Loop, which no model may"),
    "long scan": Case(long_scan(), "^it used more than 2 s of processor time$", QUICK),
    "scan in a scan": Case(
        long_scan(nested=True),
        "^it did not finish within 1 s$",
        VetLimits(wall_s=1.0),
    ),
    "hours of constants": Case(
        heavy_constants(),
        "more than 2 s of processor time",
        VetLimits(cpu_s=2, wall_s=20, memory_mb=2048, address_mb=4096),
    ),
    "another path for some rows": Case(two_paths(), "depend on the numbers in the"),
    "slower than allowed": Case(slow, r"calls over 256 rows take .* allows 1 ms"),
    "a pipe for a graph": Case(pipe, "model.onnx is not a plain file"),
    # files
    "weights above the folder": Case(
        graph(external("../weights.data")), r"'\.\./weights.data' is not the plain name"
    ),
    "weights at a path": Case(graph(external("/etc/passwd")), "'/etc/passwd' is not"),
    "weights below the folder": Case(
        graph(external("a/weights.data")), "'a/weights.data' is not the plain name"
    ),
    "weights in a file without a hash": Case(
        graph(external("weights.data")), "'weights.data' is not the plain name of one"
    ),
    "weights in the graph's own file": Case(
        graph(external("model.onnx")), "'model.onnx' is not the plain name of one"
    ),
    "weights behind a symbolic link": Case(linked(soft), "weights.data is a link"),
    "weights behind a hard link": Case(linked(hard), "weights.data is a hard link"),
    "weights beyond the file": Case(
        lambda folder: beside(folder, offset=2**40), "needs 16 bytes from byte 10995"
    ),
    "weights outside that are NaN": Case(
        lambda folder: beside(folder, content=struct.pack("<4f", 1, 1, np.nan, 1)),
        "tensor ones holds NaN",
    ),
    "a file above the folder": Case(
        lambda folder: named_graph(folder, "../agent.yaml"), "must be the plain name of"
    ),
    "a hash of the passport": Case(
        lambda folder: named_graph(folder, "passport.yaml"), "must be the plain name of"
    ),
    # operators
    "operator of another library": Case(
        strange("Shell", "evil.ops"), "needs operators of evil.ops: refused"
    ),
    "operator of an optimised graph": Case(
        strange("FusedGemm", "com.microsoft"), "uses com.microsoft::FusedGemm, which no"
    ),
    "operator that is unknown": Case(strange("Exec"), "uses Exec, which no model may"),
    "image decoder": Case(strange("ImageDecoder"), "uses ImageDecoder, which no model"),
    "text operator": Case(strange("StringNormalizer"), "uses StringNormalizer, which"),
    "optional": Case(strange("Optional"), "uses Optional, which no model may"),
    "sequence": Case(sequence(), "uses SequenceAt, SequenceConstruct, which no model"),
    "random numbers": Case(
        random("RandomNormalLike", "rows"), "uses RandomNormalLike, which no model may"
    ),
    "multinomial": Case(
        random("Multinomial", "rows", sample_size=1), "uses Multinomial, which no model"
    ),
    "bernoulli": Case(random("Bernoulli", "rows"), "uses Bernoulli, which no model"),
    "dropout in training": Case(
        random("Dropout", "rows", "half", "true"), "Dropout is in training mode"
    ),
    "normalisation in training": Case(
        random("BatchNormalization", "rows", *["scale"] * 4, training_mode=1),
        "BatchNormalization is in training mode",
    ),
    "functions that call each other": Case(changed(add_function), "defines functions"),
    # numbers
    "NaN weight": Case(graph(weights(np.nan)), "tensor ones holds NaN"),
    "infinite weight": Case(graph(weights(np.inf)), "tensor ones holds an infinite"),
    "NaN in float16": Case(graph(weights(np.nan, np.float16)), "tensor odd holds NaN"),
    "NaN in float64": Case(graph(weights(np.nan, np.float64)), "tensor odd holds NaN"),
    "NaN in a tree's leaf": Case(
        graph(tree(target_weights=[1.0, np.nan])), "target_weights of .* holds NaN"
    ),
    "NaN in a tree's split": Case(
        graph(tree(nodes_values=[np.nan, 0.0, 0.0])), "nodes_values of .* holds NaN"
    ),
    "NaN for a golden row": Case(
        twist(
            [
                _node("Log", ["rows"], ["log"]),
                _node("MatMul", ["log", "ones"], ["extra"]),
            ]
        ),
        "golden row 1 of 16: score should be .* this gateway computes nan",
    ),
    "NaN at a corner of training": Case(
        only_at_a_corner(), "on the corners of what it was trained on: .* no finite"
    ),
    "wrong golden rows": Case(wrong_golden, "golden row 6 of 16: score should be"),
    # shape
    "too few features": Case(graph(bundles.graph(WIDTH - 1)), "takes 3 features, the"),
    "input of another type": Case(
        graph(twisted([_node("Identity", ["nought"], ["extra"])], NOUGHT,
                      rows=TensorProto.DOUBLE)),
        "float32 is wanted|cannot load",
    ),
    "two inputs": Case(changed(second_input), "its inputs are rows, more; the"),
    "output of another name": Case(
        passport(lambda t: t["model"]["outputs"]["score"].update(output="loss")),
        "it has no output 'loss'; it has score, contributions",
    ),
    "list of dictionaries": Case(graph(maps()), "uses ai.onnx.ml::ZipMap.*zipmap=F"),
    "text as score": Case(graph(text_outputs()), r"is tensor\(string\), not numbers"),
    # the file
    "truncated": Case(raw(bundles.graph(WIDTH).SerializeToString()[:90]), "is cut off"),
    "empty": Case(raw(b""), "the file is not an ONNX model"),
    "random bytes": Case(
        raw(np.random.default_rng(1).bytes(5000)), "not an ONNX model|is cut off"
    ),
    "40 graphs in each other": Case(raw(nested(40)), "is nested more than 16 deep"),
    "a million nodes": Case(
        raw(HEAD + message(7, ONE_NODE * 1_000_000)), "it has more than 20000 nodes"
    ),
    "three million empty fields": Case(
        raw(HEAD + message(7, _FLOOD)), "has more than 2000000 fields"
    ),
    "endless number": Case(raw(b"\x08" + b"\xff" * 5000), "endless number"),
    "length of 2^63": Case(
        raw(HEAD + b"\x3a" + varint(2**63) + b"x"), "it ends inside a field"
    ),
    "nodes in a circle": Case(changed(backwards), "reads 'contributions', which no"),
    "tree in a circle": Case(
        graph(tree(nodes_truenodeids=[0, 0, 0])), "cannot load model.onnx"
    ),
    "40 GB declared": Case(
        raw(tensor_of([GB40], b"\0" * 4)), "impossible dimensions|and holds 4"
    ),
    "dimensions that overflow": Case(
        raw(tensor_of([2**30, 2**30, 2**4], b"")), "tensor big declares .* and holds 0"
    ),
    "negative dimension": Case(
        raw(tensor_of([2**64 - 1], b"")), "tensor big has impossible dimensions"
    ),
    "sparse table of 10^12": Case(changed(add_sparse), "it holds sparse tensors"),
    "tensor twice": Case(
        changed(lambda m: m.graph.initializer.append(m.graph.initializer[0])),
        "tensor scale is there twice",
    ),
    "training graph": Case(
        changed(lambda m: m.training_info.add()), "it holds a training graph"
    ),
    # versions
    "operators too new": Case(
        graph(twisted([_node("Identity", ["nought"], ["extra"])], NOUGHT, opset=40),
              opset=40),
        r"^it needs opset 40; ONNX Runtime .* here runs up to \d+",
    ),
    "format too new": Case(
        graph(twisted([_node("Identity", ["nought"], ["extra"])], NOUGHT, ir=39),
              ir_version=39),
        r"^it needs IR 39; ONNX Runtime .* here runs up to \d+",
    ),
    "later than its passport says": Case(
        passport(lambda t: t["model"].update(opset=12)), "says at most opset 12, IR 8"
    ),
    "runtime too old": Case(
        passport(lambda t: t.update(runtime="99.0")), "needs ONNX Runtime 99.0 or newer"
    ),
    # the runtime itself
    "crash while loading": Case(crash(), r"^it crashed the runtime \(signal 8\)$"),
    "crash for a far row": Case(
        crash_at_the_end_of_floats(), r"^it crashed the runtime \(signal 8\)$"
    ),
}  # fmt: skip
