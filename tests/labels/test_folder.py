"""CSV files with labels: read once, whole, every bad line told with its place."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.monitoring import Labels
from edge_agent.errors import SourceLost
from edge_agent.labels import folder as folders
from edge_agent.labels import sheets
from edge_agent.labels.columns import NO_TIME, State
from edge_agent.labels.dates import NoDate, nanoseconds
from edge_agent.labels.folder import DropFolder
from edge_agent.labels.telling import Reader
from edge_agent.labels.watching import Watching
from tests.labels.made import ANOMALY, PRESSES, QUALITY, Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BERLIN = ZoneInfo("Europe/Berlin")
GOOD = "part;label\n4711;nok\n4712;ok\n"


@contextmanager
def dropping(tmp_path: Path, name: str = QUALITY) -> Iterator[tuple[Bench, DropFolder]]:
    """A drop folder, and a desk whose thread runs."""
    one = Bench(tmp_path / "state")
    one.score(["4711", "4712", "4713"])
    drop = tmp_path / "drop"
    drop.mkdir()
    folder = DropFolder(
        name,
        drop,
        one.desk.books[name].reader,
        one.desk,
        tmp_path / "state" / name / "read.json",
        BERLIN,
    )
    thread = threading.Thread(target=one.desk.run)
    thread.start()
    try:
        yield one, folder
    finally:
        one.desk.stop()
        thread.join()


def names(folder: Path) -> list[str]:
    """Files below, sorted."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_file_is_read_once_it_has_come_to_rest(tmp_path: Path) -> None:
    """Not while it grows; then it is moved to read/."""
    with dropping(tmp_path) as (one, folder):
        path = folder.folder / "lab.csv"
        path.write_text(GOOD)
        folder.look()
        path.write_text(GOOD + "4713;nok\n")
        os.utime(path, (1, 1))
        folder.look()
        assert names(folder.folder) == ["lab.csv"]
        folder.look()
        assert names(folder.folder) == ["read/lab.csv"]

    assert one.states() == [State.BAD, State.GOOD, State.BAD]


def settled(folder: DropFolder) -> None:
    """Two looks: nothing changed between."""
    folder.look()
    folder.look()


@pytest.mark.parametrize(
    "raw",
    [
        GOOD.encode(),
        b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace(";", ",").encode(),
        GOOD.replace(";ok", ";in Prüfung").encode("cp1252"),
        GOOD.encode("utf-16"),
        b'"Part";"Label"\n"4711";"NOK"\n"4712";" ok "\n\n;;\n',
    ],
)
def test_files_as_excel_and_others_write_them(tmp_path: Path, raw: bytes) -> None:
    """Comma or semicolon, quotes, any usual encoding, any case."""
    with dropping(tmp_path) as (one, folder):
        (folder.folder / "lab.CSV").write_bytes(raw)
        settled(folder)

    assert one.states()[:2] == [State.BAD, State.GOOD]


def test_bad_lines_are_told_with_their_place_and_good_ones_used(
    tmp_path: Path,
) -> None:
    """In a file beside it: file:line:col and what to do."""
    text = (
        "part;asset;since;label;inspector\n"
        "4711;;;nok;Jane Roe\n"
        "4712;;;;Jane Roe\n"
        "4713;PR-9;;ok;Jane Roe\n"
        ";PR-1;03/04/2025 10:00;nok;Jane Roe\n"
        "4713;;;ok;Jane Roe;surplus\n"
        '4713;"PR-1;;ok\n'
    )
    with dropping(tmp_path) as (one, folder):
        (folder.folder / "lab.csv").write_text(text)
        settled(folder)
        report = (folder.folder / "read" / "lab.csv.report.txt").read_text()

    assert one.states() == [State.BAD, State.NONE, State.NONE]
    assert report == (
        "lab.csv:3:8: label is missing: what was found?\n"
        "lab.csv:4:6: this pipeline has no such asset\n"
        "lab.csv:5:7: since: may be day/month or month/day; write 2025-07-29 14:30 or"
        " with dots, 29.07.2025 14:30\n"
        "lab.csv:6:20: more cells than the heading has columns (5); a cell that holds"
        " ';' must stand in double quotes\n"
        "lab.csv:7:6: a double quote is not closed on its line\n"
        "5 problems found.\n"
        "1 label used.\n"
    )
    assert one.count("refused") == 5


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "the list is empty"),
        (b"name;label\n1;nok\n", "no column 'part' or 'asset'"),
        (b"part;result\n1;nok\n", "no column 'label'"),
        (b"part;label;part\n1;nok;2\n", "column 'part' is there twice"),
        (os.urandom(4000), "refused"),
        (b"part;label\n1;\n2;\n", "label is missing"),
    ],
)
def test_a_file_of_which_nothing_can_be_used_is_refused(
    tmp_path: Path, raw: bytes, said: str
) -> None:
    """It goes to refused/ with the reason beside it."""
    with dropping(tmp_path) as (one, folder):
        (folder.folder / "lab.csv").write_bytes(raw)
        settled(folder)
        found = names(folder.folder)
        report = (folder.folder / "refused" / "lab.csv.report.txt").read_text()

    assert found == ["refused/lab.csv", "refused/lab.csv.report.txt"]
    assert said == "refused" or said in report
    assert one.count("refused") >= 1


