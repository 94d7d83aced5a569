"""What is kept, read from a running agent or from its files, and the command for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.cli.main import main
from edge_agent.errors import StoreDamaged, StoreInUse
from edge_agent.records import FindingState
from edge_agent.samples import NANOSECONDS
from edge_agent.status import history, socket
from edge_agent.status.history import History
from edge_agent.store import drifts, snapshots
from edge_agent.store import history as pages
from edge_agent.store.history import Of, Query
from edge_agent.store.traces import Origin
from tests.end_to_end.waiting import until
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.store.journal import Journal

ORIGIN = Origin("gw-07", "c" * 64)
DAY = 86_400 * NANOSECONDS
START = 20_000 * DAY  # 2024-10-04
CLOSED = FindingState.CLOSED


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Journal]:
    """An agent that answers, with its store."""
    journal = made.journal(folder / "store.db", origin=ORIGIN)
    journal.start()
    stop = threading.Event()

    async def serve() -> None:
        answers = {"history": partial(history.answer, folder, journal)}
        task = asyncio.ensure_future(socket.serve(folder, dict, answers))
        await asyncio.to_thread(stop.wait)
        task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        until((folder / socket.ASK_NAME).exists, "socket")
        yield journal
    finally:
        stop.set()
        thread.join(10)
        assert journal.stop(10)


def live_through(journal: Journal) -> None:
    """Ten days: two findings, one of which is over, an alarm, drift, accuracy."""
    flow: dict[str, Any] = {"id": "flow", "since": START, "what": "input drift"}
    speed: dict[str, Any] = {
        "id": "speed",
        "since": START + DAY,
        "tag": "speed",
        "pipeline": "",
    }
    journal.submit(
        [
            made.finding(START, **flow),
            made.finding(START + DAY, **speed),
            made.finding(START + 2 * DAY, CLOSED, **flow),
            made.alarm(START),
            *(made.drift(START + d * DAY, START + (d + 1) * DAY) for d in range(10)),
            *(made.snapshot(START + d * DAY) for d in range(10)),
        ],
        {},
    )
    made.settle(journal)


def everything(of: History) -> list[list[Any]]:
    """Rows of every kind."""
    return [
        [*of.findings()],
        [*of.drift()],
        [*of.alarms()],
        [*of.snapshots("accuracy")],
    ]


def test_the_running_agent_and_its_files_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page through the socket, or from the file once it has stopped."""
    monkeypatch.setattr(pages, "A_PAGE", dict.fromkeys(Of, 3))
    with running(tmp_path) as journal:
        live_through(journal)
        live = everything(History(tmp_path, tmp_path))
    stopped = everything(History(tmp_path, tmp_path))
    copied = everything(History(tmp_path))

    assert live == stopped == copied
    assert [len(rows) for rows in live] == [3, 10, 1, 10]
    assert drifts.merged(live[1][::-1]).rows == 20
    assert snapshots.body_of(live[3][0]) == {"f1": 0.9, "labels": 120}


def test_answers_are_bounded(tmp_path: Path) -> None:
    """Of many rows the newest, and it is said that there are more."""
    with running(tmp_path) as journal:
        live_through(journal)
        kept = History(tmp_path, tmp_path, most=4).read(Query(Of.DRIFT))

    assert (len(kept.rows), kept.cut) == (4, True)
    assert kept.rows[0].since == START + 9 * DAY


