"""A process of one thread that does one piece of work confined; prints the outcome."""

from __future__ import annotations

import json
import mmap
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.clock import SystemClock
from edge_agent.registry.confinement import confined
from edge_agent.registry.verdict import VetLimits

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = tempfile.gettempdir()  # looks for one by writing to it
LIMITS = VetLimits(wall_s=20.0, cpu_s=1, memory_mb=64, address_mb=256, files=16)


def told(work: Callable[[], object]) -> bytes:
    """What the work gives, or the exception it ends in."""
    try:
        return str(work()).encode()
    except (OSError, MemoryError) as error:
        return (type(error).__name__ + f" {getattr(error, 'errno', '')}").encode()


def spin() -> None:
    """Use the processor for ever."""
    while True:
        pass


def write_file() -> None:
    """Write to a folder that anybody may write to."""
    file = Path(FOLDER, f"confined-{os.getpid()}")
    try:
        file.write_bytes(b"x")
    finally:
        file.unlink()


def limits() -> dict[str, tuple[int, int]]:
    """Those that cannot be met by a test."""
    return {"core": resource.getrlimit(resource.RLIMIT_CORE)}


def flags() -> str:
    """What the kernel says of this process."""
    text = Path("/proc/self/status").read_text("ascii")
    told = [line for line in text.splitlines() if line.startswith("NoNewPrivs")]
    alone = os.getsid(0) == os.getpid() != os.getppid()
    score = Path("/proc/self/oom_score_adj").read_text("ascii").strip()
    return f"{told[0].split()[1]} {alone} {score}"


def leave_a_child() -> None:
    """Start a process that would outlive the work."""
    if not os.fork():
        time.sleep(60)
        os._exit(0)


WORK: dict[str, Callable[[], bytes]] = {
    "plain": lambda: b"done",
    "memory": lambda: told(lambda: len(bytearray(100 << 20))),
    "little memory": lambda: told(lambda: len(bytearray(32 << 20))),
    "addresses": lambda: told(
        lambda: len(mmap.mmap(-1, 512 << 20, flags=mmap.MAP_SHARED))
    ),
    "processor": lambda: told(spin),
    "file size": lambda: told(write_file),
    "files": lambda: told(
        lambda: [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    ),
    "wall": lambda: told(lambda: time.sleep(60)),
    "limits": lambda: told(limits),
    "flags": lambda: told(flags),
    "too much": lambda: b"x" * 10_000_000,
    "abort": lambda: told(os.abort),
    "exception": lambda: told(lambda: 1 / 0),
    "child": lambda: told(leave_a_child),
    "forge": lambda: told(lambda: os.write(1, b"forged\n")),
}

if __name__ == "__main__":
    limit = VetLimits(1.0, 1, 64, 256, 16) if sys.argv[1] == "wall" else LIMITS
    found = confined(WORK[sys.argv[1]], limit, SystemClock())
    print(
        json.dumps(
            {
                "answer": found.answer.decode()[:100],
                "size": len(found.answer),
                "signal": found.signal,
                "late": found.late,
                "cpu_s": found.cpu_s,
            }
        )
    )
