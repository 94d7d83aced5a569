"""`edge-agent report`: from what an agent keeps to what an auditor reads."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_agent.cli.main import main
from edge_agent.config import loading
from edge_agent.monitoring.statistics import binned
from edge_agent.registry.lineage import BUNDLES, folder_of
from edge_agent.report import bodies, document
from edge_agent.report.brief import sentences
from edge_agent.report.gathering import gather
from edge_agent.report.page import rendered
from edge_agent.report.placing import Gateway
from edge_agent.report.spans import Span
from edge_agent.report.unseen import ModelUnknown
from edge_agent.status.history import History
from edge_agent.store.drifts import merged
from edge_agent.store.lost import Lost
from tests.config import plants
from tests.report import gateway
from tests.report.gateway import DAY, MODEL, PIPELINE, filled, ran, talking
from tests.report.test_page import read
from tests.store import made

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.report.document import Report
    from tests.report.gateway import Ran

FAILED, UNAVAILABLE, EX_CONFIG = 1, 69, 78
#: Long before the agent of these tests began.
SINCE = "2024-10-01"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A gateway whose agent stopped after twenty days."""
    return filled(tmp_path_factory.mktemp("gateway"))


def report(one: Ran, *, live: bool = False, **more: Any) -> Report:  # noqa: ANN401
    """Of its days."""
    where = Gateway(one.state, one.state if live else None, more.pop("loaded", None))
    span = Span(more.pop("since", one.start), more.pop("until", one.end))
    return gather(where, more.pop("model", one.model), span, **more)


def configured(folder: Path, one: Ran, **edits: str) -> Path:
    """A configuration with its pipeline and state folder."""
    changes = {"model: pump-anomaly@1.0.0": f"model: {one.model}", **edits}
    plants.written(folder, *changes.items())
    with (folder / "agent.yaml").open("a") as file:
        file.write(f"state_dir: {one.state}\nruntime_dir: {one.state}\n")
    return folder


def command(*words: object) -> int:
    """Its exit code."""
    return main(["report", *map(str, words)])


def test_an_auditor_finds_what_is_asked(kept: Ran) -> None:
    """Who approved, trained on what, where and when, met or not, what people said."""
    text = read(rendered(report(kept))).text
    for wanted in (
        *("Dr. Approving", "plant key", "Standard normal numbers.", "500 rows"),
        *("golden rows differ by 0.2", "until 2024-10-24 00:00", "breached"),
        *("14 of 23 answered alarms were rejected", "over budget", "shift night"),
        *("input drift (process change): found", "sensor stuck", "model activated"),
        *("flow.last", "No agent answered", "Without the configuration"),
    ):
        assert wanted in text


def test_drift_is_the_sum_of_what_was_kept(kept: Ran) -> None:
    """Shares and distances are those of all rows of the span at once."""
    (early,) = (d for d in report(kept).drift if d.context == gateway.CONTEXTS[0])
    rows = History(kept.state).drift(model=MODEL)
    whole = merged([r for r in rows if r.context == early.context][::-1])
    counts, first = whole.block.counts, early.columns[0]
    then = kept.bundle.reference.contexts[early.context].features[first.name]

    assert early.rows == whole.rows == 20 * 12 * 200
    assert early.gated == 20 * 12 * 3
    assert first.live == pytest.approx(counts[0] / counts[0].sum())
    assert first.reference == pytest.approx(np.array(then.counts) / then.n)
    both = np.array([then.counts]), counts[:1]
    assert first.psi == pytest.approx(float(binned.psi(*both)[0]))
    assert first.js == pytest.approx(float(binned.jensen_shannon(*both)[0]))
    assert first.ks == pytest.approx(float(binned.ks(*both)[0]))


def test_what_moved_in_the_last_days_has_drifted(kept: Ran) -> None:
    """Though a month dilutes it, and in the context without a finding, too."""
    found = report(kept).drift
    assert {d.context: d.drifted for d in found} == dict.fromkeys(
        gateway.CONTEXTS, ("flow.last", "score")
    )
    days = [day.value for day in found[0].days]
    assert len(days) == kept.days
    assert all(value is not None and value >= 1 for value in days[-3:])
    assert all(value is not None and value < 1 for value in days[:-3])
    before = report(kept, until=kept.end - 5 * DAY)
    assert [d.drifted for d in before.drift if d.context != "water/early"] == [()]


