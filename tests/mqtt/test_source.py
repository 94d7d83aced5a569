"""The MQTT source against a real broker: topics and payloads to samples."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_agent.clock import SystemClock
from edge_agent.config.plant import Binding
from edge_agent.config.schema import MqttSource as Settings
from edge_agent.errors import SourceLost
from edge_agent.inbox import Inbox
from edge_agent.instruments import Instruments
from edge_agent.samples import AssetType, Quality, SampleBatch, Tag, TagTable
from edge_agent.sources.mqtt import KEPT, MqttSource
from edge_agent.sources.mqtt_gaps import MISSING, NOT_KEPT, session_lost
from tests import peers
from tests.losing import taken
from tests.mqtt.kinds import Kind, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from edge_agent.mqtt.session import MqttSession


class Bench:
    """A source, its inbox and what it counted.

    Args:
        port: the broker's.
        bindings: address, field and text of each tag, tags numbered from 0.
        settings: of the source.
    """

    def __init__(
        self,
        port: int,
        bindings: Sequence[tuple[str, str | None] | tuple[str, str | None, bool]],
        **settings: Any,  # noqa: ANN401
    ) -> None:
        given = {"type": "mqtt", "host": "127.0.0.1", "port": port, **settings}
        bound = [
            Binding(tag, "A", f"r{tag}", each[0], each[1], text=len(each) > 2)
            for tag, each in enumerate(bindings)
        ]
        tags = tuple(Tag(each.role, text=each.text) for each in bound)
        kind = AssetType("pump", ("A",), tags, 0)
        table = TagTable((kind,), ("cell",), np.zeros(len(bound), np.int16))
        self.inbox = Inbox(table)
        self.instruments = Instruments()
        self.source = MqttSource(
            "cell",
            0,
            Settings.model_validate(given),
            bound,
            clock=SystemClock(),
            instruments=self.instruments,
            gateway="gw",
            password=settings.get("user") and "secret",
        )
        self.batches: list[SampleBatch] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run the source until the end of the block."""
        task = asyncio.get_running_loop().create_task(self.source.run(self.inbox))
        try:
            await until(lambda: task.done() or self.state == "up")
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, SourceLost):
                await task

    @property
    def state(self) -> str:
        """As in its status."""
        state: str = self.source.status()["state"]
        return state

    async def samples(self, count: int) -> list[tuple[int, float, int]]:
        """Wait for that many samples: tag, value and quality of each."""
        await until(lambda: self._drained() >= count)
        return [
            (int(tag), float(value), int(quality))
            for batch in self.batches
            for tag, value, quality in zip(
                batch.tag, batch.value, batch.quality, strict=True
            )
        ]

    def _drained(self) -> int:
        if len(self.inbox):
            self.batches.append(self.inbox.drain())
        return sum(len(batch) for batch in self.batches)

    @property
    def refused(self) -> int:
        """Payloads, or fields of them, that could not be used."""
        return self.instruments.counter("payload_invalid")

    @property
    def times(self) -> list[int]:
        """Times of the samples so far."""
        return [int(time) for batch in self.batches for time in batch.time]

    @property
    def texts(self) -> list[str]:
        """Texts of the samples so far."""
        return [text for batch in self.batches for text in batch.texts]


@asynccontextmanager
async def publisher(port: int) -> AsyncIterator[MqttSession]:
    """A session to publish with."""
    async with Kind(fast=True, version="5").session(port, client_id="pub") as session:
        yield session


