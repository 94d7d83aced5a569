"""Worked example: a quality model of spot welds, from recording to bundle.

    python -m models.quality_example [--out FOLDER]

Cells begin with ``# %%``: open it as a notebook, or run it from top to bottom.
"""

# %% [markdown]
# A gun welds a spot; its controller shows current, voltage and force while it does, and
# then the part's id. Hours later the ultrasonic test says which spots were good. The
# model shall say so at once.

# %%
from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier

from edge_agent.bundle import Stretch, build
from edge_agent.features.offline import TriggerSpec, offline_rows
from edge_agent.features.spec import FeatureSpec
from edge_agent.scoring import OnnxScorer
from models import weld_cell

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, help="folder of all models; default: a new one")
options, _ = parser.parse_known_args()
out = options.out or Path(tempfile.mkdtemp(prefix="models-"))

# %% [markdown]
# Two shifts to learn from, one that nothing is learned from. In a plant these are
# recordings of the gateway (`edge-agent run --record FILE`), CSV or Parquet.

# %%
learning = weld_cell.shift(1, hours=1.5)
aside = weld_cell.shift(2, hours=1.0)
print(f"{len(learning.labels)} spots to learn from, {len(aside.labels)} kept aside")

# %% [markdown]
# What a row is: one a part, made over the part's own cycle. The same definitions are
# executed on the gateway, by the same code.

# %%
FEATURES = [
    FeatureSpec(
        f"{tag}.{aggregate}",
        tag,
        aggregate,
        cycle=True,
        rate=5.0,
        min_completeness=0.5,
    )
    for tag in weld_cell.ROLES
    for aggregate in ("mean", "std", "min", "max")
]
WHEN = TriggerSpec(on="cycle", part="part")

rows = offline_rows(weld_cell.KIND, FEATURES, WHEN, learning.recording)
whole = np.flatnonzero(rows.valid)
labels = [learning.labels[rows.part[i]] for i in whole]
print(f"{len(whole)} of {len(rows)} rows are whole")

# %% [markdown]
# The model is yours: any classifier with `predict_proba`.

# %%
model = GradientBoostingClassifier(n_estimators=60, max_depth=3, random_state=0)
model.fit(rows.values[whole], labels)

# %% [markdown]
# One call: converts, holds the graph against scikit-learn on the shift kept aside,
# chooses the threshold for 300 good spots in 150,000 called bad, a gun and week, and
# asks for what only a person can say. Leave something out, and all that is missing is
# listed.

# %%
built = build(
    model,
    Stretch(learning.recording, contexts="program"),
    holdout=Stretch(aside.recording, labels=aside.labels, contexts="program"),
    name="weld-quality",
    version="1.0.0",
    kind="quality",
    title="Whether a spot weld is good",
    asset_type="weld_gun",
    assets=weld_cell.GUNS,
    tags={tag.role: tag for tag in weld_cell.KIND.tags},
    features=FEATURES,
    score={"on": "cycle", "part": "part"},
    good=weld_cell.GOOD,
    budget=300.0,
    statement={
        "intended_use": "Spot welds of two programs on the guns of one cell, to sort "
        "out spots before the ultrasonic test.",
        "limits": [
            "Learned on a simulation: train it again on your own welds.",
            "Knows the programs thin and thick only.",
            "Does not replace the ultrasonic test of safety-relevant spots.",
        ],
        "owner": "Body shop quality",
        "contact": "body-shop-quality@example.com",
        "approver": "Head of the body shop",
        "accuracy": {"metric": "recall", "level": 0.7, "min_labels": 200},
        "review_date": "2027-06-30",
        "data": "Simulated welds of two guns (models/weld_cell.py).",
        "script": "models/quality_example.py",
        "seed": 1,
    },
    out=out,
    overwrite=True,
)
print(built)

# %% [markdown]
# What a gateway makes of some spots of the shift kept aside.

# %%
spots = offline_rows(weld_cell.KIND, FEATURES, WHEN, aside.recording)
spots = spots.take(np.flatnonzero(spots.valid)[:400])
found = OnnxScorer(built.bundle).score(spots.values)
limit = built.bundle.passport.thresholds[0].value
for kind in (weld_cell.GOOD, weld_cell.COLD, weld_cell.EXPELLED):
    own = [i for i, part in enumerate(spots.part) if aside.labels[part] == kind]
    alarms = int((found.score[own] > limit).sum())
    print(f"{kind}: {alarms} of {len(own)} spots raise an alarm")

# %% [markdown]
# The card is what an approver reads; `edge-agent model inspect` shows the same.

# %%
print(built.card)
