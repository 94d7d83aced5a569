"""The agent's two Unix sockets: one tells the status, one answers questions.

In the runtime directory, mode 0660: no network listener, the file's group decides who
may look. The command line asks here and never opens the database of an agent that
runs.

``status.sock`` says one JSON document to whoever connects, at once: it waits for no
request, so nothing can be asked there. ``ask.sock`` reads one line,
``{"ask": "lineage", "what": "last"}``, and answers with one document; what it cannot
answer is ``{"error": "..."}``. Whoever sends too much, too slowly or nothing, or reads
no answer, is cut off; the answers are made in one thread of their own, one at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.errors import EdgeAgentError

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Iterator,
        Mapping,
    )
    from pathlib import Path

    #: Answers a question about one thing; may block, raises EdgeAgentError.
    Answer = Callable[[str], dict[str, Any]]
    Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SOCKET_NAME = "status.sock"
ASK_NAME = "ask.sock"

#: Bytes of a question.
LONGEST_QUESTION = 4096
#: Seconds a question, and a whole conversation, may take.
PATIENCE, LONGEST_TALK = 2.0, 5.0
#: Conversations at once on one socket.
CONVERSATIONS = 16


class _Question(msgspec.Struct):
    ask: str
    what: str = ""


_read_question = msgspec.json.Decoder(_Question).decode


async def serve(
    runtime_dir: Path,
    status: Callable[[], dict[str, Any]],
    answers: Mapping[str, Answer] | None = None,
) -> None:
    """Tell and answer until cancelled.

    Args:
        runtime_dir: where the sockets are made.
        status: the document of ``status.sock``.
        answers: what may be asked at ``ask.sock``, by name.

    Raises:
        OSError: a socket cannot be made (directory missing or not writable).
    """
    # one thread: whoever asks while the disk hangs takes no thread from the rest
    thread = ThreadPoolExecutor(1, thread_name_prefix="answers")

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_packed(status()))

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        said = await _answered(reader, answers or {}, thread)
        writer.write(_packed(said))

    async with contextlib.AsyncExitStack() as stack:
        stack.callback(thread.shutdown, wait=False, cancel_futures=True)
        for name, talk in ((SOCKET_NAME, tell), (ASK_NAME, answer)):
            await stack.enter_async_context(_open(runtime_dir / name, talk))
        await asyncio.get_running_loop().create_future()


async def ask(runtime_dir: Path, timeout_s: float = 3.0) -> dict[str, Any]:
    """The running agent's status.

    Raises:
        OSError: nobody is listening there.
        TimeoutError: the agent does not answer.
    """
    return await _exchange(runtime_dir / SOCKET_NAME, b"", timeout_s)


async def inquire(
    runtime_dir: Path, question: str, what: str, timeout_s: float = LONGEST_TALK + 1
) -> dict[str, Any]:
    """The running agent's answer to a question; ``error`` says why there is none.

    Raises:
        OSError: nobody is listening there.
        TimeoutError: the agent does not answer.
    """
    line = msgspec.json.encode(_Question(question, what)) + b"\n"
    return await _exchange(runtime_dir / ASK_NAME, line, timeout_s)


@contextlib.asynccontextmanager
async def _open(path: Path, talk: Talk) -> AsyncIterator[None]:
    """Listen at a path; whoever is still talking at the end is cut off."""
    talking: set[asyncio.Task[None]] = set()

    async def conversation(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        if task is None or len(talking) >= CONVERSATIONS:
            writer.transport.abort()
            return
        talking.add(task)
        try:
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(LONGEST_TALK):
                    await talk(reader, writer)
                    writer.close()
                    await writer.wait_closed()
        finally:
            talking.discard(task)
            _cut(writer)

    with _bound(path) as door:
        server = await asyncio.start_unix_server(
            conversation, sock=door, limit=LONGEST_QUESTION
        )
        try:
            yield
        finally:
            server.close()
            for task in talking:
                task.cancel()
            await asyncio.gather(*talking, return_exceptions=True)


def _cut(writer: asyncio.StreamWriter) -> None:
    """End a connection now, with what was not sent."""
    # a transport that was closed with bytes still to send has let go of its loop by
    # now, and abort() asks for it: https://github.com/agronholm/anyio/issues/1250
    with contextlib.suppress(AttributeError):
        writer.transport.abort()


@contextlib.contextmanager
def _bound(path: Path) -> Iterator[socket.socket]:
    """A socket at a path, which only its owner and group may open."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(path))
        try:
            path.chmod(0o660)
            yield door
        finally:
            path.unlink(missing_ok=True)


async def _answered(
    reader: asyncio.StreamReader,
    answers: Mapping[str, Answer],
    thread: ThreadPoolExecutor,
) -> dict[str, Any]:
    try:
        async with asyncio.timeout(PATIENCE):
            question = _read_question(await reader.readline())
    except TimeoutError:
        return {"error": f"no question within {PATIENCE:g} s: send one line of JSON"}
    except (ValueError, RecursionError) as why:
        return {"error": f"not a question (one line of JSON): {why}"}
    answer = answers.get(question.ask)
    if answer is None:
        return {"error": f"{question.ask} cannot be asked; can: {', '.join(answers)}"}
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(thread, answer, question.what)
    except EdgeAgentError as why:
        return {"error": str(why)}


async def _exchange(path: Path, request: bytes, timeout_s: float) -> dict[str, Any]:
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_unix_connection(str(path))
        try:
            writer.write(request)
            body = await reader.read()
        finally:
            writer.close()
    if not body:
        raise ConnectionResetError(f"{path}: the agent is busy or stopping; ask again")
    answer: dict[str, Any] = msgspec.json.decode(body)
    return answer


def _packed(document: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(document, enc_hook=str)
