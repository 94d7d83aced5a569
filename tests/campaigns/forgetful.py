"""A mounted file system that can lose its power, fail, fill up or turn read-only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import pytest

_START = 15.0


class Mounted:
    """The file system, in a process of its own.

    Args:
        folder: where; made.
        seed: of what a power cut keeps and which syncs fail.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self._seed = seed
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["-m", "tests.campaigns.served", str(self.folder), str(self._seed)]
        self._process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        give_up = time.monotonic() + _START
        while not os.path.ismount(self.folder):
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.__exit__()
                raise RuntimeError("this machine does not let us mount with FUSE")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(
            ["/usr/bin/fusermount3", "-u", "-z", str(self.folder)],
            check=False,
            capture_output=True,
        )
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def order(self, what: str, value: float = 0) -> dict[str, Any]:
        """Do something to the disk; returns what it has counted so far.

        Args:
            what: cut, boot, readonly, room, failing or count.
            value: of the last four.
        """
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{what} {value}\n")
        process.stdin.flush()
        found: dict[str, Any] = json.loads(process.stdout.readline())
        return found


def require() -> None:
    """Skip where nothing can be mounted with FUSE; in CI that is a failure."""
    # imported late: it fails where libfuse is missing
    try:
        import mfusepy  # noqa: F401, PLC0415
    except (ImportError, OSError, AttributeError) as why:
        _absent(str(why))
    if not Path("/dev/fuse").exists():
        _absent("there is no /dev/fuse")


def _absent(why: str) -> None:
    reason = f"mounting needs libfuse and /dev/fuse (apt-get install fuse3): {why}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
