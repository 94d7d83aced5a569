"""The source against node-opcua, a server of another make."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.losing import taken
from tests.opcua.plants import URI, NodePlant, Reading, until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START = 1_700_000_000_000  # ms


def addresses(names: Sequence[str]) -> list[str]:
    """Node addresses of variables by name."""
    return [f"nsu={URI};s={name}" for name in names]


@pytest.mark.parametrize("decoder", ["bulk", "stock"])
async def test_no_value_of_a_fast_feed_is_lost(
    plant: NodePlant, tmp_path: Path, decoder: str
) -> None:
    """Two thousand rows set as fast as they can be come out whole and in order."""
    names, rows = [f"P-1.{role}" for role in "abcd"], 2000
    await plant.have(names)
    reading = Reading(
        plant.endpoint, addresses(names), tmp_path, decoder=decoder, queue=5000
    )
    async with reading.running():
        await until(lambda: len(reading.rows()) >= len(names))
        before = len(reading.rows())
        for row in range(rows):
            values = {n: row + i / 10 + 1 for i, n in enumerate(names)}
            plant.set(values, time=START + row)
        await plant.sync()
        await until(lambda: len(reading.rows()) >= before + rows * len(names))

    for tag in range(len(names)):
        found = reading.rows(tag)[-rows:]
        assert [r + tag / 10 + 1 for r in range(rows)] == [v for _, v, _, _ in found]
        times = [(START + r) * 1_000_000 for r in range(rows)]
        assert times == [at for _, _, _, at in found]
    assert 0 == reading.source.status().get("overflows", 0)


async def test_bulk_and_stock_give_the_same_samples(
    plant: NodePlant, tmp_path: Path
) -> None:
    """Two sources at one server, one for each way of decoding, see the same."""
    kinds = {"f": "Float", "b": "Boolean", "i": "Int16", "l": "Int64", "t": "String"}
    await plant.have(kinds)
    both = [
        Reading(
            plant.endpoint,
            addresses(list(kinds)),
            tmp_path,
            texts=[4],
            decoder=decoder,
            queue=500,
        )
        for decoder in ("bulk", "stock")
    ]
    async with both[0].running(), both[1].running():
        for reading in both:
            await reading.count(len(kinds))
        for k in range(1, 50):
            status = ["Good", "UncertainLastUsableValue", "BadSensorFailure"][k % 3]
            values = {"f": k / 3, "b": k % 2 == 1, "i": -k, "l": k, "t": f"P-{k}"}
            plant.set(values, time=START + k, status=status)
        await plant.sync()
        for reading in both:
            await reading.count(50 * len(kinds))

    left, right = (np.array(sorted(r.rows()[len(kinds) :])) for r in both)
    np.testing.assert_array_equal(left, right)
    assert both[0].texts(4) == both[1].texts(4)


async def test_overflow_is_counted_and_uncertain(
    plant: NodePlant, tmp_path: Path
) -> None:
    """Values lost in the server's queue are counted, the one behind is uncertain."""
    await plant.have(["a"])
    reading = Reading(
        plant.endpoint, addresses(["a"]), tmp_path, queue=3, publishing="500ms"
    )
    lost = taken(reading.instruments)
    async with reading.running():
        await reading.has(0.0)
        for k in range(20):
            plant.set({"a": 100.0 + k}, time=START + k)
        await reading.has(119.0)
    _, value, quality, _ = reading.rows()[1]
    assert value < 119
    assert 1 == quality
    told = reading.instruments.counter("opcua_queue_overflows_total", source="plc")
    assert 1 <= told == sum(one.count for one in lost)
    assert {(one.what, one.subject) for one in lost} == {
        ("samples", reading.inbox.tags.name(0))
    }


async def test_arrays_are_parked_with_a_reason(
    plant: NodePlant, tmp_path: Path
) -> None:
    """A node that holds an array is named in status and does no harm."""
    await plant.have({"a": "Double", "many": "Double[]"})
    reading = Reading(plant.endpoint, addresses(["a", "many"]), tmp_path)
    async with reading.running():
        await reading.has(0.0)
        (node,) = reading.source.status()["nodes"]
    assert "array" in node["problem"]


async def test_items_are_created_within_the_servers_limits(tmp_path: Path) -> None:
    """A server that takes few operations a call gets all items, in small pieces."""
    names = [f"v{i}" for i in range(25)]
    limits = {"maxMonitoredItemsPerCall": 4, "maxNodesPerRead": 3}
    async with NodePlant(names, limits=limits) as plant:
        reading = Reading(plant.endpoint, addresses(names), tmp_path)
        async with reading.running():
            await until(lambda: len(reading.rows()) >= len(names))
            assert 25 == reading.source.status()["running"]


async def test_a_deleted_node_is_found_again(plant: NodePlant, tmp_path: Path) -> None:
    """A download that deletes a node and makes it anew costs no restart."""
    await plant.have(["a", "b"])
    reading = Reading(plant.endpoint, addresses(["a", "b"]), tmp_path)
    async with reading.running():
        await until(lambda: len(reading.rows()) >= 2)
        plant.tell({"remove": ["b"]})
        await plant.sync()
        await until(lambda: reading.rows(1)[-1][2] == 2)
        plant.tell({"add": ["b"]})
        plant.set({"b": 5.5})
        await reading.has(5.5, 1)


async def test_a_server_that_does_not_run_makes_all_uncertain(
    plant: NodePlant, tmp_path: Path
) -> None:
    """While the server's state is not Running every value is uncertain, then good."""
    await plant.have(["a"])
    reading = Reading(plant.endpoint, addresses(["a"]), tmp_path)
    async with reading.running():
        await reading.has(0.0)
        plant.tell({"state": "Suspended"})
        await until(lambda: reading.rows()[-1][2] == 1, "uncertain")
        assert "Suspended" == reading.source.status()["server_state"]
        plant.tell({"state": "Running"})
        await until(lambda: reading.rows()[-1][2] == 0, "good")
    assert [0.0, 0.0, 0.0] == reading.values()


async def test_a_dropped_subscription_is_told(plant: NodePlant, tmp_path: Path) -> None:
    """A server that ends our subscription makes the source say so and end."""
    await plant.have(["a"])
    reading = Reading(plant.endpoint, addresses(["a"]), tmp_path)
    task = asyncio.create_task(reading.lost())
    await reading.has(0.0)
    plant.tell({"terminate": "subscriptions"})
    said = await task
    assert "subscription" in said


async def test_every_write_reports_unchanged_values(
    plant: NodePlant, tmp_path: Path
) -> None:
    """With report: every-write a value written again unchanged is a sample."""
    await plant.have(["a"])
    reading = Reading(plant.endpoint, addresses(["a"]), tmp_path, report="every-write")
    async with reading.running():
        await reading.has(0.0)
        for k in range(3):
            plant.set({"a": 4.0}, time=START + k)
        await until(lambda: len(reading.rows()) == 4)
    assert [4.0, 4.0, 4.0] == reading.values()[1:]


async def test_nothing_is_left_on_the_server(plant: NodePlant, tmp_path: Path) -> None:
    """A source that is stopped takes its session and subscription with it."""
    await plant.have(["a"])
    reading = Reading(plant.endpoint, addresses(["a"]), tmp_path)
    async with reading.running():
        await reading.has(0.0)
        during = await plant.ask("stats")
    behind = await plant.ask("stats")
    for _ in range(100):
        if not any(behind.values()):
            break
        await asyncio.sleep(0.1)
        behind = await plant.ask("stats")
    assert {"sessions": 1, "subscriptions": 1} == during
    assert {"sessions": 0, "subscriptions": 0} == behind
