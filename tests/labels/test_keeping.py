"""What is on disk comes back: after a stop, a kill, damage, and changed settings."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_agent.config.monitoring import Labels
from edge_agent.instruments import Instruments
from edge_agent.labels.columns import State
from edge_agent.labels.desk import Kept, LabelDesk
from edge_agent.labels.privacy import Pseudonyms
from tests.labels import made, victim
from tests.labels.made import ANOMALY, DAY, HOUR, PRESSES, QUALITY, Bench, S

if TYPE_CHECKING:
    from pathlib import Path


def files(folder: Path) -> list[Path]:
    """Of the parts' predictions, oldest first."""
    return sorted((folder / QUALITY).glob("*.labels"))


def filled(folder: Path, **settings: Any) -> Bench:  # noqa: ANN401
    """Three parts, one of them labelled, and a label that waits."""
    one = Bench(folder, **settings)
    one.score(["a", "b", "c"], [0.1, 0.9, 0.2])
    one.wait(10 * S)
    one.tell(
        made.label("bad", part="b", groups=("L1",) * len(one.settings.groups)),
        made.label("good", part="not yet", groups=("L2",) * len(one.settings.groups)),
    )
    return one


def test_all_of_it_is_there_after_a_restart(tmp_path: Path) -> None:
    """Predictions, labels, what waits, words and buckets."""
    one = filled(tmp_path, groups=["lot"])
    one.watch(150)
    one.desk.look()
    before = one.desk.joined(QUALITY)
    one.desk.close()
    again = Bench(tmp_path, one.clock, groups=["lot"])

    assert again.states() == [State.NONE, State.BAD, State.NONE]
    after = again.desk.joined(QUALITY)
    for name in ("score", "threshold", "delay", "value", "at", "wall"):
        old, new = getattr(before, name), getattr(after, name)
        assert np.array_equal(old, new, equal_nan=True), name
    assert after.versions[after.version[0]] == before.versions[before.version[0]]
    assert after.group_words["lot"][after.groups["lot"][0]] == "L1"
    assert again.states(ANOMALY) == [State.NONE] * len(one.states(ANOMALY))
    assert len(again.states(ANOMALY)) >= 9
    again.score(["not yet"])
    again.desk.look()
    assert again.states()[-1] == State.GOOD


def test_many_restarts_leave_few_files(tmp_path: Path) -> None:
    """The last file is gone on with while its page has room."""
    one = filled(tmp_path)
    for turn in range(8):
        one.desk.close()
        one = Bench(tmp_path, one.clock)
        one.score([f"part-{turn}"])
        one.wait(10 * S)
        one.tell(made.label("good", part=f"part-{turn}"))

    assert len(files(tmp_path)) == 1
    assert one.states() == [State.NONE, State.BAD, State.NONE] + [State.GOOD] * 8


def test_a_kill_needs_no_goodbye(tmp_path: Path) -> None:
    """What a look has written is there though nothing was synced or closed."""
    one = filled(tmp_path)
    again = Bench(tmp_path, one.clock)

    assert again.states() == [State.NONE, State.BAD, State.NONE]


@pytest.mark.crash
@pytest.mark.parametrize("first", range(1, 5))
def test_no_label_said_to_be_safe_is_lost_by_a_kill(tmp_path: Path, first: int) -> None:
    """Killed before any of its writes, or in the middle of one: the rest is whole."""
    k, kills = first, 0
    while True:
        folder, diary = tmp_path / f"{k}", tmp_path / f"{k}.diary"
        killed = victim.killed_at(k, folder, diary)
        safe = len(diary.read_text().split())
        found = Bench(folder)
        ring = found.desk.books[QUALITY].ring
        states = found.states()
        for of in range(safe):
            turn = min(of + 1, safe - 1)
            wanted = [
                State.BAD if victim.text_of(turn, part) == "bad" else State.GOOD
                for part in range(victim.PARTS)
            ]
            got = states[of * victim.PARTS : (of + 1) * victim.PARTS]
            # the next round may have corrected them without having said so
            later = [
                State.BAD if victim.text_of(of + 1, part) == "bad" else State.GOOD
                for part in range(victim.PARTS)
            ]
            assert got in (wanted, later), (k, of)
        assert len(ring) >= safe * victim.PARTS
        assert found.desk.books[QUALITY].keeping.segments.failure == ""
        if not killed:
            break
        kills, k = kills + 1, k + 4
    assert kills >= 3


