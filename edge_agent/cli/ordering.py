"""Orders to the running agent, and what became of them."""

from __future__ import annotations

import getpass
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge_agent.registry import orders

if TYPE_CHECKING:
    import argparse

    from edge_agent.registry.orders import Order

UNAVAILABLE = 69
#: Seconds to wait for an answer, and between two looks.
PATIENCE, LOOK = 15.0, 0.1


def add_place(parser: argparse.ArgumentParser) -> None:
    """Where the agent keeps its state."""
    parser.add_argument("--state-dir", type=Path, default=Path("/var/lib/edge-agent"))


def ordered(arguments: argparse.Namespace, order: Order) -> int:
    """Leave an order and wait for its answer.

    Returns:
        0 when it was obeyed, 1 when it cannot be, 69 when no agent answers: it
        then obeys when it starts.
    """
    folder = arguments.state_dir / "models" / "orders"
    try:
        waiting = orders.give(folder, replace(order, who=getpass.getuser()))
    except OSError as why:
        print(f"{folder}: {why.strerror}", file=sys.stderr)
        print("run it as root or edge-agent, or name --state-dir", file=sys.stderr)
        return 1
    for _ in range(round(PATIENCE / LOOK)):
        if waiting.exists():
            answer = msgspec.json.decode(waiting.read_bytes(), type=orders.Answer)
            print(answer.said, file=sys.stdout if answer.done else sys.stderr)
            waiting.unlink(missing_ok=True)
            return 0 if answer.done else 1
        threading.Event().wait(LOOK)
    print("no agent answers; it obeys when it starts", file=sys.stderr)
    return UNAVAILABLE
