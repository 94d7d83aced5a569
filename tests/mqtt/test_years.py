"""What adds up over years: nothing is left of a session that ended."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_agent.mqtt.session import LinkLost
from tests.mqtt.kinds import Kind, until

if TYPE_CHECKING:
    from edge_agent.mqtt.session import MqttSession
    from tests import peers


OPEN = Path("/proc/self/fd")


def _descriptors() -> int:
    return len(list(OPEN.iterdir()))


@pytest.mark.skipif(not OPEN.is_dir(), reason="Linux only")
async def test_sessions_leave_nothing_behind(
    kind: Kind, mosquitto: peers.Mosquitto, free_port: int
) -> None:
    """Closed, refused, cancelled and lost sessions free descriptors and memory."""
    left: list[weakref.ref[MqttSession]] = []

    async def closed() -> None:
        async with kind.session(mosquitto.port, subscriptions=[("t", 1)]) as session:
            left.append(weakref.ref(session))
            session.publish_many([(b"t", b"x", 1, False)])

    async def refused() -> None:
        session = kind.unconnected(kind.link(free_port))
        left.append(weakref.ref(session))
        with pytest.raises(LinkLost):
            await session.connect()

    async def cancelled() -> None:
        session = kind.unconnected(kind.link(mosquitto.port))
        left.append(weakref.ref(session))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.connect(), 0.0001)

    async def lost() -> None:
        async with kind.session(mosquitto.port, client_id="lost") as session:
            left.append(weakref.ref(session))
            async with kind.session(mosquitto.port, client_id="lost"):
                with pytest.raises(LinkLost):
                    await asyncio.wait_for(session.run_until_lost(), 5)

    for ending in (closed, refused, cancelled, lost):  # warm up: threads, imports
        await ending()
    gc.collect()  # what tests before this one have left is not ours
    threads, descriptors = threading.active_count(), _descriptors()
    for _ in range(5):
        for ending in (closed, refused, cancelled, lost):
            await ending()
    await asyncio.sleep(0.1)
    gc.collect()

    assert _descriptors() == descriptors
    assert threading.active_count() <= threads + 4  # name look-ups share a small pool
    assert [ref for ref in left if ref() is not None] == []


async def test_a_lost_session_keeps_no_timer(
    kind: Kind, mosquitto: peers.Mosquitto
) -> None:
    """After the loss nothing of the session runs on the loop."""
    async with kind.session(mosquitto.port, link={"keepalive": "1s"}) as session:
        mosquitto.kill()
        await until(lambda: not session.connected)
        assert session._bridge._ticking is None
        assert session._bridge._paused is None
        assert session._bridge._fileno == -1
