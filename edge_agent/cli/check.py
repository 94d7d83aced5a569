"""`edge-agent check`: is this configuration right? All that is not, at once.

Nothing is connected without ``--connect``, nothing is ever written.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.config import loading
from edge_agent.config.languages import ENGLISH
from edge_agent.config.problems import Refused, listed, report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from edge_agent.config.keeping import Centre
    from edge_agent.config.loading import Loaded
    from edge_agent.config.problems import Problem

EX_UNAVAILABLE = 69
EX_CONFIG = 78


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "check",
        help="check a configuration, all mistakes at once",
        description="Exit code 0: right. 78: wrong, every mistake is listed. "
        "69 (only with --connect): right, but a server cannot be used.",
    )
    parser.add_argument("--config", type=Path, required=True, help="file or folder")
    parser.add_argument(
        "--connect", action="store_true", help="also reach every server and node"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check; 0, 78 or 69."""
    try:
        loaded = loading.read(arguments.config)
    except Refused as refused:
        return _say(refused.problems, {}, EX_CONFIG, json=arguments.json)
    from edge_agent.cli.prerequisites import look_around

    problems, models = look_around(loaded)
    summary = _summary(loaded, models)
    if problems:
        return _say(problems, summary, EX_CONFIG, json=arguments.json)
    if arguments.connect:
        from edge_agent.cli.reach import reach

        problems = asyncio.run(reach(loaded))
    code = EX_UNAVAILABLE if problems else 0
    return _say(problems, summary, code, json=arguments.json)


def _say(
    problems: Sequence[Problem], summary: dict[str, Any], code: int, *, json: bool
) -> int:
    if json:
        told = [asdict(problem) for problem in problems]
        answer = {"ok": not problems, "problems": told, "summary": summary}
        print(msgspec.json.encode(answer).decode())
    elif problems:
        print(report(problems), file=sys.stderr)
    else:
        print(_plain(summary))
    return code


def _summary(loaded: Loaded, models: dict[str, str]) -> dict[str, Any]:
    config, tags = loaded.config, loaded.plant.tags
    fed = {name: len(bound) for name, bound in loaded.plant.bindings.items()}
    return {
        "files": [str(file) for file in loaded.files],
        "digest": loaded.digest,
        "tags": len(tags),
        "sources": {
            name: {"type": source.type, "tags": fed[name]}
            for name, source in config.sources.items()
        },
        "assets": {kind.name: len(kind.assets) for kind in tags.types},
        "pipelines": {
            name: {"assets": pipeline.assets, "model": models.get(name, "")}
            for name, pipeline in config.pipelines.items()
        },
        "language": {
            "name": loaded.config.language,
            "in_english": list(loaded.catalogue.missing),
        },
        "outputs": {name: output.host for name, output in config.outputs.items()},
        "centre": _where(config.centre),
    }


def _where(centre: Centre | None) -> str:
    """The archive's place; empty where none is kept."""
    if centre is None:
        return ""
    if centre.type == "directory":
        return str(centre.path)
    return f"{centre.endpoint}/{centre.bucket}"


def _plain(summary: dict[str, Any]) -> str:
    rows = [
        *(
            ("source", n, f"{s['type']}, {s['tags']} tags")
            for n, s in _of(summary, "sources")
        ),
        *(("assets", n, f"{count}") for n, count in _of(summary, "assets")),
        *(
            ("pipeline", n, f"{p['assets']}, model {p['model']}")
            for n, p in _of(summary, "pipelines")
        ),
        *(("output", n, host) for n, host in _of(summary, "outputs")),
        *((("centre", "", summary["centre"]),) if summary["centre"] else ()),
        *_translated(summary["language"]),
    ]
    width = max((len(name) for _, name, _ in rows), default=0)
    lines = [f"  {what:<9} {name:<{width}}  {text}" for what, name, text in rows]
    head = f"The configuration is right: {summary['tags']} tags, sha256 "
    return "\n".join([f"{head}{summary['digest'][:8]}", *lines])


def _translated(language: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Nothing of English, which is complete."""
    name, lacking = language["name"], language["in_english"]
    if not lacking:
        return [] if name == ENGLISH else [("language", name, "complete")]
    plural = "phrases are" if len(lacking) > 1 else "phrase is"
    said = f"{len(lacking)} {plural} in English: {listed(lacking)}"
    return [("language", name, said)]


def _of(summary: dict[str, Any], section: str) -> list[tuple[str, Any]]:
    return list(summary[section].items())
