"""From an alarm to the model that raised it, its training, and who approved it.

One document for the command line and for machines, made of what lies on this
gateway: traces of alarms in the store, passports in the state folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.bundle.passport import passport_bytes
from edge_agent.bundle.reading import read_yaml
from edge_agent.dates import instant_of
from edge_agent.errors import ModelRejected
from edge_agent.records import AlarmState, Fallback
from edge_agent.registry import passports
from edge_agent.store.looking import Query
from edge_agent.store.work import soon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge_agent.registry.passports import Kept
    from edge_agent.store.journal import Journal
    from edge_agent.store.looking import Found
    from edge_agent.store.traces import Trace

PASSPORTS = ("models", "passports")
BUNDLES = ("models", "bundles")
#: What people ask of a passport; the rest (features, tags, hashes) is in the file.
FACTS = (
    *("title", "kind", "asset_type", "intended_use", "limits", "owner", "contact"),
    *("approver", "training", "accuracy", "false_alarms", "thresholds"),
    *("review_date", "expires", "licence", "safety", "oversight"),
)
#: Newest transitions shown of those a model made.
SHOWN = 20
_DIGITS = 64


def folder_of(state_dir: Path) -> Path:
    """Where passports are kept."""
    return state_dir.joinpath(*PASSPORTS)


def answer(state_dir: Path, journal: Journal, what: str) -> dict[str, Any]:
    """The document of the running agent; waits for its store, but not for long.

    Args:
        state_dir: the agent's state.
        journal: its store.
        what: see `store.looking.Query.of`.

    Raises:
        StoreBusy: the store does not answer now.
    """
    return document(state_dir, Query.of(what), soon(journal.look(what)))


def document(state_dir: Path, query: Query, found: Found) -> dict[str, Any]:
    """Everything known of what was asked; keys and types are always the same.

    Args:
        state_dir: the agent's state.
        query: what was asked.
        found: what the store has of it.
    """
    models = [
        _model(state_dir, digest, found.traces)
        for digest in _digests(folder_of(state_dir), query, found.traces)
    ]
    return {
        "asked": query.what,
        "asked_for": "model" if query.digest else "alarm",
        "state_dir": str(state_dir),
        "alarms": [_alarm(trace) for trace in found.traces[-SHOWN:]],
        "alarms_in_all": len(found.traces),
        "models": models,
        "newest": [_alarm(trace) for trace in found.newest],
        "rows_damaged": found.damaged,
        "passports": len(passports.digests(folder_of(state_dir))),
    }


def _digests(folder: Path, query: Query, traces: Sequence[Trace]) -> list[str]:
    """Models that are meant, or that raised the alarms."""
    named = {_full(folder, trace.model_digest) for trace in traces}
    if query.digest:
        named.update(passports.digests(folder, query.digest))
    return sorted(named - {""})


def _full(folder: Path, digest: str) -> str:
    """A digest as it is; its first digits alone (an older agent's) as the one meant."""
    if not digest or len(digest) == _DIGITS:
        return digest
    found = passports.digests(folder, digest)
    return found[0] if len(found) == 1 else digest


def _alarm(trace: Trace) -> dict[str, Any]:
    return {
        "occurrence": trace.occurrence,
        "id": f"{trace.gateway}-{trace.boot}-{trace.seq}",
        "gateway": trace.gateway,
        "pipeline": trace.pipeline,
        "asset": trace.asset,
        "state": AlarmState(trace.state).name,
        "time": instant_of(trace.at + trace.wall_offset),
        "since": instant_of(trace.since + trace.wall_offset),
        "score": trace.score,
        "threshold": trace.threshold,
        "severity": trace.severity,
        "reason": trace.reason,
        "part": trace.part,
        "model": trace.model,
        "model_version": trace.model_version,
        "model_digest": trace.model_digest,
        "scored_by": Fallback(trace.fallback).name.lower().replace("_", "-"),
        "configuration_sha256": trace.configuration,
    }


def _model(state_dir: Path, digest: str, traces: Sequence[Trace]) -> dict[str, Any]:
    kept, facts, problem = _passport(folder_of(state_dir), digest)
    known = [t for t in traces if t.model_digest and digest.startswith(t.model_digest)]
    name = str(facts.get("name") or (known[-1].model if known else ""))
    version = facts.get("version") or (known[-1].model_version if known else "")
    bundle = state_dir.joinpath(*BUNDLES, name, digest)
    return {
        "model": name,
        "version": str(version),
        "release": facts.get("release", 0),
        "digest": digest,
        "signed_by": kept.signed_by if kept else "",
        "bundle": str(bundle) if name and bundle.is_dir() else "",
        "passport": {key: facts[key] for key in FACTS if facts.get(key) is not None},
        "problem": problem,
    }


def of_bundle(folder: Path, digest: str) -> dict[str, Any]:
    """A model as in `document`, from its bundle alone.

    Args:
        folder: of the bundle, verified.
        digest: over it.

    Raises:
        ModelRejected: its passport cannot be read any more.
    """
    facts = read_yaml(passport_bytes(folder), str(folder))
    return {
        "model": str(facts.get("name", "")),
        "version": str(facts.get("version", "")),
        "release": facts.get("release", 0),
        "digest": digest,
        "signed_by": "",
        "bundle": str(folder),
        "passport": {key: facts[key] for key in FACTS if facts.get(key) is not None},
        "problem": "",
    }


def of_digest(state_dir: Path, digest: str) -> dict[str, Any]:
    """A model as in `document`, from what lies in a state folder."""
    return _model(state_dir, digest, ())


def _passport(folder: Path, digest: str) -> tuple[Kept | None, Mapping[str, Any], str]:
    """A passport as it was kept; read for its words, whatever version wrote it."""
    try:
        kept = passports.read(folder, digest)
        return kept, read_yaml(kept.text, f"passport of {digest}"), ""
    except ModelRejected as why:
        return None, {}, str(why)
