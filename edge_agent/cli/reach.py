"""Whether the servers of a configuration can be reached and used."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.centre.aside import Aside
from edge_agent.centre.bucket import ANSWER, open_bucket
from edge_agent.cli.prerequisites import links
from edge_agent.config import secrets
from edge_agent.config.schema import MqttSource, OpcUaSource
from edge_agent.errors import ConfigError, SinkLost
from edge_agent.mqtt import probe as broker
from edge_agent.sources import opcua_probe as server
from edge_agent.sources.mqtt_topics import filters
from edge_agent.wiring import application_uri

if TYPE_CHECKING:
    from edge_agent.config.keeping import Centre
    from edge_agent.config.loading import Loaded
    from edge_agent.config.problems import Loc, Problem
    from edge_agent.config.schema import MqttLink, Source


async def reach(loaded: Loaded) -> list[Problem]:
    """Connect to every server at once; nothing is written, nobody is disturbed."""
    asked = [_reach(loaded, loc, link) for loc, link in links(loaded)]
    if loaded.config.centre is not None:
        asked.append(_reach_centre(loaded, loaded.config.centre))
    return [problem for found in await asyncio.gather(*asked) for problem in found]


async def _reach(loaded: Loaded, loc: Loc, link: Source | MqttLink) -> list[Problem]:
    name = str(loc[-1])
    try:
        password = secrets.password_of(name, link)
    except ConfigError as error:
        said = [str(error)]
    else:
        said = await _ask(loaded, name, link, password)
    return [loaded.problem(loc, text) for text in said]


async def _reach_centre(loaded: Loaded, centre: Centre) -> list[Problem]:
    """Whether it is there and lets us in; the folder may be on a share that hangs."""
    try:
        password = secrets.password_of("centre", centre)
        bucket = await Aside("centre: it does not answer").call(
            ANSWER, partial(open_bucket, centre, password)
        )
        await bucket.check()
    except (ConfigError, SinkLost) as why:
        return [loaded.problem(("centre",), str(why))]
    return []


async def _ask(
    loaded: Loaded, name: str, link: Source | MqttLink, password: str | None
) -> list[str]:
    config, bindings = loaded.config, loaded.plant.bindings
    if isinstance(link, OpcUaSource):
        return await server.probe(
            name,
            link,
            bindings[name],
            pki_dir=config.state_dir / "pki",
            application_uri=application_uri(config),
            password=password,
        )
    wanted: list[tuple[str, int]] = []
    if isinstance(link, MqttSource):
        addresses = (binding.address for binding in bindings[name])
        wanted = [(topic, link.qos) for topic in filters(addresses)]
    client_id = link.client_id or f"edge-agent-{config.gateway}-{name}"
    wrong = await broker.probe(
        link, client_id=client_id, password=password, subscriptions=wanted
    )
    return [] if wrong is None else [wrong]
