"""`edge-agent replay --alarm`: an alarm's number computed again from its evidence."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.captured import reading, retracing
from edge_agent.captured.reading import NotEvidence
from edge_agent.captured.retracing import Sameness
from edge_agent.cli import at_hand
from edge_agent.cli.lineage import model_page
from edge_agent.cli.printing import labelled, plain
from edge_agent.dates import instant_of
from edge_agent.errors import EdgeAgentError, ModelRejected
from edge_agent.registry import lineage
from edge_agent.registry.cache import Cache

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.captured.form import Evidence, Surroundings
    from edge_agent.captured.retracing import Retraced
    from edge_agent.scoring import OnnxScorer

FAILED = 1
_NAMED, _SHOWN = 5, 12
_SAID = {
    Sameness.SAME: "the same, bit for bit",
    Sameness.CLOSE: f"the same within {retracing.TOLERANCE:g}",
    Sameness.DIFFERENT: "NOT the same",
    Sameness.NOT_MADE: "not made again",
}


@dataclass(frozen=True, slots=True)
class Again:
    """One alarm, and what became of it when it was computed again."""

    evidence: Evidence
    found: Retraced
    holds: bool
    alike: bool
    model: dict[str, Any]
    stated: float | None
    """First threshold of the model's passport; None where the model is not here."""


