"""Alarms of the pump hall, computed again by processes that have only evidence."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from onnx import helper
from sklearn.ensemble import RandomForestClassifier

from edge_agent.alarms import Limits
from edge_agent.bundle.contents import open_bundle
from edge_agent.captured import bits, reading, retracing
from edge_agent.captured.retracing import Sameness
from edge_agent.captured.taking import Captures
from edge_agent.cli.main import main
from edge_agent.clock import ManualClock
from edge_agent.config.keeping import Store
from edge_agent.features.depth import depth_for
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.rows import RowBuilder
from edge_agent.features.triggers import Every
from edge_agent.features.window import Window
from edge_agent.inference import Inference
from edge_agent.instruments import Instruments
from edge_agent.lines import Line
from edge_agent.posts import Post, Seating
from edge_agent.records import AlarmState, EvidenceRecord, Fallback
from edge_agent.records.appetites import EVIDENCE
from edge_agent.samples import NANOSECONDS, SampleBatch
from edge_agent.scoring import OnnxScorer
from edge_agent.stamps import Stamps
from edge_agent.store.journal import Journal
from edge_agent.surroundings import here
from tests.agent.alarmed_hall import BUNDLE, AlarmedHall
from tests.agent.test_inference import KIND, SPECS, TAGS, Bench
from tests.agent.test_posts import standby
from tests.model import bundles, test_forest
from tests.pure.test_pipeline import USUAL, FirstFeature, pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.bundle.contents import Bundle
    from edge_agent.features.spec import FeatureSpec

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> AlarmedHall:
    """Some minutes of a hall, its alarms and their evidence."""
    made = AlarmedHall(tmp_path_factory.mktemp("hall"))
    made.run(110)
    return made


@pytest.fixture(scope="module")
def log(hall: AlarmedHall, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evidence as a log keeps it: other lines beside it."""
    path = tmp_path_factory.mktemp("log") / "000001.jsonl"
    return written(path, hall.evidence)


def written(path: Path, evidence: Sequence[EvidenceRecord]) -> Path:
    """A log's file with evidence among other lines."""
    lines = [b'{"number":1,"kind":"alarm","body":{"occurrence":"P-101-x"}}']
    for number, one in enumerate(evidence, 2):
        head = f'{{"number":{number},"kind":"window","body":{{"occurrence":'
        name = json.dumps(one.occurrence)
        lines.append(f'{head}{name},"window":'.encode() + one.body + b"}}")
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_every_alarm_of_a_hall_is_made_again_bit_for_bit(
    hall: AlarmedHall, tmp_path: Path
) -> None:
    """Over five hundred, of ticks, updates and parts, by another process."""
    active = [one for one in hall.alarms if one.state is AlarmState.ACTIVE]
    assert [one.occurrence for one in active] == [
        one.occurrence for one in hall.evidence
    ]
    bodies = tmp_path / "bodies.jsonl"
    bodies.write_bytes(b"\n".join(one.body for one in hall.evidence))
    run = subprocess.run(
        [sys.executable, "-m", "tests.agent.retraced_all", bodies, BUNDLE],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )

    count = len(active)
    assert count >= 500
    assert {one.pipeline for one in hall.evidence} >= {"following", "parts", "fast"}
    assert json.loads(run.stdout) == {
        "alarms": count,
        "same": count,
        "alarm": count,
        "differences": 0,
    }


def test_evidence_says_what_scada_was_told(hall: AlarmedHall) -> None:
    """Score, limit, reason, tags, model and configuration are those of the alarm."""
    active = [one for one in hall.alarms if one.state is AlarmState.ACTIVE]
    for alarm, record in zip(active, hall.evidence, strict=True):
        said = reading.read(record.body)

        assert (record.at, record.asset) == (alarm.at, said.alarm.asset)
        assert said.score.value == alarm.score
        assert said.verdict.threshold == alarm.threshold
        assert said.alarm.reason == alarm.reason
        assert [one.role for one in said.alarm.top] == [one[0] for one in alarm.top]
        assert said.model.digest == alarm.info.model_digest
        assert len(said.surroundings.configuration) == 64


