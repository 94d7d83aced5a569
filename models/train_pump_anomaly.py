"""Train and ship ``models/pump-anomaly``: run it again and get the same numbers.

    python -m models.train_pump_anomaly [--scale 1.0] [--out models]

Three sets of days, each of halls with other pumps: one to learn from, one to set the
threshold on, one to count false alarms on that nothing was tuned on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.bundle.reference import profiled
from edge_agent.bundle.writing import write_bundle
from edge_agent.config.languages import english
from edge_agent.demo.equipment import INSTRUMENTS, ROLES
from edge_agent.explain import explain
from edge_agent.features.feature_rows import joined
from edge_agent.publish.calibration import with_calibration
from edge_agent.publish.rows import Rows
from edge_agent.scoring import OnnxScorer
from edge_agent.wording import sentence
from models.pump_detector import IR_VERSION, OPSET, Weights, fit, judge, to_onnx
from models.pump_hall import (
    HOLD,
    MIN_COMPLETENESS,
    PERIOD,
    PUMPS,
    SPECS,
    WINDOW,
    Day,
    rows,
)
from models.pump_trials import (
    Outcome,
    false_alarms,
    run,
    summary,
    sustained,
    trials,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle
    from edge_agent.bundle.reference import ReferenceFile
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.samples import F64

NAME, VERSION = "pump-anomaly", "1.0.0"
BUDGET = 1.0  # false alarms per pump and week
MARGIN = 1.2  # a real hall is never quite the one that was learned
_TIMES_OF_DAY = (0.0, 6.0, 12.0, 18.0)


def main() -> None:
    """Simulate, learn, set the threshold, prove, ship."""
    options = _options()
    learning = _days(100, 3.0 * options.scale)
    tuning = _days(200, 6.0 * options.scale)
    proving = _days(300, 6.0 * options.scale)
    learned = [rows(day) for day in learning]
    normal = joined(learned)
    weights = fit(normal.values)
    threshold = _threshold(weights, tuning)
    print(f"learned from {len(normal)} rows; threshold {threshold:g}")
    seen, hours = _false_alarms(weights, proving, threshold)
    print(f"{seen:.2f} false alarms a pump and week in {hours:.0f} pump hours")
    profile = reference(learned, lambda values: judge(weights, values)[0])
    bundle = _ship(options.out, weights, normal, threshold, (seen, hours), profile)
    print(f"{bundle.path} digest {bundle.digest}")
    for line in _prove(bundle, threshold):
        print(line)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the days")
    parser.add_argument("--out", type=Path, default=Path("models"))
    return parser.parse_args()


def _days(seed: int, hours: float) -> list[Day]:
    return [Day(seed + i, hours, hour) for i, hour in enumerate(_TIMES_OF_DAY)]


def reference(
    learned: Sequence[FeatureRows], score: Callable[[NDArray[np.float32]], F64]
) -> ReferenceFile:
    """How the hall looks when all is well, and how much that scatters.

    Args:
        learned: rows of each day; another day is another hall, with other pumps.
        score: of rows.
    """
    whole = joined(learned)
    names = [spec.name for spec in SPECS]
    scores = score(whole.values)
    made = profiled(names, whole.values, outputs={"score": scores})
    hall = np.repeat(np.arange(len(learned)), [len(one) for one in learned])
    found = Rows(
        whole.values,
        whole.valid,
        (whole.asset + hall * PUMPS).astype(np.int32),
        whole.at,
        dated=True,
    )
    every = np.arange(len(whole))
    taken = (found, every, whole.values), (found, every, scores[:, None])
    return with_calibration(made, *taken, ())


def _threshold(weights: Weights, days: Sequence[Day]) -> float:
    """The level that as many pumps reach by chance as the budget allows."""
    kept, hours = [], sum(day.hours for day in days) * PUMPS
    for day in days:
        found = rows(day)
        kept.append(sustained(found, judge(weights, found.values)[0]))
    levels = np.concatenate(kept)
    allowed = int(BUDGET * hours / 168.0)
    # rows next to each other are one episode: count episodes, not rows
    for level in np.sort(levels)[::-1][:100_000]:
        above = levels > level
        if np.count_nonzero(above[1:] & ~above[:-1]) > allowed:
            return float(f"{level * MARGIN:.2g}")
    return float(f"{levels.max() * MARGIN:.2g}")


def _false_alarms(
    weights: Weights, days: Sequence[Day], threshold: float
) -> tuple[float, float]:
    rates = []
    for day in days:
        found = rows(day)
        score = judge(weights, found.values)[0]
        rates.append(false_alarms(found, score, threshold, day.hours))
    return float(np.mean(rates)), sum(day.hours for day in days) * PUMPS


def _ship(
    out: Path,
    weights: Weights,
    normal: FeatureRows,
    threshold: float,
    proven: tuple[float, float],
    profile: ReferenceFile,
) -> Bundle:
    golden = _golden(normal.values)
    score, contributions = judge(weights, golden)
    return write_bundle(
        out,
        _passport(normal, threshold, proven),
        model=to_onnx(weights),
        training=normal.values,
        golden_inputs=golden,
        golden_outputs={"score": score, "contributions": contributions},
        reference=profile,
    )


def _golden(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Averages of normal rows, and rows with one feature put out of place each."""
    step = len(values) // 8
    calm = np.array([values[i * step : (i + 1) * step].mean(axis=0) for i in range(8)])
    odd = np.repeat(values.mean(axis=0)[None], values.shape[1], axis=0)
    np.fill_diagonal(odd, np.r_[odd.diagonal()[: len(ROLES)] * 1.3, np.zeros(7)])
    return np.concatenate([calm, odd]).astype(np.float32)