def run(arguments: argparse.Namespace) -> int:
    """Compute an alarm again; 0 when its number is the same, else 1."""
    begin = arguments.alarm.strip()
    try:
        bodies = _bodies(arguments, begin)
        every = [again(body, arguments) for body in bodies]
    except (OSError, EdgeAgentError, NotEvidence) as why:
        print(why, file=sys.stderr)
        return FAILED
    if arguments.json:
        told = [document(one) for one in every]
        print(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        for one in every:
            print("\n".join(map(plain, page(one))))
    return 0 if all(one.holds for one in every) else FAILED


def _bodies(arguments: argparse.Namespace, begin: str) -> list[bytes]:
    """Evidence of the one alarm that is meant.

    Raises:
        NotEvidence: there is none, or more than one begins so.
        OSError, StoreInUse, StoreDamaged: it cannot be read.
    """
    if arguments.evidence is not None:
        where, files = arguments.evidence, at_hand.files_of(arguments.evidence)
        found = list(at_hand.in_files(files, begin))
    else:
        where = arguments.state_dir
        found = at_hand.in_state(where, begin)
    found = list(dict.fromkeys(found))
    if not begin or not found:
        raise NotEvidence(
            f"{where} has no evidence of an alarm {begin!r}: give its occurrence as "
            "SCADA has it, or how it begins"
        )
    named = {body: reading.occurrence_of(body) for body in found}
    if exact := [body for body, name in named.items() if name == begin]:
        return exact
    if len(names := sorted(set(named.values()))) > 1:
        some = ", ".join(names[:_NAMED])
        raise NotEvidence(f"{len(names)} alarms begin with {begin!r}: {some} …")
    return found


def again(body: bytes, arguments: argparse.Namespace) -> Again:
    """One alarm computed again.

    Args:
        body: its evidence.
        arguments: ``state_dir`` and ``bundle``, where its model may be.

    Raises:
        NotEvidence: the evidence is damaged.
    """
    from edge_agent.surroundings import here

    evidence, this = reading.read(body), here()
    folder = _folder(evidence, arguments.state_dir, arguments.bundle)
    scorer, problem = None, ""
    if folder is None and evidence.rule is None:
        problem = (
            f"no bundle with digest {evidence.model.digest} under "
            f"{arguments.state_dir / 'models'}: give its folder with --bundle"
        )
    elif folder is not None:
        try:
            scorer = _scorer(evidence, folder)
        except ModelRejected as why:
            problem = str(why)
    found = retracing.retrace(evidence, this, scorer, problem)
    alike = retracing.alike(evidence, this)
    holds = found.holds(alike=alike, close=scorer is not None and _close(scorer))
    model = _lineage(evidence, scorer, arguments.state_dir)
    stated = None if scorer is None else scorer.passport.thresholds[0].value
    return Again(evidence, found, holds, alike, model, stated)


def _folder(evidence: Evidence, state_dir: Path, given: Path | None) -> Path | None:
    """Where the model's bundle lies; None where it is not here."""
    model = evidence.model
    if given is not None:
        return given
    if not model.digest:
        return None
    kept = Cache(state_dir / "models").bundle(model.name, model.digest)
    return kept if kept.is_dir() else None


def _scorer(evidence: Evidence, folder: Path) -> OnnxScorer:
    """The model that scored, proven.

    Raises:
        ModelRejected: the folder has another one, or it is damaged.
    """
    from edge_agent.bundle.contents import open_bundle
    from edge_agent.scoring import OnnxScorer

    bundle = open_bundle(folder)
    if bundle.digest != evidence.model.digest:
        raise ModelRejected(
            f"{folder} has digest {bundle.digest}; the alarm was scored by "
            f"{evidence.model.digest or 'no version'}"
        )
    theirs = [(s.name, s.aggregate, s.window, s.cycle) for s in bundle.passport.specs()]
    mine = [(f.name, f.aggregate, f.window, f.cycle) for f in evidence.features]
    if mine != theirs:
        raise ModelRejected(
            f"{folder}: the features of the alarm are not its passport's"
        )
    return OnnxScorer(bundle, deadline=math.inf)


def _close(scorer: OnnxScorer) -> bool:
    """Whether the model does not promise the same bits for the same row."""
    return scorer.passport.model.replay == "close" or not scorer.exact


def _lineage(
    evidence: Evidence, scorer: OnnxScorer | None, state_dir: Path
) -> dict[str, Any]:
    """What is known here of the model; nothing where no version scored."""
    model = evidence.model
    if not model.digest:
        return {}
    known = lineage.of_digest(state_dir, model.digest)
    if known["problem"] and scorer is not None:
        return lineage.of_bundle(scorer.path, model.digest)
    return known | {"model": model.name, "version": model.version}


# --- for people -------------------------------------------------------------------


def page(one: Again) -> Iterator[str]:
    """What came of it, in lines."""
    evidence, found = one.evidence, one.found
    alarm, verdict = evidence.alarm, evidence.verdict
    yield f"alarm {alarm.occurrence} {_heading(one)}"
    yield from labelled("when", _when(alarm.at))
    part = f", part {alarm.part}" if alarm.part else ""
    context = f", context {alarm.context}" if alarm.context else ""
    yield from labelled(
        "where", f"{alarm.asset}, pipeline {alarm.pipeline}{part}{context}"
    )
    yield from labelled("told", alarm.reason)
    count = len(evidence.features)
    yield from labelled(
        "features", f"{count}: {_SAID[found.features]}{_why(found.features_why)}"
    )
    kept = "none" if evidence.score.value is None else repr(evidence.score.value)
    made = "none" if found.made is None else repr(found.made)
    yield from labelled("score", f"{_SAID[found.score]}{_why(found.score_why)}")
    yield from labelled("", f"{kept} kept, {made} here")
    stated = "" if one.stated is None else f"; the passport says {one.stated:.6g}"
    beyond = "above" if found.alarm else "NOT above"
    yield from labelled(
        "judged",
        f"{beyond} {verdict.threshold:.6g} (of the {verdict.threshold_of}{stated}) "
        f"since {_when(verdict.leaning)}, on-delay {verdict.on_delay / 1e9:g} s",
    )
    rung = f" (rung {evidence.model.rung})" if evidence.model.rung != "model" else ""
    yield from labelled(
        "scored by", f"{evidence.model.name} {evidence.model.version}{rung}"
    )
    yield from _made(evidence.surroundings, alike=one.alike)
    for apart in found.differences[:_SHOWN]:
        yield from labelled(
            "differs", f"{apart.what}: {apart.kept} kept, {apart.made} here"
        )
    if (more := len(found.differences) - _SHOWN) > 0:
        yield from labelled("", f"and {more} more")
    for why in found.reasons:
        yield from labelled("perhaps", why)
    if one.model:
        yield ""
        yield from model_page(one.model)


def _heading(one: Again) -> str:
    if not one.holds:
        return "was NOT made again"
    same = Sameness.SAME is one.found.features is one.found.score
    how = Sameness.SAME if same else Sameness.CLOSE
    return f"was made again: {_SAID[how]}"


def _why(text: str) -> str:
    return f", {text}" if text else ""


def _made(by: Surroundings, *, alike: bool) -> Iterator[str]:
    yield from labelled(
        "made by",
        f"agent {by.agent}, NumPy {by.numpy}, ONNX Runtime {by.onnxruntime}, "
        f"{by.machine} {by.processor}".rstrip(),
    )
    yield from labelled("", "the same as here" if alike else "other than here")
    yield from labelled("configuration", by.configuration or "not known")


def _when(at: int) -> str:
    return instant_of(at) or str(at)


# --- for machines -----------------------------------------------------------------


def document(one: Again) -> dict[str, Any]:
    """The same for machines; keys and types are always the same."""
    evidence, found = one.evidence, one.found
    return {
        "occurrence": evidence.alarm.occurrence,
        "pipeline": evidence.alarm.pipeline,
        "asset": evidence.alarm.asset,
        "at_ns": evidence.alarm.at,
        "made_again": one.holds,
        "same_surroundings": one.alike,
        "features": str(found.features),
        "features_why": found.features_why,
        "score": str(found.score),
        "score_why": found.score_why,
        "score_kept": evidence.score.value,
        "score_made": found.made,
        "threshold": evidence.verdict.threshold,
        "threshold_of": evidence.verdict.threshold_of,
        "threshold_of_passport": one.stated,
        "alarm": found.alarm,
        "differences": [
            {"what": d.what, "kept": d.kept, "made": d.made, "away": d.away}
            for d in found.differences
        ],
        "reasons": list(found.reasons),
        "surroundings": msgspec.to_builtins(evidence.surroundings),
        "model": one.model,
    }