def test_limits_of_a_context_are_in_the_evidence(hall: AlarmedHall) -> None:
    """Which context the row had, and that its own level judged it."""
    read = [reading.read(one.body) for one in hall.evidence]
    shifted = [one for one in read if one.alarm.pipeline == "shifted"]
    others = [one for one in read if one.alarm.pipeline != "shifted"]

    assert {one.alarm.context for one in shifted} == {"late"}
    assert {one.verdict.threshold for one in shifted} == {0.9}
    assert {one.verdict.threshold_of for one in shifted} == {"context"}
    assert {one.verdict.threshold_of for one in others} == {"pipeline"}


def test_tags_that_report_changes_only_are_made_again(tmp_path: Path) -> None:
    """A value lasts until the next: with the one before the window in it."""
    changing = AlarmedHall(tmp_path, held=True)
    changing.run(14)
    read = [reading.read(record.body) for record in changing.evidence]
    model = Nudged(1.0)

    assert len(read) > 20
    for evidence in read:
        assert evidence.window is not None
        assert any(tag.changes_only for tag in evidence.window.tags)
        found = retracing.retrace(evidence, here(), model)
        assert found.differences == ()
        assert found.holds(alike=True)


def forest(folder: Path) -> Bundle:
    """A classifier of trees, which tells classes."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 80)
    rows = random.normal(size=(240, 4)) + labels[:, None]
    made = RandomForestClassifier(30, max_depth=6, random_state=0).fit(rows, labels)
    return test_forest.shipped(folder, made, zipmap=False)


def autoencoder(folder: Path) -> Bundle:
    """A model whose score is how badly it gives its row back."""
    text = bundles.passport("again")
    text["model"]["outputs"] = {"score": {"output": "y", "read": "reconstruction"}}
    weight = np.random.default_rng(4).normal(size=(4, 4)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["rows", "w"], ["z"]),
        helper.make_node("Tanh", ["z"], ["y"]),
    ]
    rows = bundles.golden(4).astype(np.float64)
    score = np.square(np.tanh(rows @ weight) - rows).mean(axis=1)
    proto = bundles.model(nodes, {"w": weight}, 4, {"y": ["N", 4]})
    return bundles.make(folder, text, proto=proto, outputs={"score": score})


def summed(folder: Path) -> Bundle:
    """A sum over features, whose bits may depend on the rows beside it."""
    return bundles.make(folder, proto=bundles.graph(4, reduce_sum=True))


@pytest.mark.parametrize("make", [forest, autoencoder, summed, bundles.make])
def test_models_of_every_kind_are_made_again_bit_for_bit(
    make: Callable[[Path], Bundle], tmp_path: Path
) -> None:
    """Scores, contributions and probabilities, by a model opened anew."""
    bundle = make(tmp_path)
    evidence = alarmed(OnnxScorer(bundle), bundle.passport.specs())
    model = OnnxScorer(open_bundle(bundle.path))

    assert len(evidence) >= 8
    for record in evidence:
        said = reading.read(record.body)
        found = retracing.retrace(said, here(), model)
        assert found.differences == ()
        assert found.features is found.score is Sameness.SAME
        assert (said.score.probabilities is not None) == (make is forest)


def alarmed(scorer: OnnxScorer, specs: Sequence[FeatureSpec]) -> list[EvidenceRecord]:
    """Evidence of alarms of two pumps, which come and go with noise."""
    bench = Bench()
    plan = FeaturePlan(specs, KIND)
    window = Window(KIND, depth_for(specs))
    builder = RowBuilder(window, [(plan, Every(KIND, NANOSECONDS, bench.clock.time))])
    limits = Limits(0.4, on_delay=0, off_delay=0, chatter_count=0)
    one = np.ones(len(specs))
    usual = replace(
        USUAL,
        role=np.array([KIND.role_index(spec.tag) for spec in specs]),
        aggregates=tuple(spec.aggregate for spec in specs),
        windows=tuple(spec.window for spec in specs),
        low=one,
        high=one,
        mean=one,
        std=one,
    )
    line = Line(builder, [Post(pipeline(scorer=scorer, limits=limits, usual=usual))])
    line.capture(Captures(here(), a_minute=10**6))
    found: list[EvidenceRecord] = []
    inference = Inference(
        *([line], bench.inbox, Stamps(TAGS, ["source"])),
        lambda records, _: found.extend(
            one for one in records if isinstance(one, EvidenceRecord)
        ),
        *(bench.clock, bench.instruments),
    )
    noise = np.random.default_rng(2)
    for second in range(150):
        size = 2.0 if second % 30 > 20 else 0.05
        now = bench.clock.time = bench.clock.time + NANOSECONDS
        at, value = np.full(4, now), noise.normal(size=4) * size
        batch = SampleBatch(
            np.arange(4, dtype=np.int32), at, value, np.zeros(4, np.uint8), at
        )
        inference.turn(now, batch)
    return found


def replay(*arguments: object) -> int:
    """The command; its exit code."""
    return main(["replay", *map(str, arguments)])


def test_the_command_computes_one_alarm_again(
    hall: AlarmedHall, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The number, how it compares, the model's training and who approved it."""
    one = hall.evidence[7].occurrence
    code = replay("--alarm", one, "--evidence", log, "--bundle", BUNDLE)
    out = capsys.readouterr().out

    assert code == 0
    assert f"alarm {one} was made again: the same, bit for bit" in out
    assert "the passport says" in out
    assert "trained by" in out
    assert "approved by" in out


