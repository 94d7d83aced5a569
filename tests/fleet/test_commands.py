"""What a person types, and what comes back."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.cli.main import main
from tests.fleet import tallied
from tests.fleet.made import BEGIN, DAY_US, HOUR_US, alarm, health, label, put
from tests.fleet.test_archive import lost

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]

UNTIL = "2026-01-09"
QUESTIONS = ("models", "drift", "accuracy", "alarms", "losses", "silent")


@pytest.fixture
def full(archive: Path) -> Path:
    """Two sites with something of everything."""
    tallied.write(archive, tallied.hall(21, ("north", "süd"), gateways=2, hours=3))
    for site in ("north", "süd"):
        put(archive, "health", site, "g0", [health(BEGIN + 7 * DAY_US + HOUR_US)])
        put(archive, "alarms", site, "g0", [alarm(BEGIN, 1)])
        put(archive, "losses", site, "g0", [lost(1)])
        rows = [
            label(BEGIN, i, part=str(i), predicted="bad", state="good")
            for i in range(3)
        ]
        rows.append(label(BEGIN, 9, part="x", predicted="good", state="good"))
        put(archive, "labels", site, "g0", rows)
    return archive


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A command of the fleet: exit code, output, errors."""

    def typed(*words: str | Path) -> tuple[int, str, str]:
        code = main(["fleet", *map(str, words)])
        return code, *capsys.readouterr()

    return typed


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_answers_as_a_table_and_as_json(
    full: Path, run: Run, question: str
) -> None:
    """The same rows, with the titles in the table's first line."""
    where = ("--archive", full, "--since", "2026-01-01", "--until", UNTIL)

    code, table, said = run(question, *where)
    found: dict[str, Any] = json.loads(run(question, *where, "--json")[1])

    assert (code, said) == (0, "")
    assert len(table.splitlines()) == len(found["rows"]) + 1 > 1
    assert "süd" in table
    assert (found["until"], found["left_out"]) == ("2026-01-09T00:00:00Z", {})


def test_filters_bound_the_answer(full: Path, run: Run) -> None:
    """Site, gateway, model and time."""
    where = ("--archive", full, "--until", UNTIL, "--json")

    def rows(*words: str) -> list[dict[str, Any]]:
        return list(json.loads(run("drift", *where, *words)[1])["rows"])

    assert len(rows("--since", "2026-01-01")) == 3 * 4
    assert len(rows("--since", "2026-01-01", "--site", "süd")) == 2 * 4
    assert rows("--since", "2026-01-01", "--gateway", "g9") == []
    assert rows("--since", "2026-01-01", "--model", "fan") == []
    assert rows("--since", "2026-01-03") == []


def test_what_is_left_out_is_named_and_told_by_the_exit_code(
    full: Path, run: Run
) -> None:
    """Cron sees it, and a person too."""
    (one,) = put(full, "losses", "north", "g1", [lost(2)])
    (full / str(one)).write_bytes(b"PAR1")
    where = ("--archive", full, "--since", "2026-01-01", "--until", UNTIL)

    code, table, said = run("losses", *where)

    assert code == 3
    assert f"left out: {one}" in said
    assert len(table.splitlines()) == 3
    assert run("losses", *where, "--unchecked")[0] == 3


def test_the_report_is_a_page_and_the_same_as_json(
    full: Path, run: Run, tmp_path: Path
) -> None:
    """Beside each other."""
    out = tmp_path / "fleet.html"

    code, said, _ = run(
        *("report", "--archive", full, "--since", "2026-01-01", "--until", UNTIL),
        *("--out", out, "--require", "pump:precision=0.5:2"),
    )

    found = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert code == 0
    assert said.splitlines()[0] == str(out)
    assert "4 gateways at 2 sites, 2 gateways silent" in said
    assert len(found["silent"]) == 2
    assert found["accuracy"][0]["standing"] == "breached"
    assert "süd" in out.read_text("utf-8")


def test_compact_says_what_it_would_do_and_does_it(full: Path, run: Run) -> None:
    """A dry run changes nothing."""
    words = ("compact", "--archive", full, "--since", "2026-01-01", "--until", UNTIL)
    before = sorted(full.rglob("*.parquet"))

    code, would, _ = run(*words, "--dry-run")
    assert sorted(full.rglob("*.parquet")) == before
    done = run(*words)[1]

    assert code == 0
    assert would.startswith("drift: 12 objects of 4 gateways' days became 4")
    assert done.startswith("drift: 12 objects of 4 gateways' days became 4")
    assert len(list(full.glob("drift/**/*.parquet"))) == 4
    assert run(*words)[1] == ""


def test_what_cannot_be_asked_has_its_own_exit_code(tmp_path: Path, run: Run) -> None:
    """No archive, no bucket, half a key."""
    assert run("models", "--archive", tmp_path / "none")[0] == 69
    assert run("models", "--archive", "s3://")[0] == 78
    assert run("models", "--archive", "s3://b", "--access-key", "k")[0] == 78
    missing = ("--access-key", "k", "--secret-file", tmp_path / "no")
    assert run("models", "--archive", "s3://b", *missing)[0] == 78
    assert run("drift", "--archive", tmp_path, "--until", "1970-01-02")[0] == 2


def test_without_duckdb_it_says_what_to_install(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is named; the other fleet commands do not need it."""
    monkeypatch.setitem(sys.modules, "duckdb", None)
    monkeypatch.setattr("edge_agent.cli.archive.find_spec", lambda _: None)

    code, _, said = run("models", "--archive", tmp_path)

    assert (code, "edge-agent[fleet]" in said) == (1, True)
    assert run("sql", "--engine", "spark", "--part", "models")[0] == 0
    assert run("status", "--registry", tmp_path)[0] == 0


def test_sql_names_the_archive(run: Run) -> None:
    """As the engine knows it, quoted; all four parts without being told which."""
    one = run("sql", "--engine", "trino", "--archive", "s3://b/it's/")[1]

    assert "external_location = 's3://b/it''s/health'" in one
    assert "ARCHIVE" not in one
    for part in ("psi", "newest label", "newest word"):
        assert part in one


@pytest.mark.parametrize("typed", ["pump", "pump:speed=1", ":recall=1", "p:mae=x"])
def test_a_requirement_that_is_none_is_wrong_use(
    tmp_path: Path, run: Run, typed: str
) -> None:
    """With how to write one."""
    with pytest.raises(SystemExit) as wrong:
        run("accuracy", "--archive", tmp_path, "--require", typed)
    assert wrong.value.code == 2


def test_names_cannot_command_a_terminal(archive: Path, run: Run) -> None:
    """Control characters are shown as question marks."""
    put(archive, "losses", "s\x1b[2J", "g", [lost(1)])

    _, table, _ = run(
        "losses", "--archive", archive, "--since", "2026-01-01", "--until", UNTIL
    )

    assert "\x1b" not in table
    assert "s?[2J" in table
