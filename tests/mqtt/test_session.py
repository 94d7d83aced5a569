"""The session's contract: fast path and plain paho, MQTT 3.1.1 and 5, alike."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.mqtt.frames import PublishProperties
from edge_agent.mqtt.session import LinkLost, Will
from tests import peers
from tests.mqtt.kinds import Kind, Log, until

if TYPE_CHECKING:
    from edge_agent.mqtt.wire import Arrivals


async def test_sent_messages_are_acknowledged_and_arrive_in_order(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """QoS 1 gives each message an id, its acknowledgement, and one delivery."""
    log = Log()
    frames = [(b"t/%d" % i, b"x" * i, 1, False) for i in range(20)]
    async with kind.session(mosquitto.port, log, subscriptions=[("t/#", 1)]) as session:
        packet_ids = session.publish_many(frames)
        await until(lambda: len(log.acked) == 20 and len(log.messages) == 20)

        assert sorted(log.acked) == sorted(set(packet_ids))
        assert log.messages == [frame[:2] for frame in frames]
        assert session.inflight == 0


async def test_every_message_is_acknowledged_to_the_broker(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """Far more than a broker sends ahead of our answers arrives, and only once."""
    log = Log()
    more: dict[str, Any] = {"clean_start": False, "session_expiry": 60}
    async with kind.session(mosquitto.port, client_id="out") as out:
        async with kind.session(
            mosquitto.port, log, subscriptions=[("t", 1)], **more
        ) as session:
            for start in range(0, 500, 20):
                frames = [(b"t", b"%d" % i, 1, False) for i in range(start, start + 20)]
                out.publish_many(frames)
                await until(lambda: out.inflight == 0)
            await until(lambda: len(log.messages) == 500)
            await asyncio.sleep(0.05)
            assert session.connected
        async with kind.session(mosquitto.port, log, **more) as session:
            assert session.grants.session_present
            await asyncio.sleep(0.05)

    assert [payload for _, payload in log.messages] == [b"%d" % i for i in range(500)]


async def test_the_socket_does_not_wait_to_fill_a_segment(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """TCP_NODELAY is on: without it QoS 1 stalls at a few thousand a second."""
    async with kind.session(mosquitto.port) as session:
        connection = session._bridge._connection
        assert connection is not None
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_an_id_that_is_still_open_is_passed_over(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """A message the broker sits on keeps its id, however often ids go round."""
    log = Log()
    async with kind.session(mosquitto.port, log) as session:
        mosquitto.pause()
        (first,) = session.publish_many([(b"t", b"", 1, False)])
        if kind.fast:
            session._bridge.wire._last_id = first - 1  # type: ignore[union-attr]
        else:
            session._client._last_mid = first - 1
        (second,) = session.publish_many([(b"t", b"", 1, False)])
        mosquitto.resume()
        await until(lambda: len(log.acked) == 2)

        assert second != first
        assert log.acked == [first, second]


async def test_qos_0_has_no_id_and_keeps_its_place(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """QoS 0 and 1 may be mixed in one call; nothing is told about QoS 0."""
    log = Log()
    frames = [(b"t", b"%d" % i, i % 2, False) for i in range(10)]
    async with kind.session(mosquitto.port, log, subscriptions=[("t", 1)]) as session:
        packet_ids = session.publish_many(frames)
        await until(lambda: len(log.acked) == 5 and len(log.messages) == 10)

        assert [bool(i) for i in packet_ids] == [bool(frame[2]) for frame in frames]
        assert [payload for _, payload in log.messages] == [f[1] for f in frames]


async def test_any_size_goes_through(kind: Kind, mosquitto: peers.Mosquitto) -> None:
    """Payloads at the borders of the length encoding arrive as they were sent."""
    log = Log()
    sizes = (0, 1, 127, 128, 16_383, 16_384, 200_000)
    payloads = [bytes(i % 251 for i in range(size)) for size in sizes]
    topic = "fäbrik/" + "x" * 200
    async with kind.session(mosquitto.port, log, subscriptions=[(topic, 1)]) as session:
        session.publish_many([(topic.encode(), each, 1, False) for each in payloads])
        await until(lambda: len(log.messages) == len(sizes))

        assert log.messages == [(topic.encode(), each) for each in payloads]


async def test_more_than_the_socket_takes_is_sent_in_the_end(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """A burst far beyond the socket's buffer waits, in order, and arrives whole."""
    log = Log()
    payloads = [b"%04d" % i + bytes(60_000) for i in range(150)]
    more: dict[str, Any] = {"subscriptions": [("big", 0)], "max_payload": 100_000}
    async with kind.session(mosquitto.port, log, **more) as session:
        mosquitto.pause()  # else it may read as fast as we write
        session.publish_many([(b"big", payload, 0, False) for payload in payloads])
        assert not session.writable or kind.fast is False
        mosquitto.resume()
        await until(lambda: len(log.messages) == 150)

        assert [payload for _, payload in log.messages] == payloads
        assert session.writable


