from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING

import pytest

from edge_agent.records import (
    AlarmRecord,
    EventRecord,
    FindingRecord,
    LossRecord,
    ScoreRecord,
)
from edge_agent.store import findings, offline, pages
from edge_agent.store.history import Of, Query
from edge_agent.store.schema import APPLICATION_ID, MIGRATIONS
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.records import Record
    from edge_agent.store.history import Page

_TURNS = 40


def _filled(path: Path) -> bytes:
    """A closed store with scores, alarms and findings of some turns; the file."""
    journal = made.journal(path)
    journal.start()
    for at in range(_TURNS):
        records: list[Record] = [made.scores(20, at=at), made.alarm(at)]
        records += [made.finding(at, id=str(at)), made.drift(at, at + 1)]
        journal.submit(records, {"core": str(at).encode()})
    assert journal.stop(20)
    return path.read_bytes()


def _after(path: Path) -> tuple[list[Record], list[EventRecord], dict[str, bytes]]:
    """What an agent finds on that file, and that it can go on with it."""
    journal = made.journal(path)
    recovered = journal.start()
    journal.submit([made.event("still here")], {"core": b"new"})
    assert journal.stop(20)
    again = made.journal(path)
    assert again.start().checkpoint["core"] == b"new"
    found = made.everything(again)
    again.stop(20)
    assert any(isinstance(r, EventRecord) and r.name == "still here" for r in found)
    return found, recovered.events, recovered.checkpoint


def _flip(content: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(dice.choice([1, 8, 200])):
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def _truncate(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))]


def _zero_a_page(content: bytes, dice: random.Random) -> bytes:
    page = dice.randrange(len(content) // 4096) * 4096
    return content[:page] + bytes(4096) + content[page + 4096 :]


@pytest.mark.parametrize("harm", [_flip, _truncate, _zero_a_page])
@pytest.mark.timeout(120)
def test_damaged_file_never_stops_the_agent(
    tmp_path: Path, harm: Callable[[bytes, random.Random], bytes]
) -> None:
    """Whatever happened to the file: start, read back what is intact, say what not."""
    content = _filled(tmp_path / "whole.db")
    saved = 0
    for seed in range(20):
        path = tmp_path / f"{seed}.db"
        path.write_bytes(harm(content, random.Random(seed)))
        found, events, _ = _after(path)
        for record in found:
            # nothing wrong is ever passed on as right
            if isinstance(record, ScoreRecord):
                assert made.same(record, made.scores(20, at=int(record.at[0])))
            if isinstance(record, AlarmRecord):
                assert record == made.alarm(record.at)
            if isinstance(record, FindingRecord):
                assert record == made.finding(record.at, id=str(record.at))
        for of in (Of.FINDINGS, Of.DRIFT):
            for page in offline.pages(path, Query(of)):
                _check_kept(page)
        intact = sum(isinstance(r, (ScoreRecord, AlarmRecord)) for r in found)
        lost = any(isinstance(r, (LossRecord, EventRecord)) for r in found)
        assert intact == 2 * _TURNS or lost or events
        assert (len(list(tmp_path.glob(f"{seed}.db.damaged-*"))) > 0) == any(
            e.name == "store damaged" for e in events
        )
        saved += intact
    assert saved > 20 * 2 * _TURNS // 10


def _check_kept(page: Page) -> None:
    """What is read of the rings is as it was written."""
    for row in page.findings:
        record = findings.stored_of(row).record
        assert record == made.finding(row.at, id=str(row.at))
    for kept in page.drift:
        assert kept.block.counts.tolist() == made.drift().counts.tolist()


def test_damaged_middle_is_salvaged_from_both_ends(tmp_path: Path) -> None:
    """One broken page costs what was on it, not everything behind it."""
    path = tmp_path / "outbox.db"
    content = bytearray(_filled(path))
    middle = len(content) // 2 // pages.PAGE * pages.PAGE
    content[middle : middle + pages.PAGE] = b"\xff" * pages.PAGE
    path.write_bytes(content)

    found, _, _ = _after(path)

    kept = {int(r.at[0]) for r in found if isinstance(r, ScoreRecord)}
    assert {0, _TURNS - 1} <= kept
    assert len(kept) >= _TURNS - 5


def test_flipped_bit_in_a_body_is_noticed_and_counted(tmp_path: Path) -> None:
    """A changed value in a row is not passed on; the ledger has it."""
    path = tmp_path / "outbox.db"
    _filled(path)
    file = sqlite3.connect(path)
    # once as bytes, once as what a flipped type makes of it: text
    file.execute(
        "UPDATE outbox SET body ="
        " CAST(substr(body, 1, 300) || x'00' || substr(body, 302) AS BLOB)"
        " WHERE class = 3 AND at_first = 7"
    )
    file.execute(
        "UPDATE outbox SET body = CAST(body AS TEXT) WHERE class = 3 AND at_first = 8"
    )
    file.commit()
    file.close()
    journal = made.journal(path)
    journal.start()
    before = [r for r in made.everything(journal) if isinstance(r, ScoreRecord)]
    journal.submit([made.event()], {})
    made.settle(journal)
    found = made.everything(journal)
    journal.stop(20)

    assert {7, 8}.isdisjoint(int(r.at[0]) for r in before)
    assert len(before) == _TURNS - 2
    (lost,) = [r for r in found if isinstance(r, LossRecord)]
    assert (lost.count, lost.first, lost.last) == (40, 7, 8)
    assert "damaged" in lost.cause


def test_foreign_and_newer_files_are_put_aside_unharmed(tmp_path: Path) -> None:
    """A file that is not ours, or of a newer agent, is kept as it is."""
    for name, pragma in (
        ("foreign.db", "application_id = 7"),
        ("newer.db", f"user_version = {len(MIGRATIONS) + 1}"),
    ):
        path = tmp_path / name
        file = sqlite3.connect(path)
        file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        file.execute(f"PRAGMA {pragma}")
        file.execute("CREATE TABLE theirs(x)")
        file.close()
        content = path.read_bytes()

        _, events, _ = _after(path)

        (aside,) = tmp_path.glob(f"{name}.damaged-*")
        assert aside.read_bytes() == content
        assert [e.name for e in events] == ["store damaged"]


def test_ids_go_on_behind_a_damaged_file(tmp_path: Path) -> None:
    """After damage no id is used again, even when the boot's note is lost too."""
    path = tmp_path / "outbox.db"
    content = bytearray(_filled(path))
    content[100:300] = bytes(200)
    path.write_bytes(content)

    journal = made.journal(path)
    assert journal.start().boot == 2
    journal.stop(10)


def test_only_the_newest_damaged_files_are_kept(tmp_path: Path) -> None:
    """A disk that damages again and again is not filled up with the remains."""
    path = tmp_path / "outbox.db"
    for _ in range(6):
        path.write_bytes(b"no database at all" * 100)
        journal = made.journal(path)
        journal.start()
        journal.stop(10)

    assert len(list(tmp_path.glob("outbox.db.damaged-*"))) <= 4
