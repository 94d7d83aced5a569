"""Recordings: what was written is read, and bad files are explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import arro3.core
import arro3.io
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import ConfigError
from edge_agent.recording import Recorder, Sign, parse_time, read, unused
from edge_agent.samples import AssetType, SampleBatch, Tag, TagTable

if TYPE_CHECKING:
    from pathlib import Path

KIND = AssetType("pump", ("P-1", "P-2"), (Tag("flow"), Tag("part", text=True)), 0)
TAGS = TagTable((KIND,), ("plc",), np.zeros(4, np.int16))


def assert_same(found: SampleBatch, expected: SampleBatch) -> None:
    """Both batches hold the same samples, bit for bit."""
    for name in ("tag", "time", "quality", "received"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()
    assert found.value.tobytes() == expected.value.tobytes()
    assert found.texts == expected.texts


def test_what_was_recorded_is_read_bit_for_bit(tmp_path: Path) -> None:
    """Values, stamps, qualities, arrivals and texts survive the CSV."""
    batch = SampleBatch.of(
        [0, 2, 1],
        [
            1_700_000_000_000_000_001,
            1_700_000_000_000_000_002,
            1_700_000_000_000_000_000,
        ],
        [0.1 + 0.2, 0.0, -1e-300],
        [0, 1, 2],
        [1_700_000_001_000_000_000] * 3,
        ["part 7, left"],
    )
    recorder = Recorder(tmp_path / "r.csv", TAGS)
    recorder.write(batch, np.zeros(1, np.int64), 0)
    recorder.close()

    assert_same(read(tmp_path / "r.csv", TAGS).batch, batch)


def test_a_wide_recording_has_a_column_a_tag(tmp_path: Path) -> None:
    """An empty cell is no sample; semicolons and ISO stamps are understood."""
    (tmp_path / "w.csv").write_text(
        "time;P-1/flow;P-2/flow\n2024-01-01T00:00:00Z;1.5;\n2024-01-01T00:00:01;;2\n"
    )
    found = read(tmp_path / "w.csv", TAGS).batch

    assert found.tag.tolist() == [0, 1]
    assert found.value.tolist() == [1.5, 2.0]
    assert (found.time - found.time[0]).tolist() == [0, 1_000_000_000]


def test_parquet_reads_like_csv(tmp_path: Path) -> None:
    """The same columns in Parquet give the same samples."""
    columns: dict[str, Any] = {
        "time": arro3.core.Array(
            [1_700_000_000, 1_700_000_001], arro3.core.DataType.int64()
        ),
        "P-1/flow": arro3.core.Array([1.5, 2.5], arro3.core.DataType.float64()),
    }
    table = arro3.core.Table.from_pydict(columns)
    arro3.io.write_parquet(table, str(tmp_path / "r.parquet"))
    (tmp_path / "r.csv").write_text("time,P-1/flow\n1700000000,1.5\n1700000001,2.5\n")

    found = read(tmp_path / "r.parquet", TAGS).batch

    assert_same(found, read(tmp_path / "r.csv", TAGS).batch)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("time,tag,value\n1,P-9/flow,2\n", "r.csv:2: 'P-9/flow' is no tag"),
        ("time,tag,value\nnoon,P-1/flow,2\n", "r.csv:2: Invalid isoformat string"),
        ("time,tag,value\n1,P-1/flow,2\n2,P-1/flow,much\n", "r.csv:3:"),
        ("when,P-1/flow\n1,2\n", "r.csv:2: 'time' is no tag"),
    ],
)
def test_a_bad_recording_is_explained(
    tmp_path: Path, text: str, complaint: str
) -> None:
    """File and line are named."""
    (tmp_path / "r.csv").write_text(text)

    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "r.csv", TAGS)

    assert complaint in str(caught.value)


def test_a_missing_recording_is_explained(tmp_path: Path) -> None:
    """No traceback for a wrong path."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none.csv", TAGS)


@given(st.integers(10**9, 2 * 10**9))
def test_units_of_time_are_told_apart_by_size(seconds: int) -> None:
    """The same moment in s, ms, us and ns is the same number of nanoseconds."""
    expected = seconds * 10**9
    written = (seconds, seconds * 10**3, seconds * 10**6, seconds * 10**9)

    assert [parse_time(str(number)) for number in written] == [expected] * 4


def test_signs_of_life_are_recorded_with_their_turns(tmp_path: Path) -> None:
    """Each change is one sign, with the turn that knew and the one before it."""
    recorder = Recorder(tmp_path / "r.csv", TAGS)
    nothing = SampleBatch.of([], [], [])
    for now, alive in ((100, 50), (200, 50), (300, 250)):
        recorder.write(nothing, np.array([alive], np.int64), now)
    recorder.close()

    assert read(tmp_path / "r.csv", TAGS).signs == (Sign(0, 250, 300, 200),)


def test_a_text_that_is_none_is_recorded_as_empty(tmp_path: Path) -> None:
    """A BAD part id has no text: it must not end the recording."""
    recorder = Recorder(tmp_path / "r.csv", TAGS)
    bad = SampleBatch.of([2], [5], [np.nan], [2], [7])
    recorder.write(bad, np.zeros(1, np.int64), 7)
    recorder.close()

    found = read(tmp_path / "r.csv", TAGS).batch
    assert (found.texts, found.quality.tolist()) == (("",), [2])


def test_times_of_1970_survive_our_own_recording(tmp_path: Path) -> None:
    """A gateway without a clock records small numbers: they are ns all the same."""
    recorder = Recorder(tmp_path / "r.csv", TAGS)
    batch = SampleBatch.of([0], [90 * 10**9], [1.0], received=[91 * 10**9])
    recorder.write(batch, np.zeros(1, np.int64), 0)
    recorder.close()

    assert_same(read(tmp_path / "r.csv", TAGS).batch, batch)


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    """A restart gets a file of its own."""
    (tmp_path / "r.csv").write_text("kept")
    (tmp_path / "r-1.csv").write_text("kept")

    assert unused(tmp_path / "r.csv") == tmp_path / "r-2.csv"
    assert unused(tmp_path / "new.csv") == tmp_path / "new.csv"
