"""`edge-agent quarantine`: of a running agent, and of a stopped one."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.cli.main import main
from edge_agent.status import kept_aside, socket
from tests.store import made

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from edge_agent.store.journal import Journal


def _refused(path: Path, count: int = 3) -> Journal:
    """A journal whose output refused some rows and an alarm."""
    journal = made.journal(path / "store.db")
    journal.start()
    # all have their numbers before what is told of the refusals takes some
    *scores, alarm = journal.submit([made.scores(3)] * count + [made.alarm(5)], {})
    for one in scores:
        journal.quarantine("scada", one, "packet too large", [1])
        journal.acknowledge("scada", [one.id])
    journal.quarantine("scada", alarm, "payload format invalid")
    return journal


def _words(path: Path, *more: str) -> list[str]:
    return ["quarantine", "--state-dir", str(path), "--runtime-dir", str(path), *more]


def test_stopped_agent_shows_what_was_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Newest first: output, reason, time and the decoded content."""
    _refused(tmp_path).stop(10)
    assert main(_words(tmp_path, "--json")) == 0
    said = json.loads(capsys.readouterr().out)
    assert main(_words(tmp_path)) == 0
    page = capsys.readouterr().out

    assert [one["kind"] for one in said] == ["alarm", "score", "score", "score"]
    assert said[0]["reason"] == "payload format invalid"
    assert said[0]["content"]["asset"] == "P-101"
    assert said[1]["content"]["asset"] == ["P-102"]
    assert [one["seq"] for one in said[1:]] == [7, 4, 1]
    assert "packet too large" in page


def test_export_writes_a_line_each_and_overwrites_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All pages go to the file; a file that is there is left as it is."""
    _refused(tmp_path, 150).stop(10)
    file = tmp_path / "refused.jsonl"
    assert main(_words(tmp_path, "--export", str(file))) == 0
    lines = file.read_text().splitlines()
    assert main(_words(tmp_path, "--export", str(file))) == 69
    capsys.readouterr()

    numbers = [json.loads(line)["number"] for line in lines]
    assert numbers == list(range(151, 0, -1))


def test_damaged_record_is_shown_as_unreadable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flipped bit hides the content of one record, and no other."""
    import sqlite3  # noqa: PLC0415

    _refused(tmp_path).stop(10)
    file = sqlite3.connect(tmp_path / "store.db")
    file.execute("UPDATE quarantine SET body = x'53ff00' WHERE number = 2")
    file.commit()
    file.close()
    assert main(_words(tmp_path, "--json")) == 0
    said = json.loads(capsys.readouterr().out)

    kinds = [one["kind"] for one in said]
    assert kinds == ["alarm", "score", "unreadable", "score"]


async def test_running_agent_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The store of a running agent stays its own: it answers at its socket."""
    journal = _refused(tmp_path)
    answers = {kept_aside.QUESTION: partial(kept_aside.answer, tmp_path, journal)}
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(socket.serve(tmp_path, dict, answers))
            while not (tmp_path / socket.ASK_NAME).exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            while journal.status()["quarantined"] < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            code = await asyncio.to_thread(main, _words(tmp_path, "--json"))
            wrong = await socket.inquire(tmp_path, kept_aside.QUESTION, "[")
            task.cancel()
    finally:
        await asyncio.to_thread(journal.stop, 10)

    assert code == 0
    assert len(json.loads(capsys.readouterr().out)) == 4
    assert "no question" in wrong["error"]
