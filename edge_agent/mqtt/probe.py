"""Can this broker be used? The question behind ``edge-agent check --connect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.clock import SystemClock
from edge_agent.instruments import Instruments
from edge_agent.mqtt.reasons import LinkLost
from edge_agent.mqtt.session import MqttSession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.config.schema import MqttLink

TIMEOUT = 5.0
"""Seconds for each step; somebody is waiting at a terminal."""


async def probe(
    link: MqttLink,
    *,
    client_id: str,
    password: str | None = None,
    subscriptions: Sequence[tuple[str, int]] = (),
) -> str | None:
    """Connect, log in, subscribe, and leave again.

    Args:
        link: as configured.
        client_id: the agent's; another one is used, or a running agent would lose
            its connection to this check.
        password: goes with ``link.user``.
        subscriptions: topic filters with their QoS.

    Returns:
        None if all went well, otherwise what is wrong and what to do.
    """
    session = MqttSession(
        link,
        client_id=f"{client_id}-check",
        password=password,
        subscriptions=subscriptions,
        clock=SystemClock(),
        instruments=Instruments(),
        connect_timeout=TIMEOUT,
    )
    try:
        async with session:
            refused = session.refused_filters
    except LinkLost as lost:
        return str(lost)
    if not refused:
        return None
    name, why = next(iter(refused.items()))
    return f"{len(refused)} subscription(s) refused, for example {name}: {why}"