def test_without_the_files_of_a_version_drift_is_not_judged(tmp_path: Path) -> None:
    """Its passport is shown, and why nothing is said of drift."""
    one = ran(tmp_path, 1)
    one.keep(files=False)
    journal = made.journal(one.state / "store.db", origin=gateway.ORIGIN)
    journal.start()
    one.fill(journal)
    assert journal.stop(10)

    found = report(one)
    assert found.versions[0].passport["approver"] == "Dr. Approving"
    assert {d.reference for d in found.drift} == {
        "the files of version 1.0.0 have left this gateway"
    }
    assert all(c.psi is None and c.strength is None for c in found.drift[0].columns)
    assert "not judged" in rendered(found)


def test_a_reference_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    """What is compared with is what was signed."""
    one = filled(tmp_path, 1)
    where = one.state.joinpath(*BUNDLES, MODEL, one.bundle.digest, "reference.json")
    where.write_bytes(where.read_bytes().replace(b"0", b"1", 1))
    assert {d.reference for d in report(one).drift} == {
        "reference.json of version 1.0.0 is not what was signed"
    }


def test_a_passport_that_was_changed_is_said_to_be(tmp_path: Path) -> None:
    """Nothing that it says is shown."""
    one = filled(tmp_path, 1)
    file = folder_of(one.state) / f"{one.bundle.digest}.yaml"
    file.write_text(file.read_text().replace("Dr. Approving", "Somebody Else"))
    found = report(one)
    assert "changed since" in found.versions[0].problem
    assert "Somebody Else" not in rendered(found)


def test_accuracy_is_what_was_kept_day_by_day(kept: Ran) -> None:
    """The newest snapshot in full, the others as a line."""
    (found,) = report(kept).accuracy
    assert (found.state, found.labels, found.level) == ("breached", 150, 0.8)
    assert found.requirement == "recall at least 0.8 on 50 labels"
    assert sum(found.confusion or ()) == 150
    recall = next(m for m in found.measures if m.name == "recall")
    assert found.confusion is not None
    tp, _, fn, _ = found.confusion
    assert recall.value == pytest.approx(tp / (tp + fn))
    assert [day.day for day in found.days][:2] == ["2024-10-04", "2024-10-05"]
    assert found.days[-1].value == recall.value
    mae = next(m for m in found.measures if m.name == "mae")
    assert (mae.value, mae.note) == (None, "no label is a number")


def test_alarms_are_counted_once_each(kept: Ran) -> None:
    """Not their ends; by day, by asset and by what made them."""
    (found,) = report(kept).alarms
    total = sum(1 + day % 3 for day in range(kept.days))
    assert [day.count for day in found.days] == [1 + d % 3 for d in range(kept.days)]
    assert (found.total, dict(found.by)) == (total, {"model": total})
    assert sum(count for _, count in found.assets) == total
    assert (found.confirmed, found.rejected, found.unanswered) == (9, 14, 3)
    assert found.over


def test_what_is_so_at_many_pipelines_is_said_once(kept: Ran) -> None:
    """The first is named, the others are counted."""
    whole = report(kept)
    many = replace(whole, accuracy=whole.accuracy * 3)
    first, *rest = sentences(many)
    assert first == f"{sentences(whole)[0]} The same goes for 2 more."
    assert not any("meet its requirement" in one for one in rest)


def test_page_and_json_say_the_same(kept: Ran) -> None:
    """Every number of the JSON's drift and accuracy stands on the page."""
    found = report(kept)
    said = json.loads(document.to_json(found))
    text = read(rendered(found)).text
    for one in said["drift"]:
        for column in one["columns"]:
            for key in ("psi", "js", "ks", "w1", "strength", "live_mean"):
                assert f"{column[key]:.4g}" in text
    for measure in said["accuracy"][0]["measures"]:
        if measure["value"] is not None:
            assert f"{measure['value']:.4g}" in text
    assert str(said["alarms"][0]["total"]) in text
    for sentence in said["summary"]:
        assert sentence in text


