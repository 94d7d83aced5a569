"""What would go wrong if the agent connected to this OPC UA server now.

For ``check --connect``: everything is tried that a session needs, up to one read of
every node, and every finding is a sentence for the person who can act on it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge_agent.clock import SystemClock
from edge_agent.errors import ConfigError, SourceLost
from edge_agent.sources.opcua.faults import meaning, translated
from edge_agent.sources.opcua.item import wanted
from edge_agent.sources.opcua.items import Items
from edge_agent.sources.opcua.link import Credentials, opened
from edge_agent.sources.opcua.pki import expiry_warning
from edge_agent.sources.opcua.services import Limits, namespaces

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asyncua import ua

    from edge_agent.config.plant import Binding
    from edge_agent.config.schema import OpcUaSource as Settings
    from edge_agent.sources.opcua.link import Link


async def probe(
    name: str,
    settings: Settings,
    bindings: Sequence[Binding],
    *,
    pki_dir: Path,
    application_uri: str,
    password: str | None,
) -> list[str]:
    """Try endpoint, policy, trust on both sides, login and every node.

    Our certificate is made if there is none yet, and a server's unknown one is kept
    under ``rejected`` for approval, as in operation.

    Returns:
        Problems in words; empty when all is well.
    """
    credentials = Credentials(pki_dir, application_uri, password)
    try:
        wanted(bindings)
        async with opened(name, settings, credentials, SystemClock()) as link:
            found = _of_link(link)
            with translated(f"{name}: asking for the tags' nodes"):
                found += await _of_nodes(link, settings, bindings)
    except (SourceLost, ConfigError, ValueError) as error:
        text = str(error)
        return [text if text.startswith(name) else f"{name}: {text}"]
    return found


def _of_link(link: Link) -> list[str]:
    found = [f"{link.name}: {note}" for note in link.notes]
    days = link.certificate_days(SystemClock())
    if days is not None and expiry_warning(days) is not None:
        found.append(
            f"{link.name}: our certificate ends in {days} days: move pki/own away for a"
            " new one, and trust that on every server"
        )
    return found


async def _of_nodes(
    link: Link, settings: Settings, bindings: Sequence[Binding]
) -> list[str]:
    items = Items(
        link,
        settings,
        await Limits.of(link),
        0,
        await namespaces(link),
        wanted(bindings),
    )
    readable = await items.readable(asyncio.get_running_loop().time())
    values = dict(await items.values(readable))
    found = []
    for item in items.all:
        if item.address is None:
            continue
        problem = item.problem or _of_value(values.get(item.handle))
        if problem:
            found.append(f"{link.name}: {item.name}: {item.address.text}: {problem}")
    return found


def _of_value(data: ua.DataValue | None) -> str:
    code = 0 if data is None or data.StatusCode is None else int(data.StatusCode.value)
    return f"its value is bad: {meaning(code)}" if code >> 31 else ""
