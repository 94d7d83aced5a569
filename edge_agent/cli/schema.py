"""`edge-agent schema`: the configuration's JSON Schema, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "schema",
        help="print the configuration's JSON Schema, for editors",
        description="Save it beside agent.yaml and begin that file with "
        "'# yaml-language-server: $schema=agent.schema.json': editors such as VS Code "
        "then complete keys and mark mistakes while you type, without a network.",
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print the schema."""
    from edge_agent.config.published import schema_text

    print(schema_text(), end="")
    return 0
