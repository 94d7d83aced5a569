from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.store import codec
from tests.store import drawn, made

if TYPE_CHECKING:
    from edge_agent.records import PipelineInfo, Record, ScoreRecord


def _back(record: Record) -> Record:
    infos = {}
    info = codec.info_of(record)
    if info is not None:
        digest, body = codec.pack_info(info)
        infos[digest] = codec.unpack_info(body)
    return codec.decode(codec.encode(record), infos.__getitem__)


def _none_known(digest: bytes) -> PipelineInfo:
    raise KeyError(digest)


@given(drawn.records)
def test_decoded_equals_encoded(record: Record) -> None:
    """Whatever leaves the agent comes back from its body unchanged."""
    assert made.same(_back(record), record)


def test_same_notices_a_difference() -> None:
    """The comparison of the tests tells two records apart."""
    assert not made.same(made.scores(3, at=1), made.scores(3, at=2))
    assert not made.same(made.alarm(1), made.alarm(2))


@given(drawn.score_records(), st.data())
def test_taken_rows_are_those_rows(record: ScoreRecord, data: st.DataObject) -> None:
    """A part of a score record holds exactly the picked rows, in order."""
    rows = data.draw(st.lists(st.integers(0, len(record) - 1), min_size=1, max_size=4))

    part = codec.take(record, rows)

    assert [record.at[i] for i in rows] == list(part.at)
    assert [record.top_role[i, 0] for i in rows] == list(part.top_role[:, 0])
    assert tuple(record.reason[i] for i in rows if record.reason) == part.reason


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(body: bytes) -> None:
    """Bytes that are no body raise ValueError or KeyError, nothing else."""
    try:
        codec.decode(body, _none_known)
    except (ValueError, KeyError):
        return
    assert body[:1] in {b"E", b"L", b"F", b"P"}


def test_unknown_pipeline_is_a_key_error() -> None:
    """A score without its pipeline's information cannot be told apart: refused."""
    with pytest.raises(KeyError):
        codec.decode(codec.encode(made.scores()), _none_known)
