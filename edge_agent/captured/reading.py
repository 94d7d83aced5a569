"""Evidence from bytes that may be damaged, or made by somebody else."""

from __future__ import annotations

import hashlib
import re
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_agent.captured import bits, form
from edge_agent.captured.form import Evidence, Held
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.spec import FeatureSpec
from edge_agent.features.window import NEVER, Window
from edge_agent.limitrule import LimitRule
from edge_agent.samples import AssetType, Quality, Tag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import I64, U8

#: Bytes of one body at most.
MOST_BYTES = 1 << 20
_MOST_FEATURES, _MOST_SLOTS = 4096, 1 << 22
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")

_encode = msgspec.json.Encoder(order="sorted").encode


class NotEvidence(ValueError):
    """What was read is damaged, or no evidence of this format."""


def read(body: bytes) -> Evidence:
    """The evidence in a record's body.

    Args:
        body: JSON, its keys in any order and spacing.

    Raises:
        NotEvidence: a byte of it has changed, or it is something else.
    """
    if len(body) > MOST_BYTES:
        raise NotEvidence(f"{len(body)} bytes are more than the evidence of an alarm")
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        raise NotEvidence(f"the evidence is no JSON: {why}") from why
    seal = found.pop(form.SEAL, None) if isinstance(found, dict) else None
    if seal is None:
        raise NotEvidence(f"there is no {form.SEAL} in it: this is no evidence")
    if hashlib.sha256(_encode(found)).hexdigest() != seal:
        raise NotEvidence("the evidence has been changed: its SHA-256 is another")
    if found.get("format") != form.FORMAT:
        raise NotEvidence(
            f"format {found.get('format')!r} is not {form.FORMAT}: replay it with the "
            "version of the agent that made it"
        )
    try:
        evidence = msgspec.convert(found, Evidence)
    except msgspec.ValidationError as why:
        raise NotEvidence(f"the evidence is not of this format: {why}") from why
    _check(evidence)
    return evidence


def occurrence_of(body: bytes) -> str:
    """Whose evidence a body is, whole or damaged; empty where it does not say."""
    try:
        said = msgspec.json.decode(body)
        return str(said["alarm"]["occurrence"])
    except (msgspec.DecodeError, ValueError, TypeError, KeyError, RecursionError):
        return ""


def _check(evidence: Evidence) -> None:
    """What would let a stranger's evidence read other files, or take all memory."""
    model = evidence.model
    if model.digest and not (
        _DIGEST.fullmatch(model.digest) and _NAME.fullmatch(model.name)
    ):
        raise NotEvidence("its model has no proper name and digest")
    if not 0 < len(evidence.features) <= _MOST_FEATURES:
        raise NotEvidence(f"{len(evidence.features)} features are none, or too many")
    start, held = evidence.row.start, evidence.window
    if start is not None and start != NEVER and abs(start) > 1 << 61:
        raise NotEvidence("no part began then")
    if held is None:
        return
    slots = held.depth * len(held.tags)
    if not (
        held.depth > 0 and held.depth & held.depth - 1 == 0 and slots <= _MOST_SLOTS
    ):
        raise NotEvidence(f"no ring has {held.depth} slots of {len(held.tags)} tags")
    for tag in held.tags:
        low = max(tag.head - held.depth, 0)
        if not low <= tag.begin <= tag.end <= tag.head or not held.reach > 0:
            raise NotEvidence(f"entries of {tag.role} are not those of a ring")


def numbers(said: str, kind: str, count: int) -> NDArray[Any]:
    """An array of the evidence; see `bits.array`.

    Raises:
        NotEvidence: it is damaged, or has another number of numbers.
    """
    try:
        return bits.array(said, kind, count)
    except ValueError as why:
        raise NotEvidence(str(why)) from why


