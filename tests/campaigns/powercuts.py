"""Power cuts: what was not synced is lost or torn, at a random moment.

The store runs on `forgetful`, in a process that says what was committed and dies with
the power. Beside it, files are replaced with `durable.write_whole`. In every second
plant one sync in five fails as well, and what it should have written is gone from the
cache without a word, as on Linux.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.durable import sync_folder, write_whole
from edge_agent.records import ScoreRecord
from edge_agent.store import disk
from tests.campaigns.forgetful import Mounted
from tests.campaigns.telling import Findings, Progress, quantiles, quiet
from tests.store import made, victim
from tests.store.lives import Said, live_and_die, owed, victims

if TYPE_CHECKING:
    import subprocess

#: Cuts of one store.
PLANT = 10
FAILING = 0.2
_TRIES = 200


def run(count: int, seed: int, kept: Path) -> Findings:
    """Cut the power so many times.

    Args:
        count: cuts.
        seed: of all that is random.
        kept: not used.
    """
    del kept
    found, progress = Findings("powercuts", seed), Progress("powercuts", count)
    dice, tally = random.Random(seed), _Tally()
    disk.RETRY = (0.01, 0.05)
    quiet()
    with ExitStack() as stack:
        beside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cuts-")))
        mounted = stack.enter_context(Mounted(beside / "disk", seed))
        forks = stack.enter_context(victims("tests.campaigns.powercuts"))
        plant = None
        for number in range(count):
            if plant is None or number % PLANT == 0:
                plant = _Plant(mounted, beside, number, dice, tally)
            plant.cut(forks, number)
            progress.step(number + 1)
        counts = mounted.order("count")
    found.figures = {
        "power cuts": count,
        "of them on a disk with syncs that fail": tally.failing,
        "syncs / failed": [counts["syncs"], counts["failed"]],
        "records told as committed": tally.told,
        "committed lost, sound disk / failing one": [
            tally.lost - tally.lost_failing,
            tally.lost_failing,
        ],
        "state behind what was told, sound disk / failing one": [
            tally.behind,
            tally.behind_failing,
        ],
        "out of order": tally.disordered,
        "stores found damaged": tally.damaged,
        "files replaced whole": tally.files,
        "files torn or older than told": tally.torn,
        "open again, s": quantiles(tally.opened),
    }
    found.promise(not tally.lost, "committed records lost")
    found.promise(not tally.behind, "a committed checkpoint is lost")
    found.promise(not tally.disordered, "order")
    found.promise(not tally.damaged, "a power cut damages no store")
    found.promise(not tally.torn, "files are whole")
    found.promise(tally.told > count, "something was committed")
    return found


class _Tally:
    def __init__(self) -> None:
        self.failing = self.told = self.lost = self.lost_failing = 0
        self.behind = self.behind_failing = self.disordered = 0
        self.damaged = self.files = self.torn = 0
        self.opened: list[float] = []


class _Plant:
    """A store on the disk."""

    def __init__(
        self,
        mounted: Mounted,
        beside: Path,
        number: int,
        dice: random.Random,
        tally: _Tally,
    ) -> None:
        self._mounted, self._dice, self._tally = mounted, dice, tally
        self._failing = number // PLANT % 2 == 1
        self._folder = mounted.folder / f"plant-{number}"
        for old in mounted.folder.iterdir():
            shutil.rmtree(old, ignore_errors=True)
        self._folder.mkdir()
        # as an installer would leave it
        sync_folder(mounted.folder)
        self._path = self._folder / "store.db"
        self._beside = beside
        self._said = Said()

    def cut(self, forks: subprocess.Popen[bytes], number: int) -> None:
        """Live, lose the power, look what is there."""
        tally, mounted = self._tally, self._mounted
        tally.failing += self._failing
        mounted.order("failing", FAILING if self._failing else 0)
        files = _Files(self._folder / "state.json", number)
        before = len(self._said.committed)
        self._said.read(
            live_and_die(
                forks,
                self._path,
                number,
                self._beside / f"diary-{number}",
                self._dice.uniform(0.02, 0.5),
                lambda: mounted.order("cut"),
            )
        )
        tally.told += len(self._said.committed) - before
        files.end()
        mounted.order("failing", 0)
        mounted.order("boot")
        tally.files += files.told
        tally.torn += not files.held()
        self._look()

    def _look(self) -> None:
        began = time.monotonic()
        journal = made.journal(self._path)
        recovered = journal.start()
        tally = self._tally
        tally.opened.append(time.monotonic() - began)
        found = owed(journal)
        journal.stop(20)
        ids = [(s.boot, s.seq) for s in found]
        lost = set(self._said.committed) - self._said.acked - set(ids)
        tally.lost += len(lost)
        tally.lost_failing += len(lost) * self._failing
        scores = [s.id for s in found if isinstance(s.record, ScoreRecord)]
        tally.disordered += scores != sorted(set(scores))
        tally.damaged += any(e.name == "store damaged" for e in recovered.events)
        # the state goes with whatever is above scores, and with scores now and then
        said = self._said.committed.values()
        turns = [at for at, kind in said if kind != "score"]
        core = recovered.checkpoint.get("core", b'{"turn": 0')
        turn = int(core.split(b":")[1].split(b",")[0])
        # of a start whose disk failed: it began without the state, and told so
        tally.behind_failing += turn < max(turns, default=0) and self._failing
        tally.behind += turn < max(turns, default=0) and not self._failing
        for key in lost:  # told once
            del self._said.committed[key]


class _Files:
    """Replaces a file over and over until the power is gone."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path, self._seed = path, seed
        self.told = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Wait until it has noticed."""
        self._thread.join()

    def held(self) -> bool:
        """Whether what is there is whole, and what was told last or the one after."""
        after = {_body(self._seed, self.told), _body(self._seed, self.told + 1)}
        return not self.told or self._path.read_bytes() in after

    def _run(self) -> None:
        failed = 0
        while failed < _TRIES:
            try:
                write_whole(self._path, _body(self._seed, self.told + 1))
            except OSError:
                failed += 1
                time.sleep(0.002)
                continue
            self.told += 1


def _body(seed: int, number: int) -> bytes:
    return f"{seed} {number}\n".encode() * 700


if __name__ == "__main__":
    disk.RETRY = (0.01, 0.05)
    quiet()  # or the log is taken for what the victims say
    victim.main()
