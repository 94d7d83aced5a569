"""Evidence of alarms that lies at hand: in logs, and in a store that no agent has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.captured import form
from edge_agent.errors import StoreInUse
from edge_agent.status.state_folder import STORE
from edge_agent.store import offline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LOG = "evidence"
#: Bytes of one line at most.
_LONGEST = 8 << 20
#: Where in a line of a log the evidence may be.
_INSIDE = ("body", "window")

_encode = msgspec.json.Encoder(order="sorted").encode


def in_state(state_dir: Path, begin: str) -> list[bytes]:
    """Evidence in an agent's state folder: its log, else what the log has not yet.

    Args:
        state_dir: the agent's.
        begin: how the alarm's occurrence begins.

    Raises:
        OSError: it cannot be read.
        StoreInUse: the log has none, and the store is open in a running agent.
        StoreDamaged: the log has none, and the store cannot be read.
    """
    log = state_dir / LOG
    found = list(in_files(files_of(log), begin)) if log.is_dir() else []
    store = state_dir / STORE
    if found or not store.exists():
        return found
    try:
        return list(offline.evidence(store, begin))
    except StoreInUse as why:
        raise StoreInUse(
            f"the evidence in {log} has no alarm that begins with {begin!r}. {why}: "
            "what is not in the log yet can be read once that is stopped"
        ) from None


def files_of(path: Path) -> list[Path]:
    """A log's files: itself, or those of the folder, oldest first."""
    return sorted(path.glob("*.jsonl")) if path.is_dir() else [path]


def in_files(files: Iterable[Path], begin: str) -> Iterator[bytes]:
    """Evidence in JSON lines: bodies themselves, or entries of a log that hold them.

    Args:
        files: to be read.
        begin: how the alarm's occurrence begins.

    Raises:
        OSError: one cannot be read.
    """
    mark = begin.encode()
    for path in files:
        with path.open("rb") as lines:
            while line := lines.readline(_LONGEST):
                # most lines are others': no need to take them apart
                if mark in line and (body := _evidence(line, begin)) is not None:
                    yield body


def _evidence(line: bytes, begin: str) -> bytes | None:
    try:
        said = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _damaged(line, begin)
    while isinstance(said, dict) and form.SEAL not in said:
        said = next((said[key] for key in _INSIDE if key in said), None)
    if not isinstance(said, dict) or not _begins(said, begin):
        return None
    return _encode(said)


def _damaged(line: bytes, begin: str) -> bytes | None:
    """A line that is no JSON but was evidence is handed on, to be refused by name."""
    found = form.SEAL.encode() in line and f'"{begin}'.encode() in line
    return line if found else None


def _begins(said: dict[str, Any], begin: str) -> bool:
    alarm = said.get("alarm")
    return isinstance(alarm, dict) and str(alarm.get("occurrence")).startswith(begin)
