"""Everything that is tried with a model before it may see a live row.

Runs in a confined process: what a hostile model does here ends there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.contents import open_bundle
from edge_agent.bundle.passport import load
from edge_agent.errors import ModelRejected
from edge_agent.registry.verdict import Verdict, fit_to_show
from edge_agent.scoring import OnnxScorer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle
    from edge_agent.bundle.passport import Passport
    from edge_agent.clock import Clock
    from edge_agent.registry.verdict import VetLimits

    F32 = NDArray[np.float32]

_RUNS, _LONGEST_NS = 200, 2_000_000_000
_CORNERS, _FAR = 32, 10.0
_NO_MEMORY = re.compile(
    r"bad.alloc|[Ff]ailed to allocate|[Uu]nable to allocate|MemoryError|"
    r"[Cc]annot allocate|out of memory"
)
_TOO_NEW = (
    (re.compile(r"Opset (\d+) is under .* till opset (\d+)", re.DOTALL), "opset"),
    (re.compile(r"IR version: (\d+), max supported IR version: (\d+)"), "IR"),
)


@dataclass(frozen=True, slots=True)
class _Timing:
    p50_us: float
    p99_us: float


def examine(folder: Path, limits: VetLimits, clock: Clock) -> Verdict:
    """Read, verify, load, prove and measure a bundle.

    Args:
        folder: the bundle.
        limits: those of this process, for the sentence when one was met.
        clock: for latencies.
    """
    try:
        return _examine(folder, clock)
    except MemoryError:
        return _refused(folder, _no_memory(limits))
    except ModelRejected as error:
        why = _no_memory(limits) if _NO_MEMORY.search(str(error)) else _plain(error)
        return _refused(folder, why)


def _no_memory(limits: VetLimits) -> str:
    return f"it asked for more than {limits.memory_mb} MiB of memory"


def _plain(error: ModelRejected) -> str:
    """What the runtime says of a file that is too new for it, in our words."""
    for pattern, what in _TOO_NEW:
        if found := pattern.search(str(error)):
            return (
                f"it needs {what} {found[1]}; ONNX Runtime {version('onnxruntime')} "
                f"here runs up to {found[2]}: export it for that, or update the gateway"
            )
    return str(error)


def _refused(folder: Path, reason: str) -> Verdict:
    verdict = Verdict(accepted=False, reason=fit_to_show(reason))
    try:
        passport = load(folder)
    except (ModelRejected, MemoryError):
        return verdict
    return replace(
        verdict,
        name=passport.name,
        version=passport.version,
        release=passport.release,
    )


def _examine(folder: Path, clock: Clock) -> Verdict:
    before, start = _resident(), clock.now()
    bundle = open_bundle(folder)
    passport = bundle.passport
    _check_runtime(passport)
    scorer = OnnxScorer(bundle)
    load_ms = (clock.now() - start) / 1e6
    many = _turn(scorer, bundle, clock)
    one = _measured(scorer, _rows(bundle, 1), clock)
    remarks = _odd_rows(scorer, passport)
    memory_mb = max(_resident() - before, 0) / 2**20
    _check_allowance(passport, many, memory_mb)
    return Verdict(
        accepted=True,
        name=passport.name,
        version=passport.version,
        release=passport.release,
        digest=bundle.digest,
        load_ms=round(load_ms, 3),
        p50_us=many.p50_us,
        p99_us=many.p99_us,
        row_us=one.p50_us,
        memory_mb=round(memory_mb, 3),
        rows_per_call=scorer.rows_per_call,
        exact=scorer.exact,
        remarks=tuple(remarks),
    )


def _check_runtime(passport: Passport) -> None:
    here, wanted = version("onnxruntime"), passport.runtime
    if wanted is not None and _order(here) < _order(wanted):
        raise ModelRejected(
            f"it needs ONNX Runtime {wanted} or newer; this gateway has {here}"
        )


def _order(text: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", text)[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))


def _rows(bundle: Bundle, count: int) -> F32:
    golden = bundle.golden.inputs
    return np.resize(golden, (count, golden.shape[1]))


def _turn(scorer: OnnxScorer, bundle: Bundle, clock: Clock) -> _Timing:
    """A call over as many rows as its passport states an allowance for.

    Over the allowance it is measured once more: a busy moment of the gateway must not
    refuse a model for good.
    """
    allowed = bundle.passport.allowance
    rows = _rows(bundle, allowed.rows)
    first = _measured(scorer, rows, clock)
    if first.p99_us <= allowed.p99 * 1e6:
        return first
    return min(first, _measured(scorer, rows, clock), key=lambda t: t.p99_us)


def _measured(scorer: OnnxScorer, rows: F32, clock: Clock) -> _Timing:
    """How long a call over these rows takes, after one that does not count."""
    found = scorer.score(rows)
    if found.error:
        raise ModelRejected(f"it fails over {len(rows)} rows: {found.error}")
    if not np.isfinite(found.score).all():
        raise ModelRejected(f"it gives no number for one of {len(rows)} golden rows")
    taken = _times(lambda: scorer.score(rows), clock)
    # of few calls the slowest: what was seen once must be expected
    p50, p99 = np.percentile(taken, (50, 99), method="higher") / 1e3
    return _Timing(round(float(p50), 3), round(float(p99), 3))


def _times(call: Callable[[], object], clock: Clock) -> list[int]:
    taken, began = list[int](), clock.now()
    last = began
    while len(taken) < _RUNS and last - began < _LONGEST_NS:
        call()
        now = clock.now()
        taken.append(now - last)
        last = now
    return taken


def _odd_rows(scorer: OnnxScorer, passport: Passport) -> list[str]:
    """Try rows that live data may bring.

    Raises:
        ModelRejected: no score where every feature is within what was trained.
    """
    # that they come back is all that is asked: the lowest int64 divided by -1, as a row
    # of -1e38 can come to, ends a process
    most = np.finfo(np.float32).max
    scorer.score(np.array([[-most], [most]]).repeat(scorer.features, axis=1))
    remarks = []
    for what, rows, must in _trials(passport):
        found = scorer.score(rows)
        wrong = int(np.count_nonzero(~np.isfinite(found.score)))
        if not wrong:
            continue
        why = found.error or f"{wrong} of {len(rows)} scores are no finite number"
        if must or _NO_MEMORY.search(found.error):
            raise ModelRejected(f"{what}: {why}")
        remarks.append(f"{what}: {why}")
    return remarks


def _trials(passport: Passport) -> Iterator[tuple[str, F32, bool]]:
    ranges = np.array([f.trained for f in passport.features], np.float64)
    low, high = ranges.T
    # the same corners every time: a verdict must not change with the weather
    sides = np.random.default_rng(0).random((_CORNERS, len(low))) < 0.5  # noqa: PLR2004
    corners = np.vstack([low, high, (low + high) / 2, np.where(sides, low, high)])
    yield "on the corners of what it was trained on", corners.astype(np.float32), True
    yield "on rows of zeros", np.zeros((2, len(low)), np.float32), False
    middle, half = (low + high) / 2, (high - low) / 2
    most = np.full_like(low, np.finfo(np.float32).max)
    far = np.vstack([middle - _FAR * half, middle + _FAR * half]).clip(-most, most)
    yield "ten times outside of what it was trained on", far.astype(np.float32), False


def _check_allowance(passport: Passport, many: _Timing, memory_mb: float) -> None:
    allowed = passport.allowance
    if many.p99_us > allowed.p99 * 1e6:
        raise ModelRejected(
            f"99 of 100 calls over {allowed.rows} rows take up to "
            f"{many.p99_us / 1e3:.3g} ms here, its passport allows "
            f"{allowed.p99 * 1e3:.3g} ms"
        )
    if memory_mb > allowed.memory_mb:
        raise ModelRejected(
            f"it adds {memory_mb:.1f} MiB of memory here, its passport allows "
            f"{allowed.memory_mb:g} MiB"
        )


def _resident() -> int:
    """Resident bytes of its own: pages of libraries are there for all processes."""
    text = Path("/proc/self/status").read_text("ascii")
    found = re.search(r"^RssAnon:\s*(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
