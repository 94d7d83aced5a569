"""Scores, labels and judges until it is killed right before one of its writes.

What is surely on disk (the desk said so) is written to a diary first.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from tests.labels import made
from tests.labels.made import Bench, S

if TYPE_CHECKING:
    from pathlib import Path

#: Calls that change the disk.
CHANGES = ("fsync", "replace", "write", "ftruncate")
ROUNDS = 6
PARTS = 40


def text_of(turn: int, part: int) -> str:
    """What the label of a round says of a part."""
    return "bad" if (turn + part) % 3 else "good"


def live(folder: Path, diary: int) -> None:
    """Six rounds: score forty parts, label them and those of the round before."""
    one = Bench(folder, memory="1MiB")
    for turn in range(ROUNDS):
        one.score([f"{turn}-{k}" for k in range(PARTS)])
        one.wait(6 * S)
        told = [
            made.label(text_of(turn, k), part=f"{of}-{k}")
            for of in (turn - 1, turn)
            for k in range(PARTS)
            if of >= 0
        ]
        safe: list[bool] = []
        one.desk.labelled(made.QUALITY, told, safe.append)
        one.desk.look()
        if safe == [True]:
            os.pwrite(diary, f"{turn}\n".encode(), turn * 2)
        if turn == ROUNDS // 2:
            one.desk.books[made.QUALITY].ring.begin()
    one.desk.close()


def killed_at(k: int, folder: Path, diary: Path) -> bool:
    """Live in a fork that dies before its k-th change; False when it outlived them."""
    writing = os.open(diary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _count_down(k)
            live(folder, writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        assert os.WEXITSTATUS(status) == 0
        return False
    return True


def _count_down(left: int) -> None:
    state = {"left": left}
    for name in CHANGES:
        real = getattr(os, name)

        def change(*given: Any, _real: Any = real, **more: Any) -> Any:  # noqa: ANN401
            state["left"] -= 1
            if state["left"] == 0:
                if _real is os_write and len(given[1]) > 1:
                    os_write(given[0], given[1][: len(given[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return _real(*given, **more)

        setattr(os, name, change)


os_write = os.write
