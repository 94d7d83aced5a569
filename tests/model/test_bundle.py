"""Bundles: what is refused and in which words, and what is found by name."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edge_agent.bundle import graph
from edge_agent.bundle.contents import open_bundle
from edge_agent.bundle.folders import version_order
from edge_agent.bundle.passport import find, load, parse
from edge_agent.errors import ModelRejected
from edge_agent.scoring import OnnxScorer
from tests.model import bundles

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good bundle's folder, to be broken."""
    return bundles.make(tmp_path).path


def refusal(folder: Path) -> str:
    """Why this bundle may not score."""
    with pytest.raises(ModelRejected) as caught:
        OnnxScorer(open_bundle(folder))
    return str(caught.value)


def test_a_good_bundle_opens_and_scores(folder: Path) -> None:
    """Everything a passport states is there after loading."""
    passport, bundle = load(folder), open_bundle(folder)

    assert OnnxScorer(bundle).exact
    assert passport == bundle.passport
    assert [s.name for s in passport.specs()] == [
        "flow.last",
        "flow.std",
        "pressure.last",
        "pressure.std",
    ]
    assert passport.specs()[1].window == 10.0
    assert bundle.reference.rows == 500
    assert bundle.reference.usual_low[0] == pytest.approx(-2.33, abs=0.4)
    assert len(bundle.sha8) == 8


