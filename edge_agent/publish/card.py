"""MODEL_CARD.md: the passport for people, with what the build measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.bundle.passport import Passport
    from edge_agent.bundle.reference import ReferenceFile

FILE = "MODEL_CARD.md"


def written(
    passport: Passport,
    reference: ReferenceFile,
    *,
    source: str,
    made: Sequence[str],
    quality: Sequence[str],
) -> str:
    """The card.

    Args:
        passport: what is shipped.
        reference: its profile.
        source: the model it was made from.
        made: sentences on conversion, parity and cost.
        quality: sentences on what it reached.
    """
    parts = [
        f"# {passport.name} {passport.version}",
        passport.title,
        *_section("What it is for", [passport.intended_use, _targets(passport)]),
        *_section("What it is not for", _listed(passport.limits), passport.safety),
        *_section("Who answers for it", _people(passport)),
        *_section("What it reads", _features(passport)),
        *_section("When it alarms", _alarms(passport)),
        *_section("How its alarms are explained", _explained(passport)),
        *_section("How good it is", _required(passport), *quality),
        *_section("What it was trained on", _training(passport, reference)),
        *_section("How it was made", f"From {source}.", *made),
        *_section("Is it intact?", _intact()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, *paragraphs: str | Iterable[str]) -> list[str]:
    found = [
        p if isinstance(p, str) else "\n\n".join(one for one in p if one)
        for p in paragraphs
    ]
    return [f"## {title}", *found]


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _targets(passport: Passport) -> str:
    targets = passport.targets
    said = [
        *([f"sites {', '.join(targets.sites)}"] if targets.sites else []),
        *([f"assets {', '.join(targets.asset_types)}"] if targets.asset_types else []),
    ]
    return f"May run only at {' and '.join(said)}." if said else ""


def _people(passport: Passport) -> str:
    rows = [
        ("Owner", passport.owner),
        ("Contact", passport.contact),
        ("Approved by", passport.approver),
        ("Oversight", passport.oversight),
        ("To be looked at again by", str(passport.review_date)),
        ("Must not score after", str(passport.expires or "")),
        ("Licence", passport.licence),
    ]
    return _listed(f"{name}: {value}" for name, value in rows if value)


def _features(passport: Passport) -> str:
    head = ["| feature | tag | unit | trained from | to |", "|---|---|---|---|---|"]
    rows = [
        f"| {f.name} | {f.tag} | {passport.tags[f.tag].unit or '-'} "
        f"| {f.trained[0]:.5g} | {f.trained[1]:.5g} |"
        for f in passport.features
    ]
    return "\n".join([*head, *rows])


def _alarms(passport: Passport) -> str:
    levels = _listed(
        f"score above {one.value:.6g}: severity {one.severity}"
        for one in passport.thresholds
    )
    levels += "".join(
        f"\n- in context {name}: score above {own[0].value:.6g}"
        for name, own in passport.context_thresholds.items()
    )
    found = passport.false_alarms
    if found is None:
        return levels
    most = found.at_most_per_week
    return (
        f"{levels}\n\nFalse alarms an asset and week: at most "
        f"{found.budget_per_week:g} wanted, {found.seen_per_week:g} seen in "
        f"{found.asset_hours:.4g} asset hours kept aside"
        + (f", not above {most:.3g} with 95 % confidence" if most is not None else "")
        + f". {found.note}"
    )


def _explained(passport: Passport) -> str:
    outputs = passport.model.outputs
    told = outputs.contributions or outputs.score.read == "reconstruction"
    said = (
        "The gateway puts each tag in turn at usual values of the profile and looks "
        "how far the score falls."
    )
    if not told:
        return f"{said} The model itself tells no part of a feature in its score."
    return f"{said} That and what the model tells itself count half each."


def _required(passport: Passport) -> str:
    wanted = passport.accuracy
    if wanted is None:
        return ""
    said = (
        f"Required: {wanted.metric} of {wanted.level:g}, judged once "
        f"{wanted.min_labels} labels are known."
    )
    if wanted.reached is None:
        return f"{said} Not measured: no labelled rows were kept aside."
    return f"{said} Reached on {wanted.labels} labels: {wanted.reached:.4g}."


def _training(passport: Passport, reference: ReferenceFile) -> str:
    one = passport.training
    said = (
        f"{one.data.rstrip('.')}. {one.rows} rows from {one.start:%Y-%m-%d %H:%M} to "
        f"{one.end:%Y-%m-%d %H:%M} UTC, by {one.script}"
        + (f", run {one.run}" if one.run else "")
        + (f", commit {one.commit}" if one.commit else "")
        + (f", seed {one.seed}" if one.seed is not None else "")
        + "."
    )
    contexts = reference.contexts
    if contexts:
        counts = ", ".join(f"{name} ({p.rows})" for name, p in contexts.items())
        said += f"\n\nContexts and their rows: {counts}."
    return f"{said}\n\nProfile {reference.baseline_id}, in reference.json."


def _intact() -> str:
    return (
        "passport.yaml holds the SHA-256 of every file. The bundle's digest, whose "
        "first eight digits SCADA shows:\n\n"
        "    ls | grep -vx model.sig | xargs sha256sum | LC_ALL=C sort -k2 | sha256sum"
    )