async def test_qos_2_is_delivered_once(kind: Kind, mosquitto: peers.Mosquitto) -> None:
    """A QoS 2 subscription works on both paths: paho does the four-way handshake."""
    log = Log()
    more: dict[str, Any] = {"subscriptions": [("q", 2)], "max_payload": 100}
    async with kind.session(mosquitto.port, log, **more):
        for word in ("one", "x" * 101, "two"):
            await _mosquitto_pub(mosquitto.port, "-q", "2", "-t", "q", "-m", word)
        await until(lambda: len(log.messages) >= 2)
        await asyncio.sleep(0.05)

        assert log.messages == [(b"q", b"one"), (b"q", b"two")]
        assert log.oversized == [b"q"]


async def test_retained_messages_are_marked(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """A message from before the subscription is told from one that is new."""
    log = Log()
    async with kind.session(mosquitto.port, Log(), client_id="other") as other:
        other.publish_many([(b"r/old", b"1", 1, True)])
        await until(lambda: other.inflight == 0)
        async with kind.session(mosquitto.port, log, subscriptions=[("r/+", 1)]):
            await until(lambda: len(log.messages) == 1)
            other.publish_many([(b"r/new", b"2", 1, True)])
            await until(lambda: len(log.messages) == 2)

    marks = [
        (a.topics[i], i in a.retained)
        for a in log.arrivals
        for i in range(len(a.topics))
    ]
    assert marks == [(b"r/old", True), (b"r/new", False)]


async def test_too_large_messages_cost_a_report_and_nothing_else(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """A message above the limit is named and acknowledged; the next one arrives."""
    log = Log()
    more: dict[str, Any] = {"subscriptions": [("t/#", 1)], "max_payload": 10_000}
    async with kind.session(mosquitto.port, log, **more) as session:
        session.publish_many(
            [
                (b"t/huge", bytes(1_000_000), 1, False),
                (b"t/over", bytes(10_001), 1, False),
                (b"t/just", bytes(10_000), 1, False),
            ]
        )
        await until(lambda: bool(log.messages))

        assert log.oversized == [b"t/huge", b"t/over"]
        assert log.messages == [(b"t/just", bytes(10_000))]


async def test_a_broker_that_dies_ends_the_session(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """The loss is raised, names the broker, and publishing says so from then on."""
    async with kind.session(mosquitto.port) as session:
        mosquitto.kill()
        with pytest.raises(LinkLost, match=f"127.0.0.1:{mosquitto.port}"):
            await asyncio.wait_for(session.run_until_lost(), 5)
        assert not session.connected
        with pytest.raises(LinkLost):
            session.publish_many([(b"t", b"", 0, False)])


@pytest.mark.parametrize("kind", [Kind(fast=f, version="5") for f in (True, False)])
async def test_a_broker_that_hangs_is_noticed(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """Connections that stay open without an answer end with the keep-alive."""
    async with kind.session(mosquitto.port, link={"keepalive": "1s"}) as session:
        mosquitto.pause()
        try:
            with pytest.raises(LinkLost, match="keepalive"):
                await asyncio.wait_for(session.run_until_lost(), 10)
        finally:
            mosquitto.resume()


@pytest.mark.parametrize("kind", [Kind(fast=f, version="5") for f in (True, False)])
async def test_a_quiet_link_is_kept_alive(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """Without traffic the session outlives several keep-alive intervals."""
    async with kind.session(mosquitto.port, link={"keepalive": "1s"}) as session:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.run_until_lost(), 2.5)
        assert session.connected


async def test_a_close_sends_what_waits(kind: Kind, mosquitto: peers.Mosquitto) -> None:
    """The last words before a close arrive, however much was before them."""
    log = Log()
    more: dict[str, Any] = {"subscriptions": [("t", 0)], "max_payload": 100_000}
    async with kind.session(mosquitto.port, log, client_id="reader", **more):
        async with kind.session(mosquitto.port) as session:
            session.publish_many([(b"t", bytes(60_000), 0, False)] * 100)
            session.publish_many([(b"t", b"last", 0, False)])
        await until(lambda: len(log.messages) == 101)

        assert log.messages[-1] == (b"t", b"last")


async def test_the_will_is_published_only_without_a_goodbye(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """A close keeps the will back, a cut connection lets it go."""
    log = Log()
    will = Will("status", b"gone")
    async with kind.session(mosquitto.port, log, subscriptions=[("status", 1)]):
        async with kind.session(mosquitto.port, client_id="polite", will=will):
            pass
        rude = kind.unconnected(kind.link(mosquitto.port), client_id="rude", will=will)
        await rude.connect()
        assert not log.messages
        rude._bridge.detach()
        await until(lambda: log.messages == [(b"status", b"gone")])


async def test_a_bug_in_a_callback_is_raised(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """An exception of the caller's code is not mistaken for a lost link."""

    def broken(_: Arrivals) -> None:
        raise ZeroDivisionError

    more: dict[str, Any] = {"subscriptions": [("t", 1)], "on_messages": broken}
    async with kind.session(mosquitto.port, **more) as session:
        session.publish_many([(b"t", b"", 0, False)])
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(session.run_until_lost(), 5)


async def test_a_session_kept_by_the_broker_is_resumed(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """With a session kept, messages of the time between are delivered."""
    log = Log()
    more: dict[str, Any] = {
        "subscriptions": [("t", 1)],
        "clean_start": False,
        "session_expiry": 60,
        "client_id": "kept",
    }
    async with kind.session(mosquitto.port, log, **more) as session:
        assert not session.grants.session_present
    await _mosquitto_pub(mosquitto.port, "-q", "1", "-t", "t", "-m", "meanwhile")
    async with kind.session(mosquitto.port, log, **more) as session:
        assert session.grants.session_present
        await until(lambda: log.messages == [(b"t", b"meanwhile")])


async def test_many_filters_are_subscribed_in_packets(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """More filters than fit a packet are all subscribed."""
    log = Log()
    filters = [(f"t/{i}", 1) for i in range(230)]
    async with kind.session(mosquitto.port, log, subscriptions=filters) as session:
        session.publish_many([(b"t/0", b"a", 1, False), (b"t/229", b"b", 1, False)])
        await until(lambda: len(log.messages) == 2)


async def test_more_than_the_window_is_refused(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """A caller that ignores the broker's limit is told before anything is sent."""
    async with kind.session(mosquitto.port) as session:
        frames = [(b"t", b"", 1, False)] * (session.room + 1)
        with pytest.raises(ValueError, match="unacknowledged"):
            session.publish_many(frames)
        assert session.inflight == 0


async def test_packet_ids_are_used_again_but_never_while_open(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """Ids wrap around their range and every message is still acknowledged once."""
    log = Log()
    async with kind.session(mosquitto.port, log) as session:
        wire = session._bridge.wire
        if kind.fast:
            wire._last_id = 0xFFFF - 5  # type: ignore[union-attr]
        else:
            session._client._last_mid = 0x7FFF - 5
        packet_ids = session.publish_many([(b"t", b"", 1, False)] * 20)
        await until(lambda: len(log.acked) == 20)

        assert sorted(log.acked) == sorted(packet_ids)
        assert len(set(packet_ids)) == 20
        assert max(packet_ids) - min(packet_ids) > 1000


@pytest.mark.parametrize("kind", [Kind(fast=True, version="5")], ids=["fast-5"])
async def test_properties_reach_the_receiver(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """Expiry and content type of a publish are what another client reads."""
    program = peers.require("mosquitto_sub")
    options = ["-V", "5", "-t", "t", "-C", "1", "-W", "10", "-F", "%C %E %p"]
    async with kind.session(mosquitto.port) as session:
        given = PublishProperties(
            expiry=300, content_type="application/json", text=True
        )
        session.publish_many([(b"t", b"hello", 1, True)], given)
        await until(lambda: session.inflight == 0)
        reader = await asyncio.create_subprocess_exec(
            program,
            "-p",
            str(mosquitto.port),
            *options,
            stdout=subprocess.PIPE,
        )
        printed, _ = await reader.communicate()

    kind_of_content, expiry, payload = printed.decode().split()
    assert (kind_of_content, payload) == ("application/json", "hello")
    assert 290 <= int(expiry) <= 300


@pytest.mark.parametrize("kind", [Kind(fast=f, version="5") for f in (True, False)])
async def test_incoming_properties_are_skipped(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """Properties of a received message, short or long, do not end up in its payload."""
    log = Log()
    async with kind.session(mosquitto.port, log, subscriptions=[("t", 1)]):
        base = ["-V", "5", "-q", "1", "-t", "t", "-m", "payload"]
        plain = ["-D", "publish", "content-type", "text/plain"]
        long = ["-D", "publish", "user-property", "key", "v" * 300]
        await _mosquitto_pub(mosquitto.port, *base, *plain)
        await _mosquitto_pub(mosquitto.port, *base, *plain, *long)
        await until(lambda: len(log.messages) == 2)

    assert log.messages == [(b"t", b"payload")] * 2


async def _mosquitto_pub(port: int, *options: str) -> None:
    program = peers.require("mosquitto_pub")
    process = await asyncio.create_subprocess_exec(program, "-p", str(port), *options)
    assert await process.wait() == 0
