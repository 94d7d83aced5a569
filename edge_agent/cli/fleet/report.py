"""`edge-agent fleet report`: the whole fleet on one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.archive import FAILED, add_question, document, with_lake
from edge_agent.cli.fleet.accuracy import add_requirements

if TYPE_CHECKING:
    import argparse

    from edge_agent.fleet.lake import Lake


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "report",
        help="the whole fleet on one page",
        description="Writes fleet-report-DATE.html, which needs nothing else to be "
        "read, and the same as JSON beside it.",
    )
    add_question(parser, since="30d")
    add_requirements(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the page here")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make it; exit codes as in `archive.CODES`, 1 when it cannot be written."""
    failed = []

    def made(lake: Lake, at: int) -> None:
        from edge_agent.fleet.overview import overview
        from edge_agent.fleet.page import rendered

        found = overview(lake, at, dict(arguments.require))
        said = document(lake, at, **found.parts())
        if arguments.json:
            print(said)
        if arguments.json and arguments.out is None:
            return
        path = arguments.out or Path(f"fleet-report-{found.until[:10]}.html")
        try:
            path.write_text(rendered(found, lake.left_out), encoding="utf-8")
            path.with_suffix(".json").write_text(f"{said}\n", encoding="utf-8")
        except OSError as why:
            print(f"the report cannot be written: {why}", file=sys.stderr)
            failed.append(path)
            return
        if not arguments.json:
            print(path)
            print("\n".join(found.sentences()))

    code = with_lake(arguments, made)
    return FAILED if failed else code
