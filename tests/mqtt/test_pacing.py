"""Reads are joined under load, never when calm, never against the window."""

from __future__ import annotations

import math

import pytest

from edge_agent.mqtt.pacing import ReadPacing


def _steady(
    pacing: ReadPacing,
    rate: float,
    *,
    qos: int,
    seconds: float = 1.0,
    ahead: int = 10**6,
) -> tuple[float, float]:
    """Feed a steady stream; messages per second taken, and the last pause.

    The broker sends ``ahead`` QoS 1 messages before it waits for us.
    """
    now = waiting = taken = 0.0
    pause = 0.0
    while now < seconds:
        step = max(math.ceil(pause * 1000) / 1000, 1 / rate, 0.0002)  # epoll counts ms
        now += step
        waiting += rate * step
        read = int(min(waiting, ahead if qos else waiting))
        waiting -= read
        taken += read
        pause = pacing.pause(now, read, read if qos else 0)
    return taken / seconds, pause


@pytest.mark.parametrize("rate", [1, 50, 500])
def test_a_calm_link_is_read_at_once(rate: float) -> None:
    """Where a pause would join little, there is none: latency is not given away."""
    assert _steady(ReadPacing(0.003), rate, qos=0)[1] == 0.0


@pytest.mark.parametrize("rate", [5_000, 50_000])
def test_a_busy_link_is_read_in_pieces(rate: float) -> None:
    """Under load the pause is the whole window."""
    assert _steady(ReadPacing(0.003), rate, qos=0)[1] == 0.003


def test_a_window_of_zero_never_pauses() -> None:
    """The operator can turn it off."""
    assert _steady(ReadPacing(0.0), 50_000, qos=0)[1] == 0.0


@pytest.mark.parametrize("rate", [2_000, 8_000, 25_000])
@pytest.mark.parametrize("ahead", [10, 20, 100, 1000])
def test_a_broker_that_waits_for_us_is_not_held_up(rate: float, ahead: int) -> None:
    """At QoS 1 the pause stays below what the broker sends ahead of our answers."""
    taken, _ = _steady(ReadPacing(0.003), rate, qos=1, ahead=ahead, seconds=2.0)
    assert taken > 0.97 * rate


def test_after_a_burst_it_is_calm_again() -> None:
    """One second after the load ended, a message is read at once."""
    pacing = ReadPacing(0.003)
    _steady(pacing, 20_000, qos=0)
    assert pacing.pause(2.0, 1, 0) == 0.0
