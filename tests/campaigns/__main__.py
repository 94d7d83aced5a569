"""``python -m tests.campaigns NAME --count N --seed S [--out FOLDER]``."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

CAMPAIGNS = {
    "kills": 500,
    "powercuts": 200,
    "damages": 200,
    "troubles": 20,
    "outage": 2_600_000,
}
"""Name and how often by default."""


def main() -> int:
    """Run one; exit 1 when a promise did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns")
    parser.add_argument("name", choices=CAMPAIGNS)
    parser.add_argument("--count", type=int, help="how often; a campaign's own default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("bench-out") / "campaigns")
    asked = parser.parse_args()
    count = asked.count or CAMPAIGNS[asked.name]
    module = importlib.import_module(f"tests.campaigns.{asked.name}")
    kept = asked.out / f"{asked.name}-{asked.seed}.jsonl"
    found = module.run(count, asked.seed, kept)
    found.write(asked.out / f"{asked.name}-{asked.seed}.json")
    print(found.text())
    return 1 if found.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
