"""The source against an asyncua server in the same process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
import structlog
from asyncua import ua

from edge_agent.errors import ConfigError
from edge_agent.sources.opcua.ids import status_code
from tests.losing import taken
from tests.opcua.plants import URI, Plc, Reading, until

if TYPE_CHECKING:
    from pathlib import Path

DECODERS = pytest.mark.parametrize("decoder", ["bulk", "stock"])


@DECODERS
async def test_values_with_quality_and_source_time(
    plc: Plc, tmp_path: Path, decoder: str
) -> None:
    """A written value arrives with its quality and the device's own time stamp."""
    await plc.have(a=1.0, b=2.0)
    reading = Reading(
        plc.endpoint, [f"nsu={URI};s=a", "ns=2;s=b"], tmp_path, decoder=decoder
    )
    async with reading.running():
        await reading.has(1.0, 0)
        stamp = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
        uncertain = status_code(ua.StatusCodes.UncertainLastUsableValue)
        await plc.set("b", 3.5, SourceTimestamp=stamp, StatusCode=uncertain)
        await reading.has(3.5, 1)

    (row,) = [r for r in reading.rows(1) if r[1] == 3.5]
    assert (1, 3.5, 1, int(stamp.timestamp()) * 10**9 + 123_456_000) == row


@DECODERS
async def test_bad_status_gives_no_number(
    plc: Plc, tmp_path: Path, decoder: str
) -> None:
    """A value that the server calls bad arrives as a bad sample without a number."""
    await plc.have(a=1.0)
    reading = Reading(plc.endpoint, ["ns=2;s=a"], tmp_path, decoder=decoder)
    async with reading.running():
        await reading.has(1.0)
        failed = status_code(ua.StatusCodes.BadSensorFailure)
        await plc.set("a", 7.0, StatusCode=failed)
        await until(lambda: len(reading.rows()) > 1)

    _, value, quality, _ = reading.rows()[-1]
    assert np.isnan(value)
    assert 2 == quality


@DECODERS
async def test_every_scalar_type_becomes_a_number(
    plc: Plc, tmp_path: Path, decoder: str
) -> None:
    """Booleans, integers of any width, floats and dates arrive as numbers."""
    kinds = ua.VariantType
    variants = {
        "boolean": ua.Variant(True, kinds.Boolean),
        "sbyte": ua.Variant(-3, kinds.SByte),
        "byte": ua.Variant(200, kinds.Byte),
        "int16": ua.Variant(-30000, kinds.Int16),
        "uint16": ua.Variant(60000, kinds.UInt16),
        "int32": ua.Variant(-(2**31), kinds.Int32),
        "uint32": ua.Variant(2**32 - 1, kinds.UInt32),
        "int64": ua.Variant(-(2**53), kinds.Int64),
        "uint64": ua.Variant(2**53, kinds.UInt64),
        "float": ua.Variant(0.5, kinds.Float),
        "double": ua.Variant(1e300, kinds.Double),
        "date": ua.Variant(datetime(2020, 1, 1, tzinfo=UTC), kinds.DateTime),
    }
    expected: list[float] = [
        1,
        -3,
        200,
        -30000,
        60000,
        -(2**31),
        2**32 - 1,
        -(2**53),
        2**53,
    ]
    expected += [0.5, 1e300, 1577836800]
    await plc.have(**variants)
    reading = Reading(
        plc.endpoint, [f"ns=2;s={n}" for n in variants], tmp_path, decoder=decoder
    )
    async with reading.running():
        await until(lambda: len(reading.rows()) >= len(variants))

    found = [reading.values(tag)[0] for tag in range(len(variants))]
    assert expected == found


@DECODERS
async def test_texts_go_to_text_tags(plc: Plc, tmp_path: Path, decoder: str) -> None:
    """A part id arrives as text, and a numeric one is written out."""
    await plc.have(part="A-1", count=41, value=1.0)
    reading = Reading(
        plc.endpoint,
        ["ns=2;s=part", "ns=2;s=value", "ns=2;s=count"],
        tmp_path,
        texts=[0, 2],
        decoder=decoder,
    )
    async with reading.running():
        await reading.has(1.0, 1)
        await plc.set("part", "Größe-2")
        await until(lambda: "Größe-2" in reading.texts(0))

    assert ["A-1", "Größe-2"] == reading.texts(0)
    assert ["41"] == reading.texts(2)


