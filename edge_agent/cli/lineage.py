"""`edge-agent lineage`: from an alarm or a score to the model's training and approver.

A running agent is asked; when none runs, the same is read from the state folder. No
network is needed for either.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.cli.printing import labelled, plain
from edge_agent.errors import StoreDamaged, StoreInUse
from edge_agent.registry import lineage
from edge_agent.status import state_folder
from edge_agent.store import offline
from edge_agent.store.looking import RECENT, Found, Query

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

NOTHING, UNAVAILABLE = 1, 69
#: Facts of a passport that are one line each, in the words of the page.
_LINES = (
    ("intended_use", "for"),
    ("limits", "not for"),
    ("owner", "owner"),
    ("contact", "contact"),
    ("approver", "approved by"),
    ("oversight", "oversight"),
    ("safety", "safety"),
    ("licence", "licence"),
)
_TRAINING = ("script", "run", "commit", "data", "start", "end", "rows")
_UNSAID = "not stated"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "lineage", help="which model raised an alarm, how it was trained, who approved"
    )
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="an alarm's occurrence or id as SCADA has it, the model_sha8 of any score,"
        " a model digest, or: last",
    )
    parser.add_argument("--state-dir", type=Path, default=Path("/var/lib/edge-agent"))
    parser.add_argument("--runtime-dir", type=Path, default=Path("/run/edge-agent"))
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the lineage; 1 when nothing was found, 69 when nobody can be asked."""
    try:
        found = state_folder.asked(
            arguments.state_dir, arguments.runtime_dir, "lineage", arguments.what
        ) or _read(arguments)
    except (OSError, StoreInUse, StoreDamaged) as why:
        print(why, file=sys.stderr)
        return UNAVAILABLE
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        print("\n".join(map(plain, _page(found))).rstrip())
    return 0 if found["alarms"] or found["models"] else NOTHING


def _read(arguments: argparse.Namespace) -> dict[str, Any]:
    """The same from the files.

    Raises:
        OSError: the store cannot be read.
        StoreInUse: an agent has it that does not answer.
        StoreDamaged: the store is none.
    """
    query, found = Query.of(arguments.what), Found()
    place = state_folder.store_of(arguments.state_dir, arguments.runtime_dir)
    try:
        with place as store:
            found = offline.look(store, query)
    except FileNotFoundError:
        if not query.digest:  # a passport needs no store
            raise
    return lineage.document(arguments.state_dir, query, found)


def _page(found: Mapping[str, Any]) -> Iterator[str]:
    models, alarms = found["models"], found["alarms"]
    if not alarms and not models:
        yield from _nothing(found)
    of_model = found["asked_for"] == "model"
    if of_model and len(models) > 1:
        yield f"{found['asked']} begins the digests of {len(models)} models:"
        yield ""
    for alarm in () if of_model else alarms:
        yield from _alarm(alarm)
    for model in models:
        yield from model_page(model)
    if of_model and models:
        yield f"{found['alarms_in_all']} of the newest {RECENT} transitions in store.db"
        for alarm in reversed(alarms):
            yield from labelled(alarm["state"], _brief(alarm))
    if found["rows_damaged"]:
        yield f"{found['rows_damaged']} rows of the store are damaged and left out"


def _nothing(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"nothing is known of {found['asked']}"
    yield from labelled("looked in", found["state_dir"])
    yield from labelled(
        "for",
        "an alarm with this occurrence or id (gateway-boot-seq) in store.db, and"
        f" {found['passports']} passports for a digest that begins so (8 digits or"
        " more). Of a score, ask for its model_sha8",
    )
    if not found["newest"]:
        yield from labelled("newest", "the store has no alarm")
    for alarm in found["newest"]:
        yield from labelled("newest", _brief(alarm))


def _brief(alarm: Mapping[str, Any]) -> str:
    return f"{alarm['time']}  {alarm['occurrence']}  {alarm['id']}"


def _alarm(alarm: Mapping[str, Any]) -> Iterator[str]:
    yield f"alarm {alarm['occurrence']} {alarm['state']}"
    yield from labelled("when", f"{alarm['time']} (active since {alarm['since']})")
    part = f", part {alarm['part']}" if alarm["part"] else ""
    yield from labelled(
        "where", f"{alarm['asset']}, pipeline {alarm['pipeline']}{part}"
    )
    yield from labelled(
        "score",
        f"{_number(alarm['score'])}, threshold {_number(alarm['threshold'])},"
        f" severity {alarm['severity']}",
    )
    yield from labelled("reason", alarm["reason"])
    by = f"{alarm['model']} {alarm['model_version']} {alarm['model_digest'][:8]}"
    yield from labelled("scored by", f"{alarm['scored_by']}: {by.strip()}")
    yield from labelled("id", alarm["id"])
    yield from labelled("configuration", alarm["configuration_sha256"] or "not known")
    yield ""


def model_page(model: Mapping[str, Any]) -> Iterator[str]:
    """Lines of a model as `registry.lineage.document` has it."""
    facts = model["passport"]
    title = f": {facts['title']}" if "title" in facts else ""
    yield f"model {model['model']} {model['version']}{title}"
    yield from labelled("digest", model["digest"])
    yield from labelled("release", model["release"] or "not counted")
    yield from labelled("signed by", model["signed_by"] or "not known here")
    bundle = model["bundle"] or "not in this state folder"
    yield from labelled("bundle", bundle)
    yield from labelled("no passport", model["problem"])
    for key, label in _LINES:
        for said in _each(facts.get(key)):
            yield from labelled(label, said)
    yield from _training(facts.get("training", {}))
    yield from _requirements(facts)
    yield ""


def _training(training: Mapping[str, Any]) -> Iterator[str]:
    if not training:
        return
    said = {key: training.get(key) or _UNSAID for key in _TRAINING}
    yield from labelled("trained by", said["script"])
    yield from labelled("run", said["run"])
    yield from labelled("commit", said["commit"])
    yield from labelled("data", said["data"])
    yield from labelled("data window", f"{said['start']} to {said['end']}")
    yield from labelled("rows", f"{said['rows']}, seed {training.get('seed', _UNSAID)}")


def _requirements(facts: Mapping[str, Any]) -> Iterator[str]:
    if accuracy := facts.get("accuracy"):
        yield from labelled("must reach", _pairs(accuracy))
    if false_alarms := facts.get("false_alarms"):
        yield from labelled("false alarms", _pairs(false_alarms))
    yield from labelled("review by", facts.get("review_date"))
    yield from labelled("expires", facts.get("expires"))


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {v}" for key, v in values.items())


def _each(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
