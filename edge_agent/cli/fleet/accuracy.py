"""`edge-agent fleet accuracy`: how right the models were, with intervals."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from edge_agent.cli.archive import add_question, answered, table

if TYPE_CHECKING:
    from edge_agent.monitoring.accuracy.requirement import Requirement

METRICS = ("precision", "recall", "f1", "accuracy", "mae")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "accuracy",
        help="how right the models were, with intervals",
        description="Labels of the time against what the models said, by site and "
        "version. The newest label of a row counts; rows of an asset within a shift "
        "are one piece of evidence.",
    )
    add_question(parser, since="90d")
    add_requirements(parser)
    parser.set_defaults(run=run)


def add_requirements(parser: argparse.ArgumentParser) -> None:
    """Declare what models promise."""
    parser.add_argument(
        "--require",
        type=requirement,
        action="append",
        default=[],
        metavar="MODEL:METRIC=LEVEL[:LABELS]",
        help="what its passport requires: precision, recall, f1, accuracy at least, or "
        "mae at most; before so many labels (50) nothing is said of it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print it; exit codes as in `archive.CODES`."""
    from edge_agent.fleet import lines
    from edge_agent.fleet.accuracy import accuracy

    return answered(
        arguments,
        lambda lake, _: accuracy(lake, dict(arguments.require)),
        lambda found: table(lines.ACCURACY, lines.accuracy(found)),
    )


def requirement(typed: str) -> tuple[str, Requirement]:
    """A model and what it promises.

    Raises:
        ArgumentTypeError: it is neither.
    """
    from edge_agent.monitoring.accuracy.requirement import Requirement

    model, _, rest = typed.partition(":")
    metric, _, numbers = rest.partition("=")
    level, _, labels = numbers.partition(":")
    try:
        found = Requirement(metric, float(level), int(labels or 50))
    except ValueError as why:
        raise argparse.ArgumentTypeError(
            f"{typed!r} is no requirement: write pump:recall=0.8:50"
        ) from why
    if not model or metric not in METRICS:
        raise argparse.ArgumentTypeError(
            f"{typed!r}: write MODEL:METRIC=LEVEL, METRIC one of {', '.join(METRICS)}"
        )
    return model, found
