"""The benchmarks' own parts: a wrong oracle would make every figure worthless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.bundle.contents import open_bundle
from edge_agent.config.plant import resolve
from edge_agent.config.schema import AgentConfig
from edge_agent.scoring import OnnxScorer
from tests.bench import agent, many, small_models, wire
from tests.bench.bundle import training_rows, write_bundle
from tests.bench.flood import ITEMS, Notifications, types_of
from tests.bench.measure import Table
from tests.bench.naive_mqtt import Windows, open_model
from tests.bench.plant import (
    ASSETS,
    FEATURES,
    SLOTS,
    TAGS,
    features,
    pool,
    pool_row,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_naive_features_are_the_oracle_s() -> None:
    """The naive ring gives what the plain formula gives, wherever its cursor is."""
    windows, values = Windows(0.2), pool()
    for turn in range(2 * SLOTS + 3):
        found = windows.add(7, values[pool_row(turn, 7)].tolist())
        if turn < SLOTS - 1:
            assert found is None
            continue
        last = [pool_row(t, 7) for t in range(turn - SLOTS + 1, turn + 1)]
        expected = features(values[last], 0.2)
        assert found is not None
        np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-5)


def test_agent_and_naive_run_the_same_model(tmp_path: Path) -> None:
    """The bundle passes the agent's checks and scores as the naive session does."""
    bundle = open_bundle(write_bundle(tmp_path, 200))
    rows = training_rows(200)[:50]
    session = open_model(str(bundle.path / "model.onnx"))
    (expected,) = session.run(["score"], {"features": rows})
    assert rows.shape[1] == FEATURES
    np.testing.assert_allclose(OnnxScorer(bundle).score(rows).score, expected, 1e-5)


def test_small_models_are_proven_and_scored(tmp_path: Path) -> None:
    """Each kind passes the agent's checks, and every asset of its plant is scored."""
    figures = many.measured(many.plant(tmp_path, len(small_models.KINDS)), 2)
    assert figures["scored_turn"] == many.ASSETS


def test_configuration_binds_every_tag() -> None:
    """The bench's plant is valid for the agent, over MQTT and over OPC UA."""
    for source in (
        {"type": "mqtt", "host": "127.0.0.1"},
        agent.opcua_source("opc.tcp://127.0.0.1:4840"),
    ):
        config = AgentConfig.model_validate(agent.configuration(source))
        assert len(resolve(config).bindings["plant"]) == ASSETS * TAGS


def test_flood_speaks_opc_ua() -> None:
    """The client decodes a prepared answer to the handles and values put in."""
    decode: Any = struct_from_binary
    handles = list(range(5000, 5000 + ASSETS * TAGS))
    for kind in ("uniform", "mixed"):
        flood = Notifications(handles, types_of(kind), 3)
        stamps = []
        for half in range(4):
            answer = decode(ua.PublishResponse, Buffer(flood.body(9)))
            message = answer.Parameters.NotificationMessage
            (change,) = message.NotificationData
            items = change.MonitoredItems
            first = half % 2 * ITEMS
            found = [item.ClientHandle for item in items]
            assert found == handles[first : first + ITEMS]
            asset = half % 2 * ITEMS // TAGS
            expected = pool()[pool_row(half // 2, asset), 0]
            assert items[0].Value.Value.Value == expected
            assert message.SequenceNumber == half + 1
            stamps.append(items[0].Value.SourceTimestamp)
        assert stamps[0] == stamps[1] < stamps[2] == stamps[3]


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(0, 2000))
def test_frames_survive_any_cut(payloads: list[bytes], cut: int) -> None:
    """Frames cut in two by the socket are the frames that were sent."""
    stream = b"".join(wire.publish(b"a/b", p, 7) for p in payloads)
    found, rest = [], b""
    for piece in (stream[:cut], stream[cut:]):
        rest += piece
        end = 0
        for _, begin, end in wire.frames(rest):
            found.append(rest[begin + 2 + 3 + 2 : end])
        rest = rest[end:]
    assert (found, rest) == (payloads, b"")


def test_table_judges_medians() -> None:
    """One bad repeat changes no verdict, a missed bound is said to be missed."""
    table = Table("x", "y")
    for value in (1.0, 9.0, 1.2):
        table.add("ours", {"cpu": value})
    table.at_most("cpu", table.median("ours")["cpu"], 1.5)
    table.at_least("ratio", 2.0, 3.0)
    assert [met for *_, met in table.verdicts] == [True, False]
    assert "MISSED ratio" in table.text()
