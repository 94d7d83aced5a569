"""`edge-agent run`: the service."""

from __future__ import annotations

import asyncio
import faulthandler
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from edge_agent import logs, wiring
from edge_agent.config import lastgood, loading
from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    import argparse

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
            asyncio.run(agent.run())
    except ConfigError as why:
        print(why, file=sys.stderr)
        return EX_CONFIG
    return 0


def _configuration(path: Path) -> tuple[Loaded, str]:
    """The configuration, and what is wrong with it if an older one is used.

    Raises:
        ConfigError: it is wrong and there is no last good copy.
    """
    try:
        loaded = loading.read(path)
    except ConfigError as why:
        kept = lastgood.kept()
        if kept is None:
            raise
        return kept, str(why)
    lastgood.keep(path, loaded)
    return loaded, ""
