"""The room in which models are vetted: ``python -m edge_agent.registry.vetroom``.

A process beside the agent that has imported everything a model needs, so that one
model costs a fork and not a second. It never makes a session itself: one JSON line
asks for a bundle's folder, a forked and confined process looks at it, one JSON line
answers. The room trusts neither the model nor the process that ran it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge_agent.clock import SystemClock
from edge_agent.registry.confinement import (
    MAX_ANSWER,
    NO_LIMITS,
    LeftAlone,
    NotConfined,
    confined,
)
from edge_agent.registry.examining import examine
from edge_agent.registry.verdict import Request, Verdict, fit_to_show

if TYPE_CHECKING:
    from edge_agent.clock import Clock
    from edge_agent.registry.confinement import Outcome
    from edge_agent.registry.verdict import VetLimits

#: A gateway short of memory gives up the room before the agent.
_OOM_SCORE = "500"
_CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}
)


def main() -> None:
    """Answer one request after the other until the agent closes the pipe."""
    asked, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # nothing that anybody prints may be taken for an answer
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, "ascii")
    clock = SystemClock()
    with open(asked, "rb", buffering=0) as requests, contextlib.suppress(LeftAlone):  # noqa: PTH123
        while line := requests.readline(MAX_ANSWER):
            request = msgspec.json.decode(line, type=Request)
            try:
                verdict = judged(request, clock, asked)
            except NotConfined:
                # the gateway's fault, not the model's: no verdict
                raise SystemExit(NO_LIMITS) from None
            os.write(answers, msgspec.json.encode(verdict) + b"\n")


def judged(request: Request, clock: Clock, leave: int | None) -> Verdict:
    """The verdict on one bundle, whatever it does.

    Raises:
        LeftAlone: ``leave`` was closed.
        NotConfined: limits cannot be set here.
    """
    outcome = confined(
        partial(_look, Path(request.folder), request.limits, clock),
        request.limits,
        clock,
        leave,
    )
    return replace(_read(outcome, request.limits), cpu_s=round(outcome.cpu_s, 3))


def _look(folder: Path, limits: VetLimits, clock: Clock) -> bytes:
    """In the confined process."""
    try:
        verdict = examine(folder, limits, clock)
    except Exception as error:  # noqa: BLE001  (a model that breaks the look is refused)
        text = f"looking at it failed: {type(error).__name__}: {error}"
        verdict = Verdict(accepted=False, reason=fit_to_show(text))
    return msgspec.json.encode(verdict)


def _read(outcome: Outcome, limits: VetLimits) -> Verdict:
    if outcome.late or outcome.signal:
        return Verdict(accepted=False, reason=_why(outcome, limits))
    try:
        return msgspec.json.decode(outcome.answer, type=Verdict)
    except msgspec.DecodeError:
        return Verdict(accepted=False, reason="the process that ran it gave no verdict")


def _why(outcome: Outcome, limits: VetLimits) -> str:
    """Which limit a model met, in a sentence."""
    if outcome.late:
        return f"it did not finish within {limits.wall_s:g} s"
    if outcome.signal == signal.SIGXCPU or outcome.cpu_s >= limits.cpu_s:
        return f"it used more than {limits.cpu_s} s of processor time"
    if outcome.signal in _CRASHES:
        return f"it crashed the runtime (signal {outcome.signal})"
    return (
        f"it was ended from outside (signal {outcome.signal}), most likely because the "
        "gateway ran out of memory"
    )


if __name__ == "__main__":
    main()
