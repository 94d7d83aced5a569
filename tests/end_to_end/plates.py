"""The steel plates, forests that know their faults, and what they say offline.

UCI 198, CC BY 4.0; the data lies outside this repository, and without it these tests
are skipped. Ten folds as in the data's description: RandomForest(200), seed 0.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold

from edge_agent.bundle import writing
from tests.end_to_end.figures import SHARED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    F64 = NDArray[np.float64]

FILE = SHARED / "data" / "steel_plates" / "steel_plates_faults.csv"
FOLDS = 10
ORDINARY = "Other_Faults"
"""The class of everything that is none of the six known faults."""
_ANSWERS = ("fault", "known_fault")


@dataclass(frozen=True)
class Plates:
    """All plates: 27 measured numbers, and what each turned out to have.

    Attributes:
        tags: names of the numbers.
        values: float64[n, 27].
        faults: str[n].
    """

    tags: tuple[str, ...]
    values: F64
    faults: NDArray[np.str_]

    def row(self, plate: int) -> dict[str, float]:
        """Numbers of a plate by tag."""
        return dict(zip(self.tags, self.values[plate].tolist(), strict=True))


def read() -> Plates:
    """The plates; skips the test without the data."""
    if not FILE.is_file():
        pytest.skip(f"the steel plates are not at {FILE}")
    with FILE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    tags = tuple(name for name in rows[0] if name not in _ANSWERS)
    values = np.array([[float(row[tag]) for tag in tags] for row in rows])
    return Plates(tags, values, np.array([row["fault"] for row in rows]))


@dataclass(frozen=True)
class Fold:
    """A forest, and the plates it has not seen.

    Attributes:
        name: of its model and of the line it works at.
        forest: fitted on the other nine tenths.
        unseen: int[k] its plates.
        seen: int[n - k] the others.
    """

    name: str
    forest: RandomForestClassifier
    unseen: NDArray[np.intp]
    seen: NDArray[np.intp]


def folds(plates: Plates, count: int) -> list[Fold]:
    """The first ``count`` of ten folds."""
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    parts = list(split.split(plates.values, plates.faults))[:count]
    return [
        Fold(
            f"line-{number}",
            RandomForestClassifier(200, random_state=0).fit(
                plates.values[seen], plates.faults[seen]
            ),
            unseen,
            seen,
        )
        for number, (seen, unseen) in enumerate(parts)
    ]


def write_bundle(registry: Path, plates: Plates, fold: Fold) -> None:
    """A passport around the forest of one fold."""
    training = plates.values[fold.seen]
    golden = training[:: len(training) // 24].astype(np.float32)
    converted = to_onnx(
        fold.forest,
        golden,
        target_opset=17,
        options={id(fold.forest): {"zipmap": False}},
    )
    classes = [str(name) for name in fold.forest.classes_]
    table = fold.forest.predict_proba(golden)
    writing.write_bundle(
        registry,
        _passport(fold, plates.tags, training, classes, converted.ir_version),
        model=converted.SerializeToString(),
        training=training,
        golden_inputs=golden,
        golden_outputs={
            "score": 1 - table[:, classes.index(ORDINARY)],
            "probabilities": table,
        },
    )


def _passport(
    fold: Fold, tags: tuple[str, ...], training: F64, classes: list[str], ir: int
) -> dict[str, Any]:
    low, high = training.min(axis=0) - 1e7, training.max(axis=0) + 1e7
    usual = np.quantile(training, [0.01, 0.99], axis=0)
    return {
        "passport": 1,
        "name": fold.name,
        "version": "1.0.0",
        "kind": "quality",
        "asset_type": fold.name,
        "title": "Which fault a steel plate has",
        "tags": {
            tag: {
                "range": [float(low[i]), float(high[i])],
                "usual": [float(usual[0, i]), float(usual[1, i])],
            }
            for i, tag in enumerate(tags)
        },
        "features": [{"name": t, "tag": t, "aggregate": "last"} for t in tags],
        "model": {
            "opset": 17,
            "ir_version": ir,
            "input": "X",
            "outputs": {
                "score": {
                    "output": "probabilities",
                    "class_name": ORDINARY,
                    "complement": True,
                },
                "probabilities": {"output": "probabilities", "classes": classes},
            },
        },
        "thresholds": [{"value": 0.5, "severity": 400}],
        "intended_use": "Naming the faults of plates of a public data set in a test.",
        "limits": ["Knows one mill."],
        "owner": "test",
        "contact": "test",
        "approver": "test",
        "training": {
            "script": "tests/end_to_end/plates.py",
            "data": "nine tenths of the steel plates of UCI 198",
            "start": "2010-10-26T00:00:00Z",
            "end": "2010-10-26T00:00:00Z",
            "rows": len(training),
            "seed": 0,
        },
        "review_date": "2030-01-01",
    }
