"""`edge-agent run`: the service."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from edge_agent import logs, supply, wiring
from edge_agent.config import lastgood, loading
from edge_agent.errors import ConfigError, EdgeAgentError

if TYPE_CHECKING:
    import argparse

    from edge_agent.agent import Agent
    from edge_agent.config.loading import Loaded

log = structlog.get_logger()

EX_CONFIG = 78


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser("run", help="run the agent until it is stopped")
    parser.add_argument("--config", type=Path, required=True, help="file or folder")
    parser.add_argument(
        "--record", type=Path, help="also write every sample to this CSV, for replay"
    )
    parser.add_argument("--json", action="store_true", help="log JSON lines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run; 0 after an orderly stop, 78 without a usable configuration."""
    faulthandler.enable()  # systemd's watchdog sends SIGABRT: show where it hung
    logs.configure(json=arguments.json)
    try:
        loaded, complaint = _configuration(arguments.config)
        logs.configure(level=loaded.config.log_level, json=arguments.json)
        if complaint:
            print(complaint, file=sys.stderr)
            log.error("configuration refused: running on the last good one")
        with wiring.build(
            loaded, record=arguments.record, complaint=complaint
        ) as agent:
            _serve(agent)
        return _leave(0)
    except ConfigError as why:
        print(why, file=sys.stderr)
        return EX_CONFIG
    except EdgeAgentError as why:
        print(why, file=sys.stderr)
        return 1


def _serve(agent: Agent) -> None:
    """Run the agent on a loop that is left as soon as it has stopped.

    `asyncio.run` would wait for the loop's threads, and one of them may look up a
    name that no server answers for: systemd would kill us before it gave up.
    """
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(agent.run())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _leave(code: int) -> int:
    """Leave without waiting for a thread that looks up a name or fetches a model."""
    slow = ("asyncio_", supply.THREADS)
    if any(thread.name.startswith(slow) for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _configuration(path: Path) -> tuple[Loaded, str]:
    """The configuration, and what is wrong with it if an older one is used.

    Raises:
        ConfigError: it is wrong and there is no last good copy.
    """
    try:
        loaded = loading.read(path)
    except ConfigError as why:
        kept = lastgood.kept(path)
        if kept is None:
            raise
        return kept, str(why)
    lastgood.keep(path, loaded)
    return loaded, ""