def test_a_name_that_was_there_before_gets_a_number(tmp_path: Path) -> None:
    """Nothing that was read before is overwritten."""
    with dropping(tmp_path) as (_, folder):
        for text in (GOOD, GOOD + "4713;ok\n"):
            (folder.folder / "lab.csv").write_text(text)
            settled(folder)
        found = names(folder.folder)

    assert found == ["read/lab.2.csv", "read/lab.csv"]


def test_what_is_no_list_is_left_alone(tmp_path: Path) -> None:
    """Hidden files, Excel's locks, links, folders, other kinds."""
    with dropping(tmp_path) as (_, folder):
        for name in (".lab.csv.new", "~$lab.csv", "lab.xlsx", "lab.csv.part"):
            (folder.folder / name).write_text(GOOD)
        (tmp_path / "secret").write_text(GOOD)
        (folder.folder / "link.csv").symlink_to(tmp_path / "secret")
        os.mkfifo(folder.folder / "pipe.csv")
        (folder.folder / "dir.csv").mkdir()
        settled(folder)

    assert folder.read == folder.refused == 0
    assert (tmp_path / "secret").exists()


def test_a_folder_that_is_read_only_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By digest, over restarts too; a file that changes is read again."""
    with dropping(tmp_path) as (one, folder):
        monkeypatch.setattr(folder, "_moved", _read_only)
        path = folder.folder / "lab.csv"
        path.write_text(GOOD)
        settled(folder)
        settled(folder)
        again = DropFolder(
            QUALITY, folder.folder, folder._reader, one.desk, folder._memory, BERLIN
        )
        monkeypatch.setattr(again, "_moved", _read_only)
        settled(again)
        assert (folder.read, again.read) == (1, 0)
        path.write_text(GOOD + "4713;nok\n")
        settled(again)
        assert again.read == 1

    assert one.count("joined") == 3
    assert names(folder.folder) == ["lab.csv"]


def _read_only(*_: object) -> Path:
    raise PermissionError(30, "Read-only file system")


def test_a_file_stays_until_its_labels_are_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk refuses them it is not moved, and read again later."""
    monkeypatch.setattr(folders, "_PATIENCE", 5.0)
    with dropping(tmp_path) as (one, folder):
        segments = one.desk.books[QUALITY].keeping.segments
        monkeypatch.setattr(segments, "sync", lambda _: False)
        (folder.folder / "lab.csv").write_text(GOOD)
        settled(folder)
        assert names(folder.folder) == ["lab.csv"]
        monkeypatch.undo()
        folder.look()
        assert names(folder.folder) == ["read/lab.csv"]

    assert one.states()[:2] == [State.BAD, State.GOOD]


def test_a_file_that_is_too_large_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its limit in the report."""
    monkeypatch.setattr(sheets, "LIMIT", 10)
    with dropping(tmp_path) as (_, folder):
        (folder.folder / "lab.csv").write_text(GOOD)
        settled(folder)
        report = (folder.folder / "refused" / "lab.csv.report.txt").read_text()

    assert "larger than" in report


def test_stretches_of_time_come_in_lists_too(tmp_path: Path) -> None:
    """An asset, since and until, in the plant's own time."""
    with dropping(tmp_path, ANOMALY) as (one, folder):
        reader = one.desk.books[ANOMALY].reader
        raw = b"asset,since,until,label\nP-102,2025-07-29 14:30,29.07.2025 15:00,nok\n"
        sheet = sheets.read("x", raw, reader, BERLIN)
        lacking = sheets.read("x", b"asset,label\nP-101,nok\n", reader, BERLIN)
        assert folder.read == 0

    (label,) = sheet.labels
    assert label.asset == 1
    begin = datetime(2025, 7, 29, 12, 30, tzinfo=UTC).timestamp()
    assert label.since == begin * 1e9
    assert label.until - label.since == 1800 * 10**9
    assert not lacking.usable