def test_drift_that_is_added_up_meanwhile_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two pages hours became a day: none is missed and none counts twice."""
    monkeypatch.setattr(pages, "A_PAGE", dict.fromkeys(Of, 3))
    hour, asked = 3600 * NANOSECONDS, []
    with running(tmp_path) as journal:
        journal.submit(
            [made.drift(START + h * hour, START + (h + 1) * hour) for h in range(24)],
            {},
        )
        made.settle(journal)
        whole = History._ask

        def ask(self: History, query: Query) -> Any:  # noqa: ANN401
            asked.append(query)
            if len(asked) == 3:
                journal.submit([made.drift(START + 30 * DAY, START + 31 * DAY)], {})
                made.settle(journal)
            return whole(self, query)

        monkeypatch.setattr(History, "_ask", ask)
        rows = History(tmp_path, tmp_path).drift()

    assert [row.blocks for row in rows] == [1, 24]


def test_another_agent_is_not_asked(tmp_path: Path) -> None:
    """A copy of a state folder is read, though an agent runs here."""
    copy = tmp_path / "copy"
    copy.mkdir()
    other = made.journal(copy / "store.db")
    other.start()
    other.submit([made.finding(START, id="of the copy")], {})
    assert other.stop(10)
    here = tmp_path / "here"
    here.mkdir()
    with running(here) as journal:
        live_through(journal)
        found = History(copy, here).findings()

    assert [one.episode for one in found] == ["of the copy"]


def test_what_cannot_be_read_is_said_with_what_to_do(tmp_path: Path) -> None:
    """No store, no store of ours, an agent that cannot be asked."""
    with pytest.raises(FileNotFoundError, match="state_dir"):
        History(tmp_path, tmp_path).findings()
    (tmp_path / "store.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreDamaged):
        History(tmp_path, tmp_path).findings()
    (tmp_path / "store.db").unlink()
    with running(tmp_path), pytest.raises(StoreInUse, match="64 bits"):
        History(tmp_path, tmp_path).findings(since=1 << 70)


# --- the command ------------------------------------------------------------------


def command(folder: Path, *words: str) -> int:
    """Run `edge-agent findings`."""
    where = ("--state-dir", str(folder), "--runtime-dir", str(folder))
    return main(["findings", *words, *where])


def test_the_command_prints_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each finding once, whether it is over, and what to do; the same live."""
    with running(tmp_path) as journal:
        live_through(journal)
        assert command(tmp_path) == 0
        live = capsys.readouterr().out
    assert command(tmp_path) == 0
    table = capsys.readouterr().out

    assert table == live
    lines = [line.split() for line in table.splitlines()]
    assert lines[0][:4] == ["SINCE", "UNTIL", "PIPELINE", "ASSET"]
    assert lines[1][:3] == [
        "2024-10-04T00:00:00Z",
        "2024-10-06T00:00:00Z",
        "pump-anomaly",
    ]
    said = " ".join(table.split())
    assert "Check whether the set point was changed. (recipe A)" in said
    assert ["2024-10-05T00:00:00Z", "open", "-", "P-101", "speed"] in [
        one[:5] for one in lines
    ]
    assert table.count("flow is 12 %") == 2


def test_the_command_chooses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By pipeline, by time, and only what is open, which is shown in any case."""
    with running(tmp_path) as journal:
        live_through(journal)

    def episodes(*words: str) -> list[tuple[str, bool]]:
        assert command(tmp_path, "--json", *words) == 0
        said = json.loads(capsys.readouterr().out)
        return [(one["episode"], one["open"]) for one in said]

    both = [("flow", False), ("speed", True)]
    assert episodes() == both
    assert episodes("--open") == [("speed", True)]
    assert episodes("--pipeline", "pump-anomaly") == [("flow", False)]
    assert episodes("--pipeline", "pump-anomaly", "--open") == []
    assert episodes("--since", "2024-10-06") == both
    assert episodes("--since", "2024-10-06T00:00:01Z") == [("speed", True)]
    assert episodes("--since", "1h") == [("speed", True)]
    assert episodes("--since", "999999d") == both


def test_a_finding_cannot_command_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names and sentences come from machines: control characters are not printed."""
    with running(tmp_path) as journal:
        journal.submit([made.finding(START, sentence="\x1b[2Jgone", asset="\r")], {})
        made.settle(journal)
    assert command(tmp_path) == 0

    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "gone" in said


def test_the_command_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing found is fine; nobody to ask is not; a wrong time is a wrong use."""
    assert command(tmp_path) == 69
    assert "no such file" in capsys.readouterr().err
    with running(tmp_path):
        pass
    assert command(tmp_path) == 0
    assert capsys.readouterr().out == "nothing was found\n"
    with pytest.raises(SystemExit):
        command(tmp_path, "--since", "the other day")
    assert "2026-09-21" in capsys.readouterr().err
