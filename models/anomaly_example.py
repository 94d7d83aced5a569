"""Worked example: an anomaly model of pumps, from recordings to a bundle.

    python -m models.anomaly_example [--out FOLDER]

Cells begin with ``# %%``: open it as a notebook, or run it from top to bottom.
"""

# %% [markdown]
# Pumps run, and nothing is wrong. From recordings of that a forest learns what normal
# is; what is easy to set apart from it is odd. The hall is the demo's simulation; in a
# plant the recordings are the gateway's own (`edge-agent run --record FILE`).

# %%
from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import IsolationForest

from edge_agent.bundle import build
from edge_agent.demo.equipment import INSTRUMENTS
from edge_agent.demo.hall import Hall
from edge_agent.features.offline import TriggerSpec, offline_rows
from edge_agent.features.spec import FeatureSpec
from edge_agent.recording import read
from edge_agent.samples import AssetType, Tag, TagTable
from edge_agent.scoring import OnnxScorer

if TYPE_CHECKING:
    from edge_agent.features.feature_rows import FeatureRows

PUMPS = tuple(f"P-{101 + i}" for i in range(6))
START = 1_767_225_600  # 2026-01-01
BEGIN = 300  # s into a recording at which a fault begins

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, help="folder of all models; default: a new one")
parser.add_argument("--hours", type=float, default=1.0, help="to learn from")
parser.add_argument("--quick", action="store_true", help="compare no conversions")
options, _ = parser.parse_known_args()
folder = Path(tempfile.mkdtemp(prefix="recordings-"))
out = options.out or folder / "models"


# %% [markdown]
# Three recordings of the same pumps, one after the other: one to learn from, one that
# nothing is learned from, and one in which a pump begins to cavitate.


# %%
hall = Hall(1, len(PUMPS))


def record(name: str, hours: float, fault: str = "") -> Path:
    """A CSV with a line a second and a column a tag."""
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file).writerow
        write(["time", *(f"{pump}/{role}" for role in INSTRUMENTS for pump in PUMPS)])
        for second in range(round(hours * 3600)):
            if fault and second == BEGIN:
                hall.inject(fault, 2)
            shown = hall.step(1.0)
            values = np.concatenate([shown[role] for role in INSTRUMENTS])
            write([START + round(hall.time), *values.round(4).tolist()])
    return path


learning = record("learning.csv", options.hours)
aside = record("aside.csv", 2 * options.hours)
cavitating = record("cavitating.csv", 0.25, "cavitation")

# %% [markdown]
# Features, as the gateway will compute them: mean and spread of the last half minute,
# of the three tags in which a pump's troubles show. (A forest that is given more tags
# cuts each of them more seldom, and sees less.) It is fitted on rows made by the
# gateway's own code.

# %%
TAGS = {
    role: {"unit": i.unit, "range": [i.low, i.high]} for role, i in INSTRUMENTS.items()
}
FEATURES = [
    FeatureSpec(f"{role}.{how}", role, how, window=30.0, min_completeness=0.7)
    for role in ("suction_pressure", "vibration_rms", "motor_current")
    for how in ("mean", "std")
]
KIND = AssetType(
    "pump",
    PUMPS,
    tuple(Tag(role, i.unit, i.low, i.high) for role, i in INSTRUMENTS.items()),
    0,
)


def rows_of(path: Path) -> FeatureRows:
    """Rows of a recording, one every five seconds and pump."""
    tags = TagTable((KIND,), ("plc",), np.zeros(KIND.size, np.int16))
    batch = read(path, tags).batch
    found = offline_rows(KIND, FEATURES, TriggerSpec(every=5.0), batch)
    return found.take(np.flatnonzero(found.valid))


normal = rows_of(learning)
model = IsolationForest(n_estimators=100, max_samples=256, random_state=0)
model.fit(normal.values)
print(f"learned from {len(normal)} rows")

# %% [markdown]
# One call, from the recordings on. The forest is compiled into one tree ensemble, held
# against scikit-learn, and timed beside the usual conversion (that takes ten seconds;
# `compare=False` leaves it out). The threshold is chosen for two false alarms a pump
# and week; so little data cannot show that, and the passport says so.

# %%
built = build(
    model,
    learning,
    holdout=aside,
    name="pump-forest",
    version="1.0.0",
    kind="anomaly",
    title="How easily a pump's running is set apart from normal",
    asset_type="pump",
    assets=PUMPS,
    tags=TAGS,
    features=FEATURES,
    score={"every": "5s"},
    budget=2.0,
    on_delay="15s",
    statement={
        "intended_use": "Early warning on speed-controlled centrifugal water pumps of "
        "one make that run.",
        "limits": [
            "Learned on a simulation: train it again on your own pumps.",
            "Does not know starts, stops and standstill.",
            "Does not protect anything: trips and interlocks stay in the PLC.",
        ],
        "owner": "Pump maintenance",
        "contact": "pumps@example.com",
        "approver": "Head of utilities",
        "accuracy": {"metric": "precision", "level": 0.5, "min_labels": 20},
        "review_date": "2027-06-30",
        "data": "Simulated normal running of six pumps (edge_agent/demo/hall.py).",
        "script": "models/anomaly_example.py",
        "seed": 1,
    },
    out=out,
    compare=not options.quick,
    overwrite=True,
)
print(built)

# %% [markdown]
# The gateway's scorer on the recording with the fault.

# %%
trial = rows_of(cavitating)
score = OnnxScorer(built.bundle).score(trial.values).score
limit = built.bundle.passport.thresholds[0].value
since = (trial.at - trial.at.min()) / 1e9
for asset, pump in enumerate(PUMPS):
    mine = (trial.asset == asset) & (score > limit)
    first = f"first {since[mine][0]:.0f} s in" if mine.any() else "none"
    highest = score[trial.asset == asset].max()
    print(f"{pump}: highest {highest:.3f}, {mine.sum()} rows above {limit:g}, {first}")

# %% [markdown]
# The card is what an approver reads; `edge-agent model inspect` shows the same.

# %%
print(built.card)
