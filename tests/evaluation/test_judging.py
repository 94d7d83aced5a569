"""What labels say of a version, what is told, and what is done about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from edge_agent.alarms import Rows
from edge_agent.clock import ManualClock
from edge_agent.config.monitoring import AlarmBudget, Labels
from edge_agent.evaluation.judging import Evaluation, Reach, Terms
from edge_agent.evaluation.memory import Moved, moved_thresholds
from edge_agent.evaluation.thresholds import Thresholds
from edge_agent.evaluation.tracking import Seen
from edge_agent.instruments import Instruments
from edge_agent.labels.operators import Judged
from edge_agent.records import EventRecord, FindingRecord
from tests.evaluation.made import (
    DAY,
    NEW,
    OLD,
    START,
    S,
    active,
    drawn,
    joined,
    no_alarms,
    silent,
)

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.evaluation.active import Active
    from edge_agent.records import Record

NAME = "quality"


@dataclass
class Bench:
    """An evaluation whose deeds are noted."""

    folder: Path
    on_breach: str = "tell"
    budget: AlarmBudget | None = None
    scores: Active = field(default_factory=active)
    records: list[Record] = field(default_factory=list)
    breaches: list[tuple[str, bool]] = field(default_factory=list)
    moves: list[Moved | None] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    former: bool = True
    clock: ManualClock = field(default_factory=lambda: ManualClock(START + DAY))

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin, or begin again behind a kill."""

        def breach(_: str, __: str, digest: str, limits: bool) -> bool:
            self.breaches.append((digest, limits))
            return True

        reach = Reach(
            active=lambda _: self.scores,
            former=lambda _: self.former,
            breach=breach,
            move=lambda _, moved: self.moves.append(moved),
            tell=self.records.append,
            keep=lambda _, look: self.kept.append(look.snapshot),
        )
        labels = Labels(bad=("bad",), groups=("lot",), on_breach=self.on_breach)  # type: ignore[arg-type]
        at_most = {NAME: self.budget.at_most} if self.budget else {}
        self.thresholds = Thresholds(
            at_most, {NAME: ("A", "B")}, self.folder, reach.active, Instruments()
        )
        terms = {NAME: Terms(labels, self.budget)}
        self.evaluation = Evaluation(
            terms, self.folder, self.clock, self.thresholds, reach
        )

    def judge(self, *rows: Any, alarms: Judged | None = None, **more: Any) -> Any:  # noqa: ANN401
        """Judge rows; the conditions."""
        made = joined(*rows, **more)
        return self.evaluation.judge(NAME, made, alarms or no_alarms())

    def events(self) -> list[str]:
        """Names of the events told."""
        return [r.name for r in self.records if isinstance(r, EventRecord)]

    def findings(self) -> list[tuple[str, int, str]]:
        """Kind, state and version of the findings told."""
        found = [r for r in self.records if isinstance(r, FindingRecord)]
        return [(r.what, int(r.state), r.model_version) for r in found]

    @property
    def first(self) -> dict[str, Any]:
        """Accuracy of the version that scores, as the status has it."""
        found: dict[str, Any] = self.evaluation.status(NAME)["accuracy"][0]
        return found


def test_each_version_has_its_own_figures(tmp_path: Path) -> None:
    """Told apart by digest; those of the one that scores come first, as sklearn's."""
    bench = Bench(tmp_path)
    chance, bad = drawn(600)
    version = np.where(np.arange(600) < 200, 1, 2).astype(np.uint16)
    bench.judge(chance, bad, version)
    told = bench.evaluation.status(NAME)["accuracy"]
    assert [(one["version"], one["scores"]) for one in told] == [
        ("2.0.0", True),
        ("1.0.0", False),
    ]
    for one, which in zip(told, (version == 2, version == 1), strict=True):
        measures = {m["name"]: m["value"] for m in one["measures"]}
        over = chance[which] > 0.5
        for name, score in (
            ("precision", precision_score),
            ("recall", recall_score),
            ("f1", f1_score),
        ):
            assert measures[name] == pytest.approx(score(bad[which], over))
    assert bench.kept[-1]["accuracy"] == told