def _passport(
    normal: FeatureRows, threshold: float, proven: tuple[float, float]
) -> dict[str, Any]:
    seen, hours = proven
    return {
        "passport": 1,
        "name": NAME,
        "version": VERSION,
        "kind": "anomaly",
        "asset_type": "pump",
        "title": "Distance of a centrifugal pump from normal running",
        "tags": _tags(normal.values),
        "features": _features(),
        "model": {
            "file": "model.onnx",
            "opset": OPSET,
            "ir_version": IR_VERSION,
            "input": "rows",
            "batch": "dynamic",
            "replay": "exact",
            "outputs": {
                "score": {"output": "score"},
                "contributions": "contributions",
            },
        },
        "thresholds": [
            {"value": threshold, "severity": 500},
            {"value": round(2.5 * threshold, 1), "severity": 700},
            {"value": round(10 * threshold, 1), "severity": 900},
        ],
        "golden": {"file": "golden.json", "rtol": 1e-4, "atol": 1e-5},
        "reference": "reference.json",
        "intended_use": (
            "Early warning on speed-controlled centrifugal water pumps of one make "
            "(2930 rpm, 80 m3/h, 45 m) that run; shipped with the demo's hall."
        ),
        "limits": [
            "Learned on a simulation: train it again on your own pumps.",
            "Does not know starts, stops and standstill; score running pumps only.",
            (
                "Does not see a worn impeller, fouling or slow drift: "
                "pumps differ as much."
            ),
            "Does not protect anything: trips and interlocks stay in the PLC.",
        ],
        "owner": "edge-agent project",
        "contact": "issues of the edge-agent repository",
        "approver": "edge-agent project",
        "training": {
            "script": "models/train_pump_anomaly.py",
            "data": "Simulated normal running: four halls of 24 pumps, each from "
            "another quarter of the day (edge_agent/demo/hall.py).",
            "start": "2026-01-01T00:00:00Z",
            "end": "2026-01-01T21:00:00Z",
            "rows": len(normal),
            "seed": 100,
        },
        "false_alarms": {
            "budget_per_week": BUDGET,
            "seen_per_week": round(seen, 3),
            "asset_hours": hours,
        },
        "review_date": "2027-12-31",
    }


def _tags(values: NDArray[np.float32]) -> dict[str, Any]:
    low, high = np.quantile(values[:, : len(ROLES)].astype(np.float64), (0.01, 0.99), 0)
    return {
        role: {
            "unit": instrument.unit,
            "range": [instrument.low, instrument.high],
            "usual": [float(f"{low[i]:.4g}"), float(f"{high[i]:.4g}")],
        }
        for i, (role, instrument) in enumerate(INSTRUMENTS.items())
    }


def _features() -> list[dict[str, Any]]:
    return [
        {
            "name": f"{role}.{aggregate}",
            "tag": role,
            "aggregate": aggregate,
            "window": f"{WINDOW:g}s",
            "hold": f"{HOLD:g}s",
            "rate": 1 / PERIOD,
            "min_completeness": MIN_COMPLETENESS,
        }
        for aggregate in ("mean", "std")
        for role in ROLES
    ]


def _prove(bundle: Bundle, threshold: float) -> list[str]:
    """Try every fault on the shipped bundle; say what an operator would read."""
    scorer = OnnxScorer(bundle)
    usual = bundle.usual(ROLES, {})

    def score(found: FeatureRows) -> F64:
        return scorer.score(found.values).score

    outcomes: list[Outcome] = []
    said: dict[str, str] = {}
    for seed, trial in enumerate(trials(), start=400):
        outcome, mine = run(trial, seed, score, threshold)
        outcomes.append(outcome)
        if outcome.seconds is None or trial.name in said:
            continue
        values = mine.values[outcome.row : outcome.row + 1]
        verdict = scorer.score(values)
        top = explain(values, verdict.contributions, usual)
        text = sentence(
            float(verdict.score[0]), threshold, top, 0, values, usual, english()
        )
        said[trial.name] = text
    return [*summary(outcomes), *(f"{name}: {text}" for name, text in said.items())]


if __name__ == "__main__":
    main()
