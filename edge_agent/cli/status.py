"""`edge-agent status`: what the running agent says of itself."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.status import socket
from edge_agent.store.promise import moment, size, span

if TYPE_CHECKING:
    import argparse

DEGRADED, UNAVAILABLE = 3, 69


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser("status", help="state of the running agent")
    parser.add_argument("--runtime-dir", type=Path, default=Path("/run/edge-agent"))
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the status; 0 fine, 3 degraded, 69 when no agent answers."""
    try:
        status = asyncio.run(socket.ask(arguments.runtime_dir))
    except (OSError, TimeoutError) as why:
        path = arguments.runtime_dir / socket.SOCKET_NAME
        print(f"no agent answers at {path}: {str(why) or 'timeout'}", file=sys.stderr)
        print("is it running? systemctl status edge-agent", file=sys.stderr)
        return UNAVAILABLE
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(status)).decode())
    else:
        print("\n".join(_page(status)))
    return 0 if status["state"] == "ok" else DEGRADED


def _page(status: dict[str, Any]) -> list[str]:
    lines = [f"{status['state'].upper()}: {status['summary']}", ""]
    for part in ("sources", "outputs", "archives"):
        lines.append(f"{part}:")
        lines += [_entry(name, of) for name, of in status.get(part, {}).items()]
    lines.append("pipelines:")
    for name, of in status["pipelines"].items():
        lines += _pipeline(name, of)
    lines += [f"  {line}" for line in _found(status.get("tags", {}))]
    lines += ["registry:", _entry("models", status["registry"])]
    return [*lines, "store:", *_store(status["store"])]


def _store(of: dict[str, Any]) -> list[str]:
    """What is promised in a sentence, then every figure that is known."""
    lines = [f"  {of['promise']}"] if "promise" in of else []
    for key, value in of.items():
        if isinstance(value, dict):
            parts = ((name, figure(key, part)[1]) for name, part in value.items())
            each = ", ".join(f"{name} {part}" for name, part in parts)
            lines.append(f"  {key}: {each}")
        elif key != "promise" and value not in (None, ""):
            lines.append(f"  {': '.join(figure(key, value))}")
    return lines


def _pipeline(name: str, of: dict[str, Any]) -> list[str]:
    """Who scores; then, a line each, what a person may have to know about models."""
    via = f", {of['via']}" if of.get("via") else ""
    who = f"{of['model']} ({of['sha8']}{via})" if of["sha8"] else of["model"]
    rows = f"{of['rows_scored']} rows scored, {of['rows_without_score']} without"
    compared = of.get("compared") or {}
    beside = ", ".join(f"{key} {value}" for key, value in compared.items())
    said = (
        ("", of["error"]),
        ("next: ", of.get("next", "")),
        ("", of.get("waits", "") if of.get("waits") != of["error"] else ""),
        ("refused because: ", of.get("next_reason", "")),
        ("compared: ", beside),
        ("before it: ", of.get("previous", "")),
        ("held: ", of.get("held", "")),
        ("", of.get("review", "")),
    )
    first = f"  {name:<16} {of['state']:<12} {who}, {of['assets']} assets, {rows}"
    lines = [first, *(f"      {label}{text}" for label, text in said if text)]
    return lines + [f"      {line}" for line in _found(of)]


def _found(of: dict[str, Any]) -> list[str]:
    """What monitoring found, a line each."""
    found = of.get("findings") or []
    lines = [
        f"found: {' '.join(filter(None, (one['sentence'], one['action'])))}"
        f" (since {one['since']})"
        for one in found
    ]
    more = int(of.get("findings_open", 0)) - len(found)
    if more > 0:
        lines.append(f"found: {more} more, see edge-agent findings --open")
    return lines


def _entry(name: str, of: dict[str, Any]) -> str:
    state = of.get("state", "")
    rest = (" ".join(figure(k, of[k])) for k in of if _worth(k, of[k]))
    return f"  {name:<16} {state:<12} {', '.join(rest)}"


def _worth(key: str, value: object) -> bool:
    return (
        key != "state"
        and value not in ("", None)
        and not isinstance(value, dict | list)
    )


def figure(key: str, value: object) -> tuple[str, str]:
    """A figure of the status in the unit it is read in, and its name without that.

    Args:
        key: its name, which tells the unit.
        value: as the document has it; what is no number is shown as it is.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return key, str(value)
    if "bytes" in key:
        return key, size(value)
    if key.endswith("_s") and not key.endswith("_per_s"):
        return key.removesuffix("_s"), span(value)
    if key == "since":
        return key, moment(int(value))
    return key, f"{value:.3g}" if isinstance(value, float) else str(value)