def test_rows_of_stand_ins_say_nothing_of_the_model(tmp_path: Path) -> None:
    """Limits, or a row without a score, are not the model's."""
    bench = Bench(tmp_path)
    chance, bad = drawn(300)
    ours = np.arange(300) < 100
    bench.judge(chance, bad, by_model=ours)
    assert bench.first["labels"] == 100


def test_a_broken_promise_is_told_once_and_closed_with_its_version(
    tmp_path: Path,
) -> None:
    """Again after a restart it is the same finding; another version ends it."""
    bench = Bench(tmp_path)
    rows = drawn(400, wrong=0.5)
    bench.judge(*rows)
    bench.judge(*rows)
    bench.start()
    bench.judge(*rows)
    opened = ("accuracy below requirement", 1, "2.0.0")
    assert bench.findings() == [opened]
    assert bench.events() == ["requirement broken"]
    bench.scores = replace(bench.scores, digest=OLD, version="1.0.0")
    bench.judge(*rows)
    assert bench.findings() == [opened, ("accuracy below requirement", 0, "2.0.0")]


def test_what_may_be_chance_closes_nothing(tmp_path: Path) -> None:
    """A finding ends when the promise is kept again, not when it is hardly broken."""
    bench = Bench(tmp_path)
    chance, bad = drawn(400, wrong=0.5)
    bench.judge(chance, bad)
    bench.judge(chance[:10], bad[:10])
    assert len(bench.findings()) == 1
    bench.judge(chance, chance > 0.5)
    assert [state for _, state, _ in bench.findings()] == [1, 0]


@pytest.mark.parametrize("deed", ["return", "limits"])
def test_a_version_goes_once_for_the_same_labels(tmp_path: Path, deed: str) -> None:
    """Brought back by a person it stays until newer predictions break the promise."""
    bench = Bench(tmp_path, on_breach=deed)
    chance, bad = drawn(400, wrong=0.5)
    bench.judge(chance, bad)
    assert bench.breaches == [(NEW, deed == "limits")]
    mine = bench.scores
    bench.scores = replace(mine, digest=OLD if deed == "return" else "")
    bench.judge(chance, bad)
    bench.start()
    bench.scores = mine
    bench.judge(chance, bad)
    assert len(bench.breaches) == 1
    more = np.concatenate([chance, chance]), np.concatenate([bad, bad])
    bench.judge(*more)
    assert len(bench.breaches) == 2


def test_without_a_former_version_it_is_only_told(tmp_path: Path) -> None:
    """There is nothing to return to: the model goes on, and an event says so, once."""
    bench = Bench(tmp_path, on_breach="return", former=False)
    rows = drawn(400, wrong=0.5)
    bench.judge(*rows)
    bench.judge(*rows)
    assert bench.breaches == []
    assert bench.events() == ["requirement broken", "no version to return to"]


def test_an_estimate_is_marked_and_breaks_nothing(tmp_path: Path) -> None:
    """Too few labels for the promise: the model's chances, held against those, tell."""
    bench = Bench(tmp_path)
    bench.scores = active(requirement=replace(active().requirement, min_labels=9999))  # type: ignore[type-var]
    chance, bad = drawn(600)
    unlabelled, _ = drawn(5000, seed=9)
    assert bench.judge(chance, bad, silent=silent(unlabelled)) == []
    estimates = [m for m in bench.first["measures"] if m["estimated"]]
    assert {m["name"] for m in estimates} >= {"recall", "precision"}
    recall = next(m for m in estimates if m["name"] == "recall")
    over = unlabelled > 0.5
    true = unlabelled[over].sum() / unlabelled.sum()
    assert recall["value"] == pytest.approx(true, abs=0.05)
    assert bench.first["state"] == "not yet"


def test_chances_never_held_against_labels_give_no_estimate(tmp_path: Path) -> None:
    """It says what is lacking instead."""
    bench = Bench(tmp_path)
    none = np.zeros(0)
    bench.judge(none, none.astype(bool), silent=silent(drawn(500)[0]))
    assert not bench.first["measures"]
    assert "never held against labels" in bench.first["estimate"]


