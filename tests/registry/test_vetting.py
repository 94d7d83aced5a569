"""Vetting: hostile models are refused in words, the running one never blinks."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil
import pytest

from edge_agent.bundle.contents import open_bundle
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry.vetting import Verdict, VettingRoom, vet
from edge_agent.scoring import OnnxScorer
from tests.model import bundles
from tests.registry import hostile

if TYPE_CHECKING:
    from collections.abc import Iterator


class Line:
    """A model that scores all the while, as the agent's turn does."""

    def __init__(self, folder: Path) -> None:
        self.scorer = OnnxScorer(open_bundle(folder))
        self.rows = bundles.golden(hostile.WIDTH, 64)
        self.expected = self.scorer.score(self.rows).score.tobytes()
        self.turns = self.wrong = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.002):
            self.turns += 1
            found = self.scorer.score(self.rows)
            self.wrong += found.score.tobytes() != self.expected

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that must be accepted, before and after every other."""
    return bundles.make(tmp_path_factory.mktemp("good")).path


@pytest.fixture(scope="module")
def line(good: Path) -> Iterator[Line]:
    """The agent's own model, scoring in this process."""
    with Line(good) as running:
        yield running


@pytest.fixture(scope="module")
def room(good: Path) -> Iterator[VettingRoom]:
    """An open room, proven."""
    with VettingRoom() as opened:
        assert opened.vet(good).accepted
        yield opened


@pytest.mark.parametrize("name", hostile.CASES)
def test_a_hostile_model_is_refused_and_hurts_nobody(
    name: str, tmp_path: Path, room: VettingRoom, good: Path, line: Line
) -> None:
    """It is refused for what it is; room, the next model and the running one go on."""
    case = hostile.CASES[name]
    folder = bundles.make(tmp_path).path
    case.spoil(folder)
    before = room.pid, line.turns

    verdict = room.vet(folder, case.limits)

    assert not verdict.accepted
    assert re.search(case.reason, verdict.reason.removeprefix(f"{folder}: "), re.DOTALL)
    assert room.vet(good).accepted
    assert room.pid == before[0]
    assert line.turns > before[1]
    assert line.wrong == 0


def test_a_good_model_is_measured(room: VettingRoom, good: Path) -> None:
    """The verdict says what it is, what it costs and how it runs."""
    bundle = open_bundle(good)

    found = room.vet(good)

    assert (found.name, found.version, found.digest, found.release) == (
        "small", "1.0.0", bundle.digest, 0,
    )  # fmt: skip
    assert found.accepted
    assert found.reason == ""
    assert found.exact
    assert found.rows_per_call is None
    assert 0 < found.p50_us <= found.p99_us
    assert found.row_us > 0
    assert found.load_ms > 0
    assert found.cpu_s > 0
    assert 0 <= found.memory_mb < 64
    assert found.as_dict()["digest"] == bundle.digest


def test_a_refused_model_has_its_name(tmp_path: Path, room: VettingRoom) -> None:
    """What the passport said of itself is told with the refusal."""
    folder = bundles.make(tmp_path, bundles.passport("pump", "2.1.0")).path
    bundles.rewrite(folder, lambda text: text.update(release=7, runtime="99.1"))

    found = room.vet(folder)

    assert (found.accepted, found.name, found.version, found.release) == (
        False, "pump", "2.1.0", 7,
    )  # fmt: skip


def test_a_row_far_outside_is_a_remark(tmp_path: Path, room: VettingRoom) -> None:
    """No number ten times outside of the training is no reason to refuse a model."""
    folder = bundles.make(tmp_path).path
    hostile.root_of_twenty_less()(folder)

    found = room.vet(folder)

    assert found.accepted
    assert any(r.startswith("ten times outside of what") for r in found.remarks)


def test_a_folder_that_is_none_is_refused(tmp_path: Path, room: VettingRoom) -> None:
    """No bundle at all is a verdict too."""
    found = room.vet(tmp_path / "nowhere")

    assert not found.accepted
    assert "cannot read passport.yaml" in found.reason


def test_a_name_cannot_write_on_a_screen(tmp_path: Path, room: VettingRoom) -> None:
    """Control characters of a hostile file do not come through."""
    folder = bundles.make(tmp_path).path
    hostile.strange("\x1b[2J\x07Clear")(folder)

    found = room.vet(folder)

    assert "uses ?[2J?Clear, which no model may" in found.reason


def test_a_room_that_was_ended_is_opened_anew(good: Path) -> None:
    """Whatever ended the room says nothing about a model; the next vetting works."""
    with VettingRoom() as opened:
        assert opened.vet(good).accepted
        first = opened.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)

        for _ in range(2):
            try:
                found = opened.vet(good)
                break
            except RegistryUnavailable:
                continue
        assert found.accepted
        assert opened.pid != first


def test_a_room_that_ends_over_a_model_says_so(good: Path) -> None:
    """Then the caller is told to try again, not that the model is bad."""
    opened = VettingRoom()
    with opened:
        assert opened.vet(good).accepted
        assert opened.pid is not None
        os.kill(opened.pid, signal.SIGSTOP)
        ender = threading.Timer(0.2, os.kill, (opened.pid, signal.SIGKILL))
        ender.start()

        with pytest.raises(RegistryUnavailable, match="opened anew"):
            opened.vet(good)
        ender.join()

        assert opened.vet(good).accepted
    assert opened.pid is None


def test_one_model_needs_no_open_room(good: Path) -> None:
    """`vet` brings its own."""
    found = vet(good)

    assert isinstance(found, Verdict)
    assert found.accepted


_ASKING = """
import sys
from pathlib import Path
from edge_agent.registry.vetting import VettingRoom
with VettingRoom() as room:
    print(room.pid, flush=True)
    room.vet(Path(sys.argv[1]))
"""


def test_an_agent_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    """Room and model end with the agent, even while the model is busy."""
    folder = bundles.make(tmp_path).path
    hostile.CASES["long scan"].spoil(folder)
    asking = subprocess.Popen(
        [sys.executable, "-c", _ASKING, folder], stdout=subprocess.PIPE, text=True
    )
    assert asking.stdout is not None
    room = psutil.Process(int(asking.stdout.readline()))
    until = threading.Event()
    while not (busy := room.children()):
        until.wait(0.02)

    asking.kill()
    asking.wait()
    asking.stdout.close()

    _, left = psutil.wait_procs([room, *busy], timeout=5)
    assert left == []


def sealed(*words: Path | str) -> dict[str, Any]:
    """Vet folders in a process under the unit's filter."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.registry.sealed", *words],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=25,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers are of x86-64")
def test_limits_hold_under_the_units_filter(tmp_path: Path, good: Path) -> None:
    """Where systemd denies setrlimit, a model that wants 40 GB meets its limit."""
    folder = bundles.make(tmp_path).path
    hostile.CASES["40 GB by ConstantOfShape"].spoil(folder)

    found = sealed(good, folder)

    assert found == {
        "setrlimit": errno.EPERM,
        "reasons": ["", "it asked for more than 192 MiB of memory"],
    }


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers are of x86-64")
def test_without_limits_nothing_is_accepted(good: Path) -> None:
    """Where no limit can be set no model is run, and none is blamed for it."""
    found = sealed("prlimit64", good)["reasons"][0]

    assert found.startswith("later: no limits can be set for the process")
    assert "SystemCallFilter" in found