def test_the_digest_can_be_recomputed_by_anyone(folder: Path) -> None:
    """The digest is what sha256sum and sort make of the folder."""
    shell = "sha256sum * | LC_ALL=C sort -k2 | sha256sum | cut -d' ' -f1"

    found = subprocess.run(  # noqa: S602
        shell, shell=True, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()

    assert open_bundle(folder).digest == found


def test_a_rebuilt_bundle_has_the_same_digest(tmp_path: Path) -> None:
    """The same training gives the same bytes: no time, no random order inside."""
    one = bundles.make(tmp_path / "one")
    other = bundles.make(tmp_path / "other")

    assert one.digest == other.digest


def write(name: str, body: bytes) -> Callable[[Path], None]:
    """Replace a file and its hash."""
    return lambda folder: bundles.replace_file(folder, name, body)


def proto(made: onnx.ModelProto) -> Callable[[Path], None]:
    """Replace the graph and its hash."""
    return write("model.onnx", made.SerializeToString())


def change(*path: Any, to: Any) -> Callable[[Path], None]:  # noqa: ANN401
    """Change, or with ``to=None`` remove, one value of the passport."""

    def apply(text: Any) -> None:  # noqa: ANN401
        *steps, last = path
        for step in steps:
            text = text[step]
        if to is None:
            del text[last]
        else:
            text[last] = to

    return lambda folder: bundles.rewrite(folder, apply)


def golden(**changes: Any) -> Callable[[Path], None]:  # noqa: ANN401
    """Change golden.json and its hash."""

    def apply(folder: Path) -> None:
        text = json.loads((folder / "golden.json").read_text())
        text.update(changes)
        bundles.replace_file(folder, "golden.json", json.dumps(text).encode())

    return apply


def append(line: str) -> Callable[[Path], None]:
    """Add a line to passport.yaml as somebody's editor would."""

    def apply(folder: Path) -> None:
        file = folder / "passport.yaml"
        file.write_text(file.read_text() + line)

    return apply


def flipped(folder: Path) -> None:
    """Flip one bit of the graph on disk."""
    file = folder / "model.onnx"
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(bytes(body))


def external() -> onnx.ModelProto:
    """A graph whose weights lie in another file."""
    made = bundles.graph(WIDTH)
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return made


def strange_operator() -> onnx.ModelProto:
    """A graph with an operator of an unknown library."""
    made = bundles.graph(WIDTH)
    made.graph.node[0].domain = "evil.ops"
    made.opset_import.append(helper.make_opsetid("evil.ops", 1))
    return made


def narrow() -> onnx.ModelProto:
    """A graph for fewer features."""
    return bundles.graph(WIDTH - 1)


def nan_weights() -> onnx.ModelProto:
    """A graph whose training had diverged."""
    return bundles.graph(WIDTH, ones=np.full((WIDTH, 1), np.nan, np.float32))


def truncated(folder: Path) -> None:
    """A download that ended early, hashed as it came."""
    body = (folder / "model.onnx").read_bytes()
    bundles.replace_file(folder, "model.onnx", body[: len(body) // 2])


def missing(name: str) -> Callable[[Path], None]:
    """Remove a file."""
    return lambda folder: (folder / name).unlink()


BAD: list[tuple[str, Callable[[Path], None], str]] = [
    (
        "no passport",
        missing("passport.yaml"),
        "cannot read passport.yaml: No such",
    ),
    ("no model", missing("model.onnx"), "cannot read model.onnx: No such file"),
    ("bit flipped", flipped, "model.onnx is not the file the passport was made for"),
    ("truncated", truncated, "the ONNX file is cut off"),
    ("empty model", write("model.onnx", b""), "is not an ONNX model"),
    ("text as model", write("model.onnx", b"<html>404</html>"), "model.onnx: the "),
    ("external data", proto(external()), "keeps weights in other files (scale)"),
    ("foreign operators", proto(strange_operator()), "needs operators of evil.ops"),
    ("fewer features", proto(narrow()), "takes 3 features, the passport lists 4"),
    (
        "fixed batch",
        proto(bundles.graph(WIDTH, rows=1)),
        "takes exactly 1 rows; the passport must say batch: [1]",
    ),
    (
        "NaN weights",
        proto(nan_weights()),
        "model.onnx: tensor ones holds NaN",
    ),
    (
        "another training",
        proto(bundles.graph(WIDTH, scale=1.1)),
        "golden row 1 of 16: score should be",
    ),
    (
        "no such output",
        change("model", "outputs", "score", "output", to="loss"),
        "it has no output 'loss'; it has score, contributions",
    ),
    ("wrong input", change("model", "input", to="x"), "the passport says x"),
    (
        "wrong column",
        change("model", "outputs", "score", "column", to=3),
        "output 'score' has shape ['N', 1]; the passport reads column 3",
    ),
    (
        "score and contributions swapped",
        change("model", "outputs", "contributions", to="score"),
        "contributions need 4 columns",
    ),
    (
        "newer operators",
        change("model", "opset", to=12),
        "is opset 17, IR 8; the passport says at most opset 12, IR 8",
    ),
    (
        "unknown aggregate",
        change("features", 1, "aggregate", to="medain"),
        "features[1].aggregate: 'medain' is not one of 'last', 'age'",
    ),
    (
        "window on last",
        change("features", 0, "window", to="5s"),
        "features[0]: last looks at one moment: remove window or cycle",
    ),
    (
        "no window",
        change("features", 1, "window", to=None),
        "features[1]: std needs a window such as 10s",
    ),
    (
        "a number as window",
        change("features", 1, "window", to=10),
        "features[1].window: 10 is not a duration",
    ),
    (
        "unknown tag",
        change("features", 0, "tag", to="flwo"),
        "features use tag 'flwo', which tags does not list",
    ),
    (
        "range downwards",
        change("tags", "flow", "range", to=[100, 0]),
        "tags.flow.range: [100, 0] runs downwards; write [low, high]",
    ),
    ("missing owner", change("owner", to=None), "owner: is missing"),
    ("missing limits", change("limits", to=[]), "limits: "),
    (
        "unknown key",
        append("ownr: me\n"),
        "ownr: is not known here; did you mean",
    ),
    ("key twice", append("owner: me\n"), "'owner' is given twice"),
    ("anchor", append("extra: &a [1]\n"), "anchors and aliases (& and *) are refused"),
    (
        "a tag that runs code",
        append("x: !!python/object/apply:os.system [id]\n"),
        "passport.yaml is not readable YAML",
    ),
    ("no YAML", append("]\n"), "passport.yaml is not readable YAML: line "),
    ("later format", change("passport", to=2), "passport: 2 is not one of 1"),
    (
        "version in words",
        change("version", to="newest"),
        "version: string should",
    ),
    (
        "file outside",
        change("model", "file", to="../model.onnx"),
        "must be the plain name of another file in the folder",
    ),
    (
        "file without hash",
        change("files", "model.onnx", to=None),
        "files has no hash of model.onnx",
    ),
    (
        "thresholds down",
        change("thresholds", 0, "value", to=99.0),
        "thresholds must ascend",
    ),
    (
        "infinite threshold",
        change("thresholds", 1, "value", to="1e999"),
        "thresholds[1]",
    ),
    (
        "quality without classes",
        change("kind", to="quality"),
        "a quality model needs model.outputs.probabilities",
    ),
    (
        "two sources of contributions",
        change("model", "outputs", "score", "read", to="reconstruction"),
        "model.outputs: read: reconstruction makes its own contributions",
    ),
    (
        "unknown class",
        change("model", "outputs", "score", "class_name", to="good"),
        "score.class_name 'good' is not in probabilities.classes",
    ),
    (
        "golden too narrow",
        golden(inputs=[[0.0] * 3] * 16),
        "one number for each of the 4 features is wanted",
    ),
    ("golden rows missing", golden(inputs=[]), "golden.json: inputs have shape"),
    ("golden not numbers", golden(inputs=[["a"] * 4] * 16), "inputs must be numbers"),
    (
        "golden NaN",
        write("golden.json", b'{"inputs": [[NaN]], "outputs": {}}'),
        "golden.json holds NaN",
    ),
    ("golden output missing", golden(outputs={}), "outputs must hold score"),
    (
        "golden shape",
        golden(outputs={"score": [[0.0]] * 16}),
        "golden rows expect score of shape [16, 1], the model gives shape [16]",
    ),
    (
        "reference empty",
        write("reference.json", b'{"rows": 5, "features": {}}'),
        "differ in their features: flow.last",
    ),
    ("reference no JSON", write("reference.json", b"{"), "is not readable JSON"),
]


@pytest.mark.parametrize(
    ("break_it", "reason"), [b[1:] for b in BAD], ids=[b[0] for b in BAD]
)
def test_a_bad_bundle_is_refused_in_plain_words(
    folder: Path, break_it: Callable[[Path], None], reason: str
) -> None:
    """No broken bundle scores, and the refusal names folder, place and rule."""
    break_it(folder)

    text = refusal(folder)

    assert reason in text
    assert str(folder) in text


def test_a_contribution_that_differs_is_named_with_its_feature(folder: Path) -> None:
    """The golden check says row, feature, what was expected and what came."""
    text = json.loads((folder / "golden.json").read_text())
    text["outputs"]["contributions"][2][3] = 99.5
    bundles.replace_file(folder, "golden.json", json.dumps(text).encode())

    found = refusal(folder)

    assert "golden row 3 of 16: contributions of feature pressure.std" in found
    assert "should be 99.5, this gateway computes " in found


def test_all_problems_come_at_once(folder: Path) -> None:
    """A passport with three mistakes is sent back once, not three times."""
    change("owner", to=None)(folder)
    change("features", 1, "aggregate", to="median")(folder)
    change("review_date", to="soon")(folder)

    text = refusal(folder)

    assert "owner: is missing" in text
    assert "features[1].aggregate" in text
    assert "review_date: must be a date such as 2027-01-31" in text


def test_a_file_beside_the_bundle_is_never_opened(folder: Path) -> None:
    """What the passport does not name cannot change a score or the digest."""
    before = open_bundle(folder).digest
    (folder / "notes.txt").write_text("read me")

    assert open_bundle(folder).digest == before


def test_what_was_hashed_is_what_runs(folder: Path) -> None:
    """A file changed after the check changes nothing."""
    bundle = open_bundle(folder)
    (folder / "model.onnx").write_bytes(b"replaced")

    assert OnnxScorer(bundle).exact


@given(cut=st.integers(0, 400), flips=st.lists(st.integers(0, 3199), max_size=4))
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_bytes_crash_the_look_into_a_graph(cut: int, flips: list[int]) -> None:
    """Damaged ONNX files are refused or read, never an odd exception."""
    body = bytearray(bundles.graph(WIDTH).SerializeToString())
    body = body[: max(len(body) - cut, 0)]
    for bit in flips:
        if bit // 8 < len(body):
            body[bit // 8] ^= 1 << bit % 8
    try:
        facts = graph.inspect(bytes(body))
    except ModelRejected:
        return
    assert facts.ir_version >= 0


_FILES = ("model.onnx", "golden.json", "reference.json")
_GOOD = yaml.safe_dump(
    bundles.passport()
    | {
        "files": dict.fromkeys(
            ("model.onnx", "golden.json", "reference.json"), "a" * 64
        ),
        "features": [
            f | {"trained": [0.0, 1.0]} for f in bundles.passport()["features"]
        ],
    },
    sort_keys=False,
)


@given(
    places=st.lists(st.integers(0, len(_GOOD) - 1), min_size=1, max_size=5),
    texts=st.lists(
        st.sampled_from([*":-[]{}&*!|>'\"#%@`,?\t\n\0 ", "- ", ": ", "~", "1e999", "é"])
        | st.text(max_size=3),
        min_size=5,
        max_size=5,
    ),
    keep=st.integers(0, 3),
)
@settings(max_examples=150, deadline=None)
def test_no_text_crashes_the_reading_of_a_passport(
    places: list[int], texts: list[str], keep: int
) -> None:
    """Whatever an editor does to passport.yaml, it is read or refused in words."""
    text = _GOOD
    for place, new in zip(places, texts, strict=False):
        text = text[:place] + new + text[place + keep :]
    body = text.encode("utf-8", "surrogatepass")

    with contextlib.suppress(ModelRejected):
        assert parse(body, Path("somewhere")).specs()


def test_the_look_into_a_graph_sees_what_onnx_sees() -> None:
    """Versions, operators and inner graphs equal those of the onnx package."""
    inner = helper.make_graph(
        [helper.make_node("Identity", ["rows"], ["out"])],
        "inner",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("ReduceSum", ["rows"], ["total"], keepdims=0),
        helper.make_node("Cast", ["total"], ["flag"], to=TensorProto.BOOL),
        helper.make_node("If", ["flag"], ["y"], then_branch=inner, else_branch=inner),
    ]
    made = bundles.model(nodes, {}, WIDTH, {"y": ["N", WIDTH]})

    facts = graph.inspect(made.SerializeToString())

    assert (facts.ir_version, facts.opsets) == (8, {"ai.onnx": 17})
    assert facts.operators == {
        "ai.onnx::ReduceSum": 1,
        "ai.onnx::Cast": 1,
        "ai.onnx::If": 1,
        "ai.onnx::Identity": 2,
    }
    assert facts.external == []


def versions_in(registry: Path, folder: Path, *names: str) -> None:
    """Copies of a bundle under other versions."""
    for name in names:
        shutil.copytree(folder, registry / "small" / name)


def test_the_newest_release_is_found(tmp_path: Path, folder: Path) -> None:
    """Versions compare by number; a pre-release must be asked for."""
    versions_in(tmp_path, folder, "1.2.0", "1.10.0", "2.0.0-rc.1", "backup")

    assert find(tmp_path, "small").name == "1.10.0"
    assert find(tmp_path, "small@1.2.0").name == "1.2.0"
    assert find(tmp_path, "small@2.0.0-rc.1").name == "2.0.0-rc.1"


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ("smal", "has no model 'smal'; it has small; did you mean 'small'?"),
        ("small@1.0.1", "has no small@1.0.1; it has version 1.0.0"),
        ("../small", "is not a model; write NAME or NAME@VERSION"),
        ("small@../1.0.0", "is not a model; write NAME or NAME@VERSION"),
    ],
)
def test_a_model_that_is_not_there_is_explained(
    tmp_path: Path, folder: Path, ref: str, reason: str
) -> None:
    """The text says what there is and what may have been meant."""
    assert folder.is_dir()

    with pytest.raises(ModelRejected) as caught:
        find(tmp_path, ref)

    assert reason in str(caught.value)


def test_an_empty_registry_is_explained(tmp_path: Path) -> None:
    """No model at all, or no folder at all, are different mistakes."""
    with pytest.raises(ModelRejected, match="holds no model"):
        find(tmp_path, "small")
    with pytest.raises(ModelRejected, match="cannot read the model registry"):
        find(tmp_path / "none", "small")


def test_versions_sort_as_semantic_versioning_says() -> None:
    """The order of semver.org, item 11."""
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.2.0",
        "1.10.0",
    ]

    keys = [version_order(v) for v in ordered]

    assert sorted(keys, key=lambda k: k or (0, 0, 0, 0, ())) == keys
    assert version_order("1.0") is None


def test_explanations_follow_the_asset_types_own_names(folder: Path) -> None:
    """Roles may be named otherwise on site; the order is the asset type's."""
    bundle = open_bundle(folder)

    usual = bundle.usual(("speed", "p2", "flow"), {"pressure": "p2"})

    assert usual.role.tolist() == [2, 2, 1, 1]
    assert usual.labels == ("speed", "p2", "flow")
    assert usual.units == ("", "bar", "m3/h")
    with pytest.raises(ModelRejected, match="needs pressure"):
        bundle.usual(("speed", "flow"), {})
