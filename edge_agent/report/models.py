"""Versions of a model that this gateway has met: passports, and how far each has come.

Only reads: nothing is mended or put aside, an agent may be running on the same files.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_agent.bundle.passport import parse
from edge_agent.bundle.reading import read_plain, read_yaml
from edge_agent.bundle.reference import read_reference
from edge_agent.errors import ModelRejected
from edge_agent.explain import Usual
from edge_agent.registry import passports
from edge_agent.registry.life import Life
from edge_agent.registry.lineage import BUNDLES, folder_of
from edge_agent.yardsticks import yardstick_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge_agent.bundle.passport import Passport
    from edge_agent.bundle.reference import Reference
    from edge_agent.monitoring.drift.yardstick import Yardstick

#: Bytes of a passport, a life and a reference that are read.
_LONGEST, _LONGEST_LIFE, _LONGEST_REFERENCE = 1_000_000, 4 << 20, 64 << 20
#: Pipelines whose lives are read.
_MOST_LIVES = 10_000
_NAME = re.compile(rb"^name:[ \t]*[\"']?([A-Za-z0-9_.-]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Kept:
    """One version's passport.

    Attributes:
        digest: SHA-256 over its bundle.
        facts: the passport's values as they were written; empty where ``problem``.
        signed_by: the key that signed the bundle; empty where that is not known.
        problem: why it cannot be believed or read.
        text: passport.yaml.
    """

    digest: str
    facts: dict[str, Any] = field(default_factory=dict)
    signed_by: str = ""
    problem: str = ""
    text: bytes = field(default=b"", repr=False)

    @property
    def version(self) -> str:
        """As people call it."""
        return str(self.facts.get("version", ""))


def names(state_dir: Path) -> set[str]:
    """Models of which a passport is kept."""
    found = set()
    for _, text in _texts(folder_of(state_dir)):
        if match := _NAME.search(text):
            found.add(match[1].decode())
    return found


def kept_of(state_dir: Path, model: str) -> list[Kept]:
    """Passports of a model's versions."""
    folder = folder_of(state_dir)
    named = model.encode("utf-8", "replace")
    found = []
    # parsing YAML takes a thousand times as long as finding a word in it
    for digest, text in _texts(folder):
        if named in text:
            one = _kept(folder, digest, text)
            if one.facts.get("name") == model:
                found.append(one)
    return found


def lives(state_dir: Path) -> tuple[dict[str, Life], list[str]]:
    """Lives by pipeline, and names of those that cannot be read."""
    found, damaged = {}, []
    try:
        files = sorted((state_dir / "models" / "lives").glob("*.json"))[:_MOST_LIVES]
    except OSError:
        files = []
    for file in files:
        try:
            body = read_plain(file.parent, file.name, _LONGEST_LIFE)
            found[file.stem] = msgspec.json.decode(body, type=Life)
        except (ModelRejected, msgspec.MsgspecError, RecursionError):
            damaged.append(file.stem)
    return found, damaged


def reference_of(
    state_dir: Path, model: str, one: Kept, whose: str = ""
) -> tuple[Yardstick | None, str]:
    """What a version's rows are held against; or None and why there is nothing.

    Args:
        state_dir: of the agent.
        model: name.
        one: the version.
        whose: of what the tags are.
    """
    if one.problem:
        return None, one.problem
    folder = state_dir.joinpath(*BUNDLES, model, one.digest)
    try:
        passport = parse(one.text, folder)
        if not folder.is_dir():
            said = f"the files of version {one.version} have left this gateway"
            return None, said
        body = read_plain(folder, passport.reference, _LONGEST_REFERENCE)
        if hashlib.sha256(body).hexdigest() != passport.files[passport.reference]:
            said = f"{passport.reference} of version {one.version} is not what was"
            return None, f"{said} signed"
        reference = read_reference(body, passport)
    except (ModelRejected, OSError) as why:
        return None, f"the reference of version {one.version} cannot be read: {why}"
    order = [feature.name for feature in passport.features]
    return yardstick_of(reference, order, _usual(passport, reference), (), whose), ""


def _usual(passport: Passport, reference: Reference) -> Usual:
    """Tags as the passport calls them."""
    roles = list(passport.tags)
    facts = list(passport.tags.values())
    return Usual(
        tuple(fact.label or role for role, fact in passport.tags.items()),
        tuple(fact.unit for fact in facts),
        np.array([roles.index(f.tag) for f in passport.features], np.int64),
        tuple(str(f.aggregate) for f in passport.features),
        tuple(f.window for f in passport.features),
        reference.usual_low,
        reference.usual_high,
        reference.mean,
        reference.std,
    )


def _texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    for digest in passports.digests(folder):
        try:
            with (folder / f"{digest}.yaml").open("rb") as stream:
                yield digest, stream.read(_LONGEST)
        except OSError:
            continue


def _kept(folder: Path, digest: str, text: bytes) -> Kept:
    try:
        known = passports.read(folder, digest)
        facts = read_yaml(known.text, f"passport of {digest}")
    except ModelRejected as why:
        match = _NAME.search(text)
        name = match[1].decode() if match else ""
        return Kept(digest, {"name": name}, problem=str(why))
    return Kept(digest, facts, known.signed_by, text=known.text)


def in_order(found: Sequence[Kept]) -> list[Kept]:
    """Newest release first; of those that are not counted the highest version."""

    def place(one: Kept) -> tuple[int, list[int], str]:
        release = one.facts.get("release", 0)
        digits = [int(part) for part in re.findall(r"\d{1,9}", one.version)]
        return (release if isinstance(release, int) else 0, digits, one.digest)

    return sorted(found, key=place, reverse=True)
