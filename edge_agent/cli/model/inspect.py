"""`edge-agent model inspect`: what a bundle says of itself; nothing of it is run."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.bundle import graph
from edge_agent.bundle.contents import open_bundle
from edge_agent.clock import SystemClock
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    import argparse

    from edge_agent.bundle.calibration import Calibrations
    from edge_agent.bundle.contents import Bundle
    from edge_agent.bundle.passport import Feature, Passport

_SECOND = 1e9
_DAY = 86_400.0
_WIDTH = 18


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "inspect",
        help="show what a model version is, needs and promises",
        description="Opens and verifies a bundle; runs nothing of it. Exit code 0: "
        "intact. 1: a gateway would refuse it.",
    )
    parser.add_argument("folder", type=Path, help="folder NAME/VERSION of a model")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show; 0, or 1 for a bundle that is not intact."""
    try:
        bundle = open_bundle(arguments.folder)
    except ModelRejected as error:
        print(error, file=sys.stderr)
        return 1
    told = summary(bundle, today())
    if arguments.json:
        print(msgspec.json.encode(told).decode())
    else:
        print("\n".join(_plain(told)))
    return 0


def today() -> dt.date:
    """The day by the wall clock, UTC."""
    clock = SystemClock()
    now = clock.now() + clock.wall_offset()
    return dt.datetime.fromtimestamp(now / _SECOND, dt.UTC).date()


def summary(bundle: Bundle, day: dt.date) -> dict[str, Any]:
    """A bundle as plain values.

    Args:
        bundle: opened and verified.
        day: to tell whether dates are past.
    """
    passport = bundle.passport
    facts = graph.inspect(bundle.model)
    said = passport.model_dump(mode="json", exclude_none=True)
    return {
        **{key: said[key] for key in ("name", "version", "title", "kind")},
        "digest": bundle.digest,
        "release": passport.release,
        "asset_type": passport.asset_type,
        "governance": _governance(passport, day),
        "thresholds": said["thresholds"],
        "false_alarms": said.get("false_alarms"),
        "accuracy": said.get("accuracy"),
        "features": [_feature(f, passport) for f in passport.features],
        "outputs": said["model"]["outputs"],
        "training": said["training"],
        "allowance": said["allowance"],
        "targets": said["targets"],
        "reference": _reference(bundle),
        "golden_rows": len(bundle.golden.inputs),
        "graph": {
            "bytes": len(bundle.model),
            "opsets": facts.opsets,
            "ir_version": facts.ir_version,
            "operators": facts.operators,
        },
        "files": {name: (bundle.path / name).stat().st_size for name in passport.files},
    }


def _governance(passport: Passport, day: dt.date) -> dict[str, Any]:
    expires = passport.expires
    return {
        "intended_use": passport.intended_use,
        "limits": list(passport.limits),
        "owner": passport.owner,
        "contact": passport.contact,
        "approver": passport.approver,
        "oversight": passport.oversight,
        "licence": passport.licence,
        "safety": passport.safety,
        "review_date": str(passport.review_date),
        "review_is_due": day > passport.review_date,
        "expires": str(expires) if expires else None,
        "has_expired": expires is not None and day > expires,
    }


def _feature(feature: Feature, passport: Passport) -> dict[str, Any]:
    return {
        "name": feature.name,
        "tag": feature.tag,
        "unit": passport.tags[feature.tag].unit,
        "aggregate": feature.aggregate,
        "window_s": feature.window,
        "cycle": feature.cycle,
        "trained": list(feature.trained),
    }


def _reference(bundle: Bundle) -> dict[str, Any]:
    found = bundle.reference
    return {
        "rows": found.rows,
        "baseline_id": found.baseline_id,
        "outputs": list(found.whole.outputs),
        "contexts": {name: part.rows for name, part in found.contexts.items()},
        "calibration": _calibration(found.calibration),
    }


