"""Computes alarms again in a process that knows nothing but their evidence.

    python -m tests.agent.retraced_all EVIDENCE.jsonl BUNDLE

Prints, as JSON, how many there were and how many were the same bit for bit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edge_agent.bundle.contents import open_bundle
from edge_agent.captured import reading, retracing
from edge_agent.captured.retracing import Sameness
from edge_agent.scoring import OnnxScorer
from edge_agent.surroundings import here


def main() -> None:
    """Compute all of them."""
    log, bundle = map(Path, sys.argv[1:])
    scorer, this = OnnxScorer(open_bundle(bundle)), here()
    found = {"alarms": 0, "same": 0, "alarm": 0, "differences": 0}
    for line in log.read_bytes().splitlines():
        evidence = reading.read(line)
        made = retracing.retrace(evidence, this, scorer)
        found["alarms"] += 1
        found["same"] += made.features is made.score is Sameness.SAME
        found["alarm"] += made.alarm
        found["differences"] += len(made.differences)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
