"""`edge-agent fleet rollout`: a version to few gateways, then to more, then to all."""

from __future__ import annotations

import argparse
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.cli import rollout_rules
from edge_agent.cli.desk import add_registry, answered, open_desk, shown
from edge_agent.clock import SystemClock
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry import conducting
from edge_agent.registry.rollout import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.registry.registry import Desk
    from edge_agent.registry.rollout import Decision
    from edge_agent.registry.rules import Rollout

WAITING, HALTED, INTERRUPTED = 3, 4, 130

_DESCRIPTION = """\
Begins the rollout of a version, or does its next step. Everything is kept in the
model's aliases and tags: --check may run in cron or CI, on any machine.

A share of the gateways (the same ones each time, by the hash of their names) takes the
version. When enough of them have scored with it for the time of --watch, the share
becomes larger; behind the last step the version becomes champion. When it fails on too
many, or too many fall silent, it is halted, and its gateways go back by themselves.
"""
_CODES = """\
exit codes: 0 begun, promoted, or nothing to do; 3 it goes on; 4 halted; 1 it cannot be
done; 69 the registry does not answer
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "rollout",
        help="begin a rollout, or do its next step",
        description=_DESCRIPTION,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model")
    parser.add_argument("version", nargs="?", help="begin with this one")
    parser.add_argument("--check", action="store_true", help="do the next step once")
    parser.add_argument(
        "--follow", action="store_true", help="do every step until the end"
    )
    parser.add_argument(
        "--every",
        type=rollout_rules.seconds,
        default=60.0,
        metavar="TIME",
        help="how often --follow looks (60s)",
    )
    rollout_rules.add_arguments(parser)
    add_registry(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Begin, check or follow; see the exit codes above."""
    if not (arguments.version or arguments.check or arguments.follow):
        print("say VERSION to begin a rollout, or --check", file=sys.stderr)
        return 2
    return answered(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    desk, clock = open_desk(arguments), SystemClock()
    look = partial(_look, desk, arguments.model, clock)
    if arguments.version:
        _begin(arguments, desk, clock)
    if arguments.follow:
        return _follow(look, arguments.every)
    if arguments.check:
        code, line = look()
        print(line)
        return code
    return 0


def _begin(arguments: argparse.Namespace, desk: Desk, clock: SystemClock) -> None:
    begun = conducting.start(
        desk,
        arguments.model,
        arguments.version,
        rollout_rules.read(arguments),
        _now(clock),
        arguments.salt,
    )
    labels = conducting.labels(desk, begun.model)
    print(
        f"{begun.model} {shown(begun.version, labels)} is rolled out to "
        f"{begun.percent:g} % of the gateways"
    )
    if not (arguments.check or arguments.follow):
        print(f"next step: edge-agent fleet rollout {begun.model} --check, from cron")


def _look(desk: Desk, model: str, clock: SystemClock) -> tuple[int, str]:
    """One step; its exit code and what to say of it."""
    done = conducting.check(desk, model, _now(clock))
    if done is None:
        return 0, f"no rollout of {model} goes on"
    rollout, decision = done
    labels = conducting.labels(desk, model)
    return _code(decision), _line(rollout, decision, shown(rollout.version, labels))


def _code(decision: Decision) -> int:
    match decision.kind:
        case Kind.HALT:
            return HALTED
        case Kind.PROMOTE:
            return 0
        case Kind.WAIT | Kind.WIDEN:
            return WAITING


def _line(rollout: Rollout, decision: Decision, version: str) -> str:
    what = f"{rollout.model} {version}"
    match decision.kind:
        case Kind.WAIT:
            return f"{what} at {rollout.percent:g} %: {decision.reason}"
        case Kind.WIDEN:
            shares = f"from {rollout.percent:g} % to {decision.percent:g} %"
            return f"{what} goes on {shares}: {decision.reason}"
        case Kind.PROMOTE:
            return f"{what} is the champion now: {decision.reason}"
        case Kind.HALT:
            return f"{what} is halted: {decision.reason}"


def _follow(look: Callable[[], tuple[int, str]], every: float) -> int:
    """Look until the rollout ends; the rollout itself does not need us."""
    waits, progress = threading.Event(), _Progress()
    try:
        while True:
            try:
                code, line = look()
            except RegistryUnavailable as why:
                code, line = WAITING, str(why)
            progress.show(line, last=code != WAITING)
            if code != WAITING:
                return code
            waits.wait(every)
    except KeyboardInterrupt:
        progress.show("the rollout goes on: --check or --follow does its next step")
        return INTERRUPTED


class _Progress:
    """One line that changes on a terminal; a line a change elsewhere."""

    def __init__(self) -> None:
        self._drawn = sys.stdout.isatty()
        self._said = ""

    def show(self, line: str, *, last: bool = True) -> None:
        """Say where the rollout stands."""
        if self._drawn:
            print(f"\r\x1b[K{line}", end="\n" if last else "", flush=True)
        elif line != self._said:
            print(line, flush=True)
        self._said = line


def _now(clock: SystemClock) -> int:
    return clock.now() + clock.wall_offset()
