"""The rules of a rollout as options of a command."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from edge_agent.config.scalars import parse_interval
from edge_agent.errors import ConfigError
from edge_agent.registry.rules import EVERYBODY, Limit, Rules

if TYPE_CHECKING:
    from collections.abc import Callable

_DEFAULT = Rules()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be said of a rollout when it begins."""
    group = parser.add_argument_group("rules, told when it begins")
    for option, kind, default, placeholder, text in _OPTIONS:
        group.add_argument(
            option, type=kind, default=default, metavar=placeholder, help=text
        )
    group.add_argument("--salt", default="", help="any word: draws other gateways")


def read(arguments: argparse.Namespace) -> Rules:
    """The rules that were said.

    Raises:
        ConfigError: they are beyond all reason.
    """
    first = arguments.percent or arguments.steps[0]
    later = {step for step in (*arguments.steps, EVERYBODY) if step > first}
    said = Rules(
        (first, *sorted(later)),
        arguments.watch,
        arguments.enough / EVERYBODY,
        arguments.least,
        arguments.max_failed,
        arguments.max_lost,
        arguments.quiet,
        arguments.gone,
    )
    try:
        return msgspec.json.decode(said.write(), type=Rules)
    except msgspec.ValidationError as why:
        raise ConfigError(f"these rules cannot be kept: {why}") from why


def seconds(text: str) -> float:
    """A time as in a configuration: 10min, 1h.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        return parse_interval(text)
    except ValueError as why:
        raise argparse.ArgumentTypeError(str(why)) from why


def _percent(text: str) -> float:
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent <= EVERYBODY:
        raise argparse.ArgumentTypeError(f"{text!r} is no share between 0 and 100")
    return percent


def _steps(text: str) -> tuple[float, ...]:
    return tuple(sorted({_percent(part) for part in text.split(",")}))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 10**6):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of gateways")
    return int(text)


def _limit(text: str, least: int) -> Limit:
    try:
        return Limit.of(text, least)
    except ValueError as why:
        raise argparse.ArgumentTypeError(str(why)) from why


#: Option, how it is read, its default, its placeholder, what it means.
_OPTIONS: tuple[tuple[str, Callable[[str], object], object, str, str], ...] = (
    ("--percent", _percent, None, "P", "the first share (10)"),
    ("--steps", _steps, (10.0, 50.0), "P,P", "the shares before everybody (10,50)"),
    ("--watch", seconds, _DEFAULT.watch, "TIME", "how long one must be well (1h)"),
    ("--enough", _percent, 90.0, "P", "percent of it that must score with it (90)"),
    ("--least", _count, _DEFAULT.least, "N", "and so many gateways (1)"),
    (
        "--max-failed",
        partial(_limit, least=1),
        _DEFAULT.failed,
        "N|P%",
        "so many gateways on which it failed halt it (1)",
    ),
    (
        "--max-lost",
        partial(_limit, least=_DEFAULT.lost.count),
        _DEFAULT.lost,
        "N|P%",
        "so many that fell silent halt it (20%%, 2 at least)",
    ),
    (
        "--quiet",
        seconds,
        _DEFAULT.quiet,
        "TIME",
        "without a report for so long a gateway does not count as well (2h)",
    ),
    ("--gone", seconds, _DEFAULT.gone, "TIME", "and for so long as lost (1d)"),
)
