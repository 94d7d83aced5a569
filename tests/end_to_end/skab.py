"""SKAB's valve1 files, their T²+Q models, and what they score offline.

T² and Q of a principal component analysis, with the limits of the published baseline
(Mujica et al. 2010): per file, fitted on its first 400 rows. The data is GPL-3.0 and
lies outside this repository; without it these tests are skipped.
"""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy import stats

from edge_agent.bundle import writing
from tests.end_to_end.figures import SHARED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    F64 = NDArray[np.float64]

FOLDER = SHARED / "data" / "skab" / "valve1"
TAGS = (
    "accelerometer1",
    "accelerometer2",
    "current",
    "pressure",
    "temperature",
    "thermocouple",
    "voltage",
    "flow",
)
UNITS = ("g", "g", "A", "bar", "degC", "degC", "V", "l/min")
FITTED, SMOOTHED = 400, 5
START = dt.datetime(2020, 3, 9, 12, tzinfo=dt.UTC)
_EXPLAINED, _LEVEL = 0.85, 0.999


@dataclass(frozen=True)
class Run:
    """One file: values of each second, and which seconds are anomalous.

    All files begin at the same time, as if the rigs ran side by side.

    Attributes:
        name: id of the asset it plays.
        time: int64[rows] ns.
        values: float64[rows, 8].
        anomalous: bool[rows].
    """

    name: str
    time: NDArray[np.int64]
    values: F64
    anomalous: NDArray[np.bool_]

    def row(self, number: int) -> dict[str, float]:
        """Values by tag."""
        return dict(zip(TAGS, self.values[number].tolist(), strict=True))


def runs(count: int | None = None) -> list[Run]:
    """The files, or the first ``count`` of them; skips the test without the data."""
    if not FOLDER.is_dir():
        pytest.skip(f"the SKAB data is not at {FOLDER}")
    files = sorted(FOLDER.glob("*.csv"), key=lambda path: int(path.stem))
    return [_read(path) for path in files[:count]]


def _read(path: Path) -> Run:
    with path.open(newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))[1:]
    stamps = [dt.datetime.fromisoformat(row[0]) for row in rows]
    begun = [START + (stamp - stamps[0]) for stamp in stamps]
    return Run(
        f"rig-{path.stem}",
        np.array([int(s.timestamp()) * 10**9 for s in begun], np.int64),
        np.array([[float(cell) for cell in row[1:9]] for row in rows]),
        np.array([float(row[9]) > 0 for row in rows]),
    )


@dataclass(frozen=True)
class Detector:
    """T²+Q of one file; a score above 1 is beyond one of the two limits.

    Attributes:
        mean, scale: float64[8]; scale is 0 for a tag that never moved.
        whiten: float64[8, m], so that T² is a sum of squares.
        residual: float64[8, 8], so that Q is a sum of squares.
        t2_limit, q_limit: upper control limits.
    """

    mean: F64
    scale: F64
    whiten: F64
    residual: F64
    t2_limit: float
    q_limit: float

    def parts(self, values: F64) -> tuple[F64, F64]:
        """T² and Q of rows, each over its limit."""
        z = (values - self.mean) * self.scale
        t2 = np.square(z @ self.whiten).sum(axis=1)
        q = np.square(z @ self.residual).sum(axis=1)
        return t2 / self.t2_limit, q / self.q_limit

    def score(self, values: F64) -> F64:
        """The worse of the two, of what a float32 input row can hold."""
        t2, q = self.parts(values.astype(np.float32).astype(np.float64))
        return np.maximum(t2, q)

    def contributions(self, values: F64) -> F64:
        """Each tag's part of Q."""
        z = (values.astype(np.float32).astype(np.float64) - self.mean) * self.scale
        return np.square(z @ self.residual)


def fit(values: F64) -> Detector:
    """A detector from normal rows, float64[n, 8]."""
    count = len(values)
    mean, std = values.mean(axis=0), values.std(axis=0)
    moves = std > 0
    z = (values[:, moves] - mean[moves]) / std[moves]
    eigenvalues, vectors = np.linalg.eigh(np.cov(z.T))
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    share = np.cumsum(eigenvalues) / eigenvalues.sum()
    kept = int(np.searchsorted(share, _EXPLAINED, side="right")) + 1
    loadings = vectors[:, :kept]
    residual = np.eye(len(z.T)) - loadings @ loadings.T
    limit = stats.f.ppf(_LEVEL, kept, count - kept)
    t2_limit = kept * (count - 1) * (count + 1) / (count * (count - kept)) * limit
    scale = np.divide(1.0, std, out=np.zeros_like(std), where=moves)
    return Detector(
        mean,
        scale,
        _among(loadings / np.sqrt(eigenvalues[:kept]), moves),
        _among(_among(residual, moves).T, moves).T,
        float(t2_limit),
        _q_limit(np.linalg.eigvals(np.cov(z.T)).real[kept:].sum()),
    )


def _among(matrix: F64, moves: NDArray[np.bool_]) -> F64:
    """Rows for the tags that move, zeros for the others."""
    whole = np.zeros((len(moves), matrix.shape[1]))
    whole[moves] = matrix
    return whole


