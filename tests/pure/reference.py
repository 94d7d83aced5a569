"""The formulas once more: slow, obvious, one number at a time."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, isfinite, isnan, nan, sqrt
from typing import TYPE_CHECKING

from edge_agent.records import NoScore
from edge_agent.samples import Quality

if TYPE_CHECKING:
    from edge_agent.features.spec import FeatureSpec

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Entry:
    """One stored sample of a tag."""

    time: int
    value: float
    quality: int


def stored(samples: list[tuple[int, float, int]]) -> list[Entry]:
    """What a ring without an end holds after samples (time, value, quality)."""
    entries: list[Entry] = []
    for time, given_value, given_quality in samples:
        value, quality = given_value, given_quality
        if quality >= Quality.BAD or not isfinite(value):
            value, quality = nan, int(Quality.BAD)
        if any(e.time == time for e in entries):
            continue
        before = [e for e in entries if e.time < time]
        if quality == Quality.BAD and before and isnan(before[-1].value):
            continue
        behind = [e for e in entries if e.time > time]
        entries = [*before, Entry(time, value, quality), *behind]
    return entries


@dataclass(frozen=True)
class Expected:
    """A feature as it should come out."""

    value: float
    missing: int
    doubted: bool


def weighted(
    entries: list[Entry], spec: FeatureSpec, bound: int, at: int, *, held: bool
) -> list[tuple[float, float, float]]:
    """Weight, value, centre (s from at) of every value that counts."""
    known = [e for e in entries if e.time <= at]
    if not held:
        return [
            (1.0, e.value, (e.time - at) / SECOND)
            for e in known
            if e.time > bound and not isnan(e.value)
        ]
    period = round(SECOND / spec.rate)
    low, high = bound + period, at + period
    found = []
    for i, entry in enumerate(known):
        until = known[i + 1].time if i + 1 < len(known) else high
        begin, end = max(entry.time, low), min(until, high)
        if end > begin and not isnan(entry.value):
            centre = ((begin - at) + (end - at)) / 2 / SECOND
            found.append(((end - begin) / SECOND, entry.value, centre))
    return found


def aggregate(
    name: str, found: list[tuple[float, float, float]], period: float | None
) -> float:
    """An aggregate of (weight, value, centre)."""
    if not found:
        return nan
    mass = fsum(w for w, _, _ in found)
    mean = fsum(w * v for w, v, _ in found) / mass
    values = [v for _, v, _ in found]
    if name == "slope":
        middle = fsum(w * c for w, _, c in found) / mass
        up = fsum(w * (c - middle) * (v - mean) for w, v, c in found)
        down = fsum(w * (c - middle) ** 2 for w, _, c in found)
        if period is not None:
            down += fsum(w**3 for w, _, _ in found) / 12 - mass * period**2 / 12
        return up / down if down > 1e-12 else nan
    table = {
        "mean": mean,
        "std": sqrt(fsum(w * (v - mean) ** 2 for w, v, _ in found) / mass),
        "rms": sqrt(fsum(w * v * v for w, v, _ in found) / mass),
        "min": min(values),
        "max": max(values),
        "range": max(values) - min(values),
        "first": values[0],
        "delta": values[-1] - values[0],
    }
    return table[name]


def expected(
    samples: list[tuple[int, float, int]],
    spec: FeatureSpec,
    at: int,
    *,
    held: bool,
    start: int | None = None,
) -> Expected:
    """One feature of one row, with every source alive."""
    entries = stored(samples)
    known = [e for e in entries if e.time <= at]
    if not known:
        return Expected(nan, NoScore.INPUT_MISSING, doubted=False)
    good = [e for e in known if not isnan(e.value)]
    bad = isnan(known[-1].value)
    age = 0 if held and not bad else at - (good[-1].time if good else 0)
    if held and bad:
        ended = [e for e in known if good and e.time > good[-1].time]
        age = at - ended[0].time if good else at
    stale = age > spec.hold * SECOND
    if spec.window is None and not spec.cycle:
        return _instant(spec, good, age, bad=bad, stale=stale)
    if spec.window is not None:
        bound = at - round(spec.window * SECOND)
    else:
        bound = at if start is None else start
    first = min(e.time for e in entries)
    warming = first > bound or (spec.cycle and start is None)
    value, share, doubted = _windowed(entries, spec, bound, at, held=held)
    if share < spec.min_completeness - 1e-9 or isnan(value) or (held and stale):
        reason = NoScore.WARMING_UP if warming else NoScore.INPUT_MISSING
        reason = NoScore.INPUT_STALE if stale else reason
        return Expected(nan, NoScore.INPUT_BAD if bad else reason, doubted=False)
    return Expected(value, NoScore.NONE, doubted=bad or doubted)


def _windowed(
    entries: list[Entry], spec: FeatureSpec, bound: int, at: int, *, held: bool
) -> tuple[float, float, bool]:
    """Value, share of its input, and whether an UNCERTAIN sample is in it."""
    found = weighted(entries, spec, bound, at, held=held)
    length = (at - bound) / SECOND
    wanted = length if held else length * spec.rate
    share = min(fsum(w for w, _, _ in found) / wanted, 1.0) if wanted else 0.0
    inside = [e for e in entries if bound < e.time <= at and not isnan(e.value)]
    if spec.aggregate == "count":
        value = float(len(inside))
    else:
        value = aggregate(spec.aggregate, found, 1 / spec.rate if held else None)
    doubted = any(e.quality == Quality.UNCERTAIN for e in inside)
    carried = [e for e in entries if e.time <= bound][-1:]
    if held and carried and carried[0].quality == Quality.UNCERTAIN:
        low = bound + round(SECOND / spec.rate)
        after = [e.time for e in entries if bound < e.time <= at]
        doubted = doubted or not after or after[0] > low
    return value, share, doubted


def _instant(
    spec: FeatureSpec, good: list[Entry], age: int, *, bad: bool, stale: bool
) -> Expected:
    if not good:
        return Expected(nan, NoScore.INPUT_BAD, doubted=False)
    doubted = bad or good[-1].quality == Quality.UNCERTAIN
    if spec.aggregate == "age":
        return Expected(age / SECOND, NoScore.NONE, doubted=doubted)
    if stale:
        reason = NoScore.INPUT_BAD if bad else NoScore.INPUT_STALE
        return Expected(nan, reason, doubted=False)
    return Expected(good[-1].value, NoScore.NONE, doubted=doubted)
