"""One call from rows or a recording to a bundle, or a refusal that says everything."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import edge_agent.bundle
from edge_agent.bundle.contents import open_bundle
from edge_agent.errors import ModelRejected
from edge_agent.features.offline import TriggerSpec, offline_rows
from edge_agent.features.spec import FeatureSpec
from edge_agent.publish import Stretch, build
from edge_agent.publish.asking import QUESTIONS
from edge_agent.samples import NANOSECONDS, AssetType, SampleBatch, Tag
from edge_agent.scoring import OnnxScorer
from tests.publish import material

if TYPE_CHECKING:
    from pathlib import Path

TRAINING = material.table(900, 1)
START = 1_767_225_600 * NANOSECONDS


def forest() -> IsolationForest:
    """A small one."""
    return IsolationForest(n_estimators=10, random_state=0).fit(TRAINING)


def test_the_package_of_bundles_offers_the_build() -> None:
    """A notebook finds it where bundles are; nothing else is made up."""
    assert edge_agent.bundle.build is build
    with pytest.raises(AttributeError, match="no attribute 'guild'"):
        _ = edge_agent.bundle.guild


def test_a_gateway_imports_nothing_that_builds() -> None:
    """The agent's command imports no onnx and no scikit-learn."""
    code = (
        "import sys, edge_agent.cli.run, edge_agent.wiring, edge_agent.bundle;"
        "print(sorted({'onnx', 'sklearn', 'skl2onnx'} & set(sys.modules)))"
    )

    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"


def test_without_the_extra_it_says_what_to_install() -> None:
    """A missing package is named with the command that brings it."""
    code = "import sys; sys.modules['onnx'] = None\nfrom edge_agent.bundle import build"

    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert told.returncode == 1
    assert "pip install edge-agent[publish]" in told.stderr


def test_a_bundle_holds_all_it_should(tmp_path: Path) -> None:
    """Profile, golden rows, promises and card are there, and a gateway accepts them."""
    built = build(
        forest(), TRAINING, holdout=material.aside(), **material.words(tmp_path)
    )

    bundle = open_bundle(tmp_path / "bench" / "1.0.0")
    OnnxScorer(bundle)
    assert bundle.digest == built.bundle.digest
    passport = bundle.passport
    assert set(passport.files) == {
        "model.onnx",
        "golden.json",
        "reference.json",
        "MODEL_CARD.md",
    }
    assert passport.training.rows == 900
    assert passport.accuracy is not None
    assert passport.accuracy.level == 0.8
    assert passport.false_alarms is not None
    assert passport.false_alarms.budget_per_week == 20.0
    assert passport.false_alarms.at_most_per_week is not None
    assert set(bundle.reference.whole.outputs) == {"score"}
    assert bundle.reference.whole.outputs["score"].n == 1600
    calibration = bundle.reference.calibration
    assert calibration is not None
    assert calibration.features is not None
    assert calibration.outputs is not None
    assert set(calibration.outputs.columns) == {"score"}
    assert calibration.features_in_context is None
    low, high = TRAINING.min(axis=0), TRAINING.max(axis=0)
    for i, feature in enumerate(passport.features):
        assert feature.trained == pytest.approx((low[i], high[i]), rel=1e-5)
    assert [p.name for p in tmp_path.rglob(".building*")] == []


def test_golden_rows_are_no_rows_of_the_plant(tmp_path: Path) -> None:
    """Averages and made-up rows prove as much, and give no reading away."""
    built = build(
        forest(), TRAINING, holdout=material.aside(), **material.words(tmp_path)
    )

    known = {tuple(row) for row in TRAINING.tolist()}
    golden = built.bundle.golden.inputs
    assert len(golden) == 21
    assert not known & {tuple(row) for row in golden.tolist()}


