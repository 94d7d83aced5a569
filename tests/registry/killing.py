"""Kills a gateway's life of models at every write it makes, and looks what is left.

One process, no threads: for each k a child adopts a new version and is ended by SIGKILL
right before its k-th change to the disk; a second child then starts from what is there.

    python -m tests.registry.killing [--every N]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.bundle.contents import open_bundle
from edge_agent.comparison import Comparison
from edge_agent.config.pipelines import Promotion
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.lifecycle import Stage
from tests.registry import made
from tests.registry.adopting import SECOND, Plant

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "pump"
#: Calls that change the disk.
CHANGES = ("fsync", "replace", "rename", "unlink", "mkdir", "rmdir", "write", "link")


@dataclass
class Tally:
    """What came of all kills."""

    kills: int = 0
    at_stage: dict[str, int] | None = None
    started_with: dict[str, int] | None = None
    ended_on_new: int = 0
    broken: list[str] | None = None


def prepare(home: Path) -> None:
    """A folder of models with two versions, a gateway that runs the first."""
    (home / "stick").mkdir(parents=True)
    desk = DirectoryRegistry(home / "stick", "gw-07")
    for version in ("1.0.0", "1.1.0"):
        desk.push(made.bundle(home / "made", MODEL, version, say=version), {})
    desk.point(MODEL, "champion", "1.0.0")
    plant(home).pass_time()
    desk.point(MODEL, "champion", "1.1.0")


def plant(home: Path) -> Plant:
    """The gateway; a new version is watched for a while before it takes over."""
    policy = Promotion(after=0.0, rows=1, probation=0.0)
    desk = DirectoryRegistry(home / "stick", "gw-07")
    return Plant(home / "state", desk, MODEL, promotion=policy)


def adopt(home: Path) -> None:
    """From wherever it is until the new version is active and settled."""
    gateway = plant(home)
    for _ in range(4):
        gateway.floor.compared = _agreeing()
        gateway.pass_time()


def _agreeing() -> Comparison:
    return Comparison(rows=500, watched=SECOND, xx=1.0, yy=1.0)


def count_down(left: int) -> Callable[[], int]:
    """Kill this process before its ``left``-th change; returns how many are left."""
    state = {"left": left}
    for name in CHANGES:
        real = getattr(os, name)

        def change(*args: Any, _real: Any = real, **kwargs: Any) -> Any:  # noqa: ANN401
            state["left"] -= 1
            if state["left"] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return _real(*args, **kwargs)

        setattr(os, name, change)
    return lambda: left - state["left"]


def in_child(work: Callable[[], object]) -> tuple[bool, str]:
    """Run something in a fork; whether it was killed, and what it wrote."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
            os.write(writing, str(work() or "").encode())
            code = 0
        except BaseException as error:  # noqa: BLE001
            os.write(writing, f"ERROR {error!r}".encode())
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status), said


def look(home: Path) -> str:
    """What a start finds: which version scores at once, and whether all is whole."""
    gateway = plant(home)
    life, crew = gateway.life, gateway.crew
    stages = [v.stage for v in life.versions]
    if stages.count(Stage.ACTIVE) != 1 or crew.rung.name != "MODEL":
        return f"BROKEN {life} {crew.rung}"
    bundles = list((home / "state" / "models" / "bundles" / MODEL).iterdir())
    for folder in bundles:
        if not folder.name.startswith("."):
            open_bundle(folder)
    newest = next((v for v in life.versions if v.version == "1.1.0"), None)
    return f"{gateway.active} {newest.stage if newest else 'unseen'}"


def kill_at(k: int, home: Path, tally: Tally) -> bool:
    """One kill; False when the work was over before its k-th change."""

    def work() -> None:
        count_down(k)
        adopt(home)

    killed, said = in_child(work)
    if said.startswith("ERROR"):
        (tally.broken or []).append(f"{k}: {said}")
    if not killed:
        return False
    tally.kills += 1
    _, found = in_child(lambda: look(home))
    version, _, stage = found.partition(" ")
    if version not in {"1.0.0", "1.1.0"}:
        assert tally.broken is not None
        tally.broken.append(f"{k}: {found}")
    assert tally.started_with is not None
    assert tally.at_stage is not None
    tally.started_with[version] = tally.started_with.get(version, 0) + 1
    tally.at_stage[stage] = tally.at_stage.get(stage, 0) + 1
    in_child(lambda: adopt(home))
    _, after = in_child(lambda: look(home))
    tally.ended_on_new += after == "1.1.0 active"
    return True


def run(every: int) -> Tally:
    """Kill at every ``every``-th change there is."""
    tally = Tally(at_stage={}, started_with={}, broken=[])
    with tempfile.TemporaryDirectory() as folder:
        origin = Path(folder) / "origin"
        in_child(lambda: prepare(origin))
        k = 1
        while True:
            home = Path(folder) / "home"
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(origin, home, symlinks=True)
            if not kill_at(k, home, tally):
                return tally
            k += every


def main() -> None:
    """Print the tally."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    print(json.dumps(asdict(run(parser.parse_args().every)), indent=1))


if __name__ == "__main__":
    main()
