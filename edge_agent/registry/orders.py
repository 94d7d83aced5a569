"""What a person asks of a running agent: activate, roll back, follow the registry.

An order is a small file in the state folder, so that only who may write there gives
one, and one given while the agent is off is obeyed when it starts. The answer is a file
beside it.
"""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from edge_agent.durable import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_BYTES = 4096
_MAX_ORDERS = 100


@dataclass(frozen=True, slots=True)
class Order:
    """One order.

    Attributes:
        pipeline: whose model.
        action: activate a version, roll back to the former one, or follow the
            registry again.
        version: for activate: the passport's version or the registry's id.
        who: the user who gave it, for the record.
    """

    pipeline: str
    action: Literal["activate", "rollback", "follow"]
    version: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an order.

    Attributes:
        done: it was, or is being, obeyed.
        said: in a sentence.
    """

    done: bool
    said: str


def give(folder: Path, order: Order) -> Path:
    """Leave an order; returns where its answer will be.

    Raises:
        OSError: the folder cannot be written.
    """
    name = uuid.uuid4().hex
    write_whole(folder / f"{name}.json", msgspec.json.encode(order), 0o600)
    return folder / f"{name}.answer"


def taken(folder: Path) -> Iterator[tuple[Path, Order | None]]:
    """Orders that wait, oldest first; None for a file that is none."""
    try:
        waiting = sorted(folder.glob("*.json"), key=lambda p: p.lstat().st_mtime_ns)
    except OSError:
        return
    for path in waiting[:_MAX_ORDERS]:
        try:
            with path.open("rb") as file:
                body = file.read(_MAX_BYTES + 1)
            yield path, msgspec.json.decode(body, type=Order)
        except (OSError, msgspec.MsgspecError):
            yield path, None


def answer(path: Path, said: Answer) -> None:
    """Say what became of an order, and end it."""
    with contextlib.suppress(OSError):
        write_whole(path.with_suffix(".answer"), msgspec.json.encode(said), 0o600)
    with contextlib.suppress(OSError):
        path.unlink()