def _q_limit(rest: float) -> float:
    """Jackson and Mudholkar's limit, with the baseline's powers of one sum."""
    first, second, third = rest, rest**2, rest**3
    h0 = 1 - 2 * first * third / (3 * second**2)
    level = stats.norm.ppf(_LEVEL)
    inner = 1 + level * h0 * np.sqrt(2 * second) / first
    inner += second * h0 * (h0 - 1) / first**2
    return float(first * inner ** (1 / h0))


def graph(detector: Detector) -> bytes:
    """The detector as ONNX: float32 rows in, float64 inside, score and parts out."""
    constants = {
        "mean": detector.mean,
        "scale": detector.scale,
        "whiten": detector.whiten,
        "residual": detector.residual,
        "t2_limit": np.array([detector.t2_limit]),
        "q_limit": np.array([detector.q_limit]),
        "axis": np.array([1], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["rows"], ["wide"], to=TensorProto.DOUBLE),
        node("Sub", ["wide", "mean"], ["centred"]),
        node("Mul", ["centred", "scale"], ["z"]),
        node("MatMul", ["z", "whiten"], ["whitened"]),
        node("Mul", ["whitened", "whitened"], ["t2_parts"]),
        node("ReduceSum", ["t2_parts", "axis"], ["t2"], keepdims=1),
        node("Div", ["t2", "t2_limit"], ["t2_share"]),
        node("MatMul", ["z", "residual"], ["rest"]),
        node("Mul", ["rest", "rest"], ["contributions"]),
        node("ReduceSum", ["contributions", "axis"], ["q"], keepdims=1),
        node("Div", ["q", "q_limit"], ["q_share"]),
        node("Max", ["t2_share", "q_share"], ["score"]),
    ]
    made = helper.make_graph(
        nodes,
        "t2q",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", len(TAGS)])],
        [
            helper.make_tensor_value_info("score", TensorProto.DOUBLE, ["n", 1]),
            helper.make_tensor_value_info(
                "contributions", TensorProto.DOUBLE, ["n", len(TAGS)]
            ),
        ],
        [numpy_helper.from_array(a, name) for name, a in constants.items()],
    )
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(made, opset_imports=[opset], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_bundle(registry: Path, run: Run, detector: Detector) -> None:
    """A passport around the detector of one file."""
    training = run.values[:FITTED]
    golden = np.vstack([training[:8], run.values[600:608]]).astype(np.float32)
    wide = golden.astype(np.float64)
    parts = detector.contributions(wide)
    writing.write_bundle(
        registry,
        _passport(run.name, run.values),
        model=graph(detector),
        training=training,
        golden_inputs=golden,
        golden_outputs={"score": detector.score(wide), "contributions": parts},
    )


def _passport(name: str, values: F64) -> dict[str, Any]:
    low, high = values.min(axis=0) - 1e3, values.max(axis=0) + 1e3
    usual = np.quantile(values[:FITTED], [0.01, 0.99], axis=0)
    return {
        "passport": 1,
        "name": name,
        "version": "1.0.0",
        "title": "T2 and Q of one SKAB run",
        "kind": "anomaly",
        "asset_type": name,
        "tags": {
            tag: {
                "unit": unit,
                "range": [float(low[i]), float(high[i])],
                "usual": [float(usual[0, i]), float(usual[1, i])],
            }
            for i, (tag, unit) in enumerate(zip(TAGS, UNITS, strict=True))
        },
        "features": [
            {"name": tag, "tag": tag, "aggregate": "last", "hold": "1s", "rate": 1.0}
            for tag in TAGS
        ],
        "model": {
            "opset": 18,
            "ir_version": 9,
            "input": "rows",
            "batch": "dynamic",
            "outputs": {
                "score": {"output": "score", "read": "column"},
                "contributions": "contributions",
            },
        },
        "thresholds": [{"value": 1.0, "severity": 600}],
        "golden": {"rtol": 1e-6, "atol": 1e-9},
        "intended_use": "Replaying a public recording in a test.",
        "limits": ["Knows one run of one rig."],
        "owner": "test",
        "contact": "test",
        "approver": "test",
        "training": {
            "script": "tests/end_to_end/skab.py",
            "data": "first 400 rows of the file",
            "start": "2020-03-09T00:00:00Z",
            "end": "2020-03-09T01:00:00Z",
            "rows": FITTED,
        },
        "review_date": "2030-01-01",
    }


@dataclass(frozen=True)
class Pooled:
    """Verdicts on all files' test rows: F1, and rates of false and missed alarms."""

    f1: float
    false_alarms: float
    missed: float


def pooled(found: list[tuple[Run, F64]]) -> Pooled:
    """Metrics of scores, smoothed by a rolling median as the baseline's are."""
    verdict = np.concatenate([_smoothed(s)[FITTED:] > 1 for _, s in found])
    truth = np.concatenate([run.anomalous[FITTED:] for run, _ in found])
    hit, false = (verdict & truth).sum(), (verdict & ~truth).sum()
    missed, calm = (~verdict & truth).sum(), (~verdict & ~truth).sum()
    return Pooled(
        f1=float(2 * hit / (2 * hit + false + missed)),
        false_alarms=float(100 * false / (false + calm)),
        missed=float(100 * missed / (missed + hit)),
    )


def _smoothed(score: F64) -> F64:
    windows = np.lib.stride_tricks.sliding_window_view(score, SMOOTHED)
    return np.append(np.zeros(SMOOTHED - 1), np.median(windows, axis=1))
