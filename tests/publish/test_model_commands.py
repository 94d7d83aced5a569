"""`edge-agent model build`, `inspect` and `diff`, as people type them."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from onnx import helper

from edge_agent.bundle import comparing
from edge_agent.bundle.contents import open_bundle
from edge_agent.bundle.profile import Bins, tally
from edge_agent.cli.main import main
from edge_agent.cli.model.diff import verdicts
from edge_agent.cli.model.inspect import summary
from edge_agent.publish import graphs
from tests.model import bundles
from tests.publish import material

if TYPE_CHECKING:
    from pathlib import Path

TAGS = ("force", "position")


def spec() -> dict[str, Any]:
    """What a file for `model build` says."""
    return {
        "model": "press.onnx",
        "training": "june.csv",
        "holdout": "july.csv",
        "name": "press",
        "version": "1.0.0",
        "kind": "anomaly",
        "title": "How far a press is from normal",
        "asset_type": "press",
        "assets": ["PR-1"],
        "tags": {tag: {"unit": "kN", "range": [-100, 100]} for tag in TAGS},
        "features": [
            {"tag": tag, "aggregate": "mean", "window": "5s", "hold": "5s"}
            for tag in TAGS
        ],
        "score": {"every": "2s"},
        "outputs": {"score": {"output": "score"}},
        "budget": 5,
        "statement": material.STATEMENT,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A graph and two recordings beside a spec."""
    weights = {"ones": np.ones((2, 1), np.float32)}
    nodes = [
        helper.make_node("Mul", ["rows", "rows"], ["squares"]),
        helper.make_node("MatMul", ["squares", "ones"], ["score"]),
    ]
    graph = graphs.written(nodes, weights, 2, {"score": 1})
    (tmp_path / "press.onnx").write_bytes(graph.SerializeToString())
    for name, seed in (("june", 1), ("july", 2)):
        random = np.random.default_rng(seed)
        lines = ["time,PR-1/force,PR-1/position"]
        for second in range(1200):
            force, position = random.normal(size=2)
            lines.append(f"{1_767_225_600 + second},{force:.4f},{position:.4f}")
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    write(tmp_path, spec())
    return tmp_path


def write(folder: Path, words: dict[str, Any]) -> None:
    """The spec as a file."""
    (folder / "press.yaml").write_text(yaml.safe_dump(words, sort_keys=False))


def build(folder: Path, *more: str) -> int:
    """Run the command."""
    given = ["model", "build", str(folder / "press.yaml"), "--quiet"]
    return main([*given, "--out", str(folder / "models"), *more])


