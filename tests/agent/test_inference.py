"""The turn with its state: drain, score, commit, restore."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.alarms import Limits
from edge_agent.clock import ManualClock
from edge_agent.features.depth import depth_for
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.rows import RowBuilder
from edge_agent.features.spec import FeatureSpec
from edge_agent.features.triggers import Every
from edge_agent.features.window import Window
from edge_agent.inbox import Inbox
from edge_agent.inference import Inference
from edge_agent.instruments import Instruments
from edge_agent.lines import Line, restore, saved
from edge_agent.posts import Post
from edge_agent.records import (
    AlarmRecord,
    AlarmState,
    EventRecord,
    ScoreRecord,
)
from edge_agent.samples import NANOSECONDS, AssetType, Tag, TagTable
from edge_agent.stamps import Stamps
from tests.losing import taken
from tests.pure.test_pipeline import FirstFeature, pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

    from edge_agent.records import Record
    from edge_agent.samples import SampleBatch

KIND = AssetType("pump", ("P-1", "P-2"), (Tag("pressure"), Tag("flow")), 0)
TAGS = TagTable((KIND,), ("plc",), np.zeros(4, np.int16))
SPECS = [FeatureSpec(r, r, "last", hold=10.0) for r in ("pressure", "flow")]
START = 1_700_000_000 * NANOSECONDS


class Bench:
    """An inference over two pumps whose time a test moves by hand."""

    def __init__(self, limit: int = 1000, **changes: object) -> None:
        self.clock = ManualClock(START)
        self.inbox = Inbox(TAGS, limit=limit)
        self.instruments = Instruments()
        self.records: list[Record] = []
        self.checkpoint: Mapping[str, bytes] = {}
        plan = FeaturePlan(SPECS, KIND)
        window = Window(KIND, depth_for(SPECS))
        builder = RowBuilder(window, [(plan, Every(KIND, NANOSECONDS, START))])
        self.line = Line(builder, [Post(pipeline(**changes))], period=NANOSECONDS)
        self.inference = Inference(
            [self.line],
            self.inbox,
            Stamps(TAGS, ["source"]),
            self._submit,
            self.clock,
            self.instruments,
        )

    def _submit(
        self, records: Sequence[Record], checkpoint: Mapping[str, bytes]
    ) -> None:
        self.records += records
        self.checkpoint = checkpoint

    def push(self, pressure: float, at: int | None = None) -> None:
        """Both pumps report now."""
        now = self.clock.now()
        self.inbox.push(
            np.arange(4, dtype=np.int32),
            np.full(4, now if at is None else at, np.int64),
            np.array([pressure, pressure, 15.0, 15.0]),
            np.zeros(4, np.uint8),
            now,
        )

    def second(self, pressure: float | None = None) -> int:
        """Let a second pass, with or without samples."""
        if pressure is not None:
            self.push(pressure)
        self.clock.time += NANOSECONDS
        return self.inference.turn(self.clock.now())

    def of(self, kind: type) -> list[Any]:
        """Records of one kind so far."""
        return [record for record in self.records if isinstance(record, kind)]


def test_every_asset_is_scored_each_period() -> None:
    """Two pumps, three seconds: six rows, in score records of one a turn."""
    bench = Bench()

    assert [bench.second(1.0) for _ in range(3)] == [2, 2, 2]
    assert bench.instruments.counter("rows_scored_total", pipeline="pump") == 6


def test_silence_ends_in_no_score_with_a_reason() -> None:
    """A tag without a new value is used as long as it holds, then never again."""
    bench = Bench()
    bench.second(1.0)
    for _ in range(12):
        bench.second()

    last = bench.records[-1]
    assert np.isnan(last.score).all()  # type: ignore[union-attr]
    assert "no new value" in last.reason[0]  # type: ignore[union-attr]
    assert bench.instruments.counter("rows_without_score_total") > 0


def test_samples_dropped_unread_become_a_loss() -> None:
    """What the inbox could not hold is told by tag, with its time range."""
    bench = Bench(limit=8)
    lost = taken(bench.instruments)
    for _ in range(5):
        bench.push(1.0)
    bench.second()

    names = [f"P-{pump}/{role}" for role in ("pressure", "flow") for pump in (1, 2)]
    assert {(one.what, one.subject, one.count) for one in lost} == {
        ("samples", name, 3) for name in names
    }
    assert {at for one in lost for at in (one.first, one.last)} == {START}


def test_an_alarm_goes_on_after_a_restart() -> None:
    """The checkpoint of the last turn keeps an alarm from being announced twice."""
    first = Bench()
    first.second(9.0)
    assert {a.state for a in first.of(AlarmRecord)} == {AlarmState.ACTIVE}

    again = Bench()
    again.inference.restore(first.checkpoint)
    again.clock.time = first.clock.time
    again.second(9.0)
    assert again.of(AlarmRecord) == []
    again.second(1.0)
    assert {a.state for a in again.of(AlarmRecord)} == {AlarmState.NORMAL}


def test_a_restart_loses_no_row_of_a_device_with_a_wrong_clock() -> None:
    """A PLC an hour behind: its error is in the checkpoint, the next stamp in order."""
    hour = 3600 * NANOSECONDS
    first = Bench()
    for _ in range(15):
        first.push(1.0, at=first.clock.now() - hour)
        first.second()
    again = Bench()
    again.inference.restore(first.checkpoint)
    again.clock.time = first.clock.time
    again.push(1.0, at=again.clock.now() - hour)
    again.second()

    scored = again.of(ScoreRecord)[-1]
    assert np.isfinite(scored.score[-2:]).all()
    assert again.of(EventRecord) == []


def test_a_checkpoint_that_fits_nothing_starts_fresh() -> None:
    """Bytes of another shape cost the alarm's memory, not the start."""
    bench = Bench()
    bench.second(9.0)
    body = bench.checkpoint["alarms/pump"]
    again = Bench()
    again.inference.restore({"alarms/pump": body[:1] + b"\x90" + b"\x80"})

    assert again.second(1.0) == 2


