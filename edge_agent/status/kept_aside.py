"""What outputs refused for good: asked of the running agent, or read from its file."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_agent.dates import date_of
from edge_agent.errors import QuestionWrong
from edge_agent.records import AlarmRecord, PipelineInfo, ScoreRecord
from edge_agent.status import state_folder
from edge_agent.store import offline, quarantine
from edge_agent.store.outbox import SEQ_BITS
from edge_agent.store.work import Inquiry, soon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.records import Record
    from edge_agent.store.journal import Journal
    from edge_agent.store.quarantine import Kept, Page

#: What is asked at ``ask.sock``.
QUESTION = "quarantine"


class _Asked(msgspec.Struct):
    before: int = -1
    output: str = ""


def answer(state_dir: Path, journal: Journal, what: str) -> dict[str, Any]:
    """A page of the running agent; waits for its store, but not for long.

    Args:
        state_dir: the agent's state.
        journal: its store.
        what: JSON with ``before`` and ``output``; empty for the newest of all.

    Raises:
        QuestionWrong: it is none.
        StoreBusy: the store does not answer now.
    """
    asked = _asked(what)
    read = partial(quarantine.page, before=asked.before, output=asked.output)
    page = soon(journal.inquire(Inquiry(read, quarantine.Page())))
    return {"state_dir": str(state_dir), **_document(page)}


def everything(
    state_dir: Path, runtime_dir: Path, output: str = ""
) -> Iterator[dict[str, Any]]:
    """All that is in quarantine, newest first.

    Args:
        state_dir: the agent's state folder, or a copy of it.
        runtime_dir: where it can be asked while it runs.
        output: of this output only; empty for all.

    Raises:
        OSError: there is no store, or it cannot be read.
        StoreInUse: an agent has it and does not answer.
        StoreDamaged: it is none.
    """
    before = -1
    while True:
        page = _ask(state_dir, runtime_dir, before, output)
        if page is None:
            page = _read(state_dir, runtime_dir, before, output)
        yield from page["refused"]
        before = page["before"]
        if before < 0:
            return


def _asked(what: str) -> _Asked:
    try:
        return msgspec.json.decode(what or "{}", type=_Asked)
    except msgspec.MsgspecError as why:
        raise QuestionWrong(f"{what!r} is no question about quarantine: {why}") from why


def _ask(
    state_dir: Path, runtime_dir: Path, before: int, output: str
) -> dict[str, Any] | None:
    """A page of the agent that runs on this state folder; None where none does."""
    what = msgspec.json.encode(_Asked(before, output)).decode()
    return state_folder.asked(state_dir, runtime_dir, QUESTION, what)


def _read(
    state_dir: Path, runtime_dir: Path, before: int, output: str
) -> dict[str, Any]:
    read = partial(quarantine.page, before=before, output=output)
    with state_folder.store_of(state_dir, runtime_dir) as store:
        return _document(offline.inquire(store, read))


def _document(page: Page) -> dict[str, Any]:
    return {
        "refused": [_told(one) for one in page.kept],
        "before": page.before,
        "total": page.total,
    }


def _told(one: Kept) -> dict[str, Any]:
    return {
        "number": one.number,
        "output": one.output,
        "reason": one.reason,
        "at": date_of(one.at),
        "rows": one.rows,
        "boot": one.id >> SEQ_BITS,
        "seq": one.id & ((1 << SEQ_BITS) - 1),
        "kind": type(one.record).__name__.removesuffix("Record").lower()
        if one.record is not None
        else "unreadable",
        "content": None if one.record is None else content_of(one.record),
    }


def content_of(record: Record) -> dict[str, Any]:
    """A record as JSON can say it: names for positions, lists for columns."""
    said = {field.name: _plain(getattr(record, field.name)) for field in fields(record)}
    if isinstance(record, ScoreRecord):
        said["asset"] = [_name(record.info, place) for place in record.asset.tolist()]
    elif isinstance(record, AlarmRecord):
        said["asset"] = _name(record.info, record.asset)
    return said


def _name(info: PipelineInfo, place: int) -> str:
    return info.assets[place] if 0 <= place < len(info.assets) else str(place)


def _plain(value: Any) -> Any:  # noqa: ANN401 - of any record
    if isinstance(value, PipelineInfo):
        return {
            "pipeline": value.pipeline,
            "model": value.model,
            "model_version": value.model_version,
        }
    if isinstance(value, np.ndarray):
        return value.tolist()
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return msgspec.to_builtins(value, enc_hook=str)
