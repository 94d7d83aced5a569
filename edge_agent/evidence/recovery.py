"""What a log's folder holds at the start, and how the log goes on from there."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.bundle.keys import key_id, load_public
from edge_agent.durable import sync_folder
from edge_agent.errors import ConfigError
from edge_agent.evidence import heads, segments
from edge_agent.evidence.checking import BEHIND, Check
from edge_agent.evidence.line import MOST, ending_of, hash_of, parsed

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.bundle.keys import PublicKey
    from edge_agent.evidence.keyring import Keys
    from edge_agent.evidence.line import Parsed
    from edge_agent.evidence.report import Report
    from edge_agent.evidence.signing import Head


#: Newest records that are known at the start: those the log has and the journal still
#: owes, as their acknowledgement was not written. 4 MB.
REMEMBERED = 65_536


@dataclass(slots=True)
class Found:
    """What was there.

    Attributes:
        report: of the check.
        fresh: problems the log does not yet name itself.
        cut: bytes behind the head that were cut off.
        segment: number of the newest file, 0 for none.
        seen: of the newest records in the log, a hash of what it says of each.
    """

    report: Report
    fresh: list[str]
    cut: int
    segment: int
    seen: set[int] = field(default_factory=set)


def recovered(folder: Path, keys: Keys) -> Found:
    """Cut off what a crash left, finish what it left half done, check the rest.

    Raises:
        OSError: the disk refused.
    """
    known, _ = heads.load(folder)
    cut = _cut(folder, known[-1]) if known else _unborn(folder)
    seen: deque[int] = deque(maxlen=REMEMBERED)

    def note(said: Parsed, line: bytes) -> None:
        if said.boot:
            seen.append(hash(ending_of(line)))

    check = Check(
        _trusted(folder, keys), known, newborn=bool(keys.why), behind=0, seen=note
    )
    each = segments.of_folder(folder)
    report = check.segments(each)
    _finish_removal(folder, report)
    told = [str(problem) for problem in report.problems[:20]]
    fresh = [text for text in told if text not in report.stated]
    segment = max((one.index for one in each), default=0)
    return Found(report, fresh, cut, segment, set(seen))


def _trusted(folder: Path, keys: Keys) -> dict[str, PublicKey]:
    """The gateway's own key and those it had before."""
    found = {keys.id: keys.private.public_key()}
    for path in folder.glob("gateway-*.pub"):
        with contextlib.suppress(ConfigError):
            key = load_public(path)
            found[key_id(key)] = key
    return found


def _finish_removal(folder: Path, report: Report) -> None:
    """Remove segments that the log says are gone: a crash came between."""
    gone = [one for one in report.segments if one.name in report.removed]
    if not gone or report.problems:
        return
    for one in gone:
        (folder / one.name).unlink(missing_ok=True)
    report.segments = [one for one in report.segments if one not in gone]
    sync_folder(folder)


def _unborn(folder: Path) -> int:
    """A first start that got no further than its first line: begin it anew."""
    each = segments.of_folder(folder)
    if [one.name for one in each] != [segments.name_of(1)]:
        return 0
    path = folder / each[0].name
    text = path.read_bytes() if path.stat().st_size < MOST else b"\n\n"
    if b"\n" in text[:-1] or (folder / heads.NAME).exists():
        return 0
    path.unlink()
    return len(text)


def _cut(folder: Path, head: Head) -> int:
    """Cut off what stands behind the head: none of it was acknowledged.

    Where the head's own line is not found, or more stands behind it than one group,
    nothing is cut: that is damage, and no crash.
    """
    behind: list[tuple[Path, int, int]] = []
    found = False
    for segment in reversed(segments.of_folder(folder)):
        path = folder / segment.name
        keep, rest = _place_of(path, head)
        found = keep >= 0
        behind.append((path, max(keep, 0), rest))
        if found or len(behind) == 3:  # noqa: PLR2004 - one group opens one or two
            break
    lost = sum(path.stat().st_size - keep for path, keep, _ in behind)
    if not found or not lost or sum(rest for *_, rest in behind) > BEHIND:
        return 0
    for path, keep, _ in behind:
        if keep:
            os.truncate(path, keep)
        else:
            path.unlink()
    sync_folder(folder)
    return lost


def _place_of(path: Path, head: Head) -> tuple[int, int]:
    """Bytes up to the end of the head's line, -1 where it is not; lines behind that."""
    size, keep, rest = 0, -1, 0
    with path.open("rb") as file:
        for line in segments.lines(file):
            size, rest = size + len(line), rest + 1
            if keep < 0 and b'"previous":' in line[:64] and _is(line[:-1], head):
                keep, rest = size, 0
    return keep, rest


def _is(line: bytes, head: Head) -> bool:
    try:
        said = parsed(line)
    except ValueError:
        return False
    return said.number == head.number and hash_of(said.previous, line) == head.hash