def test_the_card_says_what_people_ask(tmp_path: Path) -> None:
    """Use, limits, people, false alarms, parity and cost stand in MODEL_CARD.md."""
    built = build(
        forest(), TRAINING, holdout=material.aside(), **material.words(tmp_path)
    )

    card = (built.bundle.path / "MODEL_CARD.md").read_text()
    for said in (
        "# bench 1.0.0",
        "Pumps of the test bench that run.",
        "- Sees no slow wear.",
        "- Owner: Test bench team",
        "- To be looked at again by: 2027-06-30",
        "Required: recall of 0.8, judged once 50 labels are known. Not measured",
        "at most 20 wanted",
        "10 isolation trees compiled into one tree ensemble.",
        "On 1600 rows the graph differs from its source by at most",
        "Random numbers. 900 rows from 2026-01-01 00:00 to 2026-01-08 00:00 UTC",
        built.bundle.reference.baseline_id,
    ):
        assert said in card


def test_everything_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    """Each question a person must answer, and each gap in the description."""
    words = material.words(tmp_path, statement={"owner": "Test bench team"})
    words |= {"budget": None, "name": "no good", "tags": {"t0": {"unit": "bar"}}}

    with pytest.raises(ModelRejected) as refusal:
        build(forest(), TRAINING, **words)

    text = str(refusal.value)
    for name, question in QUESTIONS.items():
        assert (f"{name} is missing: {question}" in text) == (name != "owner")
    assert "name:" in text
    assert list(tmp_path.iterdir()) == []


def test_gaps_in_the_description_are_said_together(tmp_path: Path) -> None:
    """Ranges, tags, budget and good class, in one refusal."""
    words = material.words(tmp_path, kind="quality", budget=None)
    words["tags"] = {"t0": {"unit": "bar"}, **{f"t{i}": {} for i in range(1, 4)}}

    with pytest.raises(ModelRejected) as refusal:
        build(forest(), TRAINING, **words)

    text = str(refusal.value)
    assert "tags.t0.range is missing" in text
    assert "features use tag 't4', which tags does not list" in text
    assert "budget is missing" in text
    assert "good is missing" in text


def test_a_budget_needs_rows_kept_aside(tmp_path: Path) -> None:
    """Rows a model learned from say nothing about its false alarms."""
    with pytest.raises(ModelRejected, match="holdout is missing"):
        build(forest(), TRAINING, **material.words(tmp_path))


def test_a_version_is_never_written_again(tmp_path: Path) -> None:
    """A gateway may have it; only who says so replaces it."""
    holdout = material.aside()
    first = build(forest(), TRAINING, holdout=holdout, **material.words(tmp_path))

    with pytest.raises(ModelRejected, match="raise the version"):
        build(forest(), TRAINING, holdout=holdout, **material.words(tmp_path))

    words = material.words(tmp_path, overwrite=True, title="Another title")
    again = build(forest(), TRAINING, holdout=holdout, **words)
    assert again.bundle.digest != first.bundle.digest
    assert [p.name for p in (tmp_path / "bench").iterdir()] == ["1.0.0"]


def test_a_graph_that_is_not_its_source_is_refused(tmp_path: Path) -> None:
    """Answers of another model are told from rounding, and nothing is written."""
    pca = make_pipeline(StandardScaler(), PCA(2)).fit(TRAINING)
    built = build(pca, TRAINING, holdout=material.aside(), **material.words(tmp_path))
    graph = built.bundle.path / "model.onnx"
    outputs = {"score": {"output": "score"}, "contributions": "contributions"}
    words = material.words(tmp_path, name="other", outputs=outputs)
    rows = np.asarray(material.aside().source)
    right = OnnxScorer(built.bundle).score(rows).score

    with pytest.raises(ModelRejected, match="is not its source"):
        build(
            *(graph, TRAINING),
            holdout=material.aside(),
            expected={"score": right * 1.01},
            **words,
        )

    assert not (tmp_path / "other" / "1.0.0").exists()
    build(
        *(graph, TRAINING),
        holdout=material.aside(),
        expected={"score": right},
        **words,
    )


def test_a_ready_graph_says_that_nothing_was_compared(tmp_path: Path) -> None:
    """Without a source the golden rows are the graph's own, and the card says so."""
    made = build(
        forest(), TRAINING, holdout=material.aside(), **material.words(tmp_path)
    )
    graph = onnx.load(str(made.bundle.path / "model.onnx"))

    built = build(
        graph, TRAINING, holdout=material.aside(), **material.words(tmp_path, "ready")
    )

    assert built.parity is None
    assert "There was no source model to compare with" in built.card
    rows = material.table(50, 3)
    np.testing.assert_array_equal(
        OnnxScorer(built.bundle).score(rows).score,
        OnnxScorer(made.bundle).score(rows).score,
    )