def test_the_beginning_of_an_occurrence_is_enough(
    hall: AlarmedHall, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If only one alarm begins so; else some are named."""
    names = [one.occurrence for one in hall.evidence]
    unique = next(n for n in names if sum(o.startswith(n[:-1]) for o in names) == 1)
    where = ("--evidence", log.parent, "--bundle", BUNDLE, "--json")
    assert replay("--alarm", unique[:-1], *where) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["occurrence"] == unique
    assert found["made_again"]

    assert replay("--alarm", "P-1", *where) == 1
    assert "alarms begin with 'P-1'" in capsys.readouterr().err
    assert replay("--alarm", "P-999", *where) == 1
    assert "no evidence of an alarm 'P-999'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [(), ("--alarm", "x", "file.csv", "--config", "c"), ("file.csv",)],
)
def test_a_recording_or_an_alarm_must_be_named(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """One of them, and a recording's configuration with it."""
    assert replay(*arguments) == 2
    assert "either RECORDING and --config, or --alarm" in capsys.readouterr().err


def test_a_changed_byte_is_told(
    hall: AlarmedHall, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A score that somebody has mended is refused by name, and so is a torn line."""
    one = hall.evidence[3]
    value = reading.read(one.body).score.value
    mended = one.body.replace(f'"value":{value}'.encode(), b'"value":0.123')
    assert mended != one.body
    for number, body in enumerate((mended, one.body[:2000])):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(body)
        arguments = ("--alarm", one.occurrence, "--evidence", path)
        assert replay(*arguments, "--bundle", BUNDLE) == 1
        assert "evidence" in capsys.readouterr().err


def test_without_its_model_the_row_alone_is_made_again(
    hall: AlarmedHall,
    log: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The features are compared; that the model is missing is said, and no success."""
    one = hall.evidence[11].occurrence
    code = replay(
        *("--alarm", one, "--evidence", log, "--state-dir", tmp_path, "--json")
    )
    (found,) = json.loads(capsys.readouterr().out)

    assert code == 1
    assert (found["features"], found["score"]) == ("same", "not made")
    assert "give its folder with --bundle" in found["score_why"]


def test_another_model_is_not_taken_for_the_one_that_scored(
    hall: AlarmedHall,
    log: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A bundle with another digest is named and not run; its passport is not shown."""
    other = bundles.make(tmp_path).path
    one = hall.evidence[11].occurrence
    code = replay("--alarm", one, "--evidence", log, "--bundle", other)
    out = " ".join(capsys.readouterr().out.split())

    assert code == 1
    assert "was NOT made again" in out
    assert f"{other} has digest" in out
    assert "Test Bench" not in out


def test_evidence_that_no_log_has_yet_is_found_in_the_store(
    hall: AlarmedHall, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gateway that was switched off at once: the alarm is in its outbox."""
    journal = Journal(
        tmp_path / "store.db",
        sinks=("@evidence",),
        settings=Store(),
        clock=ManualClock(hall.clock.time),
        instruments=Instruments(),
        appetites={"@evidence": EVIDENCE},
    )
    journal.start()
    journal.submit(hall.evidence[:3], {})
    journal.stop(5.0)
    where = ("--state-dir", tmp_path, "--bundle", BUNDLE)

    assert replay("--alarm", hall.evidence[1].occurrence, *where) == 0
    assert "bit for bit" in capsys.readouterr().out


def test_a_running_agent_is_not_all_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped alarm is named, though its store cannot be looked into now."""
    (tmp_path / "store.db").touch()
    monkeypatch.setattr("edge_agent.store.offline._held", lambda _: True)

    assert replay("--alarm", "P-999", "--state-dir", tmp_path) == 1
    said = capsys.readouterr().err
    assert "has no alarm that begins with 'P-999'" in said
    assert "is open in a running agent: what is not in the log yet" in said


def test_another_runtime_may_be_a_little_off(hall: AlarmedHall) -> None:
    """Within 1e-6 it is the same number there, here it is not; and why is said."""
    evidence = reading.read(hall.evidence[0].body)
    this = here()
    made = Nudged(1 + 1e-7)
    found = retracing.retrace(evidence, this, made)
    assert found.score is Sameness.CLOSE
    assert not found.holds(alike=True)
    assert found.holds(alike=True, close=True)
    assert "another batch" in found.reasons[0]

    elsewhere = msgspec.structs.replace(this, onnxruntime="1.0.0", machine="aarch64")
    found = retracing.retrace(evidence, elsewhere, made)
    assert not retracing.alike(evidence, elsewhere)
    assert found.holds(alike=False)
    assert "onnxruntime was" in found.reasons[0]
    assert "machine was x86_64, here it is aarch64" in found.reasons[1]
    assert not retracing.retrace(evidence, elsewhere, Nudged(1.1)).holds(alike=False)


class Nudged:
    """A model as of another runtime: the real one's numbers times a factor."""

    def __init__(self, factor: float) -> None:
        self._real = OnnxScorer(open_bundle(BUNDLE))
        self._factor = factor

    def score(self, values: Any) -> Any:  # noqa: ANN401
        """The real score, a little off."""
        found = self._real.score(values)
        return replace(found, score=found.score * self._factor)


def test_a_storm_keeps_rows_but_no_more_windows(tmp_path: Path) -> None:
    """Windows are few a turn and minute; what was left out is counted."""
    one = {
        "ticking": {
            "assets": "pump",
            "model": "pump-anomaly",
            "score": {"every": "1s"},
            "alarm": {"on_delay": "0s", "threshold": 0.001},
        }
    }
    stormy = AlarmedHall(tmp_path, one, a_turn=3, a_minute=4)
    stormy.run(12)
    read = [reading.read(record.body) for record in stormy.evidence]
    whole = [evidence for evidence in read if evidence.window is not None]

    assert len(read) == 24
    assert len(whole) == 3
    without = stormy.instruments.counter(
        "evidence_without_window_total", pipeline="ticking"
    )
    assert without == 21
    for evidence in read:
        found = retracing.retrace(evidence, here(), Nudged(1.0))
        kept = evidence.window is not None
        assert found.features is (Sameness.SAME if kept else Sameness.NOT_MADE)
        assert found.score is Sameness.SAME
        assert kept or found.features_why == "too many alarms came at once"


def test_a_row_judged_by_limits_is_made_again_without_a_model() -> None:
    """A failed call's standby: its ranges are in the evidence."""
    bench = Bench()
    bench.line.capture(Captures(here()))
    broken = pipeline(scorer=FirstFeature(error="Boom"))
    plan = FeaturePlan(SPECS, KIND)
    bench.inference.seats.seat("pump", Seating(broken, plan, standby(), "v2"))
    bench.second(7.0)
    first, _ = bench.of(EvidenceRecord)
    evidence = reading.read(first.body)
    found = retracing.retrace(evidence, here(), None)

    assert evidence.model.rung == Fallback.LIMITS.name.lower()
    assert "Boom" in evidence.model.because
    assert evidence.score.value == found.made == 4.0
    assert found.holds(alike=True)


def test_a_calm_turn_makes_no_evidence() -> None:
    """Neither rows near nothing nor a return to normal."""
    bench = Bench()
    bench.line.capture(Captures(here()))
    for pressure in (1.0, 9.0, 9.0, 1.0, 1.0):
        bench.second(pressure)

    assert len(bench.of(EvidenceRecord)) == 2  # two pumps, once
    values = reading.read(bench.of(EvidenceRecord)[0].body).row.values
    assert bits.array(values, "<f4", 2).tolist() == [9.0, np.float32(15.0)]
