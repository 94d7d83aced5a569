"""Who is killed in a campaign, who listens, and what was heard."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.end_to_end.listening import Heard, Historian
from tests.end_to_end.running import Agent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests import peers

Id = tuple[int, int]


class Ear(Historian):
    """A historian that is asked for what is new."""

    def __init__(self, folder: Path, broker: peers.Mosquitto) -> None:
        super().__init__(folder, broker)
        self._to = 0

    def fresh(self) -> list[Heard]:
        """What was heard since the last time."""
        self._read_on()
        found = self._heard[self._to :]
        self._to = len(self._heard)
        return found


class Victim(Agent):
    """The agent, without a recording, and not waited for.

    Args:
        folder: for configuration, state and log.
        config: the configuration without its folders.
        forks: `agents`.
    """

    def __init__(
        self, folder: Path, config: dict[str, Any], forks: subprocess.Popen[bytes]
    ) -> None:
        super().__init__(folder, config)
        self._forks = forks
        self._pid = 0
        # an installed package has its bytecode: so does this one, also where the
        # environment says that none is written
        self._env = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
        self._env.pop("PYTHONDONTWRITEBYTECODE", None)
        compiles = [sys.executable, "-m", "tests.campaigns.agents"]
        subprocess.run(compiles, stdin=subprocess.DEVNULL, env=self._env, check=True)

    def spawn(self, *, forked: bool) -> None:
        """Start it: as a command, or forked from one that has imported all."""
        log = self.folder / "log"
        if not forked:
            words = ("run", "--config", str(self.path))
            command = [sys.executable, "-m", "edge_agent", *words]
            with log.open("ab") as out:
                self._process = subprocess.Popen(
                    command, stdout=out, stderr=out, env=self._env
                )
            return
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        self._forks.stdin.write(f"{self.path} {log}\n".encode())
        self._forks.stdin.flush()
        self._pid = int(self._forks.stdout.readline())

    def waited(self) -> float:
        """Seconds its main thread could have run and got no core, so far."""
        pid = self._pid or (self._process.pid if self._process else 0)
        kept = Path(f"/proc/{pid}/schedstat")
        with contextlib.suppress(OSError):
            return int(kept.read_text("ascii").split()[1]) / 1e9
        return 0.0

    def kill(self) -> None:
        """SIGKILL."""
        if not self._pid:
            super().kill()
            return
        assert self._forks.stdout is not None
        os.kill(self._pid, signal.SIGKILL)
        assert self._forks.stdout.readline() == b"dead\n"
        self._pid = 0

    def end(self) -> None:
        """Leave none behind."""
        if self._pid:
            self.kill()
        self.__exit__()


class Account:
    """What one output heard, id by id."""

    def __init__(self) -> None:
        self.known: dict[Id, dict[str, Any]] = {}
        self._last: dict[str, Id] = {}
        self.disordered = self.different = self.doubled = 0
        self.examples: list[str] = []
        """The first few out of order: topic, number before, number."""

    def take(self, messages: Iterable[Heard]) -> int:
        """Count messages; returns how many of them were heard before."""
        before = self.doubled
        for one in messages:
            if one.leaf not in ("state", "history", "events"):
                continue
            if one.payload.get("no_score") == "agent stopped":
                continue
            key = one.payload["boot"], one.payload["seq"]
            known = self.known.get(key)
            if known is None:
                self.known[key] = one.payload
                before_it = self._last.get(one.topic, (0, 0))
                if key < before_it:
                    self.disordered += 1
                    self.examples.append(f"{one.topic}: {before_it}, then {key}")
                self._last[one.topic] = max(key, before_it)
                continue
            self.doubled += 1
            self.different += {**known, "hist": 0} != {**one.payload, "hist": 0}
        return self.doubled - before
