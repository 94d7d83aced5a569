"""One piece of work in a process of its own that cannot hurt the gateway.

The process is forked, so it starts warm, and gives back bytes through a pipe. What it
may use is set by itself before the work begins, and cannot be raised again:

* memory (RLIMIT_DATA and RLIMIT_AS), beyond what the fork began with;
* processor time; files may be read, but none written (RLIMIT_FSIZE), no core dumped;
* the kernel ends it first when memory runs out, and when its parent goes;
* its own session, so that it and what it may have started end together.

The systemd unit denies ``@resources``. That takes ``setrlimit`` away but not
``prlimit64``, which systemd counts to ``@default``; so limits are set with `prlimit`
and never with `setrlimit`, which a libc may map to either. No limit is set on tasks:
RLIMIT_NPROC counts all processes of the user, the agent's threads too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.clock import Clock
    from edge_agent.registry.verdict import VetLimits

MIB = 1 << 20
MAX_ANSWER = 1 << 16
#: How a process ends that could not set its limits.
NO_LIMITS = 70

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_WHOLE_MS = 1_000_000


class LeftAlone(Exception):
    """Nobody waits for the answer any more."""


class NotConfined(Exception):
    """Limits cannot be set here, so nothing was run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the work ended.

    Attributes:
        answer: what it gave.
        signal: what ended the process, 0 for its own end.
        late: it was ended for taking too long.
        cpu_s: processor time it used.
    """

    answer: bytes
    signal: int
    late: bool
    cpu_s: float


def confined(
    work: Callable[[], bytes], limits: VetLimits, clock: Clock, leave: int | None = None
) -> Outcome:
    """Do the work in a forked process.

    Call it from a process of one thread only: a fork copies no other.

    Args:
        work: gives at most `MAX_ANSWER` bytes; an exception gives none.
        limits: what it may use.
        clock: for the wall limit.
        leave: a pipe; when its other end closes, the work is ended.

    Raises:
        LeftAlone: ``leave`` was closed.
        NotConfined: the limits could not be set.
    """
    source, sink = os.pipe()
    child = os.fork()
    if not child:
        _work_and_end(work, limits, sink)
    os.close(sink)
    until = clock.now() + int(limits.wall_s * 1e9)
    try:
        answer, late = _watch(child, source, until, clock, leave)
    finally:
        os.close(source)
        # not yet reaped, so its number is still its own
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        os.kill(child, signal.SIGKILL)
        _, status, used = os.wait4(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == NO_LIMITS:
        raise NotConfined
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return Outcome(answer, ended_by, late, used.ru_utime + used.ru_stime)


def _watch(
    child: int, source: int, until: int, clock: Clock, leave: int | None
) -> tuple[bytes, bool]:
    """What the child says until it ends; and whether it was too late."""
    os.set_blocking(source, False)
    ended = os.pidfd_open(child)
    poller = select.poll()
    poller.register(ended, select.POLLIN)
    poller.register(source, select.POLLIN)
    if leave is not None:
        poller.register(leave, 0)  # only that it was closed
    answer = bytearray()
    try:
        while (left := until - clock.now()) > 0:
            ready = {fd for fd, _ in poller.poll(left // _WHOLE_MS + 1)}
            if leave in ready:
                raise LeftAlone
            if source in ready and not _take(source, answer):
                poller.unregister(source)
            if ended in ready:
                _take(source, answer)
                return bytes(answer), False
    finally:
        os.close(ended)
    return b"", True


def _take(source: int, into: bytearray) -> bool:
    """Read what there is; False at its end, or when it is more than an answer."""
    with contextlib.suppress(BlockingIOError):
        while len(into) <= MAX_ANSWER:
            part = os.read(source, MAX_ANSWER)
            if not part:
                return False
            into += part
        return False
    return True


def _work_and_end(work: Callable[[], bytes], limits: VetLimits, sink: int) -> None:
    """The child's whole life."""
    try:
        _close_all_but(sink)
        _restrict(limits)
    except BaseException:  # noqa: BLE001  (without its limits it must not begin)
        os._exit(NO_LIMITS)
    try:
        os.write(sink, work()[:MAX_ANSWER])
    except BaseException:  # noqa: BLE001  (no answer says it; nothing here may go on)
        os._exit(1)
    os._exit(0)


def _close_all_but(sink: int) -> None:
    """No file of the room's, above all not the pipe it answers on."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.closerange(3, sink)
    os.closerange(sink + 1, os.sysconf("SC_OPEN_MAX"))


def _restrict(limits: VetLimits) -> None:
    os.setsid()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _control(_PR_SET_NO_NEW_PRIVS, 1)
    _control(_PR_SET_DUMPABLE, 0)
    size, data = _mapped()
    for which, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_DATA, data + limits.memory_mb * MIB),
        (resource.RLIMIT_AS, size + limits.address_mb * MIB),
    ):
        resource.prlimit(0, which, (most, most))
    # the first limit ends it with a signal that says so, the second for good
    resource.prlimit(0, resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 1))


def _control(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _mapped() -> tuple[int, int]:
    """Bytes of addresses and of memory of its own that this process has now."""
    text = Path("/proc/self/status").read_text("ascii")
    rows = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return tuple(int(rows[name].split()[0]) * 1024 for name in ("VmSize", "VmData"))  # type: ignore[return-value]
