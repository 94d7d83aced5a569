"""Run the agent as a plant would: its own process, its own files, its own messages."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import yaml

from edge_agent.status import socket
from tests.end_to_end.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """Run one of the agent's commands to its end."""
    return subprocess.run(
        [sys.executable, "-m", "edge_agent", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


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
        self.store = folder / "state" / "store.db"
        self.recording = folder / "recording.csv"
        folder.mkdir(parents=True, exist_ok=True)
        whole = dict(config)
        whole["state_dir"] = str(self.store.parent)
        whole["runtime_dir"] = str(self.runtime)
        # through JSON: what is shared would be written as an anchor, which is refused
        text = yaml.safe_dump(json.loads(json.dumps(whole)), sort_keys=False)
        self.path.write_text(text, encoding="utf-8")
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
        (self.runtime / socket.SOCKET_NAME).unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge_agent", *words], stdout=log, stderr=log
            )
        until(self._answers, lambda: f"the agent does not start:\n{self.log()}")

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
        """What it says of itself.

        Raises:
            OSError: nobody answers.
        """
        return asyncio.run(socket.ask(self.runtime, timeout_s=PATIENCE))

    def scored(self) -> int:
        """Rows with a score so far."""
        pipelines = self.status()["pipelines"]
        return sum(int(of["rows_scored"]) for of in pipelines.values())

    def replayed(self) -> list[dict[str, Any]]:
        """What ``edge-agent replay`` makes of the recording of the last run."""
        out = self.folder / "replayed.jsonl"
        words = ("--config", str(self.path), "--out", str(out))
        done = command("replay", str(self.recording), *words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in out.read_text("utf-8").splitlines()]

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
        except (OSError, TimeoutError):
            return False
        return True

    def connected(self) -> bool:
        """All its links are up."""
        status = self.status()
        links = [*status["sources"].values(), *status["outputs"].values()]
        return all(link["state"] in ("up", "connected") for link in links)