def test_the_gain_over_the_usual_conversion_is_reported(tmp_path: Path) -> None:
    """Both graphs are timed in one run, and their scores compared."""
    words = material.words(tmp_path, compare=True)
    model = IsolationForest(n_estimators=5, random_state=0).fit(TRAINING)

    built = build(model, TRAINING, holdout=material.aside(), **words)

    assert built.gain is not None
    assert built.gain.apart < 1e-6
    assert built.gain.plain.size > built.gain.compiled.size
    assert "The usual conversion takes" in built.card


def recording(steps: int, seed: int, recipes: bool = False) -> SampleBatch:
    """Two presses, force and position each second, a recipe each ten minutes."""
    random = np.random.default_rng(seed)
    tags, times, values, texts = [], [], [], ["A", "B"]
    for step in range(steps):
        at = START + step * NANOSECONDS
        for asset in range(2):
            tags += [asset, 2 + asset]
            times += [at, at]
            values += random.normal([50, 10], [1, 0.2]).tolist()
        if recipes and step % 600 == 0:
            tags += [4, 5]
            times += [at, at]
            values += [float(step // 600 % 2), 0.0]
    return SampleBatch.of(tags, times, values, texts=texts)


def press(out: Path, **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    """Words of a model on those presses."""
    return {
        **material.words(out, "press"),
        "asset_type": "press",
        "assets": ("PR-1", "PR-2"),
        "tags": {
            "force": {"unit": "kN", "range": [0, 100]},
            "position": {"unit": "mm", "range": [0, 20]},
            "recipe": {"text": True},
        },
        "features": [
            {"tag": "force", "aggregate": "mean", "window": "10s", "hold": "5s"},
            FeatureSpec("position.std", "position", "std", window=10.0, hold=5.0),
        ],
        "score": {"every": "5s"},
        **changed,
    }


def specs() -> list[FeatureSpec]:
    """Features of the press, as the gateway reads them."""
    return [
        FeatureSpec(
            "force.mean", "force", "mean", window=10.0, hold=5.0, min_completeness=0.8
        ),
        FeatureSpec("position.std", "position", "std", window=10.0, hold=5.0),
    ]


def test_a_recording_becomes_rows_by_the_gateways_own_code(tmp_path: Path) -> None:
    """Rows of a recording are those of `offline_rows`, missing ones left out."""
    kind = AssetType(
        "press",
        ("PR-1", "PR-2"),
        (Tag("force", "kN", 0, 100), Tag("position", "mm", 0, 20)),
        0,
    )
    batch = recording(1500, 1)
    rows = offline_rows(kind, specs(), TriggerSpec(every=5.0), batch)
    model = IsolationForest(n_estimators=5, random_state=0)
    model.fit(rows.values[rows.valid])

    built = build(
        model,
        Stretch(recording(1500, 1, recipes=True), contexts="recipe"),
        holdout=recording(1500, 2, recipes=True),
        **press(tmp_path),
    )

    passport, reference = built.bundle.passport, built.bundle.reference
    assert passport.specs() == tuple(specs())
    assert set(passport.tags) == {"force", "position"}
    assert passport.training.rows == int(rows.valid.sum())
    assert passport.training.start.isoformat() == "2026-01-01T00:00:00+00:00"
    whole = reference.whole.features["force.mean"]
    assert whole.n == int(np.isfinite(rows.values[:, 0]).sum())
    assert whole.missing == int(np.isnan(rows.values[:, 0]).sum())
    assert set(reference.contexts) == {"A", "B"}
    # PR-2 makes A all the time, PR-1 half of it
    assert reference.contexts["A"].rows > 2 * reference.contexts["B"].rows


def test_a_recording_is_read_from_its_file(tmp_path: Path) -> None:
    """A wide CSV of the tags is enough; unknown columns are an error with its line."""
    lines = ["time,PR-1/force,PR-1/position,PR-2/force,PR-2/position"]
    random = np.random.default_rng(3)
    for second in range(900):
        values = random.normal([50, 10, 50, 10], [1, 0.2, 1, 0.2])
        lines.append(
            f"{1_767_225_600 + second}," + ",".join(f"{v:.3f}" for v in values)
        )
    file = tmp_path / "june.csv"
    file.write_text("\n".join(lines) + "\n")
    model = IsolationForest(n_estimators=3, random_state=0).fit(
        material.table(50, 1)[:, :2]
    )

    built = build(model, str(file), holdout=file, **press(tmp_path / "models"))

    assert built.bundle.passport.training.rows > 300


def test_parts_are_labelled_and_told_apart_by_their_id(tmp_path: Path) -> None:
    """Quality rows of a table: labels make measures and leave bad parts out."""
    model = RandomForestClassifier(10, random_state=0)
    model.fit(TRAINING, np.where(material.answers(TRAINING) > 0, "scrap", "fine"))
    values = material.table(800, 5)
    told = np.where(material.answers(values) > 0, "scrap", "fine")
    words = material.words(tmp_path, kind="quality", good="fine", budget=300.0)

    built = build(
        model,
        Stretch(TRAINING, contexts=["early"] * 400 + ["late"] * 500),
        holdout=Stretch(values, labels=told.tolist(), every=30.0),
        **words,
    )

    found = built.reached
    assert found is not None
    alarm = (
        1 - model.predict_proba(values)[:, 0]
        > built.bundle.passport.thresholds[0].value
    )
    bad = told == "scrap"
    assert found.recall == pytest.approx((alarm & bad).sum() / bad.sum())
    assert found.precision == pytest.approx((alarm & bad).sum() / alarm.sum())
    assert built.bundle.passport.accuracy is not None
    assert built.bundle.passport.accuracy.reached == pytest.approx(
        found.recall, abs=1e-4
    )
    assert {name: p.rows for name, p in built.bundle.reference.contexts.items()} == {
        "early": 400,
        "late": 500,
    }
    outputs = set(built.bundle.reference.whole.outputs)
    assert outputs == {"score", "probability.fine", "probability.scrap"}


def test_a_model_that_misses_its_own_requirement_is_refused(tmp_path: Path) -> None:
    """A passport does not ask for what is known not to be reached."""
    guess = np.random.default_rng(0).permutation(material.answers(TRAINING) > 0)
    model = RandomForestClassifier(3, random_state=0).fit(TRAINING, guess)
    values = material.table(800, 5)
    told = (material.answers(values) > 0).astype(str).tolist()
    words = material.words(tmp_path, kind="quality", good="False", budget=300.0)

    with pytest.raises(ModelRejected, match=r"recall 0\S* instead of 0\.8 on 800"):
        build(
            *(model, TRAINING),
            holdout=Stretch(values, labels=told, every=30.0),
            **words,
        )

    assert list(tmp_path.iterdir()) == []


def test_parts_without_labels_have_no_budget(tmp_path: Path) -> None:
    """A true alarm looks like a false one where nobody knows the part."""
    model = RandomForestClassifier(3).fit(TRAINING, material.answers(TRAINING) > 0)
    words = material.words(tmp_path, kind="quality", good="False")

    with pytest.raises(ModelRejected, match="have no labels"):
        build(model, TRAINING, holdout=material.aside(), **words)


def test_a_recording_needs_a_trigger_and_assets(tmp_path: Path) -> None:
    """What turns samples into rows must be said."""
    model = forest()

    with pytest.raises(ModelRejected, match="say when they are due"):
        build(
            *(model, recording(20, 1)),
            holdout=recording(20, 1),
            **press(tmp_path, score=None),
        )
    with pytest.raises(ModelRejected, match="which assets it holds"):
        build(
            *(model, tmp_path / "a.csv"),
            holdout=recording(20, 1),
            **press(tmp_path, assets=()),
        )


def test_progress_is_told_in_lines_where_there_is_no_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each step has its line, a long one says how far it is."""
    words = material.words(tmp_path, quiet=False)
    holdout = material.aside(16_000)

    build(forest(), TRAINING, holdout=holdout, **words)

    told = capfd.readouterr().err
    assert "Converting IsolationForest ..." in told
    assert "Scoring 16000 rows of the held-out data ..." in told
    assert "Scoring 16000 rows of the held-out data: 51%" in told
    assert "Writing " in told