async def test_browse_path_finds_its_node(plc: Plc, tmp_path: Path) -> None:
    """A tag may be written as names from the Objects folder down."""
    await plc.have(pt1=4.0)
    reading = Reading(plc.endpoint, ["/Objects/2:pt1"], tmp_path)
    async with reading.running():
        await reading.has(4.0)


async def test_namespace_index_may_move(tmp_path: Path) -> None:
    """After a download that reorders namespaces, nsu= finds the same node again."""
    plc = Plc(a=1.0)
    reading = Reading(plc.endpoint, [f"nsu={URI};s=a"], tmp_path)
    async with plc, reading.running():
        await reading.has(1.0)
    moved = Plc(plc.port, a=2.0)
    moved.before = ("urn:another", "urn:one-more")
    async with moved, reading.running():
        await reading.has(2.0)
    assert 4 == moved.index


async def test_missing_nodes_come_when_they_exist(plc: Plc, tmp_path: Path) -> None:
    """A PLC that is still loading costs its missing tags only, and only so long."""
    await plc.have(a=1.0)
    reading = Reading(
        plc.endpoint, ["ns=2;s=a", "ns=2;s=later", "/Objects/2:later"], tmp_path
    )
    async with reading.running():
        await reading.has(1.0, 0)
        await until(lambda: reading.source.status().get("parked") == 2)
        problem = reading.source.status()["nodes"][0]["problem"]
        await plc.add("later", 5.0)
        await reading.has(5.0, 1)
        await reading.has(5.0, 2)
        assert 0 == reading.source.status()["parked"]
    assert "no such node (yet)" in problem


async def test_unfit_nodes_are_parked_with_a_reason(plc: Plc, tmp_path: Path) -> None:
    """A text or a node that is no variable is named, and does no harm."""
    await plc.have(a=1.0, text="x")
    reading = Reading(plc.endpoint, ["ns=2;s=a", "ns=2;s=text", "i=85"], tmp_path)
    async with reading.running():
        await reading.has(1.0, 0)
        nodes = {n["tag"]: n["problem"] for n in reading.source.status()["nodes"]}
    assert "set text: true" in nodes["M-1/r1"]
    assert "no variable" in nodes["M-1/r2"]


async def test_parameters_are_said_and_shown(plc: Plc, tmp_path: Path) -> None:
    """The subscription is asked for as configured and status shows what was granted."""
    await plc.have(a=1.0)
    reading = Reading(
        plc.endpoint,
        ["ns=2;s=a"],
        tmp_path,
        publishing="200ms",
        sampling="100ms",
        keepalive="2s",
    )
    async with reading.running():
        await reading.has(1.0)
        status = reading.source.status()
    assert 0.2 == status["subscription"]["publishing"]
    assert pytest.approx(2.0) == status["subscription"]["keepalive"]
    assert 600 <= status["subscription"]["lifetime"]
    assert [8, 8] == status["queue"]
    assert "up" == status["state"]
    assert status["clock_skew"] is not None


async def test_keep_alives_vouch_for_silent_tags(plc: Plc, tmp_path: Path) -> None:
    """A machine that stands still sends no value, and its link is known to be up."""
    await plc.have(a=1.0)
    reading = Reading(plc.endpoint, ["ns=2;s=a"], tmp_path, keepalive="500ms")
    async with reading.running():
        await reading.has(1.0)
        first = reading.inbox.alive_until()[0]
        await until(lambda: reading.inbox.alive_until()[0] > first + 300_000_000)
    assert [1.0] == reading.values()


async def test_keep_alives_come_within_the_shortest_hold(
    plc: Plc, tmp_path: Path
) -> None:
    """A machine that stands still is vouched for before its values are stale.

    The link is no sooner called lost for it.
    """
    await plc.have(a=1.0)
    reading = Reading(plc.endpoint, ["ns=2;s=a"], tmp_path, hold=0.4, keepalive="10s")
    async with reading.running():
        await reading.has(1.0)
        status = reading.source.status()
        first = reading.inbox.alive_until()[0]
        await until(lambda: reading.inbox.alive_until()[0] > first + 300_000_000)
    assert pytest.approx(0.2) == status["subscription"]["keepalive"]
    assert 600 <= status["subscription"]["lifetime"]
    assert not [note for note in status["notes"] if "keep-alive" in note]


