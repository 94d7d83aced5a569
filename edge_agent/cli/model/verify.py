"""`edge-agent model verify`: is this bundle whole, vouched for, and does it score?"""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.cli.model.key import EX_CONFIG
from edge_agent.errors import ConfigError, ModelRejected

if TYPE_CHECKING:
    import argparse

    from edge_agent.bundle.contents import Bundle
    from edge_agent.bundle.signing import Signed


@dataclass
class _Findings:
    """What was checked, in order, and what each check found."""

    checks: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    model: dict[str, object] = field(default_factory=dict)


def add_parser(below: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = below.add_parser(
        "verify",
        help="check a bundle: signature, files, golden rows",
        description="Checks a bundle as a gateway does: its signature (where trusted "
        "keys are given), that every file is the one its passport was made for, and "
        "that the model gives its golden outputs on this computer. Exit code 0: all "
        "right; 1: refused; 78: a key or the list of revoked keys cannot be used.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the bundle")
    parser.add_argument(
        "--trusted-key",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="public key (PEM); may be given several times, any may have signed",
    )
    parser.add_argument(
        "--revoked", type=Path, metavar="FILE", help="signed list of revoked keys"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Verify; 0, 1 or 78."""
    findings, refused, code = _Findings(), "", 0
    try:
        _check(arguments, findings)
    except ModelRejected as why:
        refused, code = str(why), 1
    except ConfigError as why:
        refused, code = str(why), EX_CONFIG
    if arguments.json:
        print(msgspec.json.encode(_answer(findings, refused)).decode())
        return code
    for check, found in findings.checks:
        print(f"ok       {check:<12} {found}")
    for check, why_not in findings.skipped:
        print(f"skipped  {check:<12} {why_not}")
    if refused:
        print(f"refused  {refused}", file=sys.stderr)
    return code


def _check(arguments: argparse.Namespace, findings: _Findings) -> None:
    from edge_agent.bundle.contents import open_bundle
    from edge_agent.clock import SystemClock
    from edge_agent.registry.checks import expired

    signed = _signature(arguments, findings)
    bundle = open_bundle(arguments.folder)
    if signed is not None:
        signed.check_same(bundle)
    stated = bundle.passport
    findings.model = {
        "name": stated.name,
        "version": stated.version,
        "release": stated.release,
        "digest": bundle.digest,
    }
    found = f"{stated.name}@{stated.version}, release {stated.release}: "
    found += f"{len(stated.files)} files as the passport says, digest {bundle.sha8}"
    findings.checks.append(("files", found))
    now = dt.datetime.fromtimestamp(SystemClock().now() / 1e9, dt.UTC)
    if over := expired(stated, now):
        raise ModelRejected(f"{over}: no gateway lets it score any more")
    _golden(bundle, findings)


def _signature(arguments: argparse.Namespace, findings: _Findings) -> Signed | None:
    from edge_agent.bundle.signing import verify
    from edge_agent.bundle.trust import Trust

    if not arguments.trusted_key:
        if arguments.revoked:
            raise ConfigError("--revoked needs --trusted-key: whose list is it?")
        findings.skipped.append(("signature", "no --trusted-key is given"))
        return None
    trust = Trust.load(arguments.trusted_key, arguments.revoked)
    signed = verify(arguments.folder, trust)
    found = f"of key {signed.key_id}, over {len(signed.files)} files"
    if trust.revoked.number:
        found += f"; not on list {trust.revoked.number} of revoked keys"
    findings.checks.append(("signature", found))
    return signed


def _golden(bundle: Bundle, findings: _Findings) -> None:
    from edge_agent.scoring import OnnxScorer

    scorer = OnnxScorer(bundle)
    found = f"{len(bundle.golden.inputs)} reproduced within tolerance"
    if not scorer.exact:
        found += "; one row's score may differ from run to run, as the passport allows"
    findings.checks.append(("golden rows", found))


def _answer(findings: _Findings, refused: str) -> dict[str, Any]:
    return {
        "ok": not refused,
        "refused": refused,
        "checks": dict(findings.checks),
        "skipped": dict(findings.skipped),
        "model": findings.model,
    }
