"""`edge-agent losses`: how much was lost, when and why, and how far that is known."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from edge_agent.cli.losses import totals
from edge_agent.cli.main import main
from edge_agent.cli.moments import local_time
from edge_agent.samples import NANOSECONDS
from edge_agent.store.lost import Lost
from edge_agent.store.schema import APPLICATION_ID, MIGRATIONS
from tests.store import made

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HOUR = 3600 * NANOSECONDS


def filled(folder: Path, *given: tuple[str, str, str, int, int, int]) -> int:
    """A stopped store with these losses, so many ns ago; returns when it was made."""
    journal = made.journal(folder / "store.db")
    journal.start()
    now = journal._clock.now()
    for what, subject, cause, count, first, last in given:
        journal._instruments.losses.add(
            what, subject, cause, count, first=now - first, last=now - last
        )
    assert journal.stop(10)
    return now


def said(
    capsys: pytest.CaptureFixture[str], folder: Path, *words: str, code: int = 0
) -> str:
    """What the command prints."""
    where = ("--state-dir", str(folder), "--runtime-dir", str(folder / "none"))
    assert main(["losses", *where, *words]) == code
    out = capsys.readouterr()
    return out.err if code else out.out


def test_losses_are_told_with_count_time_and_cause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each, in local time, the cause below, and the sum of each kind."""
    now = filled(
        tmp_path,
        ("samples", "P-1/flow", "inbox full", 4, 2 * HOUR, HOUR),
        ("samples", "P-1/flow", "inbox full", 1, HOUR, HOUR),
        ("samples", "plc", "the link was down", 0, HOUR, HOUR),
        ("messages", "t\x1b[2J/1", "could not be used: malformed", 1200, HOUR, HOUR),
    )
    told = said(capsys, tmp_path)

    spoken = f"{local_time(now - 2 * HOUR):%a %Y-%m-%d %H:%M:%S}"
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert any(line.startswith(f"5 samples P-1/flow {spoken}") for line in lines)
    assert "inbox full" in lines
    assert any(line.startswith("not known samples plc") for line in lines)
    assert "samples lost in all: 5 + not known" in lines
    assert "messages lost in all: 1,200" in lines
    assert "\x1b" not in told
    assert "the ledger goes back to" in told


def test_when_nothing_was_lost_it_says_since_when_that_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the ledger begins nobody knows; "nothing" is claimed from there on."""
    filled(tmp_path)
    told = said(capsys, tmp_path, "--since", "3 days ago")
    assert "nothing was lost since" in told
    assert "the ledger goes back to" in told
    assert "from" in told
    assert "is not known" in told
    assert "not known" not in said(capsys, tmp_path, "--since", "now")
    assert "no labels were lost" in said(capsys, tmp_path, "--what", "labels")


def test_only_what_was_asked_for_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By kind, and by time: what reaches into the time counts whole."""
    filled(
        tmp_path,
        ("samples", "old", "why", 1, 50 * HOUR, 49 * HOUR),
        ("samples", "across", "why", 2, 50 * HOUR, HOUR),
        ("rows", "new", "why", 4, HOUR, HOUR),
    )

    def subjects(*words: str) -> dict[str, int]:
        document: dict[str, Any] = json.loads(said(capsys, tmp_path, "--json", *words))
        return {one["subject"]: one["count"] for one in document["losses"]}

    assert subjects() == {"old": 1, "across": 2, "new": 4}
    assert subjects("--since", "24h") == {"across": 2, "new": 4}
    assert subjects("--until", "24h") == {"old": 1, "across": 2}
    assert subjects("--since", "24h", "--what", "rows") == {"new": 4}


def test_a_document_says_whether_it_is_complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For machines: sums by kind, and whether the ledger reaches back so far."""
    filled(tmp_path, ("samples", "a", "why", 3, HOUR, HOUR))
    long = json.loads(said(capsys, tmp_path, "--json", "--since", "24h"))
    short = json.loads(said(capsys, tmp_path, "--json", "--since", "now"))

    assert (long["complete"], long["sums"]) == (False, {"samples": 3})
    assert (short["complete"], short["losses"]) == (True, [])


def test_a_store_of_an_older_agent_knows_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not "nothing was lost": there is no ledger."""
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as sql:
        for migration in MIGRATIONS[:3]:
            sql.executescript(migration)
        sql.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        sql.execute("PRAGMA user_version = 3")
    told = said(capsys, tmp_path)

    assert "no ledger" in told
    assert "nothing was lost" not in told


def test_where_there_is_no_store_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the folder that was looked at."""
    assert str(tmp_path) in said(capsys, tmp_path, code=69)


def test_totals_keep_the_whole_range_and_both_kinds_of_count() -> None:
    """Reports add up, whatever the wall clock's offset was when they were made."""

    def row(amount: int, first: int, last: int, offset: int) -> Lost:
        return Lost(1, "gw", "rows", "a", "why", amount, 0, first, last, offset, "")

    (one,) = totals([row(2, 5, 9, 100), row(0, 50, 60, 0), row(3, 1, 2, 100)])
    assert (one.count, one.unknown, one.first, one.last) == (5, 1, 50, 109)
