"""`edge-agent model diff`: what changed between two versions, for an approver."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.bundle import comparing
from edge_agent.bundle.comparing import Verdicts
from edge_agent.bundle.contents import open_bundle
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    import argparse

    from edge_agent.bundle.comparing import Change, Shift
    from edge_agent.bundle.contents import Bundle

_SHOWN = 20
_LONG = 60


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "diff",
        help="show what changed between two model versions",
        description="Compares passports, graphs and training data, and runs both "
        "models on the golden rows of both. Exit code 0: equal. 1: they differ. 2: one "
        "cannot be opened.",
    )
    parser.add_argument("old", type=Path, help="folder NAME/VERSION of a model")
    parser.add_argument("new", type=Path, help="the other one")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare; 0 equal, 1 different, 2 refused."""
    try:
        old, new = open_bundle(arguments.old), open_bundle(arguments.new)
        found = verdicts(old, new)
    except ModelRejected as error:
        print(error, file=sys.stderr)
        return 2
    changed, shifted = comparing.changes(old, new), comparing.shifts(old, new)
    if arguments.json:
        print(msgspec.json.encode(_told(old, new, changed, shifted, found)).decode())
    else:
        print("\n".join(_plain(old, new, changed, shifted, found)))
    return int(old.digest != new.digest)


def verdicts(old: Bundle, new: Bundle) -> Verdicts | None:
    """Golden rows under both models; None where they read other features.

    Raises:
        ModelRejected: one of them does not give its own golden rows here.
    """
    if not comparing.same_rows(old, new):
        return None
    from edge_agent.scoring import OnnxScorer

    rows = comparing.golden_of_both(old, new)
    before, after = (OnnxScorer(bundle).score(rows).score for bundle in (old, new))
    limits = [bundle.passport.thresholds[0].value for bundle in (old, new)]
    return Verdicts(before, after, before > limits[0], after > limits[1])


def _told(
    old: Bundle,
    new: Bundle,
    changed: list[Change],
    shifted: list[Shift],
    found: Verdicts | None,
) -> dict[str, Any]:
    rows = None
    if found is not None:
        rows = [
            {"before": b, "after": a, "alarm_before": x, "alarm_after": y}
            for b, a, x, y in zip(
                found.before.tolist(),
                found.after.tolist(),
                found.alarm_before.tolist(),
                found.alarm_after.tolist(),
                strict=True,
            )
        ]
    return {
        "old": {"version": old.passport.version, "digest": old.digest},
        "new": {"version": new.passport.version, "digest": new.digest},
        "changes": [asdict(change) for change in changed],
        "shifts": [asdict(shift) for shift in shifted],
        "golden_rows": rows,
    }


def _plain(
    old: Bundle,
    new: Bundle,
    changed: list[Change],
    shifted: list[Shift],
    found: Verdicts | None,
) -> list[str]:
    if old.digest == new.digest:
        return [f"{old.passport.name}: the same bundle, {old.digest}"]
    pairs = ((bundle.passport, bundle.sha8) for bundle in (old, new))
    versions = [f"{p.name} {p.version} ({d})" for p, d in pairs]
    return [
        " -> ".join(versions),
        *(f"  {c.what}: {_short(c.before)} -> {_short(c.after)}" for c in changed),
        *([] if changed else ["  the passports and graphs say the same"]),
        *_moved(shifted),
        *_judged(found),
    ]


def _moved(shifted: list[Shift]) -> list[str]:
    if not any(shift.value for shift in shifted):
        return ["training data: no feature moved"]
    lines = [
        f"  {s.feature}: PSI {s.value:.3f}"
        if s.measure == "psi"
        else f"  {s.feature}: mean moved by {s.value:+.2f} standard deviations"
        for s in shifted[:_SHOWN]
        if s.value
    ]
    return ["training data, the features that moved most:", *lines]


def _judged(found: Verdicts | None) -> list[str]:
    if found is None:
        return ["golden rows: not compared, the models read other features"]
    apart = abs(found.after - found.before)
    lines = [
        f"  {found.before[i]:.6g} -> {found.after[i]:.6g}"
        f"{_verdict(bool(found.alarm_before[i]), bool(found.alarm_after[i]))}"
        for i in (-apart).argsort(kind="stable")[:_SHOWN]
        if apart[i] or found.alarm_before[i] != found.alarm_after[i]
    ]
    head = (
        f"golden rows of both, {len(apart)}: scores differ by at most "
        f"{apart.max():.4g}, {found.other} verdicts are another"
    )
    return [head, *lines]


def _verdict(before: bool, after: bool) -> str:
    if before == after:
        return ""
    return ", now an alarm" if after else ", no alarm any more"


def _short(value: object) -> str:
    if value is None:
        return "(not said)"
    text = str(value)
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."