def test_a_torn_tail_is_cut_and_counted(tmp_path: Path) -> None:
    """Half a block at the end costs that block, and writing goes on behind."""
    one = filled(tmp_path)
    one.score(["d"])
    one.wait(10 * S)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    again = Bench(tmp_path, one.clock)

    assert again.states() == [State.NONE, State.BAD, State.NONE]
    assert again.count("torn_bytes") > 0
    again.score(["e"])
    again.wait(10 * S)
    again.tell(made.label("bad", part="e"))
    last = Bench(tmp_path, one.clock)
    assert last.states() == [State.NONE, State.BAD, State.NONE, State.BAD]
    assert last.count("torn_bytes") == 0


def test_a_spoiled_block_costs_that_block_alone(tmp_path: Path) -> None:
    """Rows before and behind it are found, with their labels on the right rows."""
    one = Bench(tmp_path)
    for turn in range(3):
        one.score([f"{turn}-{k}" for k in range(50)])
        one.wait(10 * S)
    one.tell(made.label("bad", part="2-7"))
    (path,) = files(tmp_path)
    raw = bytearray(path.read_bytes())
    second = raw.find(b"EAL1", raw.find(b"EAL1", raw.find(b"EAL1", 1) + 1) + 1) - 20
    raw[second] ^= 0xFF
    path.write_bytes(raw)
    again = Bench(tmp_path, one.clock)

    assert len(again.states()) == 100
    assert again.count("torn_bytes") > 0
    joined = again.desk.joined(QUALITY)
    assert len(joined) == 1
    again.tell(made.label("bad", part="2-7"))
    assert again.count("duplicate") == 1


@pytest.mark.parametrize("garbage", [b"", b"\0" * 5000, b"EAL1" * 900, os.urandom(999)])
def test_files_of_anything_else_are_passed_over(tmp_path: Path, garbage: bytes) -> None:
    """Nothing in a file is trusted: the desk opens, and goes on."""
    (tmp_path / QUALITY).mkdir()
    (tmp_path / QUALITY / "00000003.labels").write_bytes(garbage)
    (tmp_path / QUALITY / "notes.txt").write_text("mine")
    one = filled(tmp_path)

    assert one.states() == [State.NONE, State.BAD, State.NONE]
    assert Bench(tmp_path, one.clock).states() == [State.NONE, State.BAD, State.NONE]
    assert (tmp_path / QUALITY / "notes.txt").exists()


def test_a_disk_that_takes_nothing_is_told_once_and_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joining goes on in memory; all of it is written when there is room again."""
    one = Bench(tmp_path)
    write, full = os.write, [True]

    def refusing(descriptor: int, chunk: bytes) -> int:
        if full[0]:
            if len(chunk) > 100:
                return write(descriptor, chunk[:60])  # a part fits
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, chunk)

    monkeypatch.setattr(os, "write", refusing)
    for turn in range(4):
        one.score([f"{turn}"])
        one.wait(15 * S)
        full[0] = True
        one.tell(made.label("bad", part=f"{turn}"))
        one.wait(15 * S)
    told = [event.name for event in one.events]
    assert told == ["labels not stored"]
    assert one.states() == [State.BAD] * 4
    assert one.desk.status(QUALITY)["disk_error"]
    full[0] = False
    one.wait(15 * S)
    assert [event.name for event in one.events][-1] == "labels stored again"
    assert Bench(tmp_path, one.clock).states() == [State.BAD] * 4


def test_a_sync_that_fails_makes_all_of_the_page_be_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may have forgotten what it took: nothing relies on it."""
    one = filled(tmp_path)
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", _failing)
    for _ in range(3):
        one.wait(70 * S)
    for path in files(tmp_path):
        path.write_bytes(b"")  # forgotten
    monkeypatch.setattr(os, "fsync", fsync)
    one.wait(70 * S)
    one.wait(70 * S)

    assert Bench(tmp_path, one.clock).states() == [State.NONE, State.BAD, State.NONE]
    told = [event.name for event in one.events]
    assert told == ["labels not stored", "labels stored again"]


