"""What the log costs: ``python -m tests.evidence.costs [FOLDER]``.

Appends alarms one by one and in groups, each synced with its head, then opens and
verifies what was written. The folder decides what a sync costs; a new one in the
machine's temporary folder where none is named.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.evidence import find
from edge_agent.evidence.log import Log
from edge_agent.evidence.places import checked, place_of
from edge_agent.evidence.telling import facts_of
from edge_agent.records import EvidenceRecord
from edge_agent.store.outbox import Stored
from tests.evidence.booked import WallClock
from tests.store import made

if TYPE_CHECKING:
    from edge_agent.evidence.line import Facts

#: A window of 60 rows of 20 features, as JSON.
WINDOW = b"[" + b",".join([b"12.345678901234567"] * 1200) + b"]"
SINGLE, GROUPS, GROUP, WINDOWS = 300, 400, 250, 100


def main() -> None:
    """Measure, and print a table."""
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        _measure(Path(folder) / "evidence")


def _measure(folder: Path) -> None:
    log = Log(folder, "gw-1", WallClock())
    log.open()
    seq = 0
    before, clock, flash = log.status()["bytes"], _Clock(), _flash()
    for seq in range(SINGLE):
        log.append([_alarm(seq)])
    wall, cpu = clock.took()
    size = (log.status()["bytes"] - before) / SINGLE
    print(f"an alarm alone: {1e3 * wall / SINGLE:.2f} ms, {size:.0f} bytes,")
    print(f"  {1e6 * cpu / SINGLE:.0f} us of CPU,")
    print(f"  {(_flash() - flash) / SINGLE:.0f} bytes given to the disk by the kernel")

    clock, flash = _Clock(), _flash()
    for group in range(GROUPS):
        first = SINGLE + group * GROUP
        log.append([_alarm(seq) for seq in range(first, first + GROUP)])
    (wall, cpu), total = clock.took(), GROUPS * GROUP
    print(f"in groups of {GROUP}: {total / wall:.0f} alarms a second,")
    print(f"  {1e6 * cpu / total:.0f} us of CPU each,")
    print(f"  {(_flash() - flash) / total:.0f} bytes each given to the disk")

    before = log.status()["bytes"]
    for seq in range(WINDOWS):
        record = EvidenceRecord(1, f"o{seq}", "pump-anomaly", "P-101", WINDOW)
        facts = facts_of(Stored(2 << 44 | seq, record))
        assert facts is not None
        log.append([_alarm(200_000 + seq), facts])
    size = (log.status()["bytes"] - before) / WINDOWS
    print(f"with a window of 60 x 20 numbers: {size:.0f} bytes")
    log.close()
    _read(folder)


def _read(folder: Path) -> None:
    size = sum(path.stat().st_size for path in folder.glob("0*.jsonl")) / 1e6
    clock = _Clock()
    report = checked(place_of([folder]), [], None)
    wall, cpu = clock.took()
    lines = sum(report.entries.values())
    print(f"verify: {size / wall:.0f} MB/s, {size / cpu:.0f} MB per second of CPU,")
    print(f"  {lines / cpu:.0f} lines per second of CPU, good: {report.good}")
    clock = _Clock()
    Log(folder, "gw-1", WallClock()).open()
    wall, cpu = clock.took()
    print(f"a start with {size:.0f} MB: {wall:.2f} s, {cpu:.2f} s of CPU")
    clock = _Clock()
    found = find(folder, f"pump-anomaly/{77 % 3}/77")
    wall, cpu = clock.took()
    print(f"find an alarm in it: {wall:.2f} s, {cpu:.2f} s of CPU, {len(found)} found")


def _alarm(seq: int) -> Facts:
    facts = facts_of(Stored(1 << 44 | seq, made.alarm(seq, seq % 3)))
    assert facts is not None
    return facts


class _Clock:
    """Seconds by the wall and of this process's CPU since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def took(self) -> tuple[float, float]:
        """Both."""
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def _flash() -> int:
    lines = Path("/proc/self/io").read_text("ascii").splitlines()
    return int(next(x for x in lines if x.startswith("write_bytes")).split()[1])


if __name__ == "__main__":
    main()