def message(topic: str, payload: object) -> tuple[bytes, bytes, int, bool]:
    """A QoS 1 message with JSON (or raw bytes)."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return topic.encode(), raw, 1, False


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_fields_of_a_message_become_samples(
    mosquitto: peers.Mosquitto, version: str, fast: bool
) -> None:
    """Several tags of one message carry its time stamp, on every path."""
    bench = Bench(
        mosquitto.port,
        [("line/P1/vib", "rms"), ("line/P1/vib", "v.x[1]"), ("line/P1/t", "deg")],
        time_field="ts",
        version=version,
        fast_path=fast,
    )
    async with bench.running(), publisher(mosquitto.port) as out:
        out.publish_many(
            [
                message(
                    "line/P1/vib",
                    {"ts": 1_700_000_000_123, "rms": 2.5, "v": {"x": [0, 7]}},
                ),
                message("line/P1/t", {"ts": "2023-11-14T22:13:21Z", "deg": True}),
            ]
        )
        samples = await bench.samples(3)

    assert samples == [(0, 2.5, 0), (1, 7.0, 0), (2, 1.0, 0)]
    assert bench.times == [1_700_000_000_123_000_000] * 2 + [1_700_000_001_000_000_000]


@pytest.mark.parametrize(
    ("style", "payload", "field"),
    [
        ("number", b" 12.5", None),
        ("array", b"[0, 12.5, 1]", "1"),
        ("json", b"12.5", None),
    ],
)
async def test_other_ways_to_write_a_number(
    mosquitto: peers.Mosquitto, style: str, payload: bytes, field: str | None
) -> None:
    """Bare numbers and positions in arrays are read; time is that of arrival."""
    bench = Bench(mosquitto.port, [("t", field)], payload=style)
    before = SystemClock().now()
    async with bench.running(), publisher(mosquitto.port) as out:
        out.publish_many([message("t", payload)])
        samples = await bench.samples(1)

    assert samples == [(0, 12.5, 0)]
    assert 0 <= bench.times[0] - before < 20e9


async def test_values_of_one_tag_in_one_read_keep_their_order(
    mosquitto: peers.Mosquitto,
) -> None:
    """Without a time stamp, messages that arrive together are told apart."""
    bench = Bench(mosquitto.port, [("t", None)], payload="number")
    async with bench.running(), publisher(mosquitto.port) as out:
        out.publish_many([(b"t", b"%d" % i, 0, False) for i in range(200)])
        samples = await bench.samples(200)

    assert [value for _, value, _ in samples] == list(range(200))
    assert bench.times == sorted(set(bench.times))


async def test_text_tags_carry_strings(mosquitto: peers.Mosquitto) -> None:
    """A part id arrives as a text beside its numbers."""
    bench = Bench(mosquitto.port, [("t", "part", True), ("t", "force")])
    async with bench.running(), publisher(mosquitto.port) as out:
        out.publish_many(
            [message("t", {"part": "S-7", "force": 3}), message("t", {"part": 8})]
        )
        samples = await bench.samples(3)

    assert samples == [(0, 0.0, 0), (1, 3.0, 0), (0, 1.0, 0)]
    assert bench.texts == ["S-7", "8"]


async def test_hundreds_of_assets_are_asked_for_as_one(
    mosquitto: peers.Mosquitto,
) -> None:
    """One wildcard brings all of them; a topic of an unknown asset is counted."""
    bench = Bench(mosquitto.port, [(f"l3/P{i}/vib", "rms") for i in range(300)])
    async with bench.running(), publisher(mosquitto.port) as out:
        assert bench.source.status()["subscriptions"] == ["l3/+/vib"]
        out.publish_many(
            [message(f"l3/{p}/vib", {"rms": 1}) for p in ("P0", "P999", "P299")]
        )
        samples = await bench.samples(2)

    assert [tag for tag, *_ in samples] == [0, 299]
    assert bench.instruments.counter("mqtt_unknown_topic", source="cell") == 1
    assert bench.source.status()["unknown_topic_example"] == "l3/P999/vib"


async def test_a_wildcard_of_the_operator_feeds_one_tag(
    mosquitto: peers.Mosquitto,
) -> None:
    """Levels that do not matter may hold anything."""
    bench = Bench(mosquitto.port, [("+/P1/+/rms", None)], payload="number")
    async with bench.running(), publisher(mosquitto.port) as out:
        out.publish_many([message("a/P1/x/rms", b"1"), message("b/P1/y/rms", b"2")])
        samples = await bench.samples(2)

    assert samples == [(0, 1.0, 0), (0, 2.0, 0)]


HOSTILE = {
    "malformed": b'{"rms": 1',
    "not a number": b'{"rms": NaN}',
    "infinite": b'{"rms": -Infinity}',
    "too large a float": b'{"rms": 1e400}',
    "too large an int": b'{"rms": 1' + b"0" * 400 + b"}",
    "deep": b'{"x":' * 1000 + b"1" + b"}" * 1000,
    "deep array": b"[" * 100_000,
    "invalid UTF-8": b"\xff\xfe",
    "duplicate key": b'{"rms": 1, "rms": 2}',
    "quoted": b'{"rms": "12.5"}',
    "another shape": b"[1, 2]",
    "empty": b"",
    "one megabyte": b'{"rms": 1, "x": "' + b"x" * 1_000_000 + b'"}',
}


@pytest.mark.parametrize("fast", [True, False])
async def test_hostile_payloads_cost_a_counter(
    mosquitto: peers.Mosquitto, fast: bool
) -> None:
    """Each is counted with a sample kept, and the input goes on."""
    bench = Bench(mosquitto.port, [("t", "rms")], fast_path=fast)
    async with bench.running() as task, publisher(mosquitto.port) as out:
        for payload in HOSTILE.values():
            out.publish_many([message("t", payload)])
        await until(lambda: bench.refused == len(HOSTILE))
        kept = bench.source.status()["bad_payloads"]
        out.publish_many([message("t", {"rms": 5})])
        samples = await bench.samples(1)
        assert not task.done()

    assert samples == [(0, 5.0, 0)]
    assert kept["count"] == len(HOSTILE)
    assert (kept["topic"], kept["reason"]) == ("t", "too-large")
    assert bench.instruments.counter("payload_invalid", reason="duplicate-key") == 1
    assert bench.instruments.counter("payload_invalid", reason="depth") == 2


async def test_null_and_missing_fields(mosquitto: peers.Mosquitto) -> None:
    """Null is a bad sample, a missing field none, the other fields are kept."""
    bench = Bench(mosquitto.port, [("t", "a"), ("t", "b"), ("t", "c")])
    async with bench.running(), publisher(mosquitto.port) as out:
        out.publish_many([message("t", {"a": 1, "b": None})])
        (first, second) = await bench.samples(2)

    assert first == (0, 1.0, Quality.GOOD)
    assert (second[0], second[2]) == (1, Quality.BAD)
    assert np.isnan(second[1])
    assert bench.instruments.counter("payload_missing_field", source="cell") == 1


@pytest.mark.parametrize("fast", [True, False])
async def test_retained_messages_without_a_time_are_uncertain(
    mosquitto: peers.Mosquitto, fast: bool
) -> None:
    """What the broker kept from before may be of last year."""
    bench = Bench(mosquitto.port, [("t", "a")], fast_path=fast)
    async with publisher(mosquitto.port) as out:
        out.publish_many([(b"t", b'{"a": 1}', 1, True)])
        await until(lambda: out.inflight == 0)
        async with bench.running():
            await bench.samples(1)
            out.publish_many([message("t", {"a": 2})])
            samples = await bench.samples(2)

    assert samples == [(0, 1.0, Quality.UNCERTAIN), (0, 2.0, Quality.GOOD)]


async def test_a_lost_broker_is_raised_and_found_again(
    mosquitto: peers.Mosquitto,
) -> None:
    """After a broker lost all its sessions, running again subscribes again."""
    bench = Bench(mosquitto.port, [("t", "a")], time_field="ts")
    lost = taken(bench.instruments)
    async with bench.running() as task:
        mosquitto.kill()
        with pytest.raises(SourceLost, match=r"source cell: broker 127\.0\.0\.1"):
            await asyncio.wait_for(task, 10)
        assert bench.state == "down"
    with pytest.raises(SourceLost, match="nothing listens"):
        await bench.source.run(bench.inbox)
    mosquitto.start()
    async with bench.running(), publisher(mosquitto.port) as out:
        out.publish_many([message("t", {"ts": 1_700_000_000, "a": 4})])
        assert await bench.samples(1) == [(0, 4.0, 0)]
    (gap,) = lost
    assert (gap.what, gap.subject, gap.count) == ("messages", "cell", 0)
    assert gap.cause == session_lost(KEPT)
    assert 0 < gap.first < gap.last


async def test_messages_of_a_short_cut_are_not_lost(mosquitto: peers.Mosquitto) -> None:
    """With time stamps in the payload the broker keeps what comes meanwhile."""
    bench = Bench(mosquitto.port, [("t", "a")], time_field="ts")
    lost = taken(bench.instruments)
    async with publisher(mosquitto.port) as out:
        async with bench.running():
            pass
        out.publish_many([message("t", {"ts": 1_700_000_000, "a": 1})])
        await until(lambda: out.inflight == 0)
        async with bench.running():
            assert await bench.samples(1) == [(0, 1.0, 0)]
            assert bench.source.status()["session_resumed"]
    assert lost == []


async def test_a_cut_that_the_broker_does_not_bridge_is_told(
    mosquitto: peers.Mosquitto,
) -> None:
    """Without a time stamp nothing is kept for us: from when to when, not how much."""
    bench = Bench(mosquitto.port, [("t", "a")])
    lost = taken(bench.instruments)
    async with bench.running():
        pass
    assert lost == [], "a first connection ends no gap"
    async with bench.running():
        pass

    assert [(one.what, one.subject, one.count, one.cause) for one in lost] == [
        ("messages", "cell", 0, NOT_KEPT)
    ]


async def test_numbers_in_the_payload_tell_what_is_missing(
    mosquitto: peers.Mosquitto,
) -> None:
    """Each topic's gaps are counted; a count that begins anew is none."""
    bindings = [("t/1", "a"), ("t/2", "a")]
    bench = Bench(mosquitto.port, bindings, sequence_field="head.seq", max_payload=200)
    lost = taken(bench.instruments)
    numbers: list[tuple[str, object]] = [
        *(("t/1", 7), ("t/1", 8), ("t/2", 100), ("t/1", 12), ("t/1", 12)),
        *(("t/1", None), ("t/1", "x"), ("t/1", True), ("t/1", 13), ("t/2", 102)),
        *(("t/1", 1), ("t/1", 3), ("t/1", 1_000_000), ("t/1", 1_000_001)),
    ]
    unread = [(b"t/1", payload, 1, False) for payload in (b"{", b" " * 300)]
    end = message("t/1", {"a": 1, "head": {"seq": 1_000_005}})
    async with bench.running(), publisher(mosquitto.port) as out:
        out.publish_many(
            [message(topic, {"a": 1, "head": {"seq": n}}) for topic, n in numbers]
        )
        await bench.samples(len(numbers))
        out.publish_many([*unread, end])
        await bench.samples(len(numbers) + 1)

    gaps = [one for one in lost if one.cause == MISSING]
    assert [(one.what, one.subject, one.count) for one in gaps] == [
        ("messages", "t/1", 3),
        ("messages", "t/2", 1),
        ("messages", "t/1", 1),
        ("messages", "t/1", 1),
    ]
    assert len(lost) == len(gaps) + len(unread), "what was unreadable is counted once"
    assert all(one.first < one.last for one in gaps)


