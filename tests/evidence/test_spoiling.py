"""Whatever is done to a log by somebody without its key is found and located."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.evidence.retention import Limits
from tests.evidence import booked, spoiling
from tests.evidence.booked import DAY, Book

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.evidence.spoiling import Files


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Files]:
    """Logs after restarts, kills, days, a lost key and the removal of old segments."""
    return [_made(tmp_path_factory.mktemp("log"), seed) for seed in range(4)]


def _made(folder: Path, seed: int) -> Files:
    dice = Random(seed)
    keep = [180, 180, 4, 2][seed] * 86_400.0
    book = Book(folder / "evidence", limits=Limits(keep=keep, segment=3_000))
    book.open()
    for _ in range(24):
        book.append(dice.randrange(1, 5))
        match dice.randrange(8):
            case 0:
                book.log.close()
                book.open()
            case 1:
                book.open()  # killed
            case 2 | 3:
                book.clock.time += DAY
            case _:
                book.log.tend()
    if seed == 1:
        (book.folder / "gateway.key").unlink()
        book.open()
        book.append(3)
    if seed % 2:
        book.log.close()
    files = book.files()
    if seed >= 2:
        assert "000001.jsonl" not in files
    return files


@pytest.mark.parametrize("which", range(4))
def test_an_untouched_log_is_good(logs: list[Files], which: int) -> None:
    """Restarts, kills, new days, a new key and removals are no damage."""
    report = booked.verified(logs[which])

    assert (report.problems, report.breaks) == ([], [])
    assert not report.open
    assert report.anchors > 1


@given(which=st.integers(0, 3), seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_an_edit_is_located(logs: list[Files], which: int, seed: int) -> None:
    """The first problem names the line that was changed, or the one behind it."""
    files = dict(logs[which])
    spoiling.change_number(files, Random(seed))
    (name,) = [name for name, body in files.items() if body != logs[which][name]]
    pairs = zip(files[name].split(b"\n"), logs[which][name].split(b"\n"), strict=True)
    changed = next(place for place, (a, b) in enumerate(pairs, 1) if a != b)

    near = [(one.file, one.line) for one in booked.verified(files).problems]
    assert {(name, changed), (name, changed + 1)} & set(near)


@pytest.mark.parametrize("way", spoiling.WAYS, ids=lambda way: way.__name__)
@given(which=st.integers(0, 3), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_what_is_done_to_it_is_found(
    logs: list[Files], way: Callable[[Files, Random], None], which: int, seed: int
) -> None:
    """Each way to spoil a log is found, whatever place it is done at."""
    files = dict(logs[which])
    way(files, Random(seed))
    if files == logs[which]:
        return
    report = booked.verified(files)

    assert not report.good or report.open
    assert all(problem.file in {*files, *logs[which]} for problem in report.problems)
