"""The log as it is written: crashes, failing disks, damage, lost keys, old segments."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.evidence import entries, find, segments, tail, window_of
from edge_agent.evidence import heads as heads_module
from edge_agent.evidence.line import OPENING, REMOVAL
from edge_agent.evidence.log import Log
from edge_agent.evidence.opening import opening_of, removal_of
from edge_agent.evidence.retention import Limits
from edge_agent.evidence.telling import facts_of
from edge_agent.records import AlarmState, EvidenceRecord
from edge_agent.store.outbox import Stored
from tests.evidence import booked
from tests.evidence.booked import DAY, SECOND, Book
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.evidence.line import Facts
    from edge_agent.records import Record

ONLY_ONCE = [HealthCheck.function_scoped_fixture]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """A log that is open."""
    one = Book(tmp_path / "evidence")
    one.open()
    return one


def test_every_record_is_there_once_and_in_order(book: Book) -> None:
    """Records are found as they were given, through segments and restarts."""
    for _ in range(10):
        book.append(3)
    book.log.close()
    book.open()
    book.append(3)

    expected = [(one.boot, one.seq) for one in book.given]
    assert booked.records_in(book.folder) == expected
    assert len(segments.of_folder(book.folder)) > 2
    numbers = [one.number for one in entries(book.folder)]
    assert numbers == list(range(1, len(numbers) + 1))


@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=ONLY_ONCE)
def test_what_a_power_cut_leaves_is_mended(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever stands behind the head goes, is no tampering, and is taken again."""
    book = Book(tmp_path_factory.mktemp("cut") / "evidence")
    book.open()
    for _ in range(data.draw(st.integers(1, 6))):
        book.append(2)
    head = (book.folder / heads_module.NAME).read_bytes()
    before = len(book.given)
    book.append(data.draw(st.integers(1, 8)))
    (book.folder / heads_module.NAME).write_bytes(head)  # was not written yet
    newest = segments.of_folder(book.folder)[-1].name
    path = book.folder / newest
    keep = data.draw(st.integers(0, path.stat().st_size))
    written = _behind(book, head)
    torn = data.draw(st.sampled_from([b"", b"\0" * 40, b'{"number":', b"\n\n"]))
    if keep >= path.stat().st_size - written:
        os.truncate(path, keep)
        with path.open("ab") as file:
            file.write(torn)

    found = Log(book.folder, "gw-1", book.clock, booked.SMALL)
    assert found.open().fresh == []
    owed = book.given[before:]
    found.append(owed)

    expected = [(one.boot, one.seq) for one in book.given]
    assert booked.records_in(book.folder) == expected
    report = book.verify()
    assert report.good
    assert not report.open


def _behind(book: Book, head: bytes) -> int:
    """Bytes of the newest segment behind a head."""
    known = heads_module.of_text(head)[0][-1]
    newest = segments.of_folder(book.folder)[-1].name
    lines = [one for one in entries(book.folder, known.number) if one.file == newest]
    return sum(len(one.line) + 1 for one in lines)


@given(seed=st.integers(0, 2**32), rate=st.floats(0.05, 0.6))
@settings(max_examples=12, deadline=None)
def test_a_failing_disk_loses_and_doubles_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rate: float
) -> None:
    """Groups that were refused are taken when the disk works, once, in order."""
    dice = Random(seed)
    book = Book(tmp_path_factory.mktemp("eio") / "evidence")
    with pytest.MonkeyPatch.context() as patch:
        failing = _Failing(dice, rate)
        for module in (tail, heads_module):
            patch.setattr(module, "os", failing)
        _until_held(book.open)
        for _ in range(12):
            group = book.facts(dice.randrange(1, 6))
            _until_held(lambda group=group: book.log.append(group))  # type: ignore[misc]
            book.given += group
            book.clock.time += dice.choice([SECOND, 3_600 * SECOND, DAY])
            _until_held(book.log.tend)
        _until_held(book.log.close)

    expected = [(one.boot, one.seq) for one in book.given]
    assert booked.records_in(book.folder) == expected
    report = book.verify()
    assert (report.problems, report.breaks, report.open) == ([], [], False)


