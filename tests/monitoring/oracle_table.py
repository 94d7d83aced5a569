"""Print how far our statistics are from those of other libraries.

python -m tests.monitoring.oracle_table
"""

from __future__ import annotations

import sys

from tests.monitoring import oracles


def statistics() -> list[str]:
    """A line for each statistic: pairs, worst difference, where."""
    pairs = oracles.pairs()
    lines = [f"{'statistic':24} {'library':10} {'pairs':>5}  worst    at"]
    overall = 0.0
    for held in oracles.HELD:
        off = {
            name: abs(held.ours(*pair) - held.theirs(name))
            for name, pair in pairs.items()
        }
        worst = max(off, key=lambda name: off[name])
        overall = max(overall, off[worst])
        lines.append(
            f"{held.name:24} {held.library:10} {len(off):5}  {off[worst]:.1e}  {worst}"
        )
    lines.append(
        f"{len(pairs)} pairs x {len(oracles.HELD)} statistics: worst {overall:.1e}"
    )
    return lines


def streams() -> list[str]:
    """A line for each detector: streams, changes, how many river has elsewhere."""
    theirs = oracles.results(oracles.RIVER)
    lines = [f"{'detector':36} {'streams':>7} {'changes':>7}  not at river's places"]
    numbers = oracles.streams()
    for name, detector in oracles.DETECTORS.items():
        changes = other = 0
        for stream, values in numbers.items():
            found = detector.update(values)[1].tolist()
            wanted = theirs[stream][name]
            # of long lists the file has the number and the beginning
            begun = wanted["drift_indices"]
            changes += len(found)
            other += len(set(found[: len(begun)]) ^ set(begun))
            other += abs(len(found) - wanted["n_drifts"])
        lines.append(f"{name:36} {len(numbers):7} {changes:7}  {other}")
    return lines


def main() -> int:
    """Print both tables; 1 where the public data is missing."""
    if not oracles.ORACLES.exists():
        print(f"no oracles at {oracles.ORACLES}")
        return 1
    print("\n".join([*statistics(), "", *streams()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