def _calibration(found: Calibrations | None) -> dict[str, float] | None:
    """How much healthy data the features' limits of drift were told from."""
    part = found.features if found else None
    if part is None:
        return None
    day = [i for i, length in enumerate(part.lengths) if length <= _DAY][-1]
    worth = [
        1.0 / max(one.own[day] / part.assets + one.shared[day], 1e-12)
        for one in part.columns.values()
    ]
    return {
        "span_s": part.span,
        "assets": part.assets,
        "longest_s": part.lengths[-2],
        "stretch_s": part.lengths[day],
        "independent_rows": sorted(worth)[len(worth) // 2],
    }


def _plain(told: dict[str, Any]) -> list[str]:
    people = told["governance"]
    due = " (past: somebody must look at it)" if people["review_is_due"] else ""
    gone = " (past: it must not score)" if people["has_expired"] else ""
    trained, reference = told["training"], told["reference"]
    outputs = ", ".join(reference["outputs"]) or "none"
    contexts = ", ".join(f"{n} ({k} rows)" for n, k in reference["contexts"].items())
    operators = ", ".join(f"{n} x{k}" for n, k in told["graph"]["operators"].items())
    levels = (
        f"{t['value']:.6g} (severity {t['severity']})" for t in told["thresholds"]
    )
    lines = [
        f"{told['name']} {told['version']}: {told['title']}",
        _line("digest", told["digest"]),
        _line("release", told["release"] or "not counted"),
        _line("kind", f"{told['kind']}, for {told['asset_type']}"),
        _line("intended use", people["intended_use"]),
        *(_line("limit", limit) for limit in people["limits"]),
        _line("owner", f"{people['owner']}, {people['contact']}"),
        _line("approver", people["approver"]),
        _line("review by", people["review_date"] + due),
        *([_line("expires", people["expires"] + gone)] if people["expires"] else []),
        _line("alarm above", ", ".join(levels)),
        *_promises(told),
        _line(
            "trained on",
            f"{trained['rows']} rows, {trained['start']} to {trained['end']}, "
            f"by {trained['script']}",
        ),
        _line("profile", f"{reference['baseline_id']}, outputs {outputs}"),
        *([_line("contexts", contexts)] if contexts else []),
        _line("drift limits", _limits(reference["calibration"])),
        _line("graph", f"{told['graph']['bytes']} bytes, {operators}"),
        _line("files", ", ".join(f"{n} {size}" for n, size in told["files"].items())),
        "features",
        *(_feature_line(feature) for feature in told["features"]),
    ]
    return [line for line in lines if line]


def _limits(found: dict[str, float] | None) -> str:
    if found is None:
        return "not calibrated: only gross drift will be told (rows without times)"
    return (
        f"calibrated on {found['span_s'] / 3600:.3g} h of {found['assets']:g} assets, "
        f"stretches up to {found['longest_s'] / 3600:.3g} h; "
        f"{found['stretch_s'] / 3600:.3g} h are worth "
        f"{found['independent_rows']:.3g} independent rows"
    )


def _promises(told: dict[str, Any]) -> list[str]:
    lines = []
    if found := told["false_alarms"]:
        lines.append(
            _line(
                "false alarms",
                f"{found['seen_per_week']:g} an asset and week seen in "
                f"{found['asset_hours']:g} asset hours, {found['budget_per_week']:g} "
                f"allowed. {found.get('note', '')}".strip(),
            )
        )
    if wanted := told["accuracy"]:
        got = wanted.get("reached")
        reached = f", {got:g} reached" if got is not None else ""
        said = f"{wanted['metric']} {wanted['level']:g}{reached}"
        lines.append(_line("must reach", said))
    return lines


def _feature_line(feature: dict[str, Any]) -> str:
    over = f" over {feature['window_s']:g} s" if feature["window_s"] else ""
    over = " over the cycle" if feature["cycle"] else over
    low, high = feature["trained"]
    return (
        f"  {feature['name']}: {feature['aggregate']} of {feature['tag']}{over}, "
        f"trained {low:g} to {high:g} {feature['unit']}".rstrip()
    )


def _line(name: str, value: object) -> str:
    return f"  {name:<{_WIDTH}}{value}"
