"""Run the agent as a plant would: its own process, its own files, its own messages."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PATIENCE = 60.0
"""Seconds anything may take on a busy machine before a test gives up."""


def until(done: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it did not come.
    """
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


class Agent:
    """``edge-agent run`` in a folder of its own.

    Args:
        folder: for configuration, state and log.
        config: the configuration without its folders.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder = folder
        self.runtime = folder / "run"
        self.path = folder / "agent.yaml"
        self.recording = folder / "recording.csv"
        folder.mkdir(parents=True, exist_ok=True)
        whole = dict(config)
        whole["state_dir"], whole["runtime_dir"] = str(folder / "state"), "run"
        whole["runtime_dir"] = str(self.runtime)
        self.path.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def start(self) -> None:
        """Start and wait until it answers on its status socket."""
        words = ("run", "--config", str(self.path), "--record", str(self.recording))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge_agent", *words], stdout=log, stderr=log
            )
        until(self._answers, f"the agent does not start:\n{self.log()}")

    def stop(self) -> tuple[int, float]:
        """SIGTERM; returns exit code and seconds it took."""
        began = time.monotonic()
        code = self._signal(signal.SIGTERM)
        return code, time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL: no goodbye, no flush."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> int:
        process = self._process
        assert process is not None
        process.send_signal(number)
        return process.wait(PATIENCE)

    def status(self) -> dict[str, Any]:
        """What `edge-agent status --json` prints.

        Raises:
            RuntimeError: nobody answered.
        """
        words = ("status", "--runtime-dir", str(self.runtime), "--json")
        done = subprocess.run(
            [sys.executable, "-m", "edge_agent", *words],
            capture_output=True,
            check=False,
        )
        if done.returncode not in (0, 3):
            raise RuntimeError(done.stderr.decode())
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def log(self) -> str:
        """Everything it has printed."""
        path = self.folder / "log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def _answers(self) -> bool:
        process = self._process
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"the agent ended: {process.returncode}\n{self.log()}")
        try:
            self.status()
        except RuntimeError:
            return False
        return True

    def connected(self) -> bool:
        """All its links are up."""
        status = self.status()
        links = [*status["sources"].values(), *status["outputs"].values()]
        return all(link["state"] in ("up", "connected") for link in links)
