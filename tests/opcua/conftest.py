"""One event loop and one server of each make for all tests: making one takes 2 s."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.opcua.plants import NodePlant, Plc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run every coroutine of this folder in the session's loop."""
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_plc() -> AsyncIterator[Plc]:
    """A running server without variables."""
    async with Plc() as plc:
        yield plc


@pytest_asyncio.fixture(loop_scope="session")
async def plc(shared_plc: Plc) -> AsyncIterator[Plc]:
    """The shared server; what a test adds to it is gone behind the test."""
    yield shared_plc
    await shared_plc.clear()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_node_plant() -> AsyncIterator[NodePlant]:
    """A running node-opcua server without variables."""
    async with NodePlant([]) as plant:
        yield plant


@pytest_asyncio.fixture(loop_scope="session")
async def plant(shared_node_plant: NodePlant) -> AsyncIterator[NodePlant]:
    """The shared node-opcua server; what a test adds to it is gone behind the test."""
    yield shared_node_plant
    await shared_node_plant.clear()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def secure_plant() -> AsyncIterator[NodePlant]:
    """A node-opcua server with every security policy, one user and a variable."""
    users = {"gateway": "right"}
    async with NodePlant(["a"], security=True, trustAll=True, users=users) as plant:
        yield plant
