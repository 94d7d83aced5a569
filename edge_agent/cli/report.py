"""`edge-agent report`: what an auditor asks of a model, on one page.

Made from what lies on the gateway, without a network; the agent may run or not.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.moments import moment, now
from edge_agent.cli.printing import plain
from edge_agent.config.loading import STATE_DIR
from edge_agent.errors import ConfigError, StoreDamaged, StoreInUse

if TYPE_CHECKING:
    import argparse

    from edge_agent.report.document import Report
    from edge_agent.report.placing import Gateway

FAILED, UNAVAILABLE, EX_CONFIG = 1, 69, 78
CONFIG = Path("/etc/edge-agent")
RUNTIME_DIR = Path("/run/edge-agent")
SPAN = "30d"
#: Sentences that are printed.
_SHOWN = 3


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "report",
        help="what an auditor asks of a model, as a page or as JSON",
        description="Passport, where it runs, drift, accuracy, alarms, fairness and "
        "incidents of one model. Writes MODEL-report-DATE.html and prints what matters "
        "most. Exit code 0: made. 1: nobody knows the model. 69: the store cannot be "
        "read. 78: the configuration is wrong.",
    )
    parser.add_argument("model", help="its name, without a version")
    parser.add_argument(
        "--config",
        type=Path,
        help=f"file or folder; default: {CONFIG} where there is one",
    )
    parser.add_argument(
        "--since",
        type=moment,
        default=SPAN,
        metavar="TIME",
        help=f"30d, 12h, 2026-09-21 or 2026-09-21T14:00Z; default: {SPAN}",
    )
    parser.add_argument("--version", default="", help="of this version only")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the page here")
    parser.add_argument("--json", action="store_true", help="for machines, to stdout")
    parser.add_argument("--state-dir", type=Path, help="instead of the configuration's")
    parser.add_argument("--runtime-dir", type=Path, help="likewise")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make it; 0, 1 unknown model, 69 nothing can be read, 78 wrong configuration."""
    from edge_agent.report.gathering import gather
    from edge_agent.report.spans import Span
    from edge_agent.report.unseen import ModelUnknown

    span = Span(arguments.since, now())
    if span.since >= span.until:
        print("--since is not in the past", file=sys.stderr)
        return 2
    try:
        gateway = _gateway(arguments)
        made = gather(
            gateway, arguments.model, span, version=arguments.version, told=_told
        )
    except ConfigError as why:
        print(why, file=sys.stderr)
        return EX_CONFIG
    except ModelUnknown as why:
        print(why, file=sys.stderr)
        return FAILED
    except (OSError, StoreInUse, StoreDamaged) as why:
        print(why, file=sys.stderr)
        return UNAVAILABLE
    finally:
        _told("")
    return _written(made, arguments)


def _written(made: Report, arguments: argparse.Namespace) -> int:
    from edge_agent.report import document
    from edge_agent.report.page import rendered

    if arguments.json:
        print(document.to_json(made).decode())
    if arguments.out is None and arguments.json:
        return 0
    path = arguments.out or Path(
        f"{_file_name(made.model)}-report-{made.until[:10]}.html"
    )
    try:
        path.write_text(rendered(made), encoding="utf-8")
    except OSError as why:
        print(f"the report cannot be written: {why}", file=sys.stderr)
        return FAILED
    if not arguments.json:
        print(path)
        print("\n".join(map(plain, made.summary[:_SHOWN])))
    return 0


def _gateway(arguments: argparse.Namespace) -> Gateway:
    """Where to look.

    Raises:
        ConfigError: a configuration that was named cannot be used.
    """
    from edge_agent.config import loading
    from edge_agent.report.placing import Gateway

    loaded, problem = None, ""
    named: Path | None = arguments.config
    # a copied state folder is looked at by its own light
    if named is not None or (arguments.state_dir is None and CONFIG.exists()):
        try:
            loaded = loading.read(named or CONFIG)
        except ConfigError:
            if named is not None:
                raise
            problem = f"{CONFIG} is not valid, see edge-agent check"
    config = loaded.config if loaded else None
    return Gateway(
        arguments.state_dir or (config.state_dir if config else STATE_DIR),
        arguments.runtime_dir or (config.runtime_dir if config else RUNTIME_DIR),
        loaded,
        problem,
    )


def _told(step: str) -> None:
    """Say what is being done, on one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{step}", end="", file=sys.stderr, flush=True)


def _file_name(model: str) -> str:
    """A name that leads nowhere else."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in model).lstrip(".")
