"""`edge-agent model build`: a bundle from an ONNX file, recordings and a statement."""

from __future__ import annotations

import csv
import inspect
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.bundle.reading import read_yaml
from edge_agent.errors import ConfigError, ModelRejected

if TYPE_CHECKING:
    import argparse

_MAX_SPEC_BYTES = 1_000_000
_OWN = ("model", "training", "holdout", "labels", "contexts")
_NOT_HERE = frozenset(
    {"training_data", "out", "expected", "overwrite", "quiet", "clock", "compare"}
)
_FORM = """\
model: model.onnx               # beside this file
training: training.csv          # recordings, CSV or Parquet: time, tag, value
holdout: holdout.csv            # of days that nothing was learned from
name: pump-anomaly
version: 1.0.0
kind: anomaly                   # or quality, with good: and classes:
title: How far a pump is from normal running
asset_type: pump
assets: [P-101, P-102]
tags:
  flow: { unit: m3/h, range: [0, 150], reports: changes }
features:
  - { tag: flow, aggregate: mean, window: 10s, rate: 2, hold: 10s }
score: { every: 1s }
outputs: { score: { output: score } }
budget: 1                       # false alarms an asset may give in a week
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "build",
        help="make a bundle from an ONNX file, recordings and a statement",
        description="Reads a YAML file that says what `edge_agent.bundle.build` is "
        "told in a notebook. What is missing is listed, all at once. Other models than "
        "ONNX files are built in the notebook that made them: a file of theirs would "
        "run code when read.",
    )
    parser.add_argument("spec", type=Path, nargs="?", help="the YAML file")
    parser.add_argument(
        "--form", action="store_true", help="print a file to fill in, and end"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("models"), help="folder of all models"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a version nobody has yet"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Build; 0, 1 when it is refused, 2 for wrong use."""
    try:
        from edge_agent.publish import asking, build
    except ImportError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.form:
        print(_FORM + asking.form())
        return 0
    if arguments.spec is None:
        print("give a YAML file, or --form to get one to fill in", file=sys.stderr)
        return 2
    try:
        told = _told(arguments.spec, build)
        made = build(
            *(told.pop("model"), told.pop("training_data")),
            **told,
            out=arguments.out,
            overwrite=arguments.overwrite,
            quiet=arguments.quiet,
        )
    except (ModelRejected, ConfigError) as error:
        print(error, file=sys.stderr)
        return 1
    print(made)
    return 0


def _told(spec: Path, build: Any) -> dict[str, Any]:  # noqa: ANN401  (a function)
    """The build's arguments.

    Raises:
        ModelRejected: the file cannot be read, or has keys that mean nothing.
    """
    words = read_yaml(_text(spec), spec.name)
    known = inspect.signature(build).parameters
    allowed = [*_OWN, *(name for name in known if name not in {*_OWN, *_NOT_HERE})]
    if strange := [key for key in words if key not in allowed]:
        raise ModelRejected(_strange(spec, strange, allowed))
    if lacking := [key for key in ("model", "training") if not words.get(key)]:
        raise ModelRejected(f"{spec}: {' and '.join(lacking)} must name a file")
    needed = [
        n for n, p in known.items() if p.default is p.empty and n not in _NOT_HERE
    ]
    told: dict[str, Any] = {**dict.fromkeys(needed), "statement": {}}
    told |= {key: value for key, value in words.items() if key not in _OWN}
    return {**told, **_files(words, spec.parent)}


def _text(spec: Path) -> bytes:
    try:
        with spec.open("rb") as stream:
            text = stream.read(_MAX_SPEC_BYTES + 1)
    except OSError as error:
        raise ModelRejected(f"{spec}: cannot be read: {error.strerror}") from error
    if len(text) > _MAX_SPEC_BYTES:
        raise ModelRejected(f"{spec} is larger than {_MAX_SPEC_BYTES} bytes")
    return text


def _strange(spec: Path, strange: list[str], allowed: list[str]) -> str:
    lines = []
    for key in strange:
        near = get_close_matches(key, allowed, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        lines.append(f"{spec}: {key!r} is not known here{hint}")
    return "\n".join(lines)


def _files(words: dict[str, Any], folder: Path) -> dict[str, Any]:
    from edge_agent.publish import Stretch

    contexts = words.get("contexts")
    labels = words.get("labels")
    held = words.get("holdout")
    return {
        "model": folder / str(words["model"]),
        "training_data": Stretch(folder / str(words["training"]), contexts=contexts),
        "holdout": Stretch(
            folder / str(held),
            contexts=contexts,
            labels=_labels(folder / str(labels)) if labels else None,
        )
        if held
        else None,
    }


def _labels(path: Path) -> dict[str, str]:
    """Part id or asset to label, from a CSV of two columns with a head."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row][1:]
        return {row[0].strip(): row[1].strip() for row in rows}
    except OSError as error:
        raise ModelRejected(f"{path}: cannot be read: {error.strerror}") from error
    except IndexError as error:
        raise ModelRejected(
            f"{path}: two columns are wanted, part and label, with a head"
        ) from error
