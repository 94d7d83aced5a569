"""The worked examples run from top to bottom and end with a bundle."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.bundle.contents import open_bundle
from edge_agent.scoring import OnnxScorer

ROOT = Path(__file__).parents[2]


def run(name: str, *options: str) -> str:
    """What an example prints."""
    told = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"models.{name}", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.mark.timeout(120)
def test_the_anomaly_example(tmp_path: Path) -> None:
    """The forest of a hall of pumps is built, and sees a pump cavitate."""
    text = run("anomaly_example", "--out", str(tmp_path), "--quick")

    bundle = open_bundle(tmp_path / "pump-forest" / "1.0.0")
    OnnxScorer(bundle)
    assert "too short to show 2 a week" in text
    rows = {m[1]: int(m[2]) for m in re.finditer(r"(P-\d+): .*?(\d+) rows above", text)}
    assert rows.pop("P-103") > 20
    assert set(rows.values()) == {0}


@pytest.mark.timeout(120)
def test_the_quality_example(tmp_path: Path) -> None:
    """The welds' model is built, and finds most of the bad spots and no good one."""
    text = run("quality_example", "--out", str(tmp_path))

    bundle = open_bundle(tmp_path / "weld-quality" / "1.0.0")
    OnnxScorer(bundle)
    assert set(bundle.reference.contexts) == {"thin", "thick"}
    found = {
        m[1]: int(m[2]) / int(m[3])
        for m in re.finditer(r"(\w+): (\d+) of (\d+) spots raise", text)
    }
    assert found["good"] < 0.02
    assert found["cold"] > 0.6
    assert found["expelled"] > 0.8
