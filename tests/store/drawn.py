"""Any record, drawn by hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_agent.records import (
    AlarmRecord,
    AlarmState,
    DriftRecord,
    EventRecord,
    EvidenceRecord,
    Fallback,
    FindingRecord,
    FindingState,
    LabelRecord,
    LossRecord,
    PipelineInfo,
    RawRecord,
    ScoreRecord,
    SnapshotRecord,
)

_text = st.text(st.characters(codec="utf-8"), max_size=12)
_i64 = st.integers(-(2**62), 2**62)
_float = st.floats(width=64)
infos = st.builds(
    PipelineInfo,
    pipeline=_text,
    asset_type=_text,
    assets=st.lists(_text, min_size=1, max_size=4).map(tuple),
    roles=st.lists(_text, min_size=1, max_size=4).map(tuple),
    units=st.lists(_text, min_size=4, max_size=4).map(tuple),
    model=_text,
    model_version=_text,
    model_sha8=_text,
    model_digest=_text,
)


@st.composite
def score_records(draw: st.DrawFn) -> ScoreRecord:
    """Any score record whose indices are within its info."""
    info, n = draw(infos), draw(st.integers(1, 6))

    def column(dtype: str, shape: Any = n, **limits: Any) -> Any:  # noqa: ANN401 - an array
        elements = hnp.from_dtype(np.dtype(dtype), **limits)
        return draw(hnp.arrays(np.dtype(dtype), shape, elements=elements))

    texts = st.lists(_text, min_size=n, max_size=n).map(tuple)
    numbers = hnp.arrays(np.uint8, n, elements=st.sampled_from([0, 255]))
    context = draw(st.one_of(st.none(), numbers))
    low, high = -(2**62), 2**62
    return ScoreRecord(
        info=info,
        asset=column("i4", min_value=0, max_value=len(info.assets) - 1),
        at=column("i8", min_value=low, max_value=high),
        score=column("f8"),
        threshold=column("f8"),
        severity=column("i4", min_value=0, max_value=1000),
        alarm=column("u1", max_value=1),
        quality=column("u1", max_value=2),
        completeness=column("f8", min_value=0, max_value=1),
        age=column("f8"),
        no_score=column("u1", max_value=7),
        fallback=column("u1", max_value=3),
        top_role=column("i2", (n, 3), min_value=-1, max_value=len(info.roles) - 1),
        top_value=column("f8", (n, 3)),
        top_low=column("f8", (n, 3)),
        top_high=column("f8", (n, 3)),
        top_share=column("f8", (n, 3)),
        inputs_good=column("i2", min_value=0, max_value=20),
        inputs_total=20,
        part=draw(st.one_of(st.just(()), texts)),
        reason=draw(st.one_of(st.just(()), texts)),
        label=draw(st.one_of(st.just(()), texts)),
        contexts=() if context is None else (draw(_text),),
        context=context,
    )


@st.composite
def alarm_records(draw: st.DrawFn) -> AlarmRecord:
    """Any alarm record."""
    info = draw(infos)
    return AlarmRecord(
        info=info,
        asset=draw(st.integers(0, len(info.assets) - 1)),
        at=draw(_i64),
        state=draw(st.sampled_from(AlarmState)),
        occurrence=draw(_text),
        since=draw(_i64),
        score=draw(_float),
        threshold=draw(_float),
        severity=draw(st.integers(0, 1000)),
        reason=draw(_text),
        top=tuple(
            draw(st.lists(st.tuples(_text, _float, _float, _float, _float), max_size=3))
        ),
        part=draw(_text),
        fallback=draw(st.sampled_from(Fallback)),
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | _text,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3)
    ),
    max_leaves=5,
)
event_records = st.builds(
    EventRecord, _i64, _text, _text, _text, st.dictionaries(_text, _json, max_size=3)
)
loss_records = st.builds(LossRecord, _i64, _text, _text, _i64, _i64, _i64, _text)
_numbers = st.dictionaries(_text, st.floats(allow_nan=False) | _json, max_size=3)
finding_records = st.builds(
    FindingRecord,
    at=_i64,
    state=st.sampled_from(FindingState),
    id=_text,
    since=_i64,
    what=_text,
    cause=_text,
    pipeline=_text,
    asset=_text,
    tag=_text,
    context=_text,
    strength=_float,
    sentence=_text,
    action=_text,
    evidence=_numbers,
    model=_text,
    model_version=_text,
)
snapshot_records = st.builds(SnapshotRecord, _i64, _text, _text, _text, _numbers)


@st.composite
def drift_records(draw: st.DrawFn) -> DriftRecord:
    """Any drift record; columns have different numbers of bins."""
    count = draw(st.integers(0, 4))
    bins = draw(st.lists(st.integers(1, 6), min_size=count, max_size=count))

    def column(dtype: str, **limits: Any) -> Any:  # noqa: ANN401 - an array
        elements = hnp.from_dtype(np.dtype(dtype), **limits)
        return draw(hnp.arrays(np.dtype(dtype), count, elements=elements))

    counts = np.zeros((count, max(bins, default=0)), np.int64)
    for row, size in zip(counts, bins, strict=True):
        size_ = st.lists(st.integers(0, 2**60), min_size=size, max_size=size)
        row[:size] = draw(size_)
    return DriftRecord(
        info=draw(infos),
        context=draw(_text),
        since=draw(_i64),
        until=draw(_i64),
        rows=draw(st.integers(0, 2**60)),
        gated=draw(st.integers(0, 2**60)),
        baseline_id=draw(_text),
        columns=tuple(draw(st.lists(_text, min_size=count, max_size=count))),
        n=column("i8", min_value=0),
        missing=column("i8", min_value=0),
        total=column("f8"),
        square=column("f8"),
        low=column("f8"),
        high=column("f8"),
        counts=counts,
        bins=np.array(bins, np.int64),
    )


@st.composite
def label_records(draw: st.DrawFn) -> LabelRecord:
    """Any labels of rows."""
    assets = tuple(draw(st.lists(_text, min_size=1, max_size=4)))
    n = draw(st.integers(1, 6))

    def column(dtype: str, **limits: Any) -> Any:  # noqa: ANN401 - an array
        elements = hnp.from_dtype(np.dtype(dtype), **limits)
        return draw(hnp.arrays(np.dtype(dtype), n, elements=elements))

    def words() -> tuple[str, ...]:
        return tuple(draw(st.lists(_text, min_size=n, max_size=n)))

    return LabelRecord(
        pipeline=draw(_text),
        model=draw(_text),
        at=draw(_i64),
        assets=assets,
        asset=column("i4", min_value=0, max_value=len(assets) - 1),
        row_at=column("i8"),
        part=words(),
        version=words(),
        context=words(),
        score=column("f8"),
        threshold=column("f8"),
        predicted=column("u1", max_value=2),
        state=column("u1", max_value=2),
        value=column("f8"),
        label=words(),
        delay=column("f8"),
    )


@st.composite
def raw_records(draw: st.DrawFn) -> RawRecord:
    """Any samples."""
    tags = tuple(draw(st.lists(_text, min_size=1, max_size=4)))
    n = draw(st.integers(1, 6))

    def column(dtype: str, **limits: Any) -> Any:  # noqa: ANN401 - an array
        elements = hnp.from_dtype(np.dtype(dtype), **limits)
        return draw(hnp.arrays(np.dtype(dtype), n, elements=elements))

    tag = column("i4", min_value=0, max_value=len(tags) - 1)
    quality = column("u1", max_value=2)
    return RawRecord(draw(_i64), tags, tag, column("i8"), column("f8"), quality)


evidence_records = st.builds(
    EvidenceRecord, _i64, _text, _text, _text, st.binary(max_size=60)
)
records = st.one_of(
    score_records(),
    alarm_records(),
    event_records,
    loss_records,
    finding_records,
    drift_records(),
    snapshot_records,
    label_records(),
    raw_records(),
    evidence_records,
)