class _Failing:
    """`os` with a disk that refuses some writes, half of one now and then."""

    def __init__(self, dice: Random, rate: float) -> None:
        self._dice, self._rate = dice, rate

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def fdatasync(self, descriptor: int) -> None:
        """Sync, or not."""
        if self._dice.random() < self._rate:
            raise OSError(errno.EIO, "Input/output error")
        os.fdatasync(descriptor)

    def pwrite(self, descriptor: int, body: bytes, at: int) -> int:
        """Write, half of it, or nothing."""
        if self._dice.random() < self._rate / 2:
            os.pwrite(descriptor, bytes(body)[: len(body) // 2], at)
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.pwrite(descriptor, body, at)


def _until_held(what: Callable[[], object]) -> None:
    for _ in range(200):
        try:
            what()
        except OSError:
            continue
        return
    raise AssertionError("the disk never worked")


def test_a_record_of_before_a_crash_is_not_taken_twice(book: Book) -> None:
    """What the log has is skipped at a restart; another record of that id is not."""
    group = book.append(4)
    log = book.open()

    assert log.append(group) == 0
    other = replace_seq(book, group[0].seq)
    assert log.append([other]) == 1
    assert booked.records_in(book.folder)[-1] == (other.boot, other.seq)


def replace_seq(book: Book, seq: int) -> Facts:
    """Another record under an id that was given before."""
    facts = facts_of(Stored(1 << 44 | seq, made.alarm(book.clock.time, asset=2)))
    assert facts is not None
    return facts


def test_an_edited_log_is_told_and_gone_on_with(book: Book) -> None:
    """A new chain names the place; the next start does not find the same again."""
    for _ in range(8):
        book.append(3)
    path = book.folder / "000002.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"score":3.0', b'"score":2.0', 1))

    first = Log(book.folder, "gw-1", book.clock, booked.SMALL)
    found = first.open()
    first.append(book.facts(2))
    again = Log(book.folder, "gw-1", book.clock, booked.SMALL).open()

    assert len(found.fresh) == 1
    assert found.fresh[0].startswith("000002.jsonl:")
    assert again.fresh == []
    broken = [e for e in entries(book.folder) if e.what == "chain broken"]
    assert len(broken) == 1
    said = opening_of(broken[0].body).broken
    assert said is not None
    assert said.problems == found.fresh
    report = book.verify()
    assert len(report.problems) == len(report.breaks) == 1


def test_a_second_edit_is_told_too(book: Book) -> None:
    """What was found before does not hide what is done later."""
    for _ in range(8):
        book.append(3)
    for name in ("000001.jsonl", "000002.jsonl"):
        path = book.folder / name
        path.write_bytes(
            path.read_bytes().replace(b"lost", b"lust").replace(b"e", b"E", 1)
        )
        found = Log(book.folder, "gw-1", book.clock, booked.SMALL).open()
        assert found.fresh


def test_a_cut_log_is_told_by_its_head(book: Book) -> None:
    """Whole segments gone from the end leave a head that knows of more."""
    for _ in range(8):
        book.append(3)
    newest = segments.of_folder(book.folder)[-1].name
    (book.folder / newest).unlink()

    found = Log(book.folder, "gw-1", book.clock, booked.SMALL).open()

    assert len(found.fresh) == 1
    assert "was written" in found.fresh[0]
    last = list(entries(book.folder))[-1]
    assert last.number > found.report.known


def test_a_stale_head_cuts_nothing(book: Book) -> None:
    """A head of long ago is damage: a crash leaves one group behind it at most."""
    old = (book.folder / heads_module.NAME).read_bytes()
    for _ in range(70):
        book.log.append(book.facts(5))
    (book.folder / heads_module.NAME).write_bytes(old)
    before = len(list(entries(book.folder)))

    found = Log(book.folder, "gw-1", book.clock, booked.SMALL).open()

    assert found.cut == 0
    assert found.fresh
    assert len(list(entries(book.folder))) == before + 1


def test_a_torn_head_is_no_damage(book: Book) -> None:
    """A power cut tears one of the two heads; the other holds."""
    book.append(3)
    book.append(3)
    path = book.folder / heads_module.NAME
    body = bytearray(path.read_bytes())
    body[1024 + 80 : 1024 + 300] = b"\0" * 220
    path.write_bytes(bytes(body))

    report = book.verify()
    assert report.good
    assert Log(book.folder, "gw-1", book.clock, booked.SMALL).open().fresh == []


def test_a_lost_key_is_replaced_and_said(book: Book) -> None:
    """Old signatures hold by the chain; who knows the old key is told of the new."""
    book.append(3)
    book.log.close()
    former = booked.public(book).read_bytes()
    (book.folder / "gateway.key").unlink()
    book.open()
    book.append(3)

    assert book.verify().good
    assert len(book.verify().signers) == 2
    changed = next(e for e in entries(book.folder) if e.what == "key changed")
    said = opening_of(changed.body)
    aside = book.folder / f"gateway-{said.former[:16]}.pub"
    assert aside.read_bytes() == former
    assert "gateway.key" in said.lost
    assert (book.folder / "gateway.key").stat().st_mode & 0o777 == 0o600


def test_old_segments_go_and_the_rest_stays_provable(book: Book) -> None:
    """Segments beyond the time go whole, named by an entry, and verify still holds."""
    book.limits = Limits(keep=3 * 86_400.0, segment=1 << 20)
    book.open()
    for _ in range(8):
        book.append(4)
        book.clock.time += DAY

    gone = [removal_of(e.body) for e in entries(book.folder) if e.kind == REMOVAL]
    first = next(iter(entries(book.folder)))
    assert first.kind == OPENING
    assert gone
    assert gone[-1].stays == first.number
    assert sum(one.unsent for one in gone) == 0
    assert book.verify().good


def test_what_no_other_place_had_is_a_loss(tmp_path: Path) -> None:
    """Segments that go for want of room are counted from where they were sent."""
    sent = 5
    book = Book(tmp_path / "e", limits=Limits(room=12_000, segment=3_000))
    book.sent = lambda: sent
    book.open()
    for _ in range(20):
        book.append(3)

    gone = [removal_of(e.body) for e in entries(book.folder) if e.kind == REMOVAL]
    lost = book.log.losses()
    assert sum(one.count for one in lost) == max(one.last for one in gone) - sent
    assert book.log.losses() == []
    size = sum(len(body) for name, body in book.files().items() if name[0] == "0")
    assert size < 12_000 + 3_000
    assert book.verify().good


def test_a_removal_that_a_crash_interrupted_is_finished(book: Book) -> None:
    """Files that the log says are gone go at the next start."""
    book.limits = Limits(keep=2 * 86_400.0, segment=1 << 20)
    book.open()
    for _ in range(5):
        book.append(4)
        book.clock.time += DAY // 2
    kept = {name: book.files()[name] for name in ("000001.jsonl", "000002.jsonl")}
    book.clock.time += 5 * DAY
    book.append(4)
    for name, body in kept.items():
        assert not (book.folder / name).exists()
        (book.folder / name).write_bytes(body)
    assert book.verify().good
    (book.folder / "000001.jsonl").unlink()
    assert book.verify().good

    book.open()

    assert not (book.folder / "000002.jsonl").exists()
    assert book.verify().good


def test_a_clock_set_a_century_ahead_empties_no_log(book: Book) -> None:
    """Age is believed a week at a time."""
    for _ in range(3):
        book.append(3)
        book.clock.time += DAY
    book.clock.offset = 36_500 * DAY
    book.append(3)

    assert (book.folder / "000001.jsonl").exists()


def test_anchors_come_every_hour_with_something_new(book: Book) -> None:
    """A quiet log is left alone; a new line is anchored within the hour."""
    book.append(1)
    for _ in range(120):
        book.clock.time += 60 * SECOND
        book.log.tend()

    anchors = [e for e in entries(book.folder) if e.kind == "anchor"]
    assert len(anchors) == 1


def test_an_alarm_is_found_with_its_window(book: Book) -> None:
    """Both transitions and what it was computed from, byte for byte."""
    body = b'{"rows": [[1.0000000000000002, 1e-320, null]], "sha": "ab"}'
    each: list[Record] = [
        made.alarm(5),
        EvidenceRecord(5, "pump-anomaly/0/5", "pump-anomaly", "P-101", body),
        replace(made.alarm(5), at=9, state=AlarmState.NORMAL),
        made.alarm(6),
    ]
    group = [facts_of(Stored(1 << 44 | seq, one)) for seq, one in enumerate(each)]
    book.log.append([one for one in group if one is not None])

    found = find(book.folder, "pump-anomaly/0/5")
    assert [(e.kind, e.what) for e in found] == [
        ("alarm", "active"),
        ("window", "input"),
        ("alarm", "normal"),
    ]
    assert window_of(found[1]) == body.replace(b" ", b"")


def test_a_window_that_is_none_is_left_out(book: Book) -> None:
    """A body that is no JSON, or is far too long, does not stop the log."""
    for seq, body in enumerate((b'{"x": \n', b'"' + b"x" * (9 << 20) + b'"')):
        record = EvidenceRecord(5, f"o{seq}", "pump-anomaly", "P-101", body)
        facts = facts_of(Stored(1 << 44 | seq, record))
        assert facts is not None
        book.log.append([facts])

    assert b"left_out" in find(book.folder, "o0")[0].body
    assert b"left_out" in find(book.folder, "o1")[0].body
    assert book.verify().good


@pytest.mark.parametrize("after", [0, 1, 7, 30, 1000])
def test_reading_begins_behind_a_number(book: Book, after: int) -> None:
    """Whoever uploads goes on where it was, and not beyond what is final."""
    for _ in range(10):
        book.append(3)
    head = book.log.head()
    assert head is not None
    found = [one.number for one in entries(book.folder, after, head.number - 2)]

    assert found == list(range(after + 1, head.number - 1))