def test_a_running_agent_says_the_same_as_its_files(tmp_path: Path) -> None:
    """But for what only the one or the other can know."""
    one = ran(tmp_path, 2)
    one.keep()
    with talking(one) as journal:
        one.fill(journal)
        live = report(one, live=True)
    stopped = report(one, live=True)
    # how many assets there are, the agent said
    assert live.alarms[0].per_week == pytest.approx(3 / (2 * 2 / 7))
    alarms = replace(live.alarms[0], per_week=None)
    assert (alarms,) == stopped.alarms
    same = ("drift", "accuracy", "fairness", "incidents", "versions")
    for key in same:
        assert getattr(live, key) == getattr(stopped, key)
    assert live.drift
    assert "No agent answered" in stopped.notes[0]
    assert not any("No agent answered" in note for note in live.notes)
    (place,) = live.places
    assert (place.version, place.assets, place.scores_by) == ("1.0.0", 2, "limits")
    assert f"{PIPELINE} is not scored by its model but by limits: no memory" in "".join(
        live.summary
    )


def test_another_agent_is_not_asked(kept: Ran, tmp_path: Path) -> None:
    """One that runs on another state folder says nothing of this one."""
    other = ran(tmp_path)
    with talking(other):
        where = Gateway(kept.state, other.state)
        found = gather(where, MODEL, Span(kept.start, kept.end))
    assert found.places[0].scores_by == "stopped"
    assert found.drift


def test_the_configuration_says_where_it_runs(tmp_path: Path) -> None:
    """Assets, site, and pipelines that have never had a version."""
    one = filled(tmp_path, 7)
    folder = tmp_path / "etc"
    folder.mkdir()
    found = report(one, loaded=loading.read(configured(folder, one)))
    (place,) = found.places
    assert (place.asset_type, place.assets, place.version) == ("pump", 2, "1.0.0")
    assert place.open_findings == ("flow is 12 % above its reference since Tuesday",)
    assert (found.gateway, found.site) == ("gw-07", "acme/hamburg")
    (alarms,) = found.alarms
    assert alarms.per_week == pytest.approx(alarms.total / 2, rel=0.01)


def test_a_model_without_a_past_has_a_report(tmp_path: Path) -> None:
    """A new gateway: no store, no passport, one pipeline that waits for a version."""
    one = ran(tmp_path)
    folder = tmp_path / "etc"
    folder.mkdir()
    found = report(one, loaded=loading.read(configured(folder, one)))
    assert [place.pipeline for place in found.places] == [PIPELINE]
    assert found.places[0].because == "no version is active there"
    assert any("there is no such file" in note for note in found.notes)
    assert "No version of this model has been verified here" in rendered(found)


def test_an_unknown_model_is_told_with_those_there_are(kept: Ran) -> None:
    """A name that is one letter off."""
    with pytest.raises(ModelUnknown, match=r"'pumps' is known.*there is: pump-anomaly"):
        report(kept, model="pumps")


def test_only_one_version_is_told_of_where_that_is_asked(kept: Ran) -> None:
    """Nothing of the others."""
    found = report(kept, version="1.1.0")
    assert [one.version for one in found.versions] == ["1.1.0"]
    assert (found.drift, found.accuracy) == ((), ())
    assert [one.total for one in found.alarms] == [0]
    assert report(kept, version="1.0.0").drift == report(kept).drift


def test_what_was_written_by_others_cannot_break_it(tmp_path: Path) -> None:
    """Names, sentences and bodies of snapshots are data."""
    one = filled(tmp_path, 1)
    journal = made.journal(one.state / "store.db", origin=gateway.ORIGIN)
    journal.start()
    bad = "<script>alert('x')</script>"
    snapshot = made.snapshot(one.start)
    journal.submit(
        [
            made.finding(
                *(one.start,),
                id="bad",
                pipeline=PIPELINE,
                tag=bad,
                sentence=bad,
                model=MODEL,
                context=bad,
            ),
            replace(snapshot, pipeline=PIPELINE, subject=bad),
            replace(
                snapshot,
                pipeline=PIPELINE,
                subject="deep",
                body={"state": bad, "measures": {bad: {"value": 1e308, "note": bad}}},
            ),
            replace(snapshot, name="fairness", pipeline=PIPELINE, body={"by": 3}),
        ],
        {},
    )
    made.settle(journal)
    assert journal.stop(10)

    found = report(one)
    page = rendered(found)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    read(page)
    assert "1 snapshots of accuracy cannot be read." in found.notes
    assert "1 snapshots of fairness cannot be read." in found.notes
    assert any(one.state == bad for one in found.accuracy)