def test_a_file_says_what_a_notebook_would(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Graph, recordings and statement give a bundle in the folder of models."""
    code = build(folder)

    assert code == 0
    bundle = open_bundle(folder / "models" / "press" / "1.0.0")
    assert "digest " + bundle.sha8 in capsys.readouterr().out
    assert bundle.passport.owner == "Test bench team"
    assert bundle.passport.training.rows > 500


def test_what_is_missing_is_listed_with_its_question(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file without statement, title and budget is told all of it."""
    words = {k: v for k, v in spec().items() if k not in {"statement", "budget"}}
    write(folder, {**words, "title": None})

    code = build(folder)

    told = capsys.readouterr().err
    assert code == 1
    assert "intended_use is missing: What is it for" in told
    assert "review_date is missing" in told
    assert "title: is missing" in told
    assert not (folder / "models").exists()


def test_a_word_that_means_nothing_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt key is not passed over."""
    write(folder, {**spec(), "budgett": 3})

    assert build(folder) == 1
    assert "'budgett' is not known here; did you mean 'budget'?" in (
        capsys.readouterr().err
    )


def test_the_form_is_a_file_that_can_be_filled_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What --form prints is YAML that asks every question."""
    assert main(["model", "build", "--form"]) == 0

    form = yaml.safe_load(capsys.readouterr().out)
    assert set(form["statement"]) == {
        *("intended_use", "limits", "owner", "contact", "approver"),
        *("accuracy", "review_date", "data"),
    }


def test_a_recording_that_cannot_be_read_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing file ends in a sentence, not in a trace."""
    (folder / "july.csv").unlink()

    assert build(folder) == 1
    assert "july.csv: cannot be read" in capsys.readouterr().err


def test_inspect_tells_what_a_bundle_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Passport, people, thresholds, profile and graph, as text and as JSON."""
    build(folder)
    where = str(folder / "models" / "press" / "1.0.0")
    capsys.readouterr()

    assert main(["model", "inspect", where]) == 0
    text = capsys.readouterr().out
    assert main(["model", "inspect", where, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert "press 1.0.0: How far a press is from normal" in text
    assert "Test bench team, bench@example.com" in text
    assert "ai.onnx::MatMul x1" in text
    assert "force.mean: mean of force over 5 s" in text
    assert told["digest"] == open_bundle(folder / "models" / "press" / "1.0.0").digest
    assert told["graph"]["operators"] == {"ai.onnx::Mul": 1, "ai.onnx::MatMul": 1}
    assert told["reference"]["outputs"] == ["score"]
    assert told["files"]["MODEL_CARD.md"] > 0


def test_inspect_tells_that_a_review_is_due(tmp_path: Path) -> None:
    """The day after the review date and the expiry are past, and not before."""
    text = {**bundles.passport(), "expires": "2028-01-01"}
    bundle = bundles.make(tmp_path, text)

    before = summary(bundle, dt.date(2027, 1, 1))["governance"]
    after = summary(bundle, dt.date(2028, 1, 2))["governance"]

    assert (before["review_is_due"], before["has_expired"]) == (False, False)
    assert (after["review_is_due"], after["has_expired"]) == (True, True)


def test_inspect_refuses_what_a_gateway_would(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed file is told with its name."""
    build(folder)
    where = folder / "models" / "press" / "1.0.0"
    (where / "reference.json").write_text("{}")

    assert main(["model", "inspect", str(where)]) == 1
    assert "reference.json is not the file" in capsys.readouterr().err


def test_diff_shows_an_approver_what_changed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Passport, graph, training data and verdicts of the two versions."""
    build(folder)
    moved = (folder / "june.csv").read_text().splitlines()
    rows = [line.split(",") for line in moved[1:]]
    lines = [moved[0], *(f"{t},{float(f) + 1:.4f},{p}" for t, f, p in rows)]
    (folder / "june.csv").write_text("\n".join(lines))
    statement = {**material.STATEMENT, "approver": "Plant manager"}
    write(folder, {**spec(), "version": "1.1.0", "statement": statement})
    build(folder)
    models = folder / "models" / "press"
    capsys.readouterr()

    code = main(["model", "diff", str(models / "1.0.0"), str(models / "1.1.0")])
    text = capsys.readouterr().out
    main(["model", "diff", str(models / "1.0.0"), str(models / "1.1.0"), "--json"])
    told = json.loads(capsys.readouterr().out)

    assert code == 1
    assert "approver: Line manager -> Plant manager" in text
    assert "force.mean: mean moved by +2" in text
    assert "golden rows of both" in text
    changed = {c["what"]: (c["before"], c["after"]) for c in told["changes"]}
    assert changed["approver"] == ("Line manager", "Plant manager")
    assert "graph.sha256" not in changed
    assert told["shifts"][0]["feature"] == "force.mean"
    assert all(row["before"] == row["after"] for row in told["golden_rows"])


def test_diff_of_a_bundle_with_itself_is_empty(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Equal bundles give exit code 0."""
    build(folder)
    where = str(folder / "models" / "press" / "1.0.0")
    capsys.readouterr()

    assert main(["model", "diff", where, where]) == 0
    assert "the same bundle" in capsys.readouterr().out


def test_verdicts_that_turn_are_counted(tmp_path: Path) -> None:
    """The same rows, a model twice as strict: some become alarms, and are told."""
    old = bundles.make(tmp_path / "old")
    golden = bundles.golden(4)
    squares = np.square(2.0 * golden.astype(np.float64))
    new = bundles.make(
        tmp_path / "new",
        proto=bundles.graph(4, scale=2.0),
        outputs={"score": squares.sum(axis=1), "contributions": squares},
    )

    found = verdicts(old, new)

    assert found is not None
    np.testing.assert_allclose(found.after, 4 * found.before, rtol=1e-5)
    turned = (found.before <= 3.0) & (found.after > 3.0)
    assert found.other == turned.sum() > 0
    assert [c.what for c in comparing.changes(old, new)] == ["graph.sha256"]


def test_models_that_read_other_features_are_not_run_on_each_others_rows(
    tmp_path: Path,
) -> None:
    """Another window makes other numbers: only the passports are compared."""
    text = bundles.passport(version="1.1.0")
    text["features"][1]["window"] = "20s"
    old, new = bundles.make(tmp_path), bundles.make(tmp_path, text)

    assert verdicts(old, new) is None
    changed = {c.what: (c.before, c.after) for c in comparing.changes(old, new)}
    assert changed == {"features.flow.std.window": (10.0, 20.0)}


def test_equal_bins_are_held_against_each_other_by_psi() -> None:
    """Nothing moved is 0; a moved share is told in full."""
    random = np.random.default_rng(5)
    bins = Bins.of(random.normal(size=5000))
    one = tally(random.normal(size=5000), bins)

    assert comparing.psi(one, one) == 0.0
    assert comparing.psi(one, tally(random.normal(size=5000), bins)) < 0.05
    assert comparing.psi(one, tally(random.normal(1.0, 1.0, 5000), bins)) > 0.5
