"""How much of the public data is played, and what is told of it."""

from __future__ import annotations

import os
from pathlib import Path

FULL = os.environ.get("EDGE_AGENT_FULL", "") not in ("", "0")
"""Play all of the data, not the part that keeps the suite quick."""
SHARED = Path(
    os.environ.get("EDGE_AGENT_SHARED", Path(__file__).parents[2].parent / "shared")
)
"""Where the public data lies; without it the tests on it are skipped."""


def figure(line: str) -> None:
    """Print a result, and keep it in the file that ``EDGE_AGENT_FIGURES`` names."""
    print(f"\n{line}")
    if path := os.environ.get("EDGE_AGENT_FIGURES"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