def specs_of(evidence: Evidence) -> list[FeatureSpec]:
    """The features of the row.

    Raises:
        NotEvidence: no feature is so.
    """
    try:
        return [
            FeatureSpec(
                one.name,
                one.tag,
                one.aggregate,  # type: ignore[arg-type]
                one.window,
                one.cycle,
                inf if one.hold is None else one.hold,
                one.rate,
                one.min_completeness,
            )
            for one in evidence.features
        ]
    except ValueError as why:
        raise NotEvidence(str(why)) from why


def rings_of(evidence: Evidence, held: Held) -> tuple[Window, FeaturePlan, I64 | None]:
    """The rings of one asset as the row saw them, its features, and signs of life.

    Entries that the row did not look at are not known: where some were they are older
    than every window, or newer than the row.

    Raises:
        NotEvidence: the parts do not fit together.
    """
    tags = tuple(_tag(tag) for tag in held.tags)
    kind = AssetType(evidence.alarm.asset_type, (evidence.alarm.asset,), tags, 0)
    try:
        plan = FeaturePlan(specs_of(evidence), kind)
        window = _filled(kind, held, evidence.alarm.at)
        alive = [tag.alive for tag in held.tags]
        known = [one for one in alive if one is not None]
        vouched = np.array(known, np.int64) if len(known) == len(alive) else None
    except (ValueError, OverflowError) as why:
        raise NotEvidence(f"the parts do not fit together: {why}") from why
    return window, plan, vouched


def _tag(tag: form.TagHeld) -> Tag:
    return Tag(
        tag.role,
        tag.unit,
        -inf if tag.low is None else tag.low,
        inf if tag.high is None else tag.high,
        max_age=inf if tag.max_age is None else tag.max_age,
    )


def _filled(kind: AssetType, held: Held, at: int) -> Window:
    changes = np.array([tag.changes_only for tag in held.tags], bool)
    window = Window(kind, held.depth, changes)
    if window.depth != held.depth:
        raise NotEvidence(f"no ring has {held.depth} slots")
    window.reach = held.reach
    window.times[:] = NEVER
    counts = [tag.end - tag.begin for tag in held.tags]
    total = sum(counts)
    times: I64 = np.cumsum(numbers(held.times, "<i8", total))
    values = numbers(held.values, "<f8", total)
    quality = numbers(held.quality, "u1", total)
    low = 0
    for column, (tag, count) in enumerate(zip(held.tags, counts, strict=True)):
        part = slice(low, low + count)
        place = _slots(window, column, tag.begin, tag.end)
        window.times[place], window.values[place] = times[part], values[part]
        window.quality[place] = quality[part]
        window.times[_slots(window, column, tag.end, tag.head)] = at + 1
        window.head[column], window.first[column] = tag.head, tag.first
        if tag.head > tag.end:
            window.newest[column] = at + 1
        elif count:
            window.newest[column] = times[low + count - 1]
        _doubts(window, column, tag.begin, quality[part])
        low += count
    return window


def _slots(window: Window, column: int, begin: int, end: int) -> I64:
    begin = max(begin, end - window.depth)
    entry = np.arange(begin, end, dtype=np.int64)
    found: I64 = (entry & window.mask) * window.columns + column
    return found


def _doubts(window: Window, column: int, begin: int, quality: U8) -> None:
    for last, concerned in (
        (window.last_bad, quality == Quality.BAD),
        (window.last_uncertain, quality == Quality.UNCERTAIN),
        (window.last_doubt, quality != Quality.GOOD),
    ):
        where = np.flatnonzero(concerned)
        if len(where):
            last[column] = begin + int(where[-1])


def rule_of(evidence: Evidence) -> LimitRule | None:
    """What judged where no model could; None where a model did.

    Raises:
        NotEvidence: its ranges are not one a feature.
    """
    rule, count = evidence.rule, len(evidence.features)
    if rule is None:
        return None
    low, high, least, most = (
        numbers(said, "<f8", count)
        for said in (rule.low, rule.high, rule.least, rule.most)
    )
    return LimitRule(low, high, least, most, rule.threshold)
