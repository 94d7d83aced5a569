"""Who answers for a state folder: the agent that runs on it, else its files."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.errors import StoreInUse
from edge_agent.status import socket

if TYPE_CHECKING:
    from collections.abc import Iterator

STORE = "store.db"


def asked(
    state_dir: Path, runtime_dir: Path, question: str, what: str
) -> dict[str, Any] | None:
    """What the agent that runs on a state folder says; None where none answers.

    Args:
        state_dir: the folder, or a copy of one.
        runtime_dir: where an agent can be asked.
        question: its name, see `socket.serve`.
        what: the rest of it.

    Raises:
        StoreInUse: the agent answers that it cannot say.
    """
    try:
        said = asyncio.run(socket.inquire(runtime_dir, question, what))
    except (OSError, TimeoutError, msgspec.DecodeError):
        return None
    if "error" in said:
        raise StoreInUse(f"the agent cannot say: {said['error']}")
    same = Path(said["state_dir"]).resolve() == state_dir.resolve()
    return said if same else None


@contextlib.contextmanager
def store_of(state_dir: Path, runtime_dir: Path | None) -> Iterator[Path]:
    """The store's file, for `store.offline`; what keeps it from that says what to do.

    Raises:
        FileNotFoundError: there is none.
        StoreInUse: an agent has it and does not answer.
    """
    store = state_dir / STORE
    try:
        yield store
    except StoreInUse as why:
        where = runtime_dir or "runtime_dir"
        raise StoreInUse(
            f"{why}, which does not answer at {where}/{socket.ASK_NAME}: give its"
            " runtime_dir with --runtime-dir, or ask as a user who may open that socket"
        ) from why
    except FileNotFoundError as why:
        raise FileNotFoundError(
            f"{store}: there is no such file; give the agent's state_dir with"
            " --state-dir"
        ) from why