async def test_payloads_nobody_can_read_are_losses_of_their_topic(
    mosquitto: peers.Mosquitto,
) -> None:
    """Messages and fields that could not be used, by topic and reason."""
    bench = Bench(mosquitto.port, [("t", "a"), ("t", "b")], max_payload=200)
    lost = taken(bench.instruments)
    async with bench.running(), publisher(mosquitto.port) as out:
        out.publish_many(
            [
                (b"t", b"{", 1, False),
                (b"t", b'{"a": "ERR", "b": 2}', 1, False),
                (b"t", b" " * 300, 1, False),
                message("t", {"a": 3, "b": 4}),
            ]
        )
        await bench.samples(3)

    assert sorted((one.what, one.subject, one.count, one.cause) for one in lost) == [
        ("messages", "t", 1, "could not be used: malformed"),
        ("messages", "t", 1, "could not be used: too-large"),
        ("values", "t", 1, "could not be used: type"),
    ]


async def test_a_wrong_field_is_noticed(mosquitto: peers.Mosquitto) -> None:
    """Messages that give nothing are not taken for a working source."""
    bench = Bench(mosquitto.port, [("t", "rsm")])
    async with bench.running(), publisher(mosquitto.port) as out:
        out.publish_many([message("t", {"rms": 1})])
        await until(lambda: bench.source.status()["messages"] == 1)
        status = bench.source.status()

    assert any("check topic and field" in note for note in status["notes"])
    assert (status["connects"], status["tags"], status["state"]) == (1, 1, "up")


async def test_silence_ends_the_link(mosquitto: peers.Mosquitto) -> None:
    """With max_silence a broker that brings nothing is left, and it is said why."""
    bench = Bench(mosquitto.port, [("t", "a")], max_silence="300ms")
    with pytest.raises(SourceLost, match="max_silence"):
        await asyncio.wait_for(bench.source.run(bench.inbox), 10)


async def test_a_refused_login_says_so(tmp_path: Path) -> None:
    """With the password it connects, without it is told why not."""
    with peers.Mosquitto(tmp_path, users={"scoring": "secret"}) as broker:
        bench = Bench(broker.port, [("t", "a")], user="scoring")
        async with bench.running():
            assert bench.state == "up"
        stranger = Bench(broker.port, [("t", "a")])
        with pytest.raises(SourceLost, match="not authorized"):
            await stranger.source.run(stranger.inbox)