def test_a_failing_model_is_news_once() -> None:
    """One event when it begins to fail, one when it works again."""
    scorer = FirstFeature(error="Boom")
    bench = Bench(scorer=scorer)
    bench.second(1.0)
    bench.second(1.0)
    scorer.error = ""
    bench.second(1.0)

    names = [event.name for event in bench.of(EventRecord)]
    assert names == ["model fails", "model works again"]


def test_rows_that_could_not_be_run_are_no_news_of_the_model() -> None:
    """A failing model beside a dead sensor is announced once, then taken off once."""
    bench = Bench(scorer=FirstFeature(error="Boom"))
    bench.second(1.0)
    for _ in range(15):
        bench.second()
    bench.second(1.0)

    told = [event.name for event in bench.of(EventRecord)]
    assert told == ["model fails", "model taken off"]


def test_a_sample_pushed_after_its_tick_has_missed_it_in_the_recording_too() -> None:
    """What a turn could not see is recorded as received after that turn."""
    bench = Bench()
    kept: list[int] = []

    def keep(batch: SampleBatch, *_: object) -> None:
        kept.extend(batch.received.tolist())

    bench.inference._record = keep
    bench.second()
    late = bench.clock.now() - NANOSECONDS // 1000
    tag, good = np.zeros(1, np.int32), np.zeros(1, np.uint8)
    bench.inbox.push(tag, np.full(1, late), np.ones(1), good, late)
    bench.second()

    assert kept == [START + NANOSECONDS + 1]


def test_a_disk_that_takes_no_recording_stops_no_scoring() -> None:
    """The recording ends, the rows go on."""
    bench = Bench()

    def keep(*_: object) -> None:
        raise OSError(28, "No space left on device")

    bench.inference._record = keep

    assert [bench.second(1.0), bench.second(1.0)] == [2, 2]


def test_an_alarm_comes_after_a_restart_with_a_dead_clock() -> None:
    """A delay that was running in 2023 does not hold an alarm back in 1970."""
    first = Bench(limits=Limits(3.0, on_delay=3 * NANOSECONDS, off_delay=0))
    first.second(9.0)
    first.second(9.0)
    first.inference._saved = 0
    again = Bench(limits=Limits(3.0, on_delay=3 * NANOSECONDS, off_delay=0))
    states = saved([first.line])
    restore([again.line], states, START - 40 * 365 * 86_400 * NANOSECONDS)

    assert again.line.states[0].alarms.pending.max() < 0
    assert again.line.states[0].alarms.judged.max() < 0


def test_the_loop_turns_by_itself_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """A push wakes the thread; stop makes one last turn and returns."""
    bench = Bench()
    turned = threading.Event()
    submit = bench.inference._submit

    def seen(records: Sequence[Record], checkpoint: Mapping[str, bytes]) -> object:
        turned.set()
        return submit(records, checkpoint)

    monkeypatch.setattr(bench.inference, "_submit", seen)
    thread = threading.Thread(target=bench.inference.run)
    thread.start()
    bench.push(1.0)
    bench.clock.time += NANOSECONDS
    bench.inbox.wake()
    assert turned.wait(10)
    bench.inference.stop()
    thread.join(10)

    assert not thread.is_alive()
