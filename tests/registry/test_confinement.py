"""Confinement: every limit fires, and nothing a child does is heard but its answer."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def run(work: str) -> dict[str, Any]:
    """The outcome of a piece of work in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.registry.confined_work", work],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=25,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("work", "answer"),
    [
        ("plain", "done"),
        ("little memory", str(32 << 20)),
        ("memory", "MemoryError "),
        ("addresses", f"OSError {errno.ENOMEM}"),
        ("file size", f"OSError {errno.EFBIG}"),
        ("files", f"OSError {errno.EMFILE}"),
        ("limits", "{'core': (0, 0)}"),
        ("flags", "1 True 1000"),
        ("child", "None"),
        ("forge", "7"),
    ],
)
def test_what_a_limit_does_to_the_work(work: str, answer: str) -> None:
    """Within its limits work answers; beyond one it gets an error and lives to tell."""
    found = run(work)

    assert (found["answer"], found["signal"], found["late"]) == (answer, 0, False)


@pytest.mark.parametrize(
    ("work", "ended_by", "late"),
    [
        ("processor", signal.SIGXCPU, False),
        ("wall", signal.SIGKILL, True),
        ("abort", signal.SIGABRT, False),
    ],
)
def test_what_ends_the_work(work: str, ended_by: int, *, late: bool) -> None:
    """Work that goes on too long, or crashes, gives no answer; the cause is known."""
    found = run(work)

    assert (found["answer"], found["signal"], found["late"]) == ("", ended_by, late)


def test_an_answer_has_a_largest_size() -> None:
    """Work that floods the pipe is cut off."""
    assert run("too much")["size"] <= 2 << 16


def test_an_exception_is_no_answer() -> None:
    """Whatever it was, nothing is made of it."""
    assert run("exception")["answer"] == ""