async def test_keep_alives_that_are_too_rare_are_told_once(
    plc: Plc, tmp_path: Path
) -> None:
    """Where the server cannot say often enough that it is there, the operator knows."""
    await plc.have(a=1.0)
    reading = Reading(
        plc.endpoint, ["ns=2;s=a"], tmp_path, hold=0.4, publishing="500ms"
    )
    with structlog.testing.capture_logs() as logs:
        async with reading.running():
            await reading.has(1.0)
            notes = reading.source.status()["notes"]
        async with reading.running():
            await until(lambda: reading.source.status()["connects"] == 2)
    (told,) = [entry for entry in logs if entry["event"] == "keep-alives too rare"]
    assert told["note"] in notes
    assert "every 0.5 s" in told["note"]
    assert "used for 0.4 s" in told["note"]


async def test_server_restart_is_told_and_survived(tmp_path: Path) -> None:
    """When the server stops the source says so, marks one gap, and reads again."""
    plc = Plc(a=1.0)
    reading = Reading(plc.endpoint, ["ns=2;s=a"], tmp_path)
    async with plc:
        task = asyncio.create_task(reading.lost())
        await reading.has(1.0)
    said = await task
    gaps = [row for row in reading.rows() if row[2] == 2]
    await reading.lost()
    assert len(gaps) == len([row for row in reading.rows() if row[2] == 2])
    async with Plc(plc.port, a=2.0), reading.running():
        await reading.has(2.0)
    assert 1 == len(gaps)
    assert said.startswith("plc: ")


async def test_unreachable_server_is_named(tmp_path: Path) -> None:
    """Nothing listening gives a sentence that names the endpoint."""
    reading = Reading("opc.tcp://127.0.0.1:9", ["ns=2;s=a"], tmp_path)

    said = await reading.lost()

    assert "opc.tcp://127.0.0.1:9" in said
    assert "is the server started" in said


def test_wrong_address_is_a_configuration_error(tmp_path: Path) -> None:
    """An address of no known form is refused before anything connects."""
    with pytest.raises(ConfigError, match="is not a node address; write"):
        Reading("opc.tcp://127.0.0.1:9", ["DB1.Temp"], tmp_path)


async def test_deadband_drops_small_changes(plc: Plc, tmp_path: Path) -> None:
    """With a deadband only changes beyond it are sent."""
    await plc.have(a=1.0)
    reading = Reading(plc.endpoint, ["ns=2;s=a"], tmp_path, deadband=0.5)
    async with reading.running():
        await reading.has(1.0)
        await plc.set("a", 1.2)
        await asyncio.sleep(0.2)
        await plc.set("a", 2.0)
        await reading.has(2.0)
    assert [1.0, 2.0] == reading.values()


async def test_an_unchanged_value_is_stated_anew_behind_a_gap(
    plc: Plc, tmp_path: Path
) -> None:
    """A value from before the gap is known again, at the time the server sends it."""
    await plc.have(a=1.0, b=2.0)
    old = datetime(2024, 1, 1, tzinfo=UTC)
    await plc.set("a", 1.5, SourceTimestamp=old)
    reading = Reading(plc.endpoint, ["ns=2;s=a"], tmp_path)
    lost = taken(reading.instruments, reading.clock.now)
    async with reading.running():
        await reading.has(1.5)
    ((_, _, _, first),) = reading.rows()
    gap = int(reading.gap.time[0])
    assert lost == []
    async with reading.running():
        await until(lambda: len(reading.rows()) == 2)
        await plc.set("a", 2.5, SourceTimestamp=old)
        await reading.has(2.5)
    _, (_, value, quality, again), (_, _, _, later) = reading.rows()

    (told,) = lost
    assert ("samples", "plc", 0) == (told.what, told.subject, told.count)
    assert told.first <= gap < told.last
    assert int(old.timestamp()) * 10**9 == first == later
    assert (1.5, 0) == (value, quality)
    assert again > gap
