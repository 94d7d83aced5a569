"""Nothing about the plant is collected or sent by a library of ours."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RUN = """
import time
from edge_agent.scoring import runtime
runtime.ort.get_available_providers()
time.sleep(2)
"""


def test_the_runtime_collects_no_usage_data(tmp_path: Path) -> None:
    """ONNX Runtime leaves no device id and no event queue behind."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    environ = {"HOME": str(home), "TMPDIR": str(temporary), "PATH": ""}

    subprocess.run([sys.executable, "-c", RUN], check=True, env=environ)

    assert [*home.rglob("*"), *temporary.rglob("*")] == []
