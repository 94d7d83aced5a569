"""Changes of the configuration, the trust and the clock that are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edge_agent.bundle import keys
from edge_agent.bundle.trust import Trust
from edge_agent.config import loading
from edge_agent.evidence.changes import (
    Standing,
    Standings,
    Steps,
    changes,
    standing_of,
)
from tests.config import plants
from tests.evidence.booked import SECOND, WallClock

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.records import EventRecord

BEFORE = Standing("1.0", "a" * 64, ("agent.yaml",), ("k1", "k2"), 1)


def told(before: Standing | None, now: Standing) -> list[EventRecord]:
    """What is different."""
    return list(changes(before, now, "gw-1", 5))


def test_nothing_new_is_nothing_told() -> None:
    """A restart with the same files and keys leaves no entry."""
    assert told(BEFORE, BEFORE) == []


def test_the_first_run_tells_its_configuration_and_trust() -> None:
    """What a gateway began with is known from its first entries."""
    names = [one.name for one in told(None, BEFORE)]

    assert names == ["configuration changed", "trust changed"]


def test_each_change_is_told_with_both_sides() -> None:
    """Configuration, version, keys and the list of revoked ones."""
    now = Standing("1.1", "b" * 64, ("agent.yaml",), ("k2", "k3"), 2)
    found = {one.name: one for one in told(BEFORE, now)}

    assert set(found) == {"configuration changed", "agent updated", "trust changed"}
    assert found["configuration changed"].details["was"] == "a" * 64
    assert found["configuration changed"].details["sha256"] == "b" * 64
    said = found["trust changed"].message
    assert said == (
        "k3… is trusted; k1… is trusted no more; the list of revoked keys is number 2"
    )


def test_a_change_is_told_once_over_restarts(tmp_path: Path) -> None:
    """What was told is remembered beside the log; what cannot be told now waits."""
    heard: list[EventRecord] = []
    now: list[Standing | None] = [BEFORE]

    def watch() -> Standings:
        return Standings(tmp_path / "evidence", "gw-1", lambda: now[0])

    one = watch()
    one.look(1, heard.append)
    one.look(2, heard.append)
    two = watch()
    two.look(3, heard.append)
    assert len(heard) == 2

    now[0] = None
    two.look(4, heard.append)
    now[0] = msgspec.structs.replace(BEFORE, revoked=9)
    two.look(5, heard.append)
    assert [one.name for one in heard[2:]] == ["trust changed"]


def test_a_damaged_memory_tells_anew(tmp_path: Path) -> None:
    """A file that cannot be read is no reason to say nothing."""
    (tmp_path / "standing.json").write_bytes(b"{")
    heard: list[EventRecord] = []
    Standings(tmp_path, "gw-1", lambda: BEFORE).look(1, heard.append)

    assert len(heard) == 2


def test_how_an_agent_stands(tmp_path: Path) -> None:
    """Digest of the files, and ids of the keys that are trusted."""
    loaded = loading.read(plants.written(tmp_path))
    key = keys.made().public_key()

    found = standing_of(loaded, "1.0", Trust.of([key]))
    assert found.configuration == loaded.digest
    assert found.trusted == (keys.key_id(key),)
    assert standing_of(loaded, "1.0", None).trusted == ()


def test_slew_is_no_step() -> None:
    """Only a change of more than a second between two looks is a step."""
    clock = WallClock()
    steps = Steps(clock, "gw-1")
    assert steps.look() == []
    for _ in range(10):
        clock.offset += SECOND // 2
        assert steps.look() == []
    clock.offset -= 3600 * SECOND
    (step,) = steps.look()
    assert step.name == "clock step"
    assert "set back by 3600.0 s" in step.message
    assert steps.look() == []
