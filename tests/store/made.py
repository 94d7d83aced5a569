"""Records and journals for tests, and whether two records are equal."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.clock import SystemClock
from edge_agent.config.keeping import Store
from edge_agent.instruments import Instruments
from edge_agent.monitoring.tallies import Grid, counted
from edge_agent.records import (
    AlarmRecord,
    AlarmState,
    DriftRecord,
    EventRecord,
    FindingRecord,
    FindingState,
    LossRecord,
    PipelineInfo,
    Record,
    ScoreRecord,
    SnapshotRecord,
)
from edge_agent.records.appetites import CENTRE, SCADA
from edge_agent.store.journal import Journal
from edge_agent.store.traces import NOWHERE
from edge_agent.store.work import Inquiry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_agent.store.traces import Origin

PUMPS = PipelineInfo(
    pipeline="pump-anomaly",
    asset_type="pump",
    assets=("P-101", "P-102", "P-103"),
    roles=("suction_pressure", "vibration_rms"),
    units=("bar", "mm/s"),
    model="pump-anomaly",
    model_version="3",
    model_sha8="0123abcd",
)


def scores(rows: int = 3, at: int = 0, info: PipelineInfo = PUMPS) -> ScoreRecord:
    """A calm score record of some rows."""
    return ScoreRecord(
        info=info,
        asset=(np.arange(rows) % len(info.assets)).astype(np.int32),
        at=np.full(rows, at, np.int64),
        score=np.linspace(0.0, 1.0, rows),
        threshold=np.full(rows, 2.5),
        severity=np.zeros(rows, np.int32),
        alarm=np.zeros(rows, np.uint8),
        quality=np.zeros(rows, np.uint8),
        completeness=np.ones(rows),
        age=np.full(rows, 0.25),
        no_score=np.zeros(rows, np.uint8),
        fallback=np.zeros(rows, np.uint8),
        top_role=np.full((rows, 3), -1, np.int16),
        top_value=np.full((rows, 3), np.nan),
        top_low=np.full((rows, 3), np.nan),
        top_high=np.full((rows, 3), np.nan),
        top_share=np.zeros((rows, 3)),
        inputs_good=np.full(rows, 2, np.int16),
        inputs_total=2,
    )


def noisy(rows: int = 3, at: int = 0) -> ScoreRecord:
    """A score record that cannot be made smaller: no two values are the same."""
    dice = np.random.default_rng(at)
    return replace(
        scores(rows, at),
        score=dice.random(rows),
        threshold=dice.random(rows),
        completeness=dice.random(rows),
        age=dice.random(rows),
        top_value=dice.random((rows, 3)),
        top_low=dice.random((rows, 3)),
        top_high=dice.random((rows, 3)),
        top_share=dice.random((rows, 3)),
    )


def alarm(
    at: int = 0, asset: int = 0, state: AlarmState = AlarmState.ACTIVE
) -> AlarmRecord:
    """One transition of a pump's alarm."""
    return AlarmRecord(
        info=PUMPS,
        asset=asset,
        at=at,
        state=state,
        occurrence=f"pump-anomaly/{asset}/{at}",
        since=at,
        score=3.0,
        threshold=2.5,
        severity=700,
        reason="vibration_rms 9.1 mm/s is above its usual 1.2 to 3.4 mm/s",
        top=(("vibration_rms", 9.1, 1.2, 3.4, 0.8),),
    )


def event(name: str = "model loaded", at: int = 0) -> EventRecord:
    """Something to know."""
    return EventRecord(at, name, "pump-anomaly", "version 3 is active", {"version": 3})


def loss(count: int = 5) -> LossRecord:
    """Something was dropped."""
    return LossRecord(10, "samples", "plc1", count, 1, 9, "inbox full")


def finding(
    at: int = 0, state: FindingState = FindingState.OPEN, **changes: object
) -> FindingRecord:
    """The flow of P-101 drifts, or does so no more."""
    record = FindingRecord(
        at=at,
        state=state,
        id="pump-anomaly-drift-flow-1",
        since=0,
        what="input drift",
        cause="process change",
        pipeline="pump-anomaly",
        asset="P-101",
        tag="flow",
        context="recipe A",
        strength=2.5,
        sentence="flow is 12 % above its reference since Tuesday",
        action="Check whether the set point was changed.",
        evidence={"psi": 0.31, "rows": 86_400},
        model="pump-anomaly",
        model_version="3",
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def drift(
    since: int = 0, until: int = 3600, values: Sequence[float] = (0.5, 2.0), **of: str
) -> DriftRecord:
    """Two columns over a stretch: these values, and twice these values."""
    grid = Grid.of(("flow", "score"), ((0.0, 1.0, 4.0), (1.0, 2.0)), (1.0, 1.0))
    rows = np.array([(x, 2 * x) for x in values], np.float32).reshape(-1, 2)
    tallies = counted(grid, rows)
    return DriftRecord(
        info=PUMPS,
        context=of.get("context", "recipe A"),
        since=since,
        until=until,
        rows=tallies.rows,
        gated=1,
        baseline_id=of.get("baseline_id", "b1"),
        columns=grid.names,
        n=tallies.n,
        missing=tallies.missing,
        total=tallies.total,
        square=tallies.square,
        low=np.where(tallies.n > 0, tallies.low, np.nan),
        high=np.where(tallies.n > 0, tallies.high, np.nan),
        counts=tallies.counts,
        bins=grid.bins,
    )


def snapshot(at: int = 0, f1: float = 0.9, subject: str = "3") -> SnapshotRecord:
    """How accurate the pumps' model was."""
    body = {"f1": f1, "labels": 120}
    return SnapshotRecord(at, "accuracy", "pump-anomaly", subject, body)


def same(one: Record, other: Record) -> bool:
    """Equality that looks into arrays and takes NaN for NaN."""
    return type(one) is type(other) and all(
        _same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)
    )


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401 - any field
    if isinstance(one, np.ndarray):
        equal = np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        return equal and one.dtype == other.dtype
    if isinstance(one, float) and one != one:  # noqa: PLR0124 - NaN
        return bool(other != other)  # noqa: PLR0124 - NaN
    if isinstance(one, tuple) and one and isinstance(one[0], tuple):
        return repr(one) == repr(other)
    return bool(one == other)


def journal(
    path: Path,
    sinks: Sequence[str] = ("scada",),
    *,
    flush: str = "10ms",
    limit: str = "1GiB",
    origin: Origin = NOWHERE,
    central: Sequence[str] = (),
) -> Journal:
    """A journal on real time; flushes quickly."""
    settings = Store.model_validate({"flush": flush, "limit": limit})
    return Journal(
        path,
        sinks=sinks,
        settings=settings,
        clock=SystemClock(),
        instruments=Instruments(),
        origin=origin,
        appetites=dict.fromkeys(central, SCADA | CENTRE),
    )


def settle(of: Journal) -> None:
    """Wait until everything submitted is on disk, told, and in the status."""
    give_up = time.monotonic() + 15
    while of.status()["memory_rows"]:
        assert time.monotonic() < give_up
        time.sleep(0.002)
    # answered by the writer behind the commit: its listeners and the status know of it
    of.inquire(Inquiry(lambda _: None, None)).result(15)


def everything(of: Journal, sink: str = "scada") -> list[Record]:
    """Every record an output is still owed, urgent ones first."""
    found: list[Record] = []
    for urgent in (True, False):
        after = -1
        while chunk := of.backlog(sink, after, 100, urgent=urgent).result(10):
            after = chunk[-1].id
            found += [stored.record for stored in chunk]
    return found