def test_a_decimal_comma_is_read_where_semicolons_separate(tmp_path: Path) -> None:
    """As Excel writes numbers in German."""
    reader = Bench(tmp_path).desk.books[QUALITY].reader
    sheet = sheets.read("x", b"part;label\n1;0,83\n2;-12\n", reader, BERLIN)

    assert [round(label.value, 3) for label in sheet.labels] == [0.83, -12]
    assert all(label.since == NO_TIME for label in sheet.labels)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_sheet_or_refused(raw: bytes) -> None:
    """Nothing raises."""
    reader = Reader(Labels(), PRESSES, parts=True)
    sheet = sheets.read("x", b"part;since;label\n" + raw, reader, BERLIN)

    assert sheet.bad == sum(sheet.causes.values())


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2025-07-29T14:30:00Z", "2025-07-29T14:30:00"),
        ("2025-07-29 14:30", "2025-07-29T12:30:00"),
        ("2025-01-29 14:30", "2025-01-29T13:30:00"),
        ("2025-07-29T14:30:00.250+05:00", "2025-07-29T09:30:00.250"),
        ("29.07.2025 14:30", "2025-07-29T12:30:00"),
        ("3.4.2025 1:05:09", "2025-04-02T23:05:09"),
        ("29/07/2025 14:30", "2025-07-29T12:30:00"),
        ("7/29/2025 2:30 PM", "2025-07-29T12:30:00"),
        ("5/5/2025 12:00 AM", "2025-05-04T22:00:00"),
        ("2025/07/29", "2025-07-28T22:00:00"),
    ],
)
def test_dates_as_people_write_them(text: str, utc: str) -> None:
    """ISO, German, and with slashes where only one reading is possible."""
    wanted = datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp()

    assert nanoseconds(text, BERLIN) == round(wanted * 1000) * 10**6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("03/04/2025 10:00", "may be day/month or month/day"),
        ("3.4.25", "not four digits"),
        ("31.02.2025", "no such day"),
        ("13/13/2025", "no such day"),
        ("29.07.2025 25:00", "no such day or time"),
        ("7/29/2025 14:30 PM", "no time of day"),
        ("26.10.2025 02:30", "clocks were changed"),
        ("30.03.2025 02:30", "clocks were changed"),
        ("1931-01-01", "before 1970"),
        ("yesterday", "is no date"),
        ("", "is no date"),
        ("9999-12-31T23:59:59-14:00", "a year that cannot be"),
    ],
)
def test_dates_that_may_mean_two_moments_or_none(text: str, said: str) -> None:
    """They are refused with what to write."""
    with pytest.raises(NoDate, match=said):
        nanoseconds(text, BERLIN)


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_refused(text: str) -> None:
    """Nothing else is raised."""
    with suppress(NoDate):
        assert nanoseconds(text, BERLIN) >= 0


async def test_a_folder_that_is_gone_is_a_loss_for_the_supervisor(
    tmp_path: Path,
) -> None:
    """With what to do; there is no retry of its own."""
    with dropping(tmp_path) as (_, folder):
        folder.folder.rmdir()
        with pytest.raises(SourceLost, match="no such file or directory; make it"):
            await Watching(folder, every=0.01).run()


async def test_a_share_that_hangs_takes_no_second_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, and the thread is not waited for."""
    monkeypatch.setattr("edge_agent.labels.watching.PATIENCE", 0.05)
    release = threading.Event()
    with dropping(tmp_path) as (_, folder):
        monkeypatch.setattr(folder, "look", lambda: release.wait(20))
        watching = Watching(folder)
        for _ in range(3):
            with pytest.raises(SourceLost, match="does not answer"):
                await watching.run()
        hanging = [one for one in threading.enumerate() if one.name == watching.name]
        assert len(hanging) == 1
        assert watching.status()["state"] == "down"
        release.set()
