"""SIGKILL between any two changes that an adoption makes on the disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.end_to_end.figures import figure

#: With EDGE_AGENT_FULL=1 at every change, else at each sixth.
EVERY = "1" if os.environ.get("EDGE_AGENT_FULL") else "6"


@pytest.mark.crash
@pytest.mark.timeout(600)
def test_a_kill_at_any_write_leaves_a_whole_model() -> None:
    """A start finds one active, whole version; a second run ends on the new one."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.registry.killing", "--every", EVERY],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    tally = json.loads(done.stdout)

    assert tally["broken"] == []
    assert tally["kills"] >= 10
    assert tally["ended_on_new"] == tally["kills"]
    assert {"seen", "fetched", "active"} <= set(tally["at_stage"])
    figure(
        f"{tally['kills']} SIGKILLs at a write of an adoption: 0 broken; next start "
        f"found {tally['started_with']}, stages {tally['at_stage']}"
    )