def test_the_command_writes_a_page_and_says_what_matters(
    kept: Ran,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its path, and three sentences; the page is there."""
    monkeypatch.chdir(tmp_path)
    words = (MODEL, "--since", SINCE, "--state-dir", kept.state)
    assert command(*words, "--runtime-dir", tmp_path) == 0
    out = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"pump-anomaly-report-\d{4}-\d\d-\d\d\.html", out[0])
    assert len(out) == 4
    assert "does not meet its requirement" in out[1]
    read((tmp_path / out[0]).read_text())


def test_the_command_prints_json_and_writes_nothing(
    kept: Ran,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """To stdout, and nothing else."""
    monkeypatch.chdir(tmp_path)
    words = (MODEL, "--since", SINCE, "--state-dir", kept.state, "--json")
    assert command(*words, "--runtime-dir", tmp_path) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["model"], said["format"]) == (MODEL, document.FORMAT)
    assert list(tmp_path.iterdir()) == []


def test_the_command_reads_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """State folder and runtime folder are known from it; a wrong one is told."""
    one = ran(tmp_path)
    one.keep()
    folder = tmp_path / "etc"
    folder.mkdir()
    configured(folder, one)
    page = tmp_path / "page.html"
    assert command(MODEL, "--config", folder, "--out", page) == 0
    assert "acme/hamburg" in page.read_text()
    (folder / "agent.yaml").write_text("gateway: [")
    assert command(MODEL, "--config", folder, "--out", page) == EX_CONFIG
    assert "agent.yaml" in capsys.readouterr().err


def test_the_command_says_why_it_cannot(
    kept: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown model 1, no store to be read 69, a span of no time 2."""
    where = ("--state-dir", kept.state, "--runtime-dir", tmp_path)
    assert command("pumps", *where) == FAILED
    assert "there is: pump-anomaly" in capsys.readouterr().err
    assert command(MODEL, "--since", "2999-01-01", *where) == 2
    assert command(MODEL, "--out", tmp_path / "no" / "where", *where) == FAILED
    (tmp_path / "store.db").write_bytes(b"no store" * 1000)
    bad = ("--state-dir", tmp_path, "--runtime-dir", tmp_path)
    assert command(MODEL, *bad) == UNAVAILABLE
    with pytest.raises(SystemExit, match="2"):
        command(MODEL, "--since", "soon", *where)


def test_nothing_is_written_to_the_gateway(kept: Ran) -> None:
    """Not even what is damaged is put aside."""
    lives = kept.state / "models" / "lives"
    (lives / "other.json").write_text("{")
    before = sorted((p, p.stat().st_mtime_ns) for p in kept.state.rglob("*"))
    found = report(kept)
    assert sorted((p, p.stat().st_mtime_ns) for p in kept.state.rglob("*")) == before
    assert "Lives of models cannot be read: other." in found.notes
    (lives / "other.json").unlink()


def test_a_loss_is_one_incident_however_often_it_was_told() -> None:
    """With the whole count, at the time it was told last."""
    again = ("why", 0, 0, 0, "")
    rows = [
        Lost(2, "gw", "samples", "plc", "full", 5, 2 * DAY, 0, 0, 7, ""),
        Lost(1, "gw", "samples", "plc", "full", 3, DAY, 0, 0, 0, ""),
        Lost(3, "gw", "messages", "cell", again[0], 0, DAY, *again[1:]),
    ]
    (one, other) = bodies.read(bodies.events_of(rows), bodies.Event)[0]

    assert (one[0].at, one[0].wall_offset, one[0].day) == (2 * DAY, 7, 2)
    assert (one[1].what, one[1].subject) == ("samples lost", "plc")
    assert one[1].message == "8 samples: full"
    assert other[1].message == "an unknown number of messages: why"
