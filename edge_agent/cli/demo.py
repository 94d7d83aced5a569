"""`edge-agent demo`: a simulated pump hall, real servers, and the agent beside them."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.demo.show import Options

MODEL = "pump-anomaly"
INTERRUPTED = 130


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "demo",
        help="a simulated pump hall, live",
        description="Starts a hall of 24 simulated pumps behind a real OPC UA server "
        "and real MQTT brokers, the agent beside them, breaks things, and shows what "
        "the agent makes of it. Everything runs on the loopback, in a temporary "
        "folder, and is gone at the end. Exit code 0: all faults were found, all "
        "links came back, nothing was lost; 1: not so.",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        help="end after so long (60 or more); default: until Ctrl-C",
    )
    parser.add_argument("--json", action="store_true", help="figures for machines")
    parser.add_argument("--seed", type=int, default=7, help="of hall and faults")
    parser.add_argument(
        "--models", type=Path, help="folder of models; default: that of the checkout"
    )
    parser.add_argument(
        "--broker",
        choices=("mosquitto", "amqtt"),
        help="default: mosquitto where it is installed",
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave configuration, logs and store"
    )
    parser.add_argument("--picture", type=Path, help="save the last view as SVG")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Perform; 0 when everything was found, came back and arrived."""
    from edge_agent.demo.children import DemoFailed

    try:
        return _perform(arguments)
    except DemoFailed as why:
        print(why, file=sys.stderr)
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        return INTERRUPTED


def _perform(arguments: argparse.Namespace) -> int:
    import msgspec

    from edge_agent.demo.children import DemoFailed
    from edge_agent.demo.outcome import in_words, outcome, passed
    from edge_agent.demo.show import Show

    out = sys.stderr if arguments.json else sys.stdout
    drawn = find_spec("rich") is not None
    if arguments.picture and not drawn:
        raise DemoFailed("--picture needs rich: install the extra edge-agent[demo]")
    dumb = os.environ.get("TERM", "dumb") == "dumb"
    viewed = drawn and not dumb and not arguments.json and sys.stdout.isatty()

    def tell(line: str) -> None:
        if viewed:
            return
        try:
            print(f"{show.elapsed:6.1f} s  {line}", file=out, flush=True)
        except BrokenPipeError:
            show.leave()  # nobody reads any more

    show = Show(_options(arguments), tell)
    beside = []
    if drawn:
        from edge_agent.demo import view

        if viewed:
            beside.append(partial(view.live, show))
        if arguments.picture:
            show.curtain = partial(view.picture, show, arguments.picture)
    asyncio.run(show.run(*beside))
    print("\n".join(in_words(show)), file=out)
    if arguments.json:
        print(msgspec.json.encode(outcome(show)).decode())
    return 0 if passed(show) or arguments.seconds is None else 1


def _options(arguments: argparse.Namespace) -> Options:
    from edge_agent.demo.broker import kind_at_hand
    from edge_agent.demo.show import Options

    return Options(
        arguments.seconds,
        arguments.seed,
        registry(arguments.models),
        arguments.broker or kind_at_hand(),
        arguments.keep,
    )


def registry(asked: Path | None) -> Path:
    """The folder of models: the one asked for, or the nearest one.

    Raises:
        DemoFailed: it does not hold the demo's model.
    """
    from edge_agent.demo.children import DemoFailed

    here = Path.cwd()
    package = Path(__file__).resolve().parents[2]
    places = (
        [asked] if asked else [p / "models" for p in (here, *here.parents, package)]
    )
    for place in places:
        if (place / MODEL).is_dir():
            return place.resolve()
    raise DemoFailed(
        f"there is no {MODEL} in {places[0]}: run the demo in a checkout, or say"
        " --models FOLDER"
    )


def _seconds(text: str) -> float:
    from edge_agent.demo.script import SHORTEST

    seconds = float(text)
    if seconds < SHORTEST:
        raise argparse.ArgumentTypeError(
            f"{SHORTEST:g} at least: windows must fill before a fault can be found"
        )
    return seconds
