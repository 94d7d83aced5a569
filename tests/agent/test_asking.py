"""The agent's sockets: the status at once, an answer to who asks, nothing to others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.errors import StoreBusy
from edge_agent.status import socket
from tests.end_to_end.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

STATUS = {"state": "ok", "filler": "x" * 2_000_000}
"""Larger than a socket's buffer: who does not read it keeps its sender waiting."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "PATIENCE", 0.3)
    monkeypatch.setattr(socket, "LONGEST_TALK", 1.0)


@pytest.fixture(autouse=True)
def _nothing_unhandled(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [r.getMessage() for r in caplog.records if r.name == "asyncio"] == []


@contextlib.asynccontextmanager
async def serving(
    folder: Path, **answers: Callable[[str], dict[str, Any]]
) -> AsyncIterator[None]:
    """The sockets, until the block ends."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(socket.serve(folder, lambda: STATUS, answers))
        await asyncio.to_thread(until, (folder / socket.ASK_NAME).exists, "socket")
        yield
        task.cancel()
    assert not (folder / socket.SOCKET_NAME).exists()
    assert not (folder / socket.ASK_NAME).exists()


async def sent(folder: Path, body: bytes, *, eof: bool = False) -> bytes:
    """What comes back for some bytes."""
    reader, writer = await asyncio.open_unix_connection(str(folder / socket.ASK_NAME))
    with contextlib.suppress(ConnectionError):
        writer.write(body)
        await writer.drain()
        if eof:
            writer.write_eof()
    back = b""
    with contextlib.suppress(ConnectionError):
        back = await reader.read()
    writer.close()
    return back


async def test_the_status_is_told_to_who_sends_nothing(tmp_path: Path) -> None:
    """As ever: connect, read to the end."""
    async with serving(tmp_path):
        assert await socket.ask(tmp_path) == STATUS
        assert (tmp_path / socket.SOCKET_NAME).stat().st_mode & 0o777 == 0o660
        assert (tmp_path / socket.ASK_NAME).stat().st_mode & 0o777 == 0o660


async def test_a_question_is_answered(tmp_path: Path) -> None:
    """One line, or all up to the end of what is sent; with one document."""
    async with serving(tmp_path, lineage=lambda what: {"you said": what}):
        said = await socket.inquire(tmp_path, "lineage", "P-1-\u00e4\n")
        line = b'{"ask": "lineage", "what": "last"}'
        without_newline = json.loads(await sent(tmp_path, line, eof=True))

    assert said == {"you said": "P-1-\u00e4\n"}
    assert without_newline == {"you said": "last"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no question"),
        (b'{"ask": "lineage"', "no question"),
        (b"\n", "not a question"),
        (b"\xff\xfe\x00\n", "not a question"),
        (b"[]\n", "not a question"),
        (b"[" * 4000 + b"\n", "not a question"),
        (b'{"a":' * 700 + b"\n", "not a question"),
        (b'{"ask": ["lineage"]}\n', "not a question"),
        (b'{"ask": "lineage", "what": null}\n', "not a question"),
        (b'{"ask": "reboot"}\n', "reboot cannot be asked; can: lineage"),
        (b'{"ask": "lineage", "what": "' + b"x" * 5000 + b'"}\n', "not a question"),
        (b"GET / HTTP/1.1\r\n\r\n", "not a question"),
    ],
)
async def test_what_is_no_question_is_refused(
    tmp_path: Path, body: bytes, why: str
) -> None:
    """Garbage, too much, too slow: an error in words, and the next one is served."""
    async with serving(tmp_path, lineage=lambda what: {"you said": what}):
        assert why in json.loads(await sent(tmp_path, body))["error"]
        assert await socket.inquire(tmp_path, "lineage", "x") == {"you said": "x"}


async def test_a_flood_of_bytes_is_cut_off(tmp_path: Path) -> None:
    """A line without an end takes no memory: it is refused after a few KB."""
    async with serving(tmp_path, lineage=lambda what: {"you said": what}):
        back = await sent(tmp_path, bytes(64 << 20))
        assert back == b"" or b"not a question" in back
        assert await socket.inquire(tmp_path, "lineage", "x") == {"you said": "x"}


async def test_an_answer_that_is_not_possible_says_why(tmp_path: Path) -> None:
    """An error meant for people reaches who asked."""

    def busy(_: str) -> dict[str, Any]:
        raise StoreBusy("the disk does not answer")

    async with serving(tmp_path, lineage=busy):
        said = await socket.inquire(tmp_path, "lineage", "x")

    assert said == {"error": "the disk does not answer"}


@pytest.mark.parametrize("name", [socket.SOCKET_NAME, socket.ASK_NAME])
async def test_those_who_do_not_talk_are_sent_away(tmp_path: Path, name: str) -> None:
    """Clients that hang neither pile up nor keep others out for long."""
    async with serving(tmp_path, lineage=lambda what: {"you said": what}):
        hanging = [
            await asyncio.open_unix_connection(str(tmp_path / name))
            for _ in range(socket.CONVERSATIONS * 2)
        ]
        for _ in range(100):
            with contextlib.suppress(ConnectionError):
                assert await socket.ask(tmp_path) == STATUS
                assert await socket.inquire(tmp_path, "lineage", "x")
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("nobody is served any more")
        for _, writer in hanging:
            writer.close()


async def test_only_so_many_talk_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes while the room is full is sent away, and takes no memory."""
    monkeypatch.setattr(socket, "PATIENCE", 1.5)
    monkeypatch.setattr(socket, "LONGEST_TALK", 10.0)
    async with serving(tmp_path, lineage=lambda what: {"you said": what}):
        count = socket.CONVERSATIONS + 5
        back = await asyncio.gather(*(sent(tmp_path, b"") for _ in range(count)))

    assert back.count(b"") == 5
    assert sum(b"no question" in one for one in back) == socket.CONVERSATIONS


async def test_a_slow_answer_keeps_neither_status_nor_stop_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk hangs behind a question: status at once, and the agent stops."""
    monkeypatch.setattr(socket, "LONGEST_TALK", 60.0)
    hang, before = threading.Event(), threading.active_count()

    def slow(_: str) -> dict[str, Any]:
        hang.wait(20)
        return {}

    try:
        async with asyncio.timeout(5), serving(tmp_path, lineage=slow):
            asking = [
                asyncio.ensure_future(socket.inquire(tmp_path, "lineage", "x"))
                for _ in range(5)
            ]
            await asyncio.sleep(0.1)
            assert await socket.ask(tmp_path) == STATUS
            assert threading.active_count() < before + 10
        said = await asyncio.gather(*asking, return_exceptions=True)
    finally:
        hang.set()

    assert all(isinstance(one, ConnectionError) for one in said)
