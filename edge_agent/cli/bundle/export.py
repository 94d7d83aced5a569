"""`edge-agent bundle export`: pack what the centre does not have yet."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.bundle import answered, progress

if TYPE_CHECKING:
    import argparse

    from edge_agent.config.schema import AgentConfig
    from edge_agent.transfer.outgoing import Sender


def add_parser(below: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = below.add_parser(
        "export",
        help="pack predictions, labels, drift and evidence for the centre",
        description="Copies every object of this gateway's archive (centre: type: "
        "directory) that the centre has given no receipt for into a package, signed "
        "with the gateway's key. Run it with the stick's folder; a package that was "
        "not finished is gone on with. Exit code 0: packed; 1: there is nothing; 69: "
        "the disk; 78: the configuration.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="on the stick")
    parser.add_argument("--config", type=Path, required=True, help="file or folder")
    parser.add_argument(
        "--again", action="store_true", help="also what has a receipt already"
    )
    parser.add_argument(
        "--largest", type=int, metavar="MIB", default=8192, help="MiB of the package"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Pack; 0, 1, 69 or 78."""
    return answered(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    from edge_agent.cli.moments import now
    from edge_agent.config import loading
    from edge_agent.dates import date_of
    from edge_agent.store.promise import size

    config = loading.read(arguments.config).config
    sender = sender_of(config)
    made = date_of(now())
    folder, manifest, left = sender.export(
        archive_of(config),
        arguments.folder,
        made,
        again=arguments.again,
        largest=arguments.largest << 20,
        progress=progress,
    )
    whole = size(sum(file.size for file in manifest.files))
    print(f"{folder}: {len(manifest.files)} objects, {whole}")
    if left:
        print(f"{left} objects are left for another package: run it once more")
    print("at the centre: edge-agent bundle take FOLDER; bring its receipt back")
    return 0


def archive_of(config: AgentConfig) -> Path:
    """The gateway's archive.

    Raises:
        ConfigError: it has none in a folder.
    """
    from edge_agent.errors import ConfigError

    centre = config.centre
    if centre is None or centre.type != "directory" or centre.path is None:
        raise ConfigError(
            "this gateway keeps no archive in a folder: write centre: {type: directory,"
            " path: /var/lib/edge-agent/archive} and restart the agent"
        )
    return centre.path


def sender_of(config: AgentConfig) -> Sender:
    """This gateway as it packs, with its key.

    Raises:
        OSError: the key cannot be read or made.
    """
    from edge_agent.evidence.keyring import open_keys
    from edge_agent.transfer.outgoing import Sender

    site, folder = config.site, config.state_dir / "evidence"
    folder.mkdir(parents=True, exist_ok=True)
    return Sender(
        config.state_dir / "transfer",
        config.gateway,
        site.site or site.enterprise,
        open_keys(folder).private,
    )