def _failing(_: int) -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_assets_and_groups_keep_their_meaning_when_lists_change(tmp_path: Path) -> None:
    """They are found again by name; what is gone is joined to nothing."""
    one = filled(tmp_path, groups=["lot", "supplier"])
    one.desk.close()
    settings = Labels.model_validate({"groups": ["shift", "lot"]})
    desk = LabelDesk(
        {QUALITY: Kept(("PR-0", *PRESSES), settings, parts=True)},
        tmp_path,
        clock=one.clock,
        instruments=Instruments(),
        tell=one.told,
        names=Pseudonyms(None),
    )
    desk.open()
    joined = desk.joined(QUALITY)

    assert joined.assets[joined.asset[0]] == "PR-1"
    assert joined.group_words["lot"][joined.groups["lot"][0]] == "L1"
    assert joined.groups["shift"][0] == 0


def test_a_full_page_is_packed(tmp_path: Path) -> None:
    """Files of many small writes become short, and read the same."""
    one = Bench(tmp_path, memory="1MiB")
    rows = one.desk.books[QUALITY].ring.page_rows
    for turn in range(rows // 4 + 2):
        one.score([f"{turn}-{k}" for k in range(4)])
        one.wait(6 * S)
        if turn % 10 == 0:
            one.tell(made.label("bad", part=f"{turn}-0"))
    one.tell(made.label("good", part="0-3"))  # of the first page, in the second's file
    one.score([f"more-{k}" for k in range(rows)])
    one.wait(70 * S)
    one.wait(70 * S)
    states = one.states()
    first, *_ = files(tmp_path)

    assert first.stat().st_size < 40 * rows
    again = Bench(tmp_path, one.clock, memory="1MiB")
    assert again.states() == states


def test_a_label_that_had_waited_waits_no_more_after_a_restart(
    tmp_path: Path,
) -> None:
    """It found its part, and was corrected since: neither undone nor unknown."""
    one = filled(tmp_path)
    one.score(["not yet"])
    one.wait(10 * S)
    assert one.states()[-1] == State.GOOD
    one.tell(made.label("bad", part="not yet"))
    again = Bench(tmp_path, one.clock)
    again.score(["more"])
    again.wait(2 * HOUR)

    assert again.states()[3] == State.BAD
    assert again.count("unknown") == 0


def test_a_row_torn_from_its_label_gets_it_again(tmp_path: Path) -> None:
    """The label had waited, the part was written, and the crash came between."""
    one = filled(tmp_path)
    before = files(tmp_path)[0].stat().st_size
    one.score(["not yet"])
    one.wait(10 * S)
    (path,) = files(tmp_path)
    raw = path.read_bytes()
    behind = raw.find(b"EAL1", before + 1)
    assert behind > 0
    path.write_bytes(raw[:behind])
    again = Bench(tmp_path, one.clock)
    assert again.states()[3] == State.NONE
    again.score(["more"])
    again.desk.look()

    assert again.states()[3] == State.GOOD


def test_less_memory_keeps_the_newest(tmp_path: Path) -> None:
    """A smaller figure in the settings is heeded at the next start."""
    one = Bench(tmp_path, memory="4MiB")
    for turn in range(10):
        one.score([f"{turn}-{k}" for k in range(5000)])
        one.wait(10 * S)
    one.desk.close()
    again = Bench(tmp_path, one.clock, memory="1MiB")

    ring = again.desk.books[QUALITY].ring
    assert ring.bytes <= 2**20
    again.tell(made.label("bad", part="9-4999"))
    assert again.count("joined") == 1


def test_a_pipeline_that_scores_otherwise_now_begins_anew(tmp_path: Path) -> None:
    """Buckets are no parts: the old files are not read as such."""
    one = filled(tmp_path)
    one.desk.close()
    (tmp_path / ANOMALY).rename(tmp_path / "aside")
    (tmp_path / QUALITY).rename(tmp_path / ANOMALY)
    again = Bench(tmp_path, one.clock)

    assert again.states(ANOMALY) == []
    again.watch(200)
    again.desk.look()
    assert len(again.states(ANOMALY)) >= 6


def test_what_is_old_goes_from_the_disk_too(tmp_path: Path) -> None:
    """A file goes with its page."""
    one = Bench(tmp_path, horizon="1d")
    for _ in range(5):
        one.score([f"{one.clock.time}-{k}" for k in range(100)])
        one.wait(10 * S)
        one.desk.books[QUALITY].ring.begin()
        one.wait(HOUR)
    one.wait(3 * DAY)
    one.score(["new"])
    one.wait(10 * S)
    one.tell(made.label("bad", part="new"))

    assert len(files(tmp_path)) == 1