def test_groups_that_differ_are_a_finding(tmp_path: Path) -> None:
    """One lot is judged far worse than the other."""
    bench = Bench(tmp_path)
    chance, bad = drawn(2000)
    odd = np.arange(2000) % 2 == 1
    bad = np.where(odd, ~bad, bad)
    conditions = bench.judge(chance, bad)
    assert "groups differ" in {c.what.value for c in conditions}
    tables = bench.evaluation.status(NAME)["fairness"]
    assert {g["name"] for g in tables[0]["groups"]} == {"L0", "L1"}
    assert any(table["finding"] for table in tables)


def alarms_of(seen: Seen, count: int, verdict: int) -> Judged:
    """Alarms of one asset that came and went every hour, and what was said of them."""
    begin = START + np.arange(count, dtype=np.int64) * 3600 * S
    for at in begin.tolist():
        for later, score in ((0, 0.55), (60, 0.1)):
            one = np.array([at + later * S])
            seen.take(
                Rows(np.zeros(1, np.int32), one, np.array([score]), np.ones(1, bool)),
                active().limits,
            )
    return Judged(
        np.zeros(count, np.int32),
        begin,
        begin + 60 * S,
        np.full(count, 0.55),
        np.full(count, 0.5),
        np.full(count, verdict, np.int8),
        (("2.0.0", NEW),) * count,
    )


def moving(folder: Path, *, apply: bool) -> tuple[Bench, Judged]:
    """A bench on which every alarm was rejected for a week and a half."""
    budget = AlarmBudget(per_week=200, apply=apply)
    bench = Bench(folder, budget=budget)
    seen = Seen(NEW, ("A", "B"), 0.5, budget.at_most)
    judged = alarms_of(seen, 240, -1)
    # 240 alarms, 600 s observed of each hour: 0.02 asset-weeks and more
    bench.thresholds._seen[NAME] = seen
    return bench, judged


def test_a_threshold_is_moved_where_that_is_allowed(tmp_path: Path) -> None:
    """Within its bounds, told with from, to and why, and known after a restart."""
    bench, judged = moving(tmp_path, apply=True)
    bench.judge(*drawn(100), alarms=judged)
    (moved,) = bench.moves
    assert moved is not None
    assert 0.55 <= moved.threshold <= 0.6
    (event,) = [r for r in bench.records if isinstance(r, EventRecord)]
    assert (event.name, event.details["from"]) == ("threshold moved", 0.5)
    assert moved_thresholds(tmp_path, [NAME]) == {NAME: moved}
    bench.judge(*drawn(100), alarms=judged)
    assert len(bench.moves) == 1

    bench.scores = replace(bench.scores, digest=OLD)
    bench.judge(*drawn(100), alarms=judged)
    assert bench.moves[1:] == [None]
    assert moved_thresholds(tmp_path, [NAME]) == {}


def test_a_threshold_stays_where_it_may_not_be_moved(tmp_path: Path) -> None:
    """The suggestion is shown, and that is all."""
    bench, judged = moving(tmp_path, apply=False)
    bench.judge(*drawn(100), alarms=judged)
    assert bench.moves == []
    told = bench.evaluation.status(NAME)["alarms"]
    assert told["rejected"] == 240
    assert told["suggested"] > 0.5


def test_what_was_counted_survives_a_restart(tmp_path: Path) -> None:
    """Alarms at other thresholds, with the peaks of those that ended."""
    bench, judged = moving(tmp_path, apply=False)
    before = bench.thresholds.seen(NAME, NEW)
    assert before is not None
    bench.thresholds.fold(START, last=True)
    bench.start()
    after = bench.thresholds.seen(NAME, NEW)
    assert after is not None
    np.testing.assert_array_equal(after.peaks_of(judged), before.peaks_of(judged))
    assert after.exceedances().weeks == before.exceedances().weeks


def test_a_bug_takes_no_label_away(tmp_path: Path) -> None:
    """Columns nobody thought of are logged; the desk goes on."""
    bench = Bench(tmp_path)
    assert bench.judge(*drawn(10), versions=()) == ()


def test_damaged_memory_begins_anew(tmp_path: Path) -> None:
    """A file that is no memory costs the memory and nothing else."""
    bench = Bench(tmp_path)
    bench.judge(*drawn(400, wrong=0.5))
    (tmp_path / NAME / "judged.bin").write_bytes(b"\xff\x00rubbish")
    bench.start()
    assert bench.judge(*drawn(400, wrong=0.5))
