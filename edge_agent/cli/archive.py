"""Which archive a command asks, of whom and when, and how it answers."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.cli.moments import moment, now
from edge_agent.cli.printing import plain
from edge_agent.errors import ArchiveUnavailable, ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from edge_agent.fleet.asked import Asked
    from edge_agent.fleet.lake import Archive, Lake

FAILED, WRONG_USE, LEFT_OUT, UNAVAILABLE, EX_CONFIG = 1, 2, 3, 69, 78
_SHOWN = 20
CODES = (
    "exit codes: 0 answered; 3 answered, but objects had to be left out (they are "
    "named on standard error); 69 the archive cannot be read; 78 wrong settings"
)


def add_archive(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name an archive."""
    parser.epilog = CODES
    parser.add_argument(
        "--archive",
        required=True,
        metavar="DIR|s3://BUCKET/PREFIX",
        help="where the gateways write to",
    )
    parser.add_argument("--endpoint", default="", help="s3: https://HOST:PORT")
    parser.add_argument("--region", default="us-east-1", help="s3 (us-east-1)")
    parser.add_argument("--access-key", default="", help="s3: who asks")
    parser.add_argument(
        "--secret-file", type=Path, help="s3: a file with the secret key alone"
    )
    parser.add_argument("--ca-file", type=Path, help="s3: its own authority (PEM)")
    parser.add_argument(
        "--cache", type=Path, help="s3: folder for copies; default: below ~/.cache"
    )
    parser.add_argument("--site", default="", help="of this site only")
    parser.add_argument("--gateway", default="", help="of this gateway only")


def add_question(parser: argparse.ArgumentParser, since: str) -> None:
    """Declare the arguments of a question.

    Args:
        parser: of the command.
        since: default.
    """
    add_archive(parser)
    parser.add_argument("--model", default="", help="of this model only")
    parser.add_argument(
        "--since",
        type=moment,
        default=since,
        metavar="TIME",
        help=f"7d, 12h, 2026-09-21 or 2026-09-21T14:00Z; default: {since}",
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help="default: now")
    parser.add_argument("--threads", type=int, default=2, help="of the question (2)")
    parser.add_argument(
        "--unchecked",
        action="store_true",
        help="do not hold objects against the sums in their names first",
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def answered(
    arguments: argparse.Namespace,
    question: Callable[[Lake, int], Sequence[Any]],
    page: Callable[[Sequence[Any]], Iterable[str]],
) -> int:
    """Ask, and print the answer; see `CODES`.

    Args:
        arguments: of `add_question`.
        question: asks the archive, with the time in ns since 1970.
        page: what is found, as lines.
    """

    def shown(lake: Lake, at: int) -> None:
        found = question(lake, at)
        if arguments.json:
            print(document(lake, at, rows=found))
        else:
            print("\n".join(map(plain, page(found))))

    return with_lake(arguments, shown)


def with_lake(
    arguments: argparse.Namespace, work: Callable[[Lake, int], object]
) -> int:
    """Open the archive for some work; what goes wrong becomes its exit code.

    Args:
        arguments: of `add_archive`, and when.
        work: is given the archive and the end of the time asked for.
    """
    if find_spec("duckdb") is None:
        print(
            "DuckDB is not installed: pip install 'edge-agent[fleet]'", file=sys.stderr
        )
        return FAILED
    from edge_agent.fleet.lake import Lake

    at = now() if arguments.until is None else arguments.until
    if arguments.since >= at:
        print("--since is not before --until", file=sys.stderr)
        return WRONG_USE
    try:
        archive = open_archive(arguments)
        lake = Lake(
            archive,
            asked_of(arguments, at),
            max(arguments.threads, 1),
            checked=not arguments.unchecked,
        )
        try:
            work(lake, at)
        finally:
            lake.close()
    except ArchiveUnavailable as why:
        print(plain(str(why)), file=sys.stderr)
        return UNAVAILABLE
    except ConfigError as why:
        print(why, file=sys.stderr)
        return EX_CONFIG
    return LEFT_OUT if told(lake.left_out) else 0


def asked_of(arguments: argparse.Namespace, at: int) -> Asked:
    """Of whom and of when; of now also what clocks ahead of ours say."""
    from edge_agent.fleet.asked import DAY, Asked

    until = at + DAY if arguments.until is None else at
    return Asked(
        arguments.since, until, arguments.site, arguments.gateway, arguments.model
    )


def told(left_out: dict[str, str]) -> bool:
    """Name what was left out; True where there is some."""
    for name, why in list(left_out.items())[:_SHOWN]:
        print(plain(f"left out: {name} {why}"), file=sys.stderr)
    if len(left_out) > _SHOWN:
        print(f"and {len(left_out) - _SHOWN} more, see --json", file=sys.stderr)
    return bool(left_out)


def open_archive(arguments: argparse.Namespace) -> Archive:
    """The archive that arguments of `add_archive` name.

    Raises:
        ArchiveUnavailable: it is not there.
        ConfigError: the arguments are wrong.
    """
    from edge_agent.fleet.folder import Folder

    where: str = arguments.archive
    if not where.startswith("s3://"):
        return Folder(Path(where))
    from edge_agent.fleet.bucket import Bucket, Place, cache_of

    bucket, _, prefix = where.removeprefix("s3://").partition("/")
    if not bucket:
        raise ConfigError(f"{where!r} names no bucket: write s3://BUCKET/PREFIX")
    if bool(arguments.access_key) != (arguments.secret_file is not None):
        raise ConfigError("--access-key and --secret-file belong together")
    place = Place(
        bucket,
        prefix.strip("/"),
        arguments.endpoint.rstrip("/"),
        arguments.access_key,
        _read(arguments.secret_file).strip(),
        arguments.region,
        _read(arguments.ca_file),
    )
    return Bucket(place, arguments.cache or cache_of(place))


def document(lake: Lake, at: int, **parts: object) -> str:
    """The answer for machines."""
    import msgspec

    from edge_agent.fleet.asked import date_of

    whole = {
        "since": date_of(lake.asked.since),
        "until": date_of(at),
        **parts,
        "left_out": lake.left_out,
    }
    return msgspec.json.format(msgspec.json.encode(whole)).decode()


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Lines of a table; nothing found is said."""
    if not rows:
        yield "nothing found"
        return
    lines = [titles, *([cell or "-" for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (word.ljust(width) for word, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _read(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as why:
        raise ConfigError(f"{path} cannot be read: {why}") from why
